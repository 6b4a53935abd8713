"""A sweep that is started again in the same folder: what its jobs left there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from csbsr.cli.config import without
from csbsr.weights import read_checkpoint
from csbsr.weights.checkpoint import card


def left_behind(config: DictConfig, folder: Path) -> tuple[str | None, int]:
    """The checkpoint that an earlier start of this job of a sweep left in its ``folder``, and its number of updates.

    Jobs are numbered, so the folder is only this job's if its checkpoint was trained by the same words.

    Raises:
        ValueError: the folder holds another job.
    """
    path = folder / "checkpoints" / "last.ckpt"
    if HydraConfig.get().mode is not RunMode.MULTIRUN or config.ckpt or not path.is_file():
        return None, 0
    checkpoint = read_checkpoint(path)
    then, now = (_job(words) for words in (card(checkpoint)["overrides"], HydraConfig.get().overrides.task))
    if then != now:
        raise ValueError(
            f"{folder} holds another job ({' '.join(then)}), expected {' '.join(now)}; "
            "start this sweep with another output=<folder>, or remove that folder"
        )
    return str(path), checkpoint["global_step"]


def _job(words: Sequence[str]) -> list[str]:
    """What makes a job, whatever the order and the place it is written to."""
    return sorted(without(words, "ckpt", "output"))
