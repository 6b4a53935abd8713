"""Density of cracks in the cells of a grid, from what is kept of each photograph: its lines and its coverage.

So it hangs on no setting of the measurement, and another ``cell_m`` makes it anew without one.  Cells of images whose
coordinates are metres on the ground begin at multiples of their side in these, so that mosaics share one grid; those of
other photographs in their upper left corner.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from csbsr.data.reading.geo import GeoReference
from csbsr.inspection.coverage import read_coverage
from csbsr.inspection.lines import Lines, placed, read_lines
from csbsr.inspection.record import DONE, Cells, Handled, Record
from csbsr.inspection.store import Store
from csbsr.measure import Density, Grid, crack_density
from csbsr.words import first_names, printable

#: Cells of all photographs of a folder together: more fill memory and no map.
MOST_CELLS = 250_000
#: Share of a cell that holds data from which its density says something.
NEARLY_WHOLE = 0.5
_NO_SCALE = "cells are in metres, and its scale is not known; give gsd_mm=, distance_m= or marker_mm="
_ON_GROUND = 0.01  # by which metres of the coordinates may differ from those on the ground
_NEAR = 1e-6  # of a cell, that is rounding
_DIGITS = 6  # that count, of metres, square metres and their ratio


@dataclass(frozen=True)
class DensityMap:
    """The density of one photograph.

    Attributes:
        lines: of its cracks.
        stem: path of its results.
        cell_m: side of a cell in metres.
        density: in its cells.
    """

    lines: Lines
    stem: str
    cell_m: float
    density: Density

    @property
    def metres(self) -> float:
        """To a pixel of the photograph."""
        return (self.lines.mm_per_pixel or math.nan) / 1000

    @property
    def lengths(self) -> np.ndarray:
        """(rows, columns) of cracks, in metres."""
        return self.density.lengths * self.metres

    @property
    def areas(self) -> np.ndarray:
        """(rows, columns) with data, in square metres."""
        return self.density.areas * self.metres**2

    @property
    def per_area(self) -> np.ndarray:
        """(rows, columns) in m/m²; NaN where there is no data."""
        return self.density.per_area(self.metres)

    @property
    def mean(self) -> float:
        """Of the photograph, in m/m²; it holds data."""
        return float(self.lengths[self.areas > 0].sum() / self.areas.sum())

    @property
    def densest(self) -> float:
        """Of the cells that are nearly whole, in m/m²; the photograph holds data."""
        return float(self.per_area[self.whole].max())

    @property
    def whole(self) -> np.ndarray:
        """(rows, columns) bool: cells that are nearly whole, or, if none is, all that hold data."""
        areas = self.density.areas
        found = areas >= NEARLY_WHOLE * math.prod(self.density.grid.cell)
        return found if found.any() else areas > 0

    def cells(self) -> Cells:
        """What a record holds of it."""
        there = self.density.areas > 0
        if not there.any():
            return Cells(self.cell_m, 0, density_refused="no part of it holds data")
        mean, largest = _rounded([self.mean, self.densest])
        return Cells(self.cell_m, int(there.sum()), mean, largest)

    def features(self) -> list[tuple[list[np.ndarray], dict[str, Any]]]:
        """The border of each cell that holds data, counter-clockwise in the photograph's coordinates, and its numbers.

        Cells are numbered from 1, row by row, those without data too.
        """
        grid, photograph = self.density.grid, self.lines.photograph
        row, column = np.nonzero(self.density.areas > 0)
        x, y = grid.borders(0), grid.borders(1)
        corners = np.array([(0, 1), (1, 1), (1, 0), (0, 0), (0, 1)])  # right and down of a cell's own
        points = np.stack([x[column[:, None] + corners[:, 0]], y[row[:, None] + corners[:, 1]]], axis=2)
        rings = placed(points.reshape(-1, 2), self.lines.geo).reshape(points.shape)
        if len(rings) and not _turns_left(rings[0]):
            rings = rings[:, ::-1]
        numbers = row * grid.shape[1] + column + 1
        values = [_rounded(all_of[row, column]) for all_of in (self.lengths, self.areas, self.per_area)]
        return [
            (
                [ring],
                {
                    "id": f"{photograph}#{number}", "photograph": photograph, "cell": number,
                    "length_m": length, "area_m2": area, "density_m_per_m2": density,
                },
            )
            for ring, number, length, area, density in zip(
                rings, numbers.tolist(), *values, strict=True
            )
        ]  # fmt: skip


def density_maps(store: Store, cell_m: float | None) -> list[DensityMap]:
    """The density of each photograph of a folder, in the order of their names; and what of it their records hold.

    Args:
        store: the folder.
        cell_m: side of a cell in metres; None: none is wanted, and the records hold none.
    """
    maps, room = [], float(MOST_CELLS)
    for record in store.sorted_records:
        record.cells = None
        if cell_m is None or record.status != DONE or record.stem is None:
            continue
        try:
            found = _density_map(record, store, cell_m, room)
        except ValueError as error:
            record.cells = Cells(cell_m, density_refused=str(error))
            continue
        room -= found.density.lengths.size
        record.cells = found.cells()
        maps.append(found)
    return maps


def _density_map(record: Record, store: Store, cell_m: float, room: float) -> DensityMap:
    places = store.pictures(record.stem or record.file)
    if record.measured is None:
        raise ValueError("its cracks were not measured")
    lines = read_lines(places.lines)
    if lines is None:
        raise ValueError("an earlier version did not keep its lines; run again with overwrite=true")
    if lines.mm_per_pixel is None:
        raise ValueError(_NO_SCALE)
    if lines.block is None and _has_gaps(record.handled or Handled()):
        raise ValueError("where it holds data is not known: its photograph is gone, or an earlier version measured it")
    grid = grid_for(lines, cell_m)
    if grid.count > room:
        raise ValueError(too_many(MOST_CELLS - room + grid.count, cell_m))
    coverage = read_coverage(places.coverage, lines)
    density = crack_density((line for crack in lines.cracks for line in crack.lines), grid, coverage)
    return DensityMap(lines, record.stem or record.file, cell_m, density)


def _has_gaps(handled: Handled) -> bool:
    return bool(handled.missing_share or handled.excluded_share or handled.rectified)


def grid_for(lines: Lines, cell_m: float) -> Grid:
    """The cells of a photograph whose scale is known.

    Raises:
        ValueError: its size or scale is none.
    """
    pixel, geo = (lines.mm_per_pixel or math.nan) / 1000, lines.geo
    if geo is None or geo.metres is None or not _metres_on_ground(geo, pixel):
        return Grid(lines.size, (cell_m / pixel, cell_m / pixel))
    a, _, c, _, e, f = geo.transform
    side = cell_m / geo.metres
    return Grid(lines.size, (side / abs(a), side / abs(e)), (_before(c, a, side), _before(f, e, side)))


def cells_of(size: tuple[float, float], mm_per_pixel: float, cell_m: float) -> float:
    """About how many cells a photograph of ``size`` (width, height) in pixels has."""
    return math.prod(max(1.0, side * mm_per_pixel / 1000 / cell_m) for side in size)


def too_many(count: float, cell_m: float) -> str:
    """What is said of more cells than are written."""
    enough = cell_m * math.sqrt(count / MOST_CELLS)
    return (
        f"cell_m: {cell_m:g} makes {count:.3g} cells, and a folder holds at most {MOST_CELLS}; give one above "
        f"{enough:.2g}"
    )


def _metres_on_ground(geo: GeoReference, pixel: float) -> bool:
    """Do the coordinates run along the sides of an image, in the lengths on the ground that its ``pixel`` has?"""
    a, b, _, d, e, _ = geo.transform
    if geo.epsg is None or geo.metres is None or b or d:
        return False
    return all(abs(abs(side) * geo.metres / pixel - 1) < _ON_GROUND for side in (a, e))


def _before(start: float, step: float, side: float) -> float:
    """Pixels, at most 0, from the beginning of an image at the coordinate ``start`` back to a multiple of ``side``."""
    forward = math.copysign(1.0, step)
    cells = forward * start / side
    whole = round(cells) if abs(round(cells) - cells) < _NEAR else math.floor(cells)
    return min(0.0, (forward * whole * side - start) / step)


def _rounded(values: Iterable[float]) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values]


def _turns_left(ring: np.ndarray) -> bool:
    """Does a closed ring (n, 2) run counter-clockwise, x to the right and y upwards?"""
    x, y = (ring - ring[0]).T
    return bool((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0)


def summarised(records: Iterable[Record]) -> list[str]:
    """Lines on the density of all photographs, for the terminal."""
    found = [(record, record.cells) for record in records if record.cells is not None]
    maps = [(record, cells) for record, cells in found if cells.density_m_per_m2_largest is not None]
    lines = []
    if maps:
        record, densest = max(maps, key=lambda pair: pair[1].density_m_per_m2_largest or 0.0)
        count = sum(cells.cells or 0 for _, cells in maps)
        lines.append(
            f"{count} cells of {densest.cell_m:g} m, the densest {densest.density_m_per_m2_largest:.3g} m/m² "
            f"({printable(record.file)})"
        )
    reasons: dict[str, list[str]] = {}
    for record, cells in found:
        if cells.density_refused is not None:
            reasons.setdefault(cells.density_refused, []).append(record.file)
    return lines + [f"none for {len(names)} ({first_names(names)}): {reason}" for reason, names in reasons.items()]
