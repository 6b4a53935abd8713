"""The spread of a probability over flips, as it lies in a file; apart from what writes it, which loads torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from csbsr.measure import read_segmentation

VARIANCE_WHITE = 0.25  # the largest variance of a probability, white in the file


def spread_in(path: Path, most_pixels: float) -> np.ndarray:
    """Standard deviation (H, W) float16 of a probability over flips, from the file of its variance.

    Args:
        path: of kind ``uncertainty``.
        most_pixels: as for `csbsr.measure.read_segmentation`.
    """
    share, _ = read_segmentation(path, "probability", most_pixels, faint=True)
    return np.sqrt(share * np.float16(VARIANCE_WHITE))
