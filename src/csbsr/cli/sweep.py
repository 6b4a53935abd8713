"""A sweep that is started again in the same folder: what its jobs left there."""

from __future__ import annotations

import importlib.util
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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

#: Launchers and sweepers: the plugin's name, that of the configuration which ships, its module, the extra with it.
PLUGINS = (
    ("joblib", "parallel", "hydra_joblib_launcher", "sweep"),
    ("submitit_local", "local", "hydra_submitit_launcher", "sweep"),
    ("submitit_slurm", "slurm", "hydra_submitit_launcher", "sweep"),
    ("ray", "ray_jobs", "hydra_ray_launcher", "ray"),
    ("optuna", "search", "hydra_optuna_sweeper", "sweep"),
)
_GROUPS = ("hydra/launcher", "hydra/sweeper")


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


def own_plugins(arguments: Sequence[str]) -> list[str]:
    """The words with ``hydra/launcher=joblib`` and the like naming the configurations of `PLUGINS` that ship.

    Those that come with the plugins have the plain names, and Hydra takes two of one name for each other's schema.

    Raises:
        ValueError: the plugin is not installed.
    """
    words = []
    for word in arguments:
        group, _, name = word.partition("=")
        plugin = next((one for one in PLUGINS if name in one[:2]), None) if group in _GROUPS else None
        if plugin is not None:
            _, own, module, extra = plugin
            if not importlib.util.find_spec("hydra_plugins") or not importlib.util.find_spec(f"hydra_plugins.{module}"):
                raise ValueError(f"{word}: expected an installed plugin, found none; pip install csbsr[{extra}]")
            word = f"{group}={own}"
        words.append(word)
    return words


def leave_worker(code: int) -> None:
    """End the process of a stopped job, if a launcher's worker runs it: it would take up the next job."""
    if "joblib" in str(HydraConfig.get().launcher.get("_target_")):
        logging.shutdown()
        os._exit(code)


@contextmanager
def forwarding() -> Iterator[None]:
    """Pass signals on to the jobs of a sweep that run in joblib's workers, wait for them, and exit as they do.

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
        workers = multiprocessing.active_children()
        for worker in workers:
            worker.terminate()  # an idle one might pass over another signal
        while any(worker.is_alive() for worker in workers):
            time.sleep(0.1)
        raise SystemExit(128 + received[0])

    before = {number: signal.signal(number, forward) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _job(words: Sequence[str]) -> list[str]:
    """What makes a job, whatever the order and the place it is written to."""
    return sorted(without(present_words(words), "ckpt", "output", "resume"))
