"""Is it real?  The super-resolved image, blurred by its own kernel and down-scaled, against the photograph."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from torch import Tensor
from torch.nn import functional as F

from csbsr.degradation import degrade_large, downscale
from csbsr.moments import second_moments

#: Differences above which a photograph is flagged: as a whole, and where cracks are marked, whose edges differ more.
LIMIT, LIMIT_AT_CRACKS = 0.03, 0.05


class Consistency(NamedTuple):
    """How well a super-resolved image explains its photograph.

    Differences are root mean squares, over the three channels and over pixels of the photograph, of values in [0, 1].
    """

    map: np.ndarray  #: (h, w) float32, difference at each pixel of the photograph
    whole: float  #: over the photograph, without its border
    cracks: float | None  #: over the photograph's pixels with a crack in them; None without cracks


def difference(lr: Tensor, sr: Tensor, kernel: Tensor | None, scale: int, antialias: bool = False) -> np.ndarray:
    """At each pixel the root mean square over the channels of ``lr − downscale(sr * kernel)``.

    Beyond the image's border ``sr`` is continued by its last pixel, so borders do not darken.

    Args:
        lr: (1, 3, h, w), the photograph.
        sr: (1, 3, s·h, s·w) in [0, 1].
        kernel: (1, 1, k, k), sum 1; None for a network that estimates none: then only the size changes.
        scale: the factor s.
        antialias: of the down-scaling the network was trained with.

    Returns:
        (1, h, w) float32.
    """
    sr = sr.float()
    if kernel is None:
        again = downscale(sr, scale, antialias)
    else:
        border = -(-(kernel.shape[-1] // 2 + 2 * scale) // scale)
        extended = F.pad(sr, (border * scale,) * 4, mode="replicate")
        again = degrade_large(extended, kernel.float(), scale, antialias=antialias)
        again = again[..., border:-border, border:-border]
    return (again - lr).square().mean(1).sqrt().cpu().numpy()


def summarised(
    differences: np.ndarray, cracks: np.ndarray, border: int = 4, valid: np.ndarray | None = None
) -> Consistency:
    """Numbers of a photograph from its map.

    Args:
        differences: (h, w).
        cracks: (h, w) bool, pixels with a crack in them.
        valid: (h, w) bool, where there is a photograph; None for everywhere.
        border: pixels left out at the photograph's border, where the kernel reaches beyond it; nothing is left out of
            one too small.
    """
    inner = np.zeros(differences.shape, bool)
    inner[border:-border, border:-border] = True
    inner = inner if inner.any() else ~inner
    if valid is not None:
        around = cv2.erode(valid.astype(np.uint8), np.ones((2 * border + 1, 2 * border + 1), np.uint8)) > 0
        inner = next(part for part in (inner & around, inner & valid, valid) if part.any())
        differences = np.where(valid, differences, np.float32(0))
    return Consistency(
        differences, _rms(differences[inner]), _rms(differences[cracks & inner]) if (cracks & inner).any() else None
    )


def flagged(found: Consistency) -> bool:
    """Whether the super-resolved image does not explain the photograph, as a whole or where cracks are marked."""
    return found.whole > LIMIT or (found.cracks or 0) > LIMIT_AT_CRACKS


def why_flagged(whole: float, cracks: float | None) -> str:
    """Which number is above its limit, in words; ``whole`` and ``cracks`` as in a `Consistency` that is flagged."""
    if whole > LIMIT:
        return f"consistency {whole:.3f}, limit {LIMIT:g}"
    return f"consistency {cracks or 0:.3f} where cracks are marked, limit {LIMIT_AT_CRACKS:g}"


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def kernel_shape(kernel: np.ndarray) -> tuple[float, float, float]:
    """Standard deviations (larger first, in pixels of the kernel) and direction of the larger one.

    Computed from the second moments; negative entries of an estimated kernel count as 0.  The direction is in degrees
    from the horizontal, counter-clockwise as seen, in [0, 180).
    """
    xx, yy, xy = second_moments(kernel)
    small, large = np.linalg.eigvalsh([[xx, xy], [xy, yy]]).clip(0)
    angle = 0.5 * np.degrees(np.arctan2(-2 * xy, xx - yy)) % 180  # rows count downwards
    return float(np.sqrt(large)), float(np.sqrt(small)), float(angle)
