"""Losses between a crack probability and its mask: pure functions, one value per image.

Shapes: ``segmentation`` (B, n, H, W), probabilities; ``mask`` (B, 1, H, W) in {0, 1}, of any dtype.  Usually n = 1; a
stack of n maps (CrackFormer's side outputs) is compared with the mask repeated n times, and the sums and means run over
maps and pixels together.  Everything returns (B,), in the dtype of ``segmentation``, float32 for 16-bit ones.

The super-resolution losses (`csbsr.loss.functional_sr`) and the maps they and the boundary loss need
(`csbsr.loss.functional_maps`) are importable from here too.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from csbsr.degradation import at_least_float32
from csbsr.loss.functional_maps import (
    crack_oriented_weight,
    distance_to_crack,
    fail_oriented_weight,
    normalized_signed_distance,
)
from csbsr.loss.functional_sr import (
    SuperResolutionTerms,
    feature_affinity,
    kernel_shape_error,
    pseudo_lr,
    super_resolution_loss,
)
from csbsr.loss.functional_thin import batch_dice, soft_cl_dice

__all__ = [
    "SuperResolutionTerms",
    "batch_dice",
    "bce_dice",
    "boundary",
    "boundary_combo",
    "boundary_generalized_dice",
    "crack_oriented_weight",
    "dice",
    "distance_to_crack",
    "fail_oriented_weight",
    "feature_affinity",
    "generalized_boundary_combo",
    "generalized_dice",
    "kernel_shape_error",
    "normalized_signed_distance",
    "pseudo_lr",
    "soft_cl_dice",
    "super_resolution_loss",
    "weighted_bce",
    "weighted_mean",
    "with_boundary",
]


def weighted_bce(
    segmentation: Tensor, mask: Tensor, pos_weight: Sequence[float] = (1.0, 1.0), valid: Tensor | None = None
) -> Tensor:
    """Weighted cross entropy, ``mean(-[w₁·y·log(p + 1e-8) + w₀·(1 - y)·log(1 - p + 1e-8)]) / (w₁ + w₀)``.

    ``p`` is first raised to at least 1e-8.  With equal weights it is *half* the usual cross entropy.

    Args:
        segmentation: (B, n, H, W) probabilities.
        mask: (B, 1, H, W).
        pos_weight: (w₁, w₀), weights of crack and background pixels, >= 0 and not both 0.
        valid: (B, 1, H, W) in {0, 1}, which pixels count; None for all.  The mean is over those that do.

    Returns:
        (B,); 0 where no pixel counts.

    Raises:
        ValueError: shapes that do not fit, or weights that cannot be normalised.

    Source:
        Kondo & Ukita 2024 (L_seg), with the constants of the authors' release.
    """
    p, y = _pair(segmentation, mask)
    crack, background = _weights("pos_weight", pos_weight, 2)
    p = p.clamp_min(1e-8)
    entropy = crack * y * (p + 1e-8).log() + background * (1 - y) * (1 - p + 1e-8).log()
    return -_mean(entropy, valid) / (crack + background)


def dice(segmentation: Tensor, mask: Tensor, valid: Tensor | None = None) -> Tensor:
    """Dice loss with squared sums, ``1 - (2·Σp·y + 1e-6) / (Σp² + Σy² + 1e-6)``.

    Args:
        segmentation: (B, n, H, W) probabilities.
        mask: (B, 1, H, W).
        valid: see `weighted_bce`.

    Returns:
        (B,) in [0, 1]: 0 for a perfect probability, an empty mask included.

    Source:
        Milletari et al. 2016 (V-Net); constants of the authors' release.
    """
    p, y = _counting(*_pair(segmentation, mask), valid)
    overlap, total = _sum(p * y), _sum(p.square()) + _sum(y.square())
    return 1 - (2 * overlap + 1e-6) / (total + 1e-6)


def generalized_dice(segmentation: Tensor, mask: Tensor, valid: Tensor | None = None) -> Tensor:
    """Generalised Dice loss, ``1 - 2·(w·Σp·y + 1e-5) / (w·(Σp + Σy) + 1e-5)`` with ``w = 1 / (Σy + 1e-10)²``.

    The weight is so small for large cracks that the constant pulls the loss below the plain Dice, down to -1.

    Args:
        segmentation: (B, n, H, W) probabilities.
        mask: (B, 1, H, W).
        valid: see `weighted_bce`.

    Returns:
        (B,).

    Source:
        Sudre et al. 2017; one class and constants of the authors' release.
    """
    p, y = _counting(*_pair(segmentation, mask), valid)
    weight = (_sum(y) + 1e-10).reciprocal().square()
    return 1 - 2 * (weight * _sum(p * y) + 1e-5) / (weight * (_sum(p) + _sum(y)) + 1e-5)


def boundary(segmentation: Tensor, mask: Tensor, distance: Tensor | None = None, valid: Tensor | None = None) -> Tensor:
    """Boundary loss, ``mean(p·φ)``: probability is cheap inside cracks and dear far from them.

    Args:
        segmentation: (B, n, H, W) probabilities.
        mask: (B, 1, H, W); not read where ``distance`` is given.
        distance: (B, 1, H, W), ``normalized_signed_distance(mask)`` if it is there already; computing it here leaves
            the device and loops over images.
        valid: see `weighted_bce`.

    Returns:
        (B,), negative for a good segmentation; 0 for an empty or a full mask.

    Source:
        Kervadec et al. 2019; Kondo & Ukita 2024 (L_seg).
    """
    p, y = _pair(segmentation, mask)
    if distance is None:
        distance = normalized_signed_distance(y[:, :1])
    return _mean(p * _like(distance, p, "distance"), valid)


def boundary_combo(
    segmentation: Tensor,
    mask: Tensor,
    alpha: float,
    pos_weight: Sequence[float] = (1.0, 1.0),
    weights: Sequence[float] = (1.0, 1.0),
    distance: Tensor | None = None,
) -> Tensor:
    """Boundary combo loss, ``α·(a·WBCE + b·Dice)/(a + b) + (1 - α)·Boundary``: the published L_seg.

    Args:
        segmentation: (B, n, H, W) probabilities.
        mask: (B, 1, H, W).
        alpha: α in [0, 1]; falls from 1 to 0.01 during the published training.
        pos_weight: see `weighted_bce`.
        weights: (a, b).
        distance: see `boundary`.

    Returns:
        (B,).

    Source:
        Kondo & Ukita 2024 (L_seg).
    """
    region = weighted_mean((weighted_bce(segmentation, mask, pos_weight), dice(segmentation, mask)), weights)
    return with_boundary(region, boundary(segmentation, mask, distance), alpha)


def generalized_boundary_combo(
    segmentation: Tensor,
    mask: Tensor,
    alpha: float,
    pos_weight: Sequence[float] = (1.0, 1.0),
    distance: Tensor | None = None,
) -> Tensor:
    """``α·½·(WBCE + generalised Dice) + (1 - α)·Boundary`` (B,); arguments as of `boundary_combo`."""
    region = weighted_mean((weighted_bce(segmentation, mask, pos_weight), generalized_dice(segmentation, mask)), (1, 1))
    return with_boundary(region, boundary(segmentation, mask, distance), alpha)


def boundary_generalized_dice(
    segmentation: Tensor, mask: Tensor, alpha: float, distance: Tensor | None = None
) -> Tensor:
    """``α·generalised Dice + (1 - α)·Boundary`` (B,); arguments as of `boundary_combo`."""
    return with_boundary(generalized_dice(segmentation, mask), boundary(segmentation, mask, distance), alpha)


def bce_dice(segmentation: Tensor, mask: Tensor, pos_weight: Sequence[float] = (1.0, 1.0)) -> Tensor:
    """``½·(WBCE + Dice)`` (B,); arguments as of `weighted_bce`."""
    return weighted_mean((weighted_bce(segmentation, mask, pos_weight), dice(segmentation, mask)), (1, 1))


def weighted_mean(losses: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """``Σ wᵢ·lossᵢ / Σ wᵢ`` of losses (B,); weights >= 0, not all 0."""
    weights = _weights("weights", weights, len(losses))
    first, *others = (weight * loss for weight, loss in zip(weights, losses, strict=True))
    return sum(others, first) / sum(weights)


def with_boundary(region: Tensor, boundary: Tensor, alpha: float) -> Tensor:
    """``α·region + (1 - α)·boundary`` of losses (B,); α in [0, 1]."""
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha: expected a number in [0, 1], got {alpha}; 1 leaves the boundary term out")
    return alpha * region + (1 - alpha) * boundary


def _pair(segmentation: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Both at least float32 and of one shape (B, n, H, W)."""
    if segmentation.ndim != 4 or not segmentation.is_floating_point():
        raise ValueError(
            f"segmentation: expected probabilities (B, n, H, W), got {tuple(segmentation.shape)} {segmentation.dtype}; "
            "add the missing dimensions"
        )
    segmentation = at_least_float32(segmentation)
    return segmentation, _like(mask, segmentation, "mask").expand_as(segmentation)


def _like(target: Tensor, segmentation: Tensor, name: str) -> Tensor:
    """``target`` (B, 1, H, W) checked against ``segmentation`` and in its dtype."""
    batch, _, height, width = segmentation.shape
    if target.shape != (batch, 1, height, width):
        raise ValueError(
            f"{name}: expected {(batch, 1, height, width)} to go with segmentation {tuple(segmentation.shape)}, "
            f"got {tuple(target.shape)}; crop or resize it to the segmentation"
        )
    return target.to(segmentation.dtype)


def _mean(values: Tensor, valid: Tensor | None) -> Tensor:
    """Mean (B,) of values (B, n, H, W) over the pixels that count."""
    if valid is None:
        return values.mean((1, 2, 3))
    counts = _like(valid, values, "valid").expand_as(values)
    return _sum(values * counts) / _sum(counts).clamp_min(1)


def _counting(p: Tensor, y: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Probability and mask, 0 where a pixel does not count."""
    if valid is None:
        return p, y
    counts = _like(valid, p, "valid")
    return p * counts, y * counts


def _sum(values: Tensor) -> Tensor:
    return values.sum((1, 2, 3))


def _weights(name: str, weights: Sequence[float], count: int) -> tuple[float, ...]:
    if len(weights) != count or min(weights) < 0 or sum(weights) <= 0:
        raise ValueError(
            f"{name}: expected {count} numbers >= 0, not all 0, got {list(weights)}; use e.g. {[1] * count}"
        )
    return tuple(weights)
