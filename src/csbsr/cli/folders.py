"""A run owns its folder: taken before anything is written there, a new one by default, given back at the end."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from itertools import count
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, flag_override
from pytorch_lightning.utilities import rank_zero_only

from csbsr.cli.config import quoted, value_of
from csbsr.files import disk_trouble, partial_name

try:
    import fcntl
except ImportError:  # a system without it
    fcntl = None  # type: ignore[assignment]

_RECORDS = 1 << 16  # bytes that Hydra's records of a job take at most
_CLAIMS: ContextVar[ExitStack] = ContextVar("claims")


@contextmanager
def claims() -> Iterator[None]:
    """Give back at its end what `OwnFolder` claims within it."""
    with ExitStack() as stack:
        token = _CLAIMS.set(stack)
        try:
            yield
        finally:
            _CLAIMS.reset(token)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Own ``folder``, made if it is missing, while the block runs; a lock on the folder itself, which leaves no file.

    Raises:
        ValueError: another process owns it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held: list[int] = []
    if fcntl is not None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held.append(descriptor)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise ValueError(
                    f"output: {folder} belongs to a run that is going on; wait for its end, or choose another folder"
                ) from None  # any other error: a file system without locks

        def let_go() -> None:  # a process that loads data, and outlives a killed run, keeps nobody out
            for inherited in held:
                os.close(inherited)

        os.register_at_fork(after_in_child=let_go)
    try:
        yield
    finally:
        while held:
            os.close(held.pop())


class OwnFolder(Callback):
    """Hydra's callback that claims the folder of a run, or of a sweep, before Hydra writes there."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Claim the run's folder."""
        self._claim(config, "run")

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Claim the sweep's folder, and see that a sweeper that compares jobs has something to compare."""
        if "direction" in config.hydra.sweeper and config.get("objective") is None:
            raise SystemExit(
                "error: objective: expected a metric that the sweeper compares, got null; try objective=aiu"
            )
        self._claim(config, "sweep")

    def _claim(self, config: DictConfig, kind: str) -> None:
        if getattr(rank_zero_only, "rank", 0):  # a further process of the run that the first one claims the folder for
            return
        try:
            folder = Path(config.hydra[kind].dir)
            words = [*config.hydra.overrides.task, *config.hydra.overrides.hydra]
            chosen = any(value_of(words, key) is not None for key in ("output", f"hydra.{kind}.dir"))
            if not chosen and not config.get("resume"):
                folder = _unused(folder)
                with flag_override(config, ["readonly", "struct"], False):
                    config.output = str(folder)
                    if kind == "sweep":  # jobs are composed anew
                        config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted(folder)}")
            _CLAIMS.get(ExitStack()).enter_context(claimed(folder))
            _check_space(folder)
        except (ValueError, OSError) as error:  # Hydra makes warnings of a callback's exceptions
            raise SystemExit(f"error: {disk_trouble(error) or error}") from None


def _check_space(folder: Path) -> None:
    """Raise OSError unless what Hydra records of a job can be written: it would show a traceback."""
    probe = partial_name(folder / "space")
    try:
        probe.write_bytes(bytes(_RECORDS))
    finally:
        probe.unlink(missing_ok=True)


def _unused(folder: Path) -> Path:
    """The folder, or if it is there already, the first of ``folder-2``, ``folder-3``, … that is not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        place = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        try:
            place.mkdir()
        except FileExistsError:
            continue
        break
    return place
