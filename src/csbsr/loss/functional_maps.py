"""Maps over the pixels of an image that losses multiply with: signed distances and the weights of the SR loss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from csbsr.data import distance as numpy_distance
from csbsr.degradation import at_least_float32


def normalized_signed_distance(mask: Tensor) -> Tensor:
    """The boundary loss's map φ in [-1, 1]: `csbsr.data.distance.normalized_signed_distance`, image by image.

    Args:
        mask: (B, 1, H, W), crack where non-zero, on any device; the work is done on the CPU.

    Returns:
        (B, 1, H, W) on the device of ``mask``, in its dtype if floating (at least float32), else float32.
    """
    return _per_image(numpy_distance.normalized_signed_distance, mask)


def distance_to_crack(mask: Tensor) -> Tensor:
    """Pixels to the nearest crack pixel, 0 everywhere for an empty mask; shapes as `normalized_signed_distance`."""
    return _per_image(numpy_distance.distance_to_crack, mask)


def crack_oriented_weight(mask: Tensor, m: float, crack_distance: Tensor | None = None) -> Tensor:
    """Crack-oriented weight of the SR loss, ``w^C = 2·exp(-m·D)``, D the distance to the nearest crack pixel.

    Args:
        mask: (B, 1, H, W); not read where ``crack_distance`` is given.
        m: m^C >= 0, how fast the weight falls, per pixel.
        crack_distance: (B, 1, H, W) in pixels, if it is there already.

    Returns:
        (B, 1, H, W) in (0, 2]; 2 everywhere for an empty mask.

    Source:
        Kondo & Ukita 2024 (crack-oriented weight), D unscaled as in the authors' release.
    """
    if crack_distance is None:
        crack_distance = distance_to_crack(mask)
    return 2 * torch.exp(-_amplitude(m) * at_least_float32(crack_distance))


def fail_oriented_weight(segmentation: Tensor, mask: Tensor, m: float) -> Tensor:
    """Fail-oriented weight of the SR loss, ``w^F = exp(m·|p - y|)``, without gradient to the segmentation.

    Args:
        segmentation: (B, 1, H, W) probability.
        mask: (B, 1, H, W).
        m: m^F >= 0, how much more a failed pixel counts.

    Returns:
        (B, 1, H, W) in [1, e^m].

    Source:
        Kondo & Ukita 2024 (fail-oriented weight).
    """
    if segmentation.shape != mask.shape:
        raise ValueError(
            f"segmentation: expected the shape of mask {tuple(mask.shape)}, got {tuple(segmentation.shape)}; "
            "pass the main output alone"
        )
    p = at_least_float32(segmentation.detach())
    return torch.exp(_amplitude(m) * (p - mask.to(p.dtype)).abs())


def _amplitude(m: float) -> float:
    if m < 0:
        raise ValueError(f"m: expected a number >= 0, got {m}; null leaves the weight out")
    return m


def _per_image(function: Callable[..., np.ndarray], mask: Tensor) -> Tensor:
    """``function`` (a numpy map of one mask) on every image of ``mask``."""
    if mask.ndim != 4 or mask.shape[1] != 1:
        raise ValueError(f"mask: expected (B, 1, H, W), got {tuple(mask.shape)}; add the missing dimensions")
    dtype = torch.promote_types(mask.dtype, torch.float32)
    crack = (mask[:, 0] != 0).cpu().numpy()
    maps = np.stack([function(image, dtype=np.float64) for image in crack])
    return torch.from_numpy(maps)[:, None].to(mask.device, dtype)
