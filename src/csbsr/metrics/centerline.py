"""Overlap of centre lines: clDice, which asks whether a crack is found in its length rather than its width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from skimage.morphology import skeletonize
from torch import Tensor

from csbsr.metrics.overlap import levels_and_mask
from csbsr.metrics.thresholds import THRESHOLDS


def cl_dice(segmentation: Tensor, mask: Tensor, thresholds: Sequence[float] = THRESHOLDS) -> Tensor:
    """Centre-line Dice at some of the 99 thresholds.

    With skeletons S of the prediction P and of the mask M: 2TU / (T + U), ``T = |S_P ∩ M| / |S_P|`` and
    ``U = |S_M ∩ P| / |S_M|``.  Both empty: 1; one empty: 0.

    Args:
        segmentation: (B, 1, H, W) probabilities; binarised as p > τ.
        mask: (B, 1, H, W) in {0, 1}.
        thresholds: the τ asked for, each one of `THRESHOLDS`.

    Returns:
        (B, len(thresholds)) float64 on the CPU.

    Raises:
        ValueError: a threshold that is none of the 99, or see `levels_and_mask`.

    Source: Shit et al. 2021, with the skeletons of scikit-image (Zhang & Suen 1984).
    """
    indices = [threshold_index(threshold) for threshold in thresholds]
    pairs = zip(*levels_and_mask(segmentation, mask), strict=True)
    return torch.tensor([_one_image(levels, target, indices) for levels, target in pairs], dtype=torch.float64)


def threshold_index(threshold: float) -> int:
    """Position of a threshold among the 99.

    Raises:
        ValueError: it is none of them.
    """
    index = round(threshold * 100) - 1
    if not 0 <= index < len(THRESHOLDS) or abs(THRESHOLDS[index] - threshold) > 1e-6:
        raise ValueError(f"threshold: expected one of 0.01, 0.02, … 0.99, got {threshold}; round it to two digits")
    return index


def _one_image(levels: np.ndarray, mask: np.ndarray, indices: Sequence[int]) -> list[float]:
    mask_skeleton = skeletonize(mask)
    known: dict[int, float] = {}  # by the number of predicted pixels: masks are nested, so equal numbers, equal masks
    values = []
    for index in indices:
        prediction = levels > index
        size = int(np.count_nonzero(prediction))
        if size not in known:
            known[size] = _cl_dice(prediction, mask, mask_skeleton)
        values.append(known[size])
    return values


def _cl_dice(prediction: np.ndarray, mask: np.ndarray, mask_skeleton: np.ndarray) -> float:
    if not prediction.any() or not mask.any():
        return float(prediction.any() == mask.any())
    skeleton = skeletonize(prediction)
    precision = np.count_nonzero(skeleton & mask) / np.count_nonzero(skeleton)
    sensitivity = np.count_nonzero(mask_skeleton & prediction) / np.count_nonzero(mask_skeleton)
    return 2 * precision * sensitivity / (precision + sensitivity) if precision + sensitivity else 0.0
