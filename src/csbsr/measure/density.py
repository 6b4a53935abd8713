"""Density of cracks as pavements want it: metres of crack per square metre that was seen, in the cells of a grid."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from csbsr.measure.coverage import Coverage

_NEAR = 1e-6  # of a cell: what reaches less into it is rounding


@dataclass(frozen=True)
class Grid:
    """Cells that cover a photograph, row by row from its upper left; those at its borders may reach beyond it.

    Attributes:
        size: width and height of the photograph in pixels.
        cell: width and height of a cell in pixels.
        origin: x and y in pixels where the first cell begins, at most 0.

    Raises:
        ValueError: a cell or a size that is not above 0.
    """

    size: tuple[float, float]
    cell: tuple[float, float]
    origin: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not all(0 < side < math.inf for side in (*self.cell, *self.size)):
            (width, height), (across, down) = self.size, self.cell
            raise ValueError(
                f"cell and size: expected above 0, got {across:g} x {down:g} and {width:g} x {height:g} pixels"
            )

    @property
    def count(self) -> float:
        """How many cells there are, which may be more than there could be."""
        return math.prod(max(1.0, float(np.ceil(side))) for side in self._sides)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        columns, rows = (max(1, math.ceil(side)) for side in self._sides)
        return rows, columns

    @property
    def _sides(self) -> list[float]:
        """From the origin to the far border of the photograph, in cells."""
        return [(self.size[i] - self.origin[i]) / self.cell[i] - _NEAR for i in (0, 1)]

    def borders(self, axis: int) -> np.ndarray:
        """(cells + 1,) where the cells begin and end in pixels: 0 along x, 1 along y."""
        return self.origin[axis] + np.arange(self.shape[1 - axis] + 1) * self.cell[axis]


@dataclass(frozen=True)
class Density:
    """Cracks of one photograph in cells.

    Attributes:
        grid: of the cells.
        lengths: (rows, columns) of cracks in each cell, in pixels.
        areas: (rows, columns) with data in each cell, in square pixels.
    """

    grid: Grid
    lengths: np.ndarray
    areas: np.ndarray

    def per_area(self, metres_per_pixel: float) -> np.ndarray:
        """(rows, columns) in m/m²: length / area; NaN where there is no data."""
        ratio = np.full(self.lengths.shape, np.nan)
        np.divide(self.lengths, self.areas * metres_per_pixel, out=ratio, where=self.areas > 0)
        return ratio


def crack_density(lines: Iterable[np.ndarray], grid: Grid, coverage: Coverage | None = None) -> Density:
    """Length of cracks and area with data in each cell of a photograph.

    Args:
        lines: centrelines (n, 2), x and y in pixels from the upper left corner, as
            `csbsr.measure.lines.crack_lines` has them; points beyond the photograph are brought to its border.
        grid: of the cells.
        coverage: of the photograph, what of it holds data; None: all.
    """
    lengths = np.zeros(grid.shape)
    for line in lines:
        _add_lengths(lengths, line.clip(0, grid.size), grid)
    shares = np.ones((1, 1)) if coverage is None else coverage.shares
    block = math.inf if coverage is None else coverage.block
    areas = _in_cells(shares, block, grid.size[1], grid.borders(1))
    areas = _in_cells(areas.T, block, grid.size[0], grid.borders(0)).T
    return Density(grid, lengths, areas)


def split_at_cells(line: np.ndarray) -> np.ndarray:
    """The points (m, 2) of a line (n, 2) with further ones wherever it crosses whole numbers."""
    pieces = [line[:1]]
    for start, end in pairwise(line):
        shares = [np.ones(1)]
        for a, b in zip(start, end, strict=True):
            low, high = sorted((a, b))
            borders = np.arange(np.floor(low) + 1, np.ceil(high))
            if len(borders):
                shares.append((borders - a) / (b - a))
        at = np.unique(np.concatenate(shares))[:, None]
        pieces.append(start + at * (end - start))
    return np.concatenate(pieces)


def _add_lengths(lengths: np.ndarray, line: np.ndarray, grid: Grid) -> None:
    """Add the length of a line in each cell; along a border it counts to the right or lower cell."""
    points = split_at_cells((line - grid.origin) / grid.cell)
    middles = (points[:-1] + points[1:]) / 2
    column, row = np.clip(np.floor(middles).astype(int), 0, np.array(lengths.shape[::-1]) - 1).T
    np.add.at(lengths, (row, column), np.hypot(*(np.diff(points, axis=0) * grid.cell).T))


def _in_cells(values: np.ndarray, block: float, length: float, cells: np.ndarray) -> np.ndarray:
    """(cells, m): the integral of values (n, m) of blocks along ``length`` pixels, between the borders of cells."""
    blocks = np.append(np.arange(len(values)) * (block if len(values) > 1 else 0.0), length)
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values * np.diff(blocks)[:, None], axis=0)])
    place = np.interp(cells, blocks, np.arange(len(blocks), dtype=np.float64))
    index = np.minimum(place.astype(int), len(values) - 1)
    at = total[index] + (place - index)[:, None] * (total[index + 1] - total[index])
    return np.diff(at, axis=0)
