"""A sweep that is started again in the same folder: what its jobs left there."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from csbsr.cli.config import without
from csbsr.moved import present_words
from csbsr.training.resuming import LAST, PREVIOUS, ResumePoint, read_sound
from csbsr.training.stops import ECHO, SIGNALS
from csbsr.weights.checkpoint import card


def left_behind(config: DictConfig, folder: Path) -> tuple[str | None, ResumePoint]:
    """The checkpoint that an earlier start of this job left in its ``folder``, and the point that it was written at.

    Asked for with ``resume=true``, and in a sweep.  Jobs are numbered, so the folder is only this job's if its
    checkpoint was trained by the same words.

    Raises:
        ValueError: the folder holds another job.
    """
    path = folder / "checkpoints" / LAST
    again = config.resume or HydraConfig.get().mode is RunMode.MULTIRUN
    if not again or config.ckpt or not holds_run(folder):
        return None, ResumePoint()
    path, checkpoint = read_sound(path)
    then, now = (_job(words) for words in (card(checkpoint)["overrides"], HydraConfig.get().overrides.task))
    if then != now:
        raise ValueError(
            f"{folder} holds another job ({' '.join(then)}), expected {' '.join(now)}; "
            "start this sweep with another output=<folder>, or remove that folder"
        )
    return str(path), ResumePoint.of(checkpoint)


def holds_run(folder: Path) -> bool:
    """Whether a run has saved something in ``folder``."""
    return any((folder / "checkpoints" / name).is_file() for name in (LAST, PREVIOUS))


@contextmanager
def forwarding() -> Iterator[None]:
    """Pass signals on to the jobs of a sweep that run in processes of their own, and exit as they do.

    The jobs save what they are at; a second signal ends the sweep at once.  A job in this process listens itself.
    """
    received: list[signal.Signals] = []
    first: list[float] = []

    def forward(number: int, frame: FrameType | None) -> None:
        if received and time.monotonic() - first[0] < ECHO:
            return
        if received:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        first.append(time.monotonic())
        received.append(signal.Signals(number))
        children = _children()
        if not children:
            raise SystemExit(128 + received[0])
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, number)

    before = {number: signal.signal(number, forward) for number in SIGNALS}
    try:
        yield
    except BaseException:
        if received:
            raise SystemExit(128 + received[0]) from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        raise SystemExit(128 + received[0])


def _children() -> list[int]:
    """The processes of a launcher: those of joblib's workers."""
    return [process.pid for process in multiprocessing.active_children() if process.pid is not None]


def _job(words: Sequence[str]) -> list[str]:
    """What makes a job, whatever the order and the place it is written to."""
    return sorted(without(present_words(words), "ckpt", "output", "resume"))
