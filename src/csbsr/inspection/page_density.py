"""The report's part on density: a heat map of each photograph in one scale of colours, and its densest cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from PIL import Image

from csbsr.inspection.coverage import read_coverage
from csbsr.inspection.density import NEARLY_WHOLE, DensityMap
from csbsr.inspection.store import PicturePlaces
from csbsr.inspection.views import shrunken_layer
from csbsr.pages.pictures import data_uri, limited, opened
from csbsr.words import printable

_SIZE = 900  # pixels of a heat map's longest side
_BUDGET = 8_000_000  # characters of all heat maps of a page
_DENSEST = 5  # cells that are listed for a photograph
_STOPS = 9  # colours between which the scale of the page goes
_LINE = 10  # pixels of a cell's side from which its borders are drawn
_DARKENED = 0.85  # of a cell's colour, along its borders
_GREY = np.uint8(190)


class Shown(Protocol):
    """A photograph of the page."""

    @property
    def row(self) -> Mapping[str, Any]:
        """Its row of the summary."""

    @property
    def stem(self) -> str:
        """Path of its results."""


def density_section(maps: Sequence[DensityMap], photographs: Sequence[Shown], folder: str | Path) -> dict[str, Any]:
    """What the template shows of the density; without maps and refusals it shows nothing.

    Heat maps are embedded, the densest first, until they are 8 MB together.

    Args:
        maps: of the photographs that have one.
        photographs: of the page, in its order.
        folder: output folder, which holds the pictures.
    """
    numbers = {photograph.stem: number for number, photograph in enumerate(photographs, 1)}
    refused = [
        (printable(photograph.row["file"]), str(photograph.row["density_refused"]))
        for photograph in photographs
        if photograph.row.get("density_refused")
    ]
    told = [one for one in maps if one.stem in numbers and one.whole.any()]
    top = max((one.densest for one in told), default=0.0) or 1.0
    pictures, left = {}, _BUDGET
    for one in sorted(told, key=lambda one: one.densest, reverse=True):
        found = heat_map(one, PicturePlaces.of(folder, one.stem), top)
        if found is None:
            continue
        if len(found) > left:
            break
        pictures[one.stem], left = found, left - len(found)
    return {
        "cell": f"{told[0].cell_m:g}" if told else "",
        "nearly": f"{100 * NEARLY_WHOLE:g}",
        "colours": ", ".join("#{:02x}{:02x}{:02x}".format(*colour) for colour in _palette(_STOPS)),
        "ticks": [_text(share * top) for share in (0.0, 0.5, 1.0)],
        "maps": [_told(one, numbers[one.stem], pictures.get(one.stem)) for one in told],
        "refused": refused,
    }


def heat_map(density: DensityMap, places: PicturePlaces, top: float) -> str | None:
    """The cells of a photograph coloured over its pale picture with its cracks, as a data URI; None without a picture.

    What holds no data stays grey.

    Args:
        density: of the photograph.
        places: of its pictures.
        top: m/m² at the upper end of the colours.
    """
    picture, layer = opened(places.after), opened(places.widths)
    if picture is None:
        return None
    picture = limited(picture.convert("L"), _SIZE)
    pale = 0.8 + 0.2 * np.asarray(picture, np.float32)[..., None] / 255
    grid, values = density.density.grid, density.per_area
    side = [length * of / whole for length, of, whole in zip(grid.cell, picture.size, grid.size, strict=True)]
    index = [
        np.clip(np.searchsorted(grid.borders(axis), _middles(picture.size[axis], grid.size[axis]), "right") - 1, 0,
                grid.shape[1 - axis] - 1)
        for axis in (0, 1)
    ]  # fmt: skip
    value = values[np.ix_(index[1], index[0])]
    levels = np.nan_to_num(255 * value / top).clip(0, 255).astype(int)
    coloured = np.isfinite(value) & _holds_data(density, places, picture.size)
    colour = np.where(coloured[..., None], _palette(256)[levels], _GREY) * pale
    if min(side) >= _LINE:
        for axis, cells in enumerate(index):
            at = np.flatnonzero(np.diff(cells)) + 1
            colour[(slice(None), at) if axis == 0 else (at, slice(None))] *= _DARKENED
    if layer is not None:
        cracks = shrunken_layer(np.asarray(layer.convert("RGBA")), _SIZE)[..., 3]
        colour[cv2.resize(cracks, picture.size, interpolation=cv2.INTER_NEAREST) > 0] = 0
    return data_uri(Image.fromarray(np.rint(colour).astype(np.uint8)), "webp", quality=80)


def _holds_data(density: DensityMap, places: PicturePlaces, size: tuple[int, int]) -> np.ndarray:
    """(h, w) bool, where a picture of ``size`` (w, h) shows what holds data."""
    coverage = read_coverage(places.coverage, density.lines)
    if coverage is None:
        return np.ones(size[::-1], bool)
    rows, columns = ((_middles(size[axis], density.lines.size[axis]) / coverage.block).astype(int) for axis in (1, 0))
    return coverage.shares[np.ix_(rows, columns)] > 0


def _told(one: DensityMap, number: int, picture: str | None) -> dict[str, Any]:
    lengths, areas, ratios = one.lengths, one.areas, one.per_area
    order = np.argsort(-np.where(one.whole, ratios, -1.0), axis=None)[:_DENSEST]
    there = areas > 0
    return {
        "number": number,
        "name": printable(one.lines.photograph),
        "picture": picture,
        "figures": [
            ("density", f"{_text(one.mean)} m/m²"),
            ("cracks", f"{_text(lengths[there].sum())} m"),
            ("area with data", f"{_text(areas.sum())} m²"),
            ("cells with data", str(int(there.sum()))),
        ],
        "densest": [_cell(one, int(cell), lengths, areas, ratios) for cell in order if ratios.flat[cell] > 0],
    }


def _cell(one: DensityMap, cell: int, lengths: np.ndarray, areas: np.ndarray, ratios: np.ndarray) -> dict[str, Any]:
    grid = one.density.grid
    row, column = divmod(cell, grid.shape[1])
    (left, right), (top, bottom) = (
        np.clip(grid.borders(axis)[place : place + 2], 0, grid.size[axis]) for axis, place in ((0, column), (1, row))
    )
    return {
        "number": cell + 1,
        "density": _text(ratios[row, column]),
        "length": _text(lengths[row, column]),
        "area": _text(areas[row, column]),
        "place": f"{left:.0f}–{right:.0f}, {top:.0f}–{bottom:.0f}",
    }


def _middles(pixels: int, length: float) -> np.ndarray:
    """(pixels,) middles of the pixels of a picture that shows ``length``."""
    return (np.arange(pixels) + 0.5) * length / pixels


def _palette(count: int) -> np.ndarray:
    """(count, 3) uint8 from pale yellow to dark violet: lightness falls all the way, also for the colour-blind."""
    levels = np.linspace(250, 85, count).round().astype(np.uint8)
    return cv2.applyColorMap(levels[:, None], cv2.COLORMAP_INFERNO)[:, 0, ::-1]


def _text(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 1e-3 or value == 0 else f"{value:.6f}"
