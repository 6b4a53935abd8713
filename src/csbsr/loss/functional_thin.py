"""Losses for thin structures, which cover a few pixels in a hundred: pure functions, one value per image."""

from __future__ import annotations

import torch
from torch import Tensor

from csbsr.degradation import at_least_float32


def batch_dice(segmentation: Tensor, mask: Tensor, valid: Tensor | None = None) -> Tensor:
    """Dice loss of the batch as one image, ``1 - (2·Σp·y + 1) / (Σp + Σy + 1)``, the same value for every image.

    An image without a crack, or with a few pixels of one, has no gradient of its own as it would in a Dice per image:
    its false alarms count against the cracks of the others.

    Args:
        segmentation: (B, n, H, W) probabilities.
        mask: (B, 1, H, W).
        valid: (B, 1, H, W) in {0, 1}, which pixels count; None for all.

    Returns:
        (B,) in [0, 1].
    """
    p, y = _counting(segmentation, mask, valid)
    return (1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)).expand(len(p))


def soft_cl_dice(segmentation: Tensor, mask: Tensor, valid: Tensor | None = None, iterations: int = 5) -> Tensor:
    """Soft clDice loss: the centre lines of each must lie inside the other.

    ``1 - 2·P·S/(P + S)`` with ``P = (Σ skel(p)·y + 1)/(Σ skel(p) + 1)``, ``S = (Σ skel(y)·p + 1)/(Σ skel(y) + 1)``,
    sums over an image; ``skel`` is the soft skeleton of MONAI.

    Args:
        segmentation: (B, n, H, W) probabilities.
        mask: (B, 1, H, W).
        valid: (B, 1, H, W) in {0, 1}, which pixels count; None for all.
        iterations: of the skeleton: cracks up to about twice as many pixels wide become lines.

    Returns:
        (B,) in [0, 1].

    Source:
        Shit et al. 2021 (clDice).
    """
    from monai.losses.cldice import soft_skel  # seconds to import, and only this term needs it

    p, y = _counting(segmentation, mask, valid)
    with torch.no_grad():
        line = soft_skel(y, iterations)
    thin = soft_skel(p, iterations)
    precise = ((thin * y).sum((1, 2, 3)) + 1) / (thin.sum((1, 2, 3)) + 1)
    sensitive = ((line * p).sum((1, 2, 3)) + 1) / (line.sum((1, 2, 3)) + 1)
    return 1 - 2 * precise * sensitive / (precise + sensitive)


def _counting(segmentation: Tensor, mask: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Both at least float32 and of one shape, 0 where pixels do not count."""
    p = at_least_float32(segmentation)
    y = mask.to(p.dtype).expand_as(p)
    if valid is None:
        return p, y
    counts = valid.to(p.dtype)
    return p * counts, y * counts
