"""Pixel overlap of a probability map and a mask at 99 thresholds: counts, and IoU, precision, recall, F1 from them."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from csbsr.metrics.thresholds import THRESHOLDS

IOU_EPSILON = 1e-5  #: added above and below the fraction, as published: two empty masks have IoU 1


class Counts(NamedTuple):
    """Pixel counts at the 99 thresholds, from which precision, recall and IoU follow; float64, on the CPU.

    With a tolerance of t pixels, "on" means: at most t pixels away from; without one ``correct`` equals ``found``.
    """

    predicted: Tensor  #: (..., 99) predicted pixels
    correct: Tensor  #: (..., 99) predicted pixels that lie on the mask
    found: Tensor  #: (..., 99) mask pixels that lie on the prediction
    positive: Tensor  #: (..., 1) mask pixels


def levels_and_mask(segmentation: Tensor, mask: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Number of thresholds below each probability, and the mask, both on the CPU.

    With the level n of a pixel, p > `THRESHOLDS` [j] is n > j: all thresholds follow from one byte per pixel.  The
    comparison is made in the type of ``segmentation`` (half precision in float32), with each threshold rounded to it.

    Args:
        segmentation: (B, 1, H, W) probabilities.
        mask: (B, 1, H, W) in {0, 1}, any type.

    Returns:
        Levels (B, H, W) uint8 in 0 … 99 and mask (B, H, W) bool.

    Raises:
        ValueError: shapes differ or are not (B, 1, H, W), values are not probabilities, or the mask is not binary.
    """
    if segmentation.shape != mask.shape or mask.ndim != 4 or mask.shape[1] != 1:
        raise ValueError(
            f"segmentation and mask: expected two tensors of one shape (B, 1, H, W), got {tuple(segmentation.shape)} "
            f"and {tuple(mask.shape)}; crop or resize one of them first"
        )
    probabilities, target = _array(segmentation)[:, 0], _array(mask)[:, 0]
    if not (probabilities.min(initial=0) >= -1e-3 and probabilities.max(initial=0) <= 1 + 1e-3):
        raise ValueError(
            "segmentation: expected probabilities in [0, 1], got values outside or NaN; apply a sigmoid to logits"
        )
    binary = target != 0
    if not np.array_equal(target, binary):
        raise ValueError("mask: expected values in {0, 1}, got others; binarise it first, e.g. mask > 127 of 255")
    levels = np.searchsorted(np.array(THRESHOLDS, probabilities.dtype), probabilities)
    return levels.astype(np.uint8), binary


def _array(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor).numpy()


def counts_by_threshold(segmentation: Tensor, mask: Tensor, tolerance: float = 0.0) -> Counts:
    """Count the pixels of every image once, in a histogram over its levels.

    Args:
        segmentation: (B, 1, H, W) probabilities.
        mask: (B, 1, H, W) in {0, 1}.
        tolerance: Euclidean distance in pixels up to which a pixel still counts as lying on the other mask.

    Returns:
        `Counts` of shape (B, 99) and (B, 1).

    Raises:
        ValueError: see `levels_and_mask`; or a negative tolerance.
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance: expected a distance in pixels, 0 or more, got {tolerance}")
    rows = [_counts(*pair, tolerance) for pair in zip(*levels_and_mask(segmentation, mask), strict=True)]
    return Counts(*(torch.from_numpy(np.stack(column)).double() for column in zip(*rows, strict=True)))


def _counts(levels: np.ndarray, mask: np.ndarray, tolerance: float) -> tuple[np.ndarray, ...]:
    near_mask, near_levels = mask, levels
    if tolerance > 0:
        # Dilating the levels by a disc dilates the prediction at all thresholds at once.
        reach = int(tolerance)
        offsets = np.arange(-reach, reach + 1)
        disc = (offsets[:, None] ** 2 + offsets**2 <= tolerance**2).astype(np.uint8)
        near_mask = cv2.dilate(mask.astype(np.uint8), disc).astype(bool)
        near_levels = cv2.dilate(levels, disc)
    return above(levels), above(levels[near_mask]), above(near_levels[mask]), np.array([np.count_nonzero(mask)])


def above(levels: np.ndarray) -> np.ndarray:
    """How many of the levels exceed 0, 1, … 98: (99,)."""
    histogram = np.bincount(levels.ravel(), minlength=len(THRESHOLDS) + 1)
    return levels.size - np.cumsum(histogram)[:-1]


def pooled(counts: Counts) -> Counts:
    """Sums over the images, (B, 99) to (99,): what "pooled" metrics are computed from."""
    return Counts(*(column.sum(0) for column in counts))


def iou(counts: Counts) -> Tensor:
    """``(|∩| + 1e-5) / (|∪| + 1e-5)``, (..., 99); needs counts without tolerance. Two empty masks: 1."""
    union = counts.predicted + counts.positive - counts.correct
    return (counts.correct + IOU_EPSILON) / (union + IOU_EPSILON)


def precision(counts: Counts) -> Tensor:
    """Part of the predicted pixels that lie on the mask, (..., 99); 1 where nothing is predicted."""
    return torch.where(counts.predicted == 0, 1.0, counts.correct / counts.predicted)


def recall(counts: Counts) -> Tensor:
    """Part of the mask pixels that lie on the prediction, (..., 99); 1 where the mask is empty."""
    return torch.where(counts.positive == 0, 1.0, counts.found / counts.positive)


def f1(counts: Counts) -> Tensor:
    """2PR / (P + R), (..., 99): 1 where mask and prediction are both empty, 0 where only one of them is."""
    p, r = precision(counts), recall(counts)
    return 2 * p * r / (p + r).clamp(min=torch.finfo(p.dtype).tiny)


def average_precision(counts: Counts) -> Tensor:
    """Area under precision over recall: Σ_j (R_j − R_{j+1})·P_j over the 99 thresholds with R_100 = 0.

    Takes (..., 99), returns (...).  Not interpolated.  What lies below the lowest threshold is not counted, so this is
    a lower bound of the area over all thresholds.
    """
    r = recall(counts)
    following = torch.cat([r[..., 1:], torch.zeros_like(r[..., :1])], -1)
    return ((r - following) * precision(counts)).sum(-1)


def iou_by_threshold(segmentation: Tensor, mask: Tensor) -> Tensor:
    """Intersection over union of every image at the 99 thresholds: ``(|∩| + 1e-5) / (|∪| + 1e-5)``.

    Args:
        segmentation: (B, 1, H, W) probabilities; binarised as p > τ.
        mask: (B, 1, H, W) in {0, 1}.

    Returns:
        (B, 99) float64 on the CPU, at `THRESHOLDS`.

    Raises:
        ValueError: see `levels_and_mask`.

    Source: the evaluation protocol of Kondo & Ukita 2024, with the small constant of the authors' release.
    """
    return iou(counts_by_threshold(segmentation, mask))
