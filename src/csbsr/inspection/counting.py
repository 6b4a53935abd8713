"""What of a map counts when it is measured: where there is a photograph, and what nobody wants left out."""

from __future__ import annotations

import cv2
import numpy as np

from csbsr.measure import reduced


def counting(
    valid: np.ndarray | None, excluded: np.ndarray | None, size: tuple[int, int], factor: int
) -> np.ndarray | None:
    """What of a map counts, (H, W) bool at the size at which it is measured; None for all.

    Args:
        valid: (h, w) bool, where there is a photograph.
        excluded: (H, W) bool of ``size``, what a person leaves out.
        size: of the result.
        factor: by which it is shrunken before it is measured; a square counts if all of it does.
    """
    if valid is None and excluded is None:
        return None
    counts = np.ones(size, bool)
    if valid is not None:
        counts &= cv2.resize(valid.view(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) > 0
    if excluded is not None:
        counts &= ~excluded
    return counts if factor == 1 else np.asarray(reduced(counts, factor) >= 1)
