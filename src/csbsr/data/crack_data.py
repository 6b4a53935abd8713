"""The images of one data set in parts: training, validation and test, found, divided, and looked at before a run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from csbsr.contracts import Batch, Degradation, PairSource
from csbsr.data.augment import Augmentation
from csbsr.data.dataset import EvaluationSet, TrainingSet
from csbsr.data.errors import DataError
from csbsr.data.folder import FolderPairs
from csbsr.data.looked import Looked
from csbsr.data.photometric import Photometric, toned
from csbsr.data.sampler import BatchSequence
from csbsr.data.sources import InMemory, fingerprint, subset, traced
from csbsr.data.split import first_by_seed, split_train_validation
from csbsr.data.survey import check_before

log = logging.getLogger(__name__)
Images = TypeVar("Images", TrainingSet, EvaluationSet)


@dataclass(frozen=True)
class DataOptions:
    """How the images of a data set are divided, cut and loaded; the settings of every group ``data``.

    Attributes:
        seed: decides on the validation images, the order, and every draw.
        batch_size: training images per process and step.
        eval_batch_size: images per validation or test batch; they are stacked only if equally large.
        crop: side of the square training crop in HR pixels, a multiple of the scale.
        crack_preference: probability that a training crop is laid around a crack pixel.
        mirror: probability of left-right reversal in training.
        vertical_flip: probability of up-down reversal in training.
        quarter_turns: probability of a turn by a random multiple of 90 degrees in training.
        photometric: strength of random changes of light and colour in training; 0 for none, 1 as the lite weights had.
        validation_fraction: share of the training images kept for validation; 0 for none.
        validation_images: most of them that a validation looks at, chosen by the seed; None for all.  The others are
            not trained on either.
        train_limit: use only the first so many training images (before validation images are taken); None for all.
        test_limit: the same for the test.
        fixed_draws: repeat the first epoch's crops, flips and kernels in every epoch.
        distances: distance maps to add to the samples, of "signed" and "crack".
        cache: "ram" keeps the decoded training and validation images in memory, "none" reads them each time.
        num_workers: loader processes per loader; None for one per CPU core, at most 8.
        pin_memory: page-locked batches where there is a GPU to send them to.
        persistent_workers: keep the loader processes from epoch to epoch.

    Raises:
        ValueError: another ``cache``, or ``validation_images`` below 1.
    """

    seed: int = 0
    batch_size: int = 6
    eval_batch_size: int = 1
    crop: int = 224
    crack_preference: float = 0.0
    mirror: float = 0.5
    vertical_flip: float = 0.3
    quarter_turns: float = 0.0
    photometric: float = 0.0
    validation_fraction: float = 0.05
    validation_images: int | None = None
    train_limit: int | None = None
    test_limit: int | None = None
    fixed_draws: bool = False
    distances: Sequence[str] = ("signed",)
    cache: str = "none"
    num_workers: int | None = None
    pin_memory: bool = True
    persistent_workers: bool = True

    def __post_init__(self) -> None:
        if self.cache not in ("none", "ram"):
            raise ValueError(f"cache: expected one of none, ram, got {self.cache!r}")
        if self.validation_images is not None and self.validation_images < 1:
            raise ValueError(
                f"validation_images: expected 1 or more, or null for all, got {self.validation_images!r}; for no "
                "validation set data.validation_fraction=0"
            )


class CrackData:
    """Training, validation and test images of one data set.

    Args:
        train_source: pairs for training and validation; None if there are none.
        test_source: pairs for the test; None if there are none.
        degradation: draws the numbers of a blur kernel and applies them.
        settings: fields of `DataOptions`.

    Attributes:
        training: the training images, after `setup`; so are ``validation`` and ``test``.

    Raises:
        ValueError: a setting is out of its range.
    """

    def __init__(
        self,
        train_source: PairSource | None,
        test_source: PairSource | None,
        degradation: Degradation,
        **settings: Any,
    ) -> None:
        self.options = options = DataOptions(**settings)
        if options.crop % degradation.scale:
            raise ValueError(
                f"crop: expected a multiple of the scale {degradation.scale}, got {options.crop}; "
                f"try {max(1, options.crop // degradation.scale) * degradation.scale}"
            )
        self.train_source, self.test_source, self.degradation = train_source, test_source, degradation
        self.augmentation = Augmentation(
            options.crop, options.crack_preference, options.mirror, options.vertical_flip, options.quarter_turns
        )
        self.photometric = Photometric.of_strength(options.photometric) if options.photometric else None
        self._kept_apart = 0
        self.training: TrainingSet | None = None
        self.validation: EvaluationSet | None = None
        self.test: EvaluationSet | None = None

    @property
    def seed(self) -> int:
        """The seed of every draw."""
        return self.options.seed

    def setup(self, stage: str | None = None) -> None:
        """Find the files, split them, and fill the cache; may be called ahead of the Trainer to see errors early.

        Args:
            stage: "fit" or "validate" for the training part, "test" for the test part, None for both.

        Raises:
            DataError: see `csbsr.data.folder.FolderPairs`.
        """
        options, draw, scale = self.options, self.degradation.draw, self.degradation.scale
        distances = tuple(options.distances)
        if stage in (None, "fit", "validate") and self.training is None:
            pairs = _limited(_present(self.train_source, "train"), options.train_limit)
            names = [pairs.name(index) for index in range(len(pairs))]
            parts = split_train_validation(names, options.validation_fraction, self.seed)
            train, validation = (subset(pairs, part) for part in parts)
            self._kept_apart = len(validation)
            looked_at = first_by_seed([names[index] for index in parts[1]], options.validation_images, self.seed)
            validation = subset(validation, looked_at)
            if stage != "validate":
                BatchSequence(len(train), self.seed, options.batch_size)  # refuses too few before anything is read
            _look(pairs, {"training": train, "validation": validation})
            if options.cache == "ram" and stage != "validate":
                train, validation = InMemory(train), InMemory(validation)
            tone = None if self.photometric is None else self.photometric.draw
            self.training = TrainingSet(train, self.seed, self.augmentation, draw, distances, options.fixed_draws, tone)
            self.validation = EvaluationSet(validation, self.seed, scale, draw, distances)
        if stage in (None, "test") and self.test is None:
            pairs = _limited(_present(self.test_source, "test"), options.test_limit)
            _look(pairs, {"test": pairs})
            self.test = EvaluationSet(pairs, self.seed, scale, draw, distances)

    def split_record(self) -> dict[str, Any]:
        """How the training images were divided.

        Returns:
            ``seed``; ``train``, a count; ``validation``, the names of those that a validation looks at;
            ``kept_apart``, how many are not trained on.
        """
        CrackData.setup(self, "fit")
        kept = found(self.validation).source
        return {
            "seed": self.seed,
            "train": len(found(self.training)),
            "validation": [kept.name(index) for index in range(len(kept))],
            "kept_apart": self._kept_apart,
        }

    def fingerprint(self) -> dict[str, str]:
        """Short hash over names and sizes of each part that has been set up: ``train`` and ``test``."""
        parts = {"train": (self.training, self.train_source), "test": (self.test, self.test_source)}
        return {
            part: fingerprint(source)
            for part, (images, source) in parts.items()
            if images is not None and source is not None
        }


def degrade_batch(degradation: Degradation, batch: Batch) -> Batch:
    """The batch with ``lr`` and ``kernel`` made from its ``hr`` and ``blur``: no gradient, at least float32.

    Where it holds a ``tone``, ``hr`` is changed by it first.
    """
    if "tone" in batch:
        with torch.no_grad():
            batch = {**batch, "hr": toned(batch["hr"], batch["tone"])}
    hr, blur = batch["hr"], batch["blur"]
    exact = hr.dtype if hr.dtype == torch.float64 else torch.float32
    with torch.no_grad(), torch.autocast(hr.device.type, enabled=False):
        lr, kernel = degradation(hr.to(exact), blur.to(exact))
    return {**batch, "lr": lr.to(hr.dtype), "kernel": kernel.to(hr.dtype)}


def found(images: Images | None) -> Images:
    """The part of the data that `CrackData.setup` has found."""
    if images is None:
        raise ValueError("data: expected setup to have been called, got no images yet; call setup() first")
    return images


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
                "%s: of %s, %s. Its IoU will say nothing about cracks", files.root / files.split, part, verdict.error
            )


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
