"""What of a map counts when it is measured: where there is a photograph, and what nobody wants left out."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from csbsr.measure import Coverage, coverage_of, reduced


class Counting(NamedTuple):
    """What of a map counts."""

    measured: np.ndarray | None = None  #: (H, W) bool at the size at which it is measured; None: all
    coverage: Coverage | None = None  #: of the photograph; None: all


def counting(
    valid: np.ndarray | None, excluded: np.ndarray | None, size: tuple[int, int], factor: int, scale: float
) -> Counting:
    """What of a map counts.

    Args:
        valid: (h, w) bool, where there is a photograph.
        excluded: (H, W) bool of ``size``, what a person leaves out.
        size: of the map.
        factor: by which it is shrunken before it is measured; a square counts if all of it does.
        scale: pixels of the map to one of the photograph, along a side.
    """
    if valid is None and excluded is None:
        return Counting()
    counts = np.ones(size, bool)
    if valid is not None:
        counts &= cv2.resize(valid.view(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) > 0
    if excluded is not None:
        counts &= ~excluded
    measured = counts if factor == 1 else np.asarray(reduced(counts, factor) >= 1)
    return Counting(measured, coverage_of(counts, scale))
