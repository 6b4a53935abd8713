"""The LightningDataModule: loaders, exact resume, and the degradation on the device."""

from __future__ import annotations

import logging
import os
import signal
import time
from functools import partial
from types import FrameType
from typing import Any

import cv2
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from csbsr.contracts import Batch, Degradation, PairSource
from csbsr.data.collate import stack, stack_by_size
from csbsr.data.crack_data import CrackData, degrade_batch, found
from csbsr.data.dataset import EvaluationSet
from csbsr.data.sampler import BatchSequence

log = logging.getLogger(__name__)


class CrackDataModule(CrackData, LightningDataModule):
    """Training, validation and test batches of one data set.

    Training batches are of type `csbsr.contracts.Batch`; validation and test yield lists of them, one per image size.
    The low-resolution image and the kernel are made by ``degradation`` after the batch has reached its device, unless
    the data hold them already.  The Trainer must be made with ``use_distributed_sampler=False``.

    Args:
        train_source: as for `CrackData`.
        test_source: as for `CrackData`.
        degradation: as for `CrackData`.
        settings: fields of `csbsr.data.crack_data.DataOptions`.
    """

    def __init__(
        self,
        train_source: PairSource | None,
        test_source: PairSource | None,
        degradation: Degradation,
        **settings: Any,
    ) -> None:
        LightningDataModule.__init__(self)
        CrackData.__init__(self, train_source, test_source, degradation, **settings)
        self._batches_before = 0  # used by the training that is being resumed, until its loops are restored

    def setup(self, stage: str | None = None) -> None:
        """See `CrackData.setup`."""
        self._batches_before = 0  # a resumed training is told after this
        CrackData.setup(self, stage)

    # ------------------------------------------------------------------ loaders

    def train_dataloader(self) -> DataLoader:
        """Batches from the point that the training has reached."""
        images = found(self.training)
        batches = BatchSequence(
            len(images), self.seed, self.options.batch_size, self._rank, self._world_size, self._batches_used
        )
        return DataLoader(images, batch_sampler=batches, collate_fn=stack, **self._loading())

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """Whole validation images, divided among the processes; an empty list without validation images."""
        images = found(self.validation)
        return self._evaluation_loader(images) if len(images) else []

    def test_dataloader(self) -> DataLoader:
        """Whole test images, divided among the processes."""
        return self._evaluation_loader(found(self.test))

    def _evaluation_loader(self, images: EvaluationSet) -> DataLoader:
        share = -(-len(images) // self._world_size)  # of each process, some images twice: metrics count them once
        mine = [(self._rank + turn * self._world_size) % len(images) for turn in range(share)]
        return DataLoader(
            images, batch_size=self.options.eval_batch_size, sampler=mine, collate_fn=stack_by_size, **self._loading()
        )

    def _loading(self) -> dict[str, Any]:
        workers = self.options.num_workers
        workers = min(8, _cores()) if workers is None else workers
        return {
            "num_workers": workers,
            "worker_init_fn": _settle,
            "generator": torch.Generator(),  # else every new iteration takes a number from the global generator
            "pin_memory": self.options.pin_memory and torch.cuda.is_available(),
            "persistent_workers": self.options.persistent_workers and workers > 0,
        }

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def _world_size(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    # ------------------------------------------------------------------ resume

    def _batches_used(self) -> int:
        """Training batches whose step is done, over the whole training."""
        if self.trainer is None:
            return self._batches_before
        total = self.trainer.fit_loop.epoch_loop.batch_progress.total
        counted: int = total.processed  # type: ignore[attr-defined]  # Lightning declares its base class
        return max(counted, self._batches_before)

    def state_dict(self) -> dict[str, Any]:
        """Where the training stands in the sequence of its batches."""
        if self.training is None:
            return {}
        per_epoch = len(self.training) // (self.options.batch_size * self._world_size)
        return {"batches_used": self._batches_used(), "batches_per_epoch": per_epoch, "seed": self.seed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the sequence of batches where it was left."""
        self._batches_before = int(state_dict["batches_used"])
        if self.training is None:
            return
        now = {**self.state_dict(), "batches_used": self._batches_before}
        if now != dict(state_dict):
            log.warning(
                "the data or the batch size differ from those of the checkpoint (%s, now %s): "
                "training continues at the same batch number of another sequence",
                state_dict,
                now,
            )

    # ------------------------------------------------------------------ degradation

    def on_after_batch_transfer(self, batch: Batch | list[Batch], dataloader_idx: int) -> Batch | list[Batch]:
        """Add ``lr`` and ``kernel`` where they are missing."""
        return [self._with_lr(part) for part in batch] if isinstance(batch, list) else self._with_lr(batch)

    def _with_lr(self, batch: Batch) -> Batch:
        return batch if "lr" in batch else degrade_batch(self.degradation, batch)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _settle(worker: int) -> None:
    """One thread per loader process, as they share out the cores already, and no end but by the main process.

    Schedulers and terminals signal every process of a run.  The main one then finishes its step, for which it needs
    its loaders; so they pass over a SIGTERM and die of one that comes later.
    """
    cv2.setNumThreads(0)
    for name in ("SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, partial(_pass_over, []))


def _pass_over(first: list[float], number: int, frame: FrameType | None) -> None:
    """Pass over a signal, and over its echo within a second: it is sent to a process and to its group."""
    if first and time.monotonic() - first[0] > 1:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    first.append(time.monotonic())
