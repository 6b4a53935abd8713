"""Losses of the super-resolved image and of the blur kernel: pure functions, one value per image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from csbsr.degradation import at_least_float32, degrade, shape_of_kernel
from csbsr.sr.kernel_estimation import normalized


class SuperResolutionTerms(NamedTuple):
    """L_SR and what it is made of, one value per image (B,)."""

    total: Tensor
    l1: Tensor  #: pixel error of the super-resolved image
    pseudo_lr: Tensor | None  #: pixel error of that image, degraded with the predicted kernel; None without
    #: a kernel or weight
    kernel: Tensor | None  #: squared error of the predicted kernel; None without a kernel


def super_resolution_loss(
    sr: Tensor,
    hr: Tensor,
    lr: Tensor,
    kernel: Tensor | None,
    true_kernel: Tensor | None,
    weights: Sequence[float] = (0.4, 0.4, 0.2),
    weight_maps: Sequence[Tensor] = (),
    padding: str = "zeros",
    antialias: bool = False,
    valid: Tensor | None = None,
) -> SuperResolutionTerms:
    """``L_SR = w₁·L1(sr, hr) + w₂·L1(pseudo-LR, lr) + w₃·MSE(kernel)``, each a mean per image.

    The predicted kernel is divided by its sum first.  Nothing is detached: the kernel also learns through the
    pseudo-LR, which is ``sr`` blurred with it and down-scaled.  Weight maps multiply the pixel errors; for the LR term
    each map is resized bilinearly by itself.

    Without a predicted kernel (DBPN, SrcNet, bicubic) neither the second nor the third term exists: then
    ``L_SR = L1(sr, hr)`` with weight 1, so that the balance with the segmentation loss stays.

    Args:
        sr: (B, 3, H, W), not clamped.
        hr: (B, 3, H, W) in [0, 1].
        lr: (B, 3, H/s, W/s).
        kernel: (B, 1, k, k) as predicted, or None.
        true_kernel: (B, 1, k, k), summing to 1; not read where ``kernel`` is None.
        weights: (w₁, w₂, w₃), each >= 0; 0.4, 0.4, 0.2 as published, 0.4, 0.4, 0 in the authors' release.
        weight_maps: any number of maps (B, 1, H, W), see `crack_oriented_weight`, `fail_oriented_weight`.
        padding: of the pseudo-LR's blur, as of the degradation that made ``lr``.
        antialias: of the pseudo-LR's down-scaling, as of the degradation that made ``lr``.
        valid: (B, 1, H, W) in {0, 1}, which pixels count; None for all.  A pixel of ``lr`` counts if all that its blur
            sees does.

    Returns:
        `SuperResolutionTerms`, the three terms before their weights.

    Raises:
        ValueError: shapes that do not fit or weights that are not three numbers >= 0.

    Source:
        Kondo & Ukita 2024 (L_SR).
    """
    if len(weights) != 3 or min(weights) < 0:
        raise ValueError(f"weights: expected three numbers >= 0 (L1, pseudo-LR, kernel), got {list(weights)}")
    if sr.shape != hr.shape:
        raise ValueError(f"sr: expected the shape of hr {tuple(hr.shape)}, got {tuple(sr.shape)}; is the scale right?")
    sr, hr, lr = at_least_float32(sr), at_least_float32(hr), at_least_float32(lr)
    l1 = _weighted_l1(sr, hr, weight_maps, valid)
    if kernel is None:
        return SuperResolutionTerms(l1, l1, None, None)
    if true_kernel is None or true_kernel.shape != kernel.shape:
        raise ValueError(
            f"true_kernel: expected the shape of kernel {tuple(kernel.shape)}, "
            f"got {None if true_kernel is None else tuple(true_kernel.shape)}; degradation.size must be the network's"
        )
    kernel = _normalized(at_least_float32(kernel))
    kernel_error = (kernel - true_kernel).square().mean((1, 2, 3))
    if not weights[1]:  # the pseudo-LR costs as much as a layer of a small network
        return SuperResolutionTerms(weights[0] * l1 + weights[2] * kernel_error, l1, None, kernel_error)
    degraded = degrade(sr, kernel, _scale(hr, lr), padding, antialias)
    lr_maps = [
        F.interpolate(at_least_float32(weight), lr.shape[-2:], mode="bilinear", align_corners=False)
        for weight in weight_maps
    ]
    counting = None if valid is None else _seen(valid, kernel.shape[-1], hr.shape[-1] // lr.shape[-1])
    lr_error = _weighted_l1(degraded, lr, lr_maps, counting)
    total = weights[0] * l1 + weights[1] * lr_error + weights[2] * kernel_error
    return SuperResolutionTerms(total, l1, lr_error, kernel_error)


def pseudo_lr(sr: Tensor, kernel: Tensor, scale: int, padding: str = "zeros", antialias: bool = False) -> Tensor:
    """``sr`` (B, 3, H, W) degraded with its own ``kernel`` (B, 1, k, k), divided by its sum: (B, 3, H/s, W/s)."""
    return degrade(sr, _normalized(at_least_float32(kernel)), scale, padding, antialias)


def kernel_shape_error(kernel: Tensor, true_kernel: Tensor) -> Tensor:
    """Mean absolute error (pixels) of the three numbers of a blur kernel's shape.

    The squared error of the entries is nearly the same for two wide kernels however they differ; this is not.

    Args:
        kernel: (B, 1, k, k) as predicted, entries >= 0.
        true_kernel: (B, 1, k, k).

    Returns:
        (B,); see `csbsr.degradation.shape`.
    """
    return (shape_of_kernel(kernel) - shape_of_kernel(true_kernel)).abs().mean(1)


def feature_affinity(
    segmentation_features: Tensor, sr_features: Tensor, pool: int = 16, valid: Tensor | None = None
) -> Tensor:
    """Feature affinity of DSRL, ``Σ|G_seg - G_sr| / N²``, with G the Gram matrix over positions.

    Both maps are average-pooled (window and stride ``pool``), flattened to (C, N) without normalisation, and every
    position is multiplied with every other: ``G = fᵀ·f`` (N, N).

    Args:
        segmentation_features: (B, C, H, W).
        sr_features: (B, C', H, W).
        pool: window in pixels, at most H and W; N = ⌊H/pool⌋·⌊W/pool⌋.
        valid: (B, 1, H', W') in {0, 1}, which pixels count; None for all.  Positions that see another one do not.

    Returns:
        (B,).

    Source:
        Wang et al. 2020 (DSRL), without its normalisation, as in the authors' release.
    """
    size = segmentation_features.shape[-2:]
    if sr_features.shape[-2:] != size or not 1 <= pool <= min(size):
        raise ValueError(
            f"features: expected two maps of one height and width, at least pool = {pool} pixels each, got "
            f"{tuple(segmentation_features.shape)} and {tuple(sr_features.shape)}; use larger crops"
        )
    difference = (_gram(segmentation_features, pool) - _gram(sr_features, pool)).abs()
    if valid is None:
        return difference.mean((1, 2))
    missing = F.adaptive_max_pool2d(1 - at_least_float32(valid), size)
    counts = 1 - F.max_pool2d(missing, pool).flatten(2)
    both = counts.mT @ counts
    return (difference * both).sum((1, 2)) / both.sum((1, 2)).clamp_min(1)


def _gram(features: Tensor, pool: int) -> Tensor:
    """(B, C, H, W) to products of all positions (B, N, N)."""
    positions = F.avg_pool2d(at_least_float32(features), pool).flatten(2)
    with torch.autocast(positions.device.type, enabled=False):
        return positions.mT @ positions


def _weighted_l1(image: Tensor, target: Tensor, weight_maps: Sequence[Tensor], valid: Tensor | None = None) -> Tensor:
    error = (image - target).abs()
    for weight in weight_maps:
        error = error * weight
    if valid is None:
        return error.mean((1, 2, 3))
    counts = valid.to(error.dtype).expand_as(error)
    return (error * counts).sum((1, 2, 3)) / counts.sum((1, 2, 3)).clamp_min(1)


def _seen(valid: Tensor, side: int, scale: int) -> Tensor:
    """(B, 1, H, W) to (B, 1, H/s, W/s): 1 where all pixels that a blur of ``side`` and the down-scaling see are 1."""
    missing = F.max_pool2d(1 - at_least_float32(valid), side, stride=1, padding=side // 2)
    return 1 - F.max_pool2d(missing, scale)


def _normalized(kernel: Tensor) -> Tensor:
    """``kernel`` (B, 1, k, k) divided by its sum, which is kept away from zero."""
    return normalized(kernel.flatten(1)).view_as(kernel)


def _scale(hr: Tensor, lr: Tensor) -> int:
    scale = hr.shape[-1] // lr.shape[-1]
    if hr.shape != (*lr.shape[:2], scale * lr.shape[2], scale * lr.shape[3]):
        raise ValueError(
            f"lr: expected hr {tuple(hr.shape)} divided by a whole scale, got {tuple(lr.shape)}; "
            "make lr with csbsr.degradation.degrade"
        )
    return scale
