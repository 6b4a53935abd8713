"""The LightningDataModule: splits, loaders, exact resume, and the degradation on the device."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Sequence
from functools import partial
from types import FrameType
from typing import Any, TypeVar

import cv2
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from csbsr.contracts import Batch, Degradation, PairSource
from csbsr.data.augment import Augmentation
from csbsr.data.collate import stack, stack_by_size
from csbsr.data.dataset import EvaluationSet, TrainingSet
from csbsr.data.errors import DataError
from csbsr.data.folder import FolderPairs
from csbsr.data.looked import Looked
from csbsr.data.sampler import BatchSequence
from csbsr.data.sources import InMemory, fingerprint, subset, traced
from csbsr.data.split import split_train_validation
from csbsr.data.survey import check_before

log = logging.getLogger(__name__)
Images = TypeVar("Images", TrainingSet, EvaluationSet)


class CrackDataModule(LightningDataModule):
    """Training, validation and test batches of one data set.

    Training batches are of type `csbsr.contracts.Batch`; validation and test yield lists of them, one per image size.
    The low-resolution image and the kernel are made by ``degradation`` after the batch has reached its device, unless
    the data hold them already.  The Trainer must be made with ``use_distributed_sampler=False``.

    Args:
        train_source: pairs for training and validation; None if there are none.
        test_source: pairs for the test; None if there are none.
        degradation: draws the numbers of a blur kernel and applies them.
        seed: decides on the validation images, the order, and every draw.
        batch_size: training images per process and step.
        eval_batch_size: images per validation or test batch; they are stacked only if equally large.
        crop: side of the square training crop in HR pixels, a multiple of the scale.
        crack_preference: probability that a training crop is laid around a crack pixel.
        mirror: probability of left-right reversal in training.
        vertical_flip: probability of up-down reversal in training.
        validation_fraction: share of the training images kept for validation; 0 for none.
        train_limit: use only the first so many training images (before validation images are taken); None for all.
        test_limit: the same for the test.
        fixed_draws: repeat the first epoch's crops, flips and kernels in every epoch.
        distances: distance maps to add to the samples, of "signed" and "crack".
        cache: "ram" keeps the decoded training and validation images in memory, "none" reads them each time.
        num_workers: loader processes per loader; None for one per CPU core, at most 8.
        pin_memory: page-locked batches where there is a GPU to send them to.
        persistent_workers: keep the loader processes from epoch to epoch.
    """

    def __init__(
        self,
        train_source: PairSource | None,
        test_source: PairSource | None,
        degradation: Degradation,
        seed: int = 0,
        batch_size: int = 6,
        eval_batch_size: int = 1,
        crop: int = 224,
        crack_preference: float = 0.0,
        mirror: float = 0.5,
        vertical_flip: float = 0.3,
        validation_fraction: float = 0.05,
        train_limit: int | None = None,
        test_limit: int | None = None,
        fixed_draws: bool = False,
        distances: Sequence[str] = ("signed",),
        cache: str = "none",
        num_workers: int | None = None,
        pin_memory: bool = True,
        persistent_workers: bool = True,
    ) -> None:
        super().__init__()
        if cache not in ("none", "ram"):
            raise ValueError(f"cache: expected one of none, ram, got {cache!r}")
        if crop % degradation.scale:
            raise ValueError(
                f"crop: expected a multiple of the scale {degradation.scale}, got {crop}; "
                f"try {max(1, crop // degradation.scale) * degradation.scale}"
            )
        self.train_source, self.test_source, self.degradation = train_source, test_source, degradation
        self.seed, self.batch_size, self.eval_batch_size = seed, batch_size, eval_batch_size
        self.augmentation = Augmentation(crop, crack_preference, mirror, vertical_flip)
        self.validation_fraction, self.train_limit, self.test_limit = validation_fraction, train_limit, test_limit
        self.fixed_draws, self.distances, self.cache = fixed_draws, tuple(distances), cache
        self.num_workers = min(8, _cores()) if num_workers is None else num_workers
        self.pin_memory, self.persistent_workers = pin_memory, persistent_workers
        self.training: TrainingSet | None = None
        self.validation: EvaluationSet | None = None
        self.test: EvaluationSet | None = None
        self._batches_before = 0  # used by the training that is being resumed, until its loops are restored

    # ------------------------------------------------------------------ data

    def setup(self, stage: str | None = None) -> None:
        """Find the files, split them, and fill the cache; may be called ahead of the Trainer to see errors early.

        Args:
            stage: "fit" or "validate" for the training part, "test" for the test part, None for both.

        Raises:
            DataError: see `csbsr.data.folder.FolderPairs`.
        """
        self._batches_before = 0  # a resumed training is told after this
        self._find(stage)

    def _find(self, stage: str | None) -> None:
        draw, scale = self.degradation.draw, self.degradation.scale
        if stage in (None, "fit", "validate") and self.training is None:
            pairs = _limited(_present(self.train_source, "train"), self.train_limit)
            names = [pairs.name(index) for index in range(len(pairs))]
            parts = split_train_validation(names, self.validation_fraction, self.seed)
            train, validation = (subset(pairs, part) for part in parts)
            if stage != "validate":
                BatchSequence(len(train), self.seed, self.batch_size)  # refuses too few images before anything is read
            self._look(pairs, {"training": train, "validation": validation})
            if self.cache == "ram" and stage != "validate":
                train, validation = InMemory(train), InMemory(validation)
            self.training = TrainingSet(train, self.seed, self.augmentation, draw, self.distances, self.fixed_draws)
            self.validation = EvaluationSet(validation, self.seed, scale, draw, self.distances)
        if stage in (None, "test") and self.test is None:
            pairs = _limited(_present(self.test_source, "test"), self.test_limit)
            self._look(pairs, {"test": pairs})
            self.test = EvaluationSet(pairs, self.seed, scale, draw, self.distances)

    @staticmethod
    def _look(source: PairSource, parts: dict[str, PairSource]) -> None:
        """Look at the files of a folder before the first step."""
        files, _ = traced(source)
        if not isinstance(files, FolderPairs):
            return
        indices = {part: traced(pairs)[1] for part, pairs in parts.items()}
        verdicts = check_before(files, indices, files.check, Looked())
        for part, verdict in verdicts.items():
            if verdict.error and indices[part]:
                log.warning(
                    "%s: of %s, %s. Its IoU will say nothing about cracks",
                    files.root / files.split,
                    part,
                    verdict.error,
                )

    def split_record(self) -> dict[str, Any]:
        """How the training images were divided: ``seed``, ``train`` (a count), ``validation`` (the names)."""
        self._find("fit")
        kept = _found(self.validation).source
        return {
            "seed": self.seed,
            "train": len(_found(self.training)),
            "validation": [kept.name(index) for index in range(len(kept))],
        }

    def fingerprint(self) -> dict[str, str]:
        """Short hash over names and sizes of each part that has been set up: ``train`` and ``test``."""
        found: dict[str, str] = {}
        if self.training is not None and self.train_source is not None:
            found["train"] = fingerprint(self.train_source)
        if self.test is not None and self.test_source is not None:
            found["test"] = fingerprint(self.test_source)
        return found

    # ------------------------------------------------------------------ loaders

    def train_dataloader(self) -> DataLoader:
        """Batches from the point that the training has reached."""
        images = _found(self.training)
        batches = BatchSequence(
            len(images), self.seed, self.batch_size, self._rank, self._world_size, self._batches_used
        )
        return DataLoader(images, batch_sampler=batches, collate_fn=stack, **self._loading())

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """Whole validation images, divided among the processes; an empty list without validation images."""
        images = _found(self.validation)
        return self._evaluation_loader(images) if len(images) else []

    def test_dataloader(self) -> DataLoader:
        """Whole test images, divided among the processes."""
        return self._evaluation_loader(_found(self.test))

    def _evaluation_loader(self, images: EvaluationSet) -> DataLoader:
        share = -(-len(images) // self._world_size)  # of each process, some images twice: metrics count them once
        mine = [(self._rank + turn * self._world_size) % len(images) for turn in range(share)]
        return DataLoader(
            images, batch_size=self.eval_batch_size, sampler=mine, collate_fn=stack_by_size, **self._loading()
        )

    def _loading(self) -> dict[str, Any]:
        return {
            "num_workers": self.num_workers,
            "worker_init_fn": _settle,
            "generator": torch.Generator(),  # else every new iteration takes a number from the global generator
            "pin_memory": self.pin_memory and torch.cuda.is_available(),
            "persistent_workers": self.persistent_workers and self.num_workers > 0,
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
        per_epoch = len(self.training) // (self.batch_size * self._world_size)
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


def degrade_batch(degradation: Degradation, batch: Batch) -> Batch:
    """The batch with ``lr`` and ``kernel`` made from its ``hr`` and ``blur``: no gradient, at least float32."""
    hr, blur = batch["hr"], batch["blur"]
    exact = hr.dtype if hr.dtype == torch.float64 else torch.float32
    with torch.no_grad(), torch.autocast(hr.device.type, enabled=False):
        lr, kernel = degradation(hr.to(exact), blur.to(exact))
    return {**batch, "lr": lr.to(hr.dtype), "kernel": kernel.to(hr.dtype)}


def _found(images: Images | None) -> Images:
    """The part of the data that ``setup`` has found."""
    if images is None:
        raise ValueError("data: expected setup to have been called, got no images yet; call setup() first")
    return images


def _present(source: PairSource | None, part: str) -> PairSource:
    if source is None:
        raise DataError.about(
            "data", f"no {part} part in this data set", f"one with a {part} part", "Choose another data=."
        )
    return source


def _limited(source: PairSource, limit: int | None) -> PairSource:
    if limit is None or limit >= len(source):
        return source
    if limit < 1:
        raise ValueError(f"train_limit and test_limit: expected at least 1 image or null, got {limit}")
    return subset(source, range(limit))


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
