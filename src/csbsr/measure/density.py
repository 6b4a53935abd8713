"""Density of cracks as pavements want it: metres of crack per square metre that was seen, in the cells of a grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Density:
    """Cracks of one photograph in cells, which count from its upper left corner; those at its far borders may be cut.

    Attributes:
        cell: side of a cell in pixels.
        lengths: (rows, columns) of cracks in each cell, in pixels.
        areas: (rows, columns) with data in each cell, in square pixels.
    """

    cell: float
    lengths: np.ndarray
    areas: np.ndarray

    def per_area(self, metres_per_pixel: float) -> np.ndarray:
        """(rows, columns) in m/m²: length / area; NaN where there is no data."""
        ratio = np.full(self.lengths.shape, np.nan)
        np.divide(self.lengths, self.areas * metres_per_pixel, out=ratio, where=self.areas > 0)
        return ratio


def crack_density(
    lines: Iterable[np.ndarray], size: tuple[float, float], cell: float, data: np.ndarray | None = None
) -> Density:
    """Length of cracks and area with data in each cell of a photograph.

    Args:
        lines: centrelines (n, 2), x and y in pixels from the upper left corner, as
            `csbsr.measure.lines.crack_lines` has them.
        size: width and height in pixels.
        cell: side of a cell in pixels, above 0.
        data: (h, w), True where there is data, at any resolution of the same photograph; None: everywhere.

    Raises:
        ValueError: a cell or size that is not above 0.
    """
    width, height = size
    if not min(cell, width, height) > 0:
        raise ValueError(f"cell and size: expected above 0, got {cell:g} and {width:g} x {height:g} pixels")
    rows, columns = int(np.ceil(height / cell)), int(np.ceil(width / cell))
    lengths = np.zeros((rows, columns))
    for line in lines:
        _add_lengths(lengths, line, cell)
    seen = np.ones((1, 1), bool) if data is None else data
    down = _overlaps(seen.shape[0], height, rows, cell)
    across = _overlaps(seen.shape[1], width, columns, cell)
    return Density(cell, lengths, down @ seen.astype(np.float64) @ across.T)


def split_at_cells(line: np.ndarray, cell: float) -> np.ndarray:
    """The points (m, 2) of a line (n, 2) with further ones wherever it crosses a border of the cells."""
    pieces = [line[:1]]
    for start, end in pairwise(line):
        shares = [np.ones(1)]
        for a, b in zip(start, end, strict=True):
            low, high = sorted((a / cell, b / cell))
            borders = np.arange(np.floor(low) + 1, np.ceil(high)) * cell
            if len(borders):
                shares.append((borders - a) / (b - a))
        at = np.unique(np.concatenate(shares))[:, None]
        pieces.append(start + at * (end - start))
    return np.concatenate(pieces)


def _add_lengths(lengths: np.ndarray, line: np.ndarray, cell: float) -> None:
    """Add the length of a line in each cell; along a border it counts to the right or lower cell."""
    points = split_at_cells(line, cell)
    middles = (points[:-1] + points[1:]) / 2
    last = np.array(lengths.shape[::-1]) - 1
    column, row = np.clip(np.floor(middles / cell).astype(int), 0, last).T
    np.add.at(lengths, (row, column), np.hypot(*np.diff(points, axis=0).T))


def _overlaps(pixels: int, length: float, cells: int, cell: float) -> np.ndarray:
    """(cells, pixels): how much of each of ``pixels`` equal parts of ``length`` lies in each cell."""
    borders = np.linspace(0, length, pixels + 1)
    starts = np.arange(cells)[:, None] * cell
    return np.clip(np.minimum(borders[1:], starts + cell) - np.maximum(borders[:-1], starts), 0, None)
