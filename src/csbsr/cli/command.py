"""What every command does around its task: errors in a line, the run's folder, values of the configuration."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from functools import wraps
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from csbsr.cli.config import check_words, value_of
from csbsr.errors import NonFiniteLoss
from csbsr.files import disk_trouble
from csbsr.words import printable_lines

log = logging.getLogger(__name__)

#: Rooms whose classes a description of data may name.
DATA = ("csbsr.data", "csbsr.degradation")
_OF_FILES = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError)  # a person can mend these


def plain(node: Any) -> Any:
    """A configuration node as plain containers, interpolations resolved."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def require(config: DictConfig, meanings: Mapping[str, str], usage: str) -> None:
    """Raise ValueError for the first of some settings that is not given, with what it means and the usage."""
    for key, meaning in meanings.items():
        if not config[key]:
            raise ValueError(f"{key}: expected {meaning}: {usage}")


def run_folder() -> Path:
    """Where this job writes."""
    return Path(HydraConfig.get().runtime.output_dir)


def now() -> str:
    """Date and time for what is written."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def explained(error: Exception) -> str:
    """The error's text, with the way out where a library does not give it."""
    text = disk_trouble(error) or str(error)
    if text.startswith("Caught ") and " in DataLoader worker" in text:  # the worker's traceback, its message last
        text = text.rpartition(f"{type(error).__name__}: ")[2].rstrip()
    if "Expected more than 1 value per channel" in text:
        text += "\nA BatchNorm met a map of one pixel: raise data.batch_size to at least 2, or data.crop"
    if isinstance(error, _out_of_memory()):
        text += "\nLower data.batch_size or data.crop, or set sr.checkpoint=true or trainer.precision=bf16-mixed"
    return text


def reports_errors(task: Callable[[DictConfig], Any]) -> Callable[[DictConfig], Any]:
    """Report what a person can mend in a line, without a traceback, and leave nothing half-written behind.

    A run folder that was new is removed, unless checkpoints or curves have been written to it.  In a sweep the error
    goes on to Hydra, so that it is recorded with its job.
    """

    @wraps(task)
    def wrapper(config: DictConfig) -> Any:
        folder = run_folder()
        ours = (folder / ".hydra").is_dir()  # else Hydra was told to leave no records, and this may be anyone's
        new = ours and all(path.name == ".hydra" or path.suffix == ".log" for path in folder.iterdir())

        def clean() -> None:
            if new and folder.is_dir() and not any((folder / name).exists() for name in ("checkpoints", "metrics.csv")):
                forget(folder, HydraConfig.get().overrides.task)

        try:
            check_words(HydraConfig.get().overrides.task, HydraConfig.get().job.config_name)
            return task(config)
        except SystemExit as stop:
            if stop.code:
                clean()
            raise
        except Exception as error:
            if HydraConfig.get().mode is RunMode.MULTIRUN or not _is_told(error):
                raise
            clean()
            log.debug("traceback", exc_info=True)
            print(f"error: {printable_lines(explained(error))}", file=sys.stderr)
            raise SystemExit(1) from None

    return wrapper


def _is_told(error: Exception) -> bool:
    """Whether a person can mend it."""
    mendable: tuple[type[Exception], ...] = (
        ValueError, *_OF_FILES, NonFiniteLoss, HydraException, *_out_of_memory(),
    )  # fmt: skip
    # Lightning's own, by its name: commands that train nothing do not import it.
    misused = type(error).__name__ == "MisconfigurationException"
    return isinstance(error, mendable) or misused or bool(disk_trouble(error))


def _out_of_memory() -> tuple[type[Exception], ...]:
    """torch's error, where torch is at work at all."""
    torch = sys.modules.get("torch")
    return () if torch is None else (torch.OutOfMemoryError,)


def forget(folder: Path, words: Sequence[str]) -> None:
    """Remove the folder of a run that came to nothing.

    Args:
        folder: of the run.
        words: its overrides; if they do not choose a folder, the default's folders above it (``runs/<date>``) are
            removed too where nothing else is in them.
    """
    shutil.rmtree(folder)
    here = Path.cwd()
    if value_of(words, "output") is None and here in folder.absolute().parents:
        for above in folder.absolute().parents:
            if above == here:
                break
            with suppress(OSError):  # something else is in it
                above.rmdir()
