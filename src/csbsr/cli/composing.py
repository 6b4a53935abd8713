"""Words that Hydra cannot compose a configuration from: told in a line, with the nearest word that it can."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

from csbsr.words import printable

_FULL = "HYDRA_FULL_ERROR"
_FLAG = re.compile(r"--([a-z_]+(?:\.[a-z_]+)*)(?:=.*)?")
_FLAGS = ("help", "version", "cfg", "resolve", "package", "run", "multirun", "info")  # of one word; others have dashes


def check_flags(arguments: Sequence[str]) -> None:
    """Leave with a line at a setting that is written as an option: ``--input``."""
    for argument in arguments:
        found = _FLAG.fullmatch(argument)
        if found is not None and found[1] not in _FLAGS:
            raise SystemExit(f"error: {argument}: settings are written name=value, without dashes: {found[1]}=...")


@contextmanager
def explained_words(arguments: Sequence[str], config_folder: Path, config_name: str) -> Iterator[Callable[[], object]]:
    """Within it Hydra raises what it cannot compose, instead of several lines of its own; left with one of ours.

    Not in a sweep, whose jobs' errors Hydra records.  What it gives is called when the job begins: errors of the job
    itself end as ever.
    """
    if _FULL in os.environ or not {"-m", "--multirun"}.isdisjoint(arguments):  # somebody wants to see it all
        yield lambda: None
        return
    os.environ[_FULL] = "1"
    try:
        yield lambda: os.environ.pop(_FULL, None)
    except HydraException as error:
        text = explanation(error, config_folder, config_name)
        if text is None:
            raise
        raise SystemExit(f"error: {printable(text)}") from None
    finally:
        os.environ.pop(_FULL, None)


def explanation(error: HydraException, config_folder: Path, config_name: str) -> str | None:
    """What was wrong with the words, in a line; None for what is no fault of theirs."""
    text = str(error)
    if isinstance(error, OverrideParseException):
        if "=" not in error.override:
            return f"{error.override}: expected name=value, such as seed=0"
        return f"{error.override}: cannot be understood ({text.splitlines()[0]}); put it into quotes: \"name='...'\""
    if isinstance(error, MissingConfigException) and error.options:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        known = [name for name in error.options if name not in ("base", "files")]
        return f"{group}: expected one of {', '.join(known)}, got {option!r}"
    unknown = re.match(r"Could not override '([^']+)'", text)
    if isinstance(error, ConfigCompositionException) and unknown is not None:
        name = unknown[1].partition("@")[0]
        near = difflib.get_close_matches(name, known_names(config_folder, config_name), 1, 0.6)
        meant = f"; did you mean {near[0]}?" if near else ";"
        return f"{name}: there is no such setting{meant} --help and --cfg job list them"
    return None


def known_names(config_folder: Path, config_name: str) -> list[str]:
    """All settings of a command with its defaults, dotted, and its groups."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(config_folder), version_base="1.3"):
        config = hydra.compose(config_name)
    groups = [path.name for path in config_folder.iterdir() if path.is_dir() and path.name != "hydra"]
    return [*dict.fromkeys([*_dotted(config), *groups])]


def _dotted(config: Any, above: str = "") -> Iterator[str]:
    for key in config:
        name = f"{above}{key}"
        yield name
        if not OmegaConf.is_missing(config, key) and not OmegaConf.is_interpolation(config, key):
            value = config[key]
            if isinstance(value, DictConfig):
                yield from _dotted(value, f"{name}.")
