"""How much of a photograph holds data, in square blocks: small enough to be kept beside its lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from csbsr.predict.rows import Shrinker

LARGEST = 2048  # blocks along the longest side of a photograph at most
_ROWS = 256  # that are taken in at a time


@dataclass(frozen=True)
class Coverage:
    """What of a photograph holds data: not transparent, no-data or left out by a person.

    Attributes:
        shares: (rows, columns) in [0, 1], of the blocks from the upper left corner; those at the far borders are cut.
        block: side of a block in pixels of the photograph.
    """

    shares: np.ndarray
    block: float


class CoverageByRows:
    """Finds the coverage of a photograph from a map that arrives by rows.

    Args:
        shape: H, W of the map.
        scale: its pixels to one of the photograph, along a side.
    """

    def __init__(self, shape: tuple[int, int], scale: float) -> None:
        side = max(1, round(scale))
        pixels = side * -(-max(shape) // (side * LARGEST))
        self._block, self._shrinker = pixels / scale, Shrinker(*shape, pixels)

    def add(self, counts: np.ndarray) -> None:
        """Take in rows (n, W) bool of what counts."""
        self._shrinker.add(counts.astype(np.float32))

    def result(self) -> Coverage:
        """After the last row."""
        return Coverage(self._shrinker.result(), self._block)


def coverage_of(counts: np.ndarray, scale: float) -> Coverage:
    """The coverage of a photograph from a map (H, W) bool of what counts, ``scale`` times as large along a side."""
    found = CoverageByRows((counts.shape[0], counts.shape[1]), scale)
    for start in range(0, len(counts), _ROWS):
        found.add(counts[start : start + _ROWS])
    return found.result()
