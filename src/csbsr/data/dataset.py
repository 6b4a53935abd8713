"""Samples for training (augmented crops) and for evaluation (whole images), made in the loader's workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from csbsr.contracts import DegradedSource, PairSource, Sample
from csbsr.data.augment import Augmentation
from csbsr.data.distance import distance_to_crack, normalized_signed_distance
from csbsr.data.errors import DataError
from csbsr.data.mask_values import IGNORED
from csbsr.data.seeds import evaluation_generator, item_generator, item_seed

DISTANCES = ("signed", "crack")


class TrainingSet(Dataset[Sample]):
    """Augmented crops, indexed by (epoch, index); every draw is a function of (seed, epoch, index).

    Args:
        source: the training pairs.
        seed: the run's seed.
        augmentation: crop, mirror, flip.
        draw_blur: the three numbers of a blur kernel from a generator.
        distances: which maps of the mask to add, of "signed" (``distance``) and "crack" (``crack_distance``).
        fixed_draws: use epoch 0's draws in every epoch, as for over-fitting a few images on purpose.
        draw_tone: the numbers of a change of light and colour from a generator; None for none.
    """

    def __init__(
        self,
        source: PairSource,
        seed: int,
        augmentation: Augmentation,
        draw_blur: Callable[[torch.Generator], Tensor],
        distances: Sequence[str] = ("signed",),
        fixed_draws: bool = False,
        draw_tone: Callable[[torch.Generator], Tensor] | None = None,
    ) -> None:
        self.source, self.seed, self.augmentation, self.draw_blur = source, seed, augmentation, draw_blur
        self.draw_tone = draw_tone
        self.distances, self.fixed_draws = _known(distances), fixed_draws

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        epoch, index = key
        if self.fixed_draws:
            epoch = 0
        image, mask = self.augmentation(*self.source.read(index), seed=item_seed(self.seed, "crop", epoch, index))
        sample = _sample(image, mask, self.distances)
        sample["blur"] = self.draw_blur(item_generator(self.seed, "blur", epoch, index))
        if self.draw_tone is not None:
            sample["tone"] = self.draw_tone(item_generator(self.seed, "tone", epoch, index))
        sample["name"], sample["index"] = self.source.name(index), index
        return sample


class EvaluationSet(Dataset[Sample]):
    """Whole images cut at the right and at the bottom to a multiple of ``scale``; draws depend on (seed, name).

    A source with a method ``read_degraded(index)`` returning lr (h, w, 3) and kernel (k, k) passes those on instead of
    numbers for a blur.

    Args:
        source: the pairs.
        seed: the run's seed.
        scale: the factor s.
        draw_blur: the three numbers of a blur kernel from a generator.
        distances: as for `TrainingSet`.
    """

    def __init__(
        self,
        source: PairSource,
        seed: int,
        scale: int,
        draw_blur: Callable[[torch.Generator], Tensor],
        distances: Sequence[str] = ("signed",),
    ) -> None:
        self.source, self.seed, self.scale, self.draw_blur = source, seed, scale, draw_blur
        self.distances = _known(distances)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Sample:
        name = self.source.name(index)
        image, mask = self.source.read(index)
        height, width = (extent // self.scale * self.scale for extent in mask.shape)
        if min(height, width) == 0:
            raise DataError.about(
                name,
                f"an image of {mask.shape[1]} x {mask.shape[0]} pixels",
                f"at least {self.scale} x {self.scale}, one pixel after down-scaling",
                "Remove it from the data set.",
            )
        sample = _sample(image[:height, :width], mask[:height, :width], self.distances)
        if isinstance(self.source, DegradedSource):
            lr, kernel = self.source.read_degraded(index)
            sample["lr"] = _unit_range(lr)
            sample["kernel"] = torch.from_numpy(np.ascontiguousarray(kernel, dtype=np.float32))[None]
            found, wanted = tuple(sample["lr"].shape[1:]), (height // self.scale, width // self.scale)
            if found != wanted:
                raise DataError.about(
                    name,
                    f"a low-resolution image of {found[1]} x {found[0]} pixels for one of {width} x {height}",
                    f"{wanted[1]} x {wanted[0]}, {self.scale} times smaller",
                    "Evaluate a checkpoint of the scale for which the set was degraded.",
                )
        else:
            sample["blur"] = self.draw_blur(evaluation_generator(self.seed, name))
        sample["name"], sample["index"] = name, index
        return sample


def _known(distances: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in distances if name not in DISTANCES]
    if unknown:
        raise ValueError(f"distances: expected names of {sorted(DISTANCES)}, got {unknown}")
    return tuple(distances)


def _sample(image: np.ndarray, mask: np.ndarray, distances: Sequence[str]) -> Sample:
    ignored = mask == IGNORED
    left_out = bool(ignored.any())
    if left_out:
        mask = np.where(ignored, np.uint8(0), mask)
    sample: Sample = {"hr": _unit_range(image), "mask": torch.from_numpy(mask.astype(np.float32))[None]}
    if left_out:
        sample["valid"] = torch.from_numpy((~ignored).astype(np.float32))[None]
    if "signed" in distances:
        sample["distance"] = torch.from_numpy(normalized_signed_distance(mask))[None]
    if "crack" in distances:
        sample["crack_distance"] = torch.from_numpy(distance_to_crack(mask))[None]
    return sample


def _unit_range(image: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 or float32 in [0, 1] to (3, H, W) float32 in [0, 1]."""
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    if planes.dtype == np.uint8:
        planes = np.divide(planes, np.float32(255), dtype=np.float32)
    return torch.from_numpy(planes)
