"""Which words of a checkpoint are said again when its run goes on, and which the user must repeat.

A checkpoint stores the command line of its run.  Whoever wrote the file chose those words, so they are taken for what
they can do no harm with: options of this project's own groups, and settings that name no path, no code and no host, of
bounded size.  The folder of the data may be read; it is printed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from csbsr.cli.config import config_folder
from csbsr.words import printable

#: Options that reach further than this machine or start something beside the run.
_REACHING = {"logger": {"wandb"}, "cluster": None}
#: Groups of which a run can do without.
_OPTIONAL = ("experiment", "recipe", "logger", "callbacks", "extra_paths")
#: Settings of numbers, true and false, and words, and the largest number that each may hold; a ``*`` stands for one
#: part of a name, ``**`` for any number of them.  The first line that fits counts.
SETTINGS: tuple[tuple[str, float], ...] = (
    ("steps", 1e9),
    ("seed", 2**63),
    ("scale", 16),
    ("width.*", 16),
    ("stages", 64),
    ("dropout", 16),
    ("compile", 1),
    ("channels_last", 1),
    ("save_every_minutes", 1e6),
    ("objective", 1),
    ("max_megapixels", 500),
    ("sr.**", 2**16),  # networks: no larger than the weights in the file, see csbsr.weights.tensors
    ("segmentor.**", 2**16),
    ("model.**", 2**16),
    ("loss.**", 1e6),
    ("metrics.**", 1e4),
    ("phases.**", 1e9),
    ("optimizer.**", 1e6),
    ("scheduler.**", 1e9),
    ("degradation.**", 1000),
    ("data.size", 4096),
    ("data.crop", 4096),
    ("data.batch_size", 1024),
    ("data.eval_batch_size", 64),
    ("data.num_workers", 64),
    ("data.seed", 2**63),
    ("data.data_seed", 2**63),
    ("data.*_images", 1e7),
    ("data.*_limit", 1e9),
    ("data.**", 1e6),
    *((f"trainer.{name}", 1e9) for name in (
        "max_steps", "val_check_interval", "check_val_every_n_epoch", "log_every_n_steps", "gradient_clip_val",
        "gradient_clip_algorithm", "limit_train_batches", "limit_val_batches", "limit_test_batches",
        "num_sanity_val_steps", "enable_progress_bar", "enable_model_summary", "deterministic", "benchmark",
        "detect_anomaly", "inference_mode", "sync_batchnorm",
    )),
    *((f"trainer.{name}", 64) for name in (
        "accelerator", "devices", "strategy", "precision", "accumulate_grad_batches",
    )),
    ("logger.csv.flush_logs_every_n_steps", 1e9),
    ("callbacks.panels.images", 64),
    ("callbacks.last.every_n_steps", 1e9),
    ("callbacks.average.decay", 1),
)  # fmt: skip
#: Settings of paths: the data is only read; beside ``ckpt=`` nobody reads the others.
_PATHS = (
    "data.root", "data.surfaces", "data.surfaces_list", "init", "segmentor.pretrained", "model.pretrained",
)  # fmt: skip
_NEVER = ("data.origin",)  # a sentence for an error
_LONGEST, _MOST_BRACKETS, _MOST_WORDS = 2000, 40, 300
_MOST_PIXELS = 2e8  # of a training batch
_WORD = re.compile(r"[\w.+{} #\-]{0,64}")
_REFERENCE = re.compile(r"\$\{[.\w]+\}")
_KEY = re.compile(r"[A-Za-z]\w*(\.[A-Za-z0-9]\w*)*")


def check_stored(stored: Sequence[str], given: Sequence[str], path: str | Path) -> None:
    """Check the words that a checkpoint would have said again.

    Args:
        stored: overrides in the file, less those that the user gives anew.
        given: the user's words.
        path: of the file.

    Raises:
        ValueError: some of them the user has to repeat; it lists them.
    """
    if len(stored) > _MOST_WORDS:
        raise ValueError(
            f"ckpt: {printable(path)} was trained with {len(stored)} words; expected at most {_MOST_WORDS}"
        )
    unasked = [word for word in stored if word not in given and not may_be_said_again(word)]
    if unasked:
        raise ValueError(
            f"ckpt: {printable(path)} was trained with {printable(shlex.join(unasked))}; a file alone may not choose "
            "these, since they could name code, a path or a host; if you trust where it comes from, repeat these words "
            "beside ckpt=…"
        )


def check_sizes(settings: Mapping[str, Any], keys: Sequence[str], name: str) -> None:
    """Check the numbers of a stored configuration against `SETTINGS`, and that only the data's folders are paths.

    Args:
        settings: the configuration, or a part of it.
        keys: its entries to look at.
        name: of the file, for the error.

    Raises:
        ValueError: a number is too large to be taken from a file, or crops and batches together are; a text could be a
            path.
    """
    pending: list[tuple[str, Any]] = [(key, settings.get(key)) for key in keys]
    while pending:
        place, value = pending.pop()
        if isinstance(value, Mapping):
            pending += [(f"{place}.{key}", part) for key, part in value.items()]
        elif isinstance(value, (list, tuple)):
            pending += [(place, part) for part in value]
        elif isinstance(value, (int, float)) and not abs(value) <= (largest := _largest(place) or 0):
            raise ValueError(
                f"{name}: {printable(place)}: expected a number up to {largest:g}, got {value:g}; give "
                f"{printable(place)}=<number> yourself"
            )
        elif isinstance(value, str) and not _is_harmless(place, value):
            shown = printable(place)
            raise ValueError(
                f"{name}: {shown}: expected a word, got {printable(value)[:80]!r}; give {shown}=<value> yourself"
            )
    data = settings.get("data")
    if isinstance(data, Mapping):
        batch, crop = (data.get(key) for key in ("batch_size", "crop"))
        if isinstance(batch, (int, float)) and isinstance(crop, (int, float)) and batch * crop**2 > _MOST_PIXELS:
            raise ValueError(
                f"{name}: data.batch_size and data.crop: expected at most {_MOST_PIXELS / 1e6:g} megapixels together, "
                f"got {batch} crops of {crop}; give them yourself"
            )


def _is_harmless(place: str, text: str) -> bool:
    if place in _PATHS or place == "data.origin" or place.endswith("._target_") or _REFERENCE.fullmatch(text):
        return True
    return place not in _NEVER and _WORD.fullmatch(text) is not None and ".." not in text


def may_be_said_again(word: str) -> bool:
    """Whether a stored override names an option of a group or a harmless setting, and a harmless value."""
    if len(word) > _LONGEST or sum(map(word.count, "[{(")) > _MOST_BRACKETS or "${" in word:
        return False
    try:
        override = OverridesParser.create().parse_override(word)
        value = override.value()
    except (HydraException, ValueError, RecursionError):
        return False
    if override.is_sweep_override() or override.package is not None:
        return False
    name = override.key_or_group
    if name in groups():
        return _is_option(name, value, override)
    if _KEY.fullmatch(name) is None or any(part.startswith("_") for part in name.split(".")):
        return False
    if override.is_delete():
        return _largest(name) is not None
    if name in _PATHS:
        return value is None or (isinstance(value, str) and "\0" not in value)
    if re.fullmatch(r"callbacks\.\w+", name):
        return value is None
    largest = _largest(name)
    return largest is not None and _is_plain(value, largest)


@cache
def groups() -> dict[str, frozenset[str]]:
    """The groups of the configuration, such as ``loss/super_resolution``, and the names of their options."""
    root = config_folder()
    folders = sorted({path.parent for path in root.glob("*/**/*.yaml")})
    return {
        folder.relative_to(root).as_posix(): frozenset(path.stem for path in folder.glob("*.yaml"))
        for folder in folders
        if folder.relative_to(root).parts[0] != "hydra"
    }


def _is_option(group: str, value: Any, override: Override) -> bool:
    if group in _REACHING and _REACHING[group] is None:
        return value is None
    options = groups()[group] - (_REACHING.get(group) or set())
    if override.is_delete():
        return value is None or value in options
    chosen = value if isinstance(value, list) else [value]
    if chosen == [None]:
        return group in _OPTIONAL
    return all(isinstance(option, str) and option in options for option in chosen)


def _largest(name: str) -> float | None:
    """The bound of a setting's numbers; None for a setting that is not said again."""
    if name in _NEVER:
        return None
    return next((largest for pattern, largest in SETTINGS if _pattern(pattern).fullmatch(name)), None)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*\*", ".+").replace(r"\*", r"\w*"))


def _is_plain(value: Any, largest: float) -> bool:
    """Whether a value is made of bounded numbers, words without separators, and lists and mappings of these."""
    return all(_is_plain_leaf(leaf, largest) for leaf in _leaves(value))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _keys(key)
            yield from _leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _keys(key: Any) -> Iterator[Any]:
    yield key if isinstance(key, str) and not key.startswith("_") else object()


def _is_plain_leaf(value: Any, largest: float) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, (int, float)):
        return abs(value) <= largest
    return isinstance(value, str) and _WORD.fullmatch(value) is not None and ".." not in value
