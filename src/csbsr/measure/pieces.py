"""The cracks of a map that is larger than memory: found strip by strip, each measured whole in a window around it.

A first pass labels the cracks in strips of rows and joins what hangs together across them; so every crack's box is
known.  Then windows are read that hold whole cracks, and these are measured there as in the whole map, on a finer grid
where memory allows it: lines are as sharp as the probability between its pixels.  A crack whose box alone is larger
than a window may be is measured in pieces, strip by strip.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from csbsr.measure.centreline import Centreline
from csbsr.measure.intervals import WidthSet
from csbsr.measure.results import Crack, Measurement

_MARGIN = 64  # pixels of the photograph around a crack: what is measured beside it
#: Pixels of a window at most, unless told otherwise: 14 bytes each while it is measured.
MOST_PIXELS = 32_000_000

#: Rows ``start`` to ``stop`` (excluded) of a map, (n, W) probability.
ReadRows = Callable[[int, int], np.ndarray]


class Part(NamedTuple):
    """A window of a map: rows ``top`` to ``bottom``, columns ``left`` to ``right``, both excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def pixels(self) -> int:
        """How many it has."""
        return (self.bottom - self.top) * (self.right - self.left)


class Found(NamedTuple):
    """The cracks of a map as a first pass finds them."""

    boxes: np.ndarray  #: (n, 4) of x0, y0, x1, y1, the latter two excluded
    strips: list[tuple[int, int]]  #: first and last row (excluded) of the strips
    owners: list[np.ndarray]  #: of each strip: the crack of each of its labels, -1 for the background


class Piece(NamedTuple):
    """What a window's measurement gave."""

    measurement: Measurement
    finer: float  #: its pixels to one of the map, along a side


#: Measures what is crack in a window by a mask (h, w) bool; the rest of the window is none.
MeasurePart = Callable[[Part, np.ndarray], Piece]


def measure_in_pieces(
    read: ReadRows, shape: tuple[int, int], threshold: float, measure: MeasurePart, *, step: int = 1, finer: int = 1,
    most_pixels: int = MOST_PIXELS, counted: int | None = None,
) -> tuple[Measurement, int]:  # fmt: skip
    """Measure a map of any size.

    Args:
        read: rows of it.
        shape: H, W of it.
        threshold: at and above which a probability is crack.
        measure: measures a window.
        step: windows begin and end at multiples of it: pixels of the map to one of the photograph.
        finer: pixels of the result to one of the map, along a side: lengths are told in these.
        most_pixels: of a window.
        counted: pixels of the map that hold data; None for all.

    Returns:
        The measurement of the whole map, and how many cracks were measured in pieces.
    """
    found = find(read, shape, threshold, step, most_pixels)
    windows, whole = plan(found.boxes, shape, step, most_pixels)
    nothing = Part(0, min(step, shape[0]), 0, min(step, shape[1]))
    model, model_finer = measure(nothing, np.zeros((nothing.bottom, nothing.right), bool))
    cracks: list[Crack] = []
    for part, mask in _masks(found, windows, whole, read, threshold, shape):
        piece = measure(part, mask)
        cracks += [placed(crack, part, piece.finer, finer) for crack in piece.measurement.cracks]
    area = (counted or shape[0] * shape[1]) * finer**2
    cracks.sort(key=lambda crack: (crack.box[1], crack.box[0]))
    numbered = tuple(replace(crack, number=k + 1, density=crack.area / area) for k, crack in enumerate(cracks))
    per_pixel = None if model.mm_per_pixel is None else model.mm_per_pixel * model_finer / finer
    size = shape[0] * finer, shape[1] * finer
    return replace(model, cracks=numbered, shape=size, mm_per_pixel=per_pixel), len(whole)


def placed(crack: Crack, part: Part, of: float, finer: float) -> Crack:
    """A crack of a window, measured at ``of`` pixels to one of the map, in pixels of which ``finer`` are one there."""
    by = finer / of
    corner = np.array([part.left, part.top]) * finer
    lines = tuple(
        Centreline((line.points + 0.5) * by - 0.5 + corner, line.widths * by, line.clear, line.profile * by)
        for line in crack.centrelines
    )
    x, y = (int(value) for value in corner)
    x0, y0, x1, y1 = (round(value * by) for value in crack.box)
    light = crack.light
    if light is not None:
        light = replace(light, widths=WidthSet(*(width.times(by) for width in light.widths)))
    return replace(
        crack,
        pixels=round(crack.pixels * by**2),
        area=crack.area * by**2,
        length=crack.length * by,
        width_mean=crack.width_mean * by,
        width_max=crack.width_max * by,
        width_percentile=crack.width_percentile * by,
        box=(x0 + x, y0 + y, x1 + x, y1 + y),
        centrelines=lines,
        edge=crack.edge * by,
        light=light,
        scale=crack.scale * by,
    )


def find(read: ReadRows, shape: tuple[int, int], threshold: float, step: int, most_pixels: int) -> Found:
    """The boxes of all cracks of a map, that is of all pixels that hang together by sides or corners."""
    strips = list(_strips(shape, step, most_pixels))
    boxes: list[np.ndarray] = []
    owners: list[np.ndarray] = []
    links: list[np.ndarray] = []
    count, above = 0, np.full(shape[1], -1)
    for start, stop in strips:
        mask = np.ascontiguousarray(read(start, stop) >= threshold).view(np.uint8)
        number, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_32S)
        own = np.concatenate([[-1], np.arange(count, count + number - 1)])
        x, y, width, height = stats[1:, :4].T
        boxes.append(np.stack([x, y + start, x + width, y + height + start], axis=1))
        links.append(_links(above, own[labels[0]]))
        owners.append(own)
        above, count = own[labels[-1]], count + number - 1
    roots = _joined(np.concatenate(links) if links else np.empty((0, 2), int), count)
    names, numbers = np.unique(roots, return_inverse=True)
    every = np.concatenate(boxes) if boxes else np.empty((0, 4), int)
    result = np.empty((len(names), 4), int)
    for column, reduce, first in (
        (0, np.minimum, 1 << 60),
        (1, np.minimum, 1 << 60),
        (2, np.maximum, 0),
        (3, np.maximum, 0),
    ):
        result[:, column] = first
        reduce.at(result[:, column], numbers, every[:, column])
    told = np.append(numbers, -1)  # so that -1 stays -1
    return Found(result, strips, [told[own] for own in owners])


def _strips(shape: tuple[int, int], step: int, most_pixels: int) -> Iterator[tuple[int, int]]:
    rows = max(1, most_pixels // 4 // shape[1] // step) * step
    for start in range(0, shape[0], rows):
        yield start, min(start + rows, shape[0])


def _links(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """(n, 2) cracks of two neighbouring rows (W,) that touch, -1 being none."""
    pairs = []
    for dx in (-1, 0, 1):
        first = above[max(0, -dx) : len(above) - max(0, dx)]
        second = below[max(0, dx) : len(below) - max(0, -dx)]
        both = (first >= 0) & (second >= 0)
        pairs.append(np.stack([first[both], second[both]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def _joined(links: np.ndarray, count: int) -> np.ndarray:
    """(count,) for each of so many parts a number that linked parts share."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1]) if count else np.empty(0, int)


def plan(
    boxes: np.ndarray, shape: tuple[int, int], step: int, most_pixels: int
) -> tuple[list[tuple[Part, list[int]]], list[int]]:
    """Windows that hold all cracks between them, with the cracks to take from each; and those too large for any.

    Cracks that begin in the same cell of a grid share a window of at most a sixteenth of ``most_pixels``; those of one
    box share one of any size, for a box is all that tells in a window which cracks are its own.
    """
    side = max(1, math.isqrt(most_pixels // 64))
    cells = boxes[:, :2] // side
    windows: list[tuple[Part, list[int]]] = []
    too_large: list[int] = []
    last: tuple[int, int] | None = None
    for number in np.lexsort((*boxes.T[[3, 2, 0, 1]], *cells.T)).tolist():
        own, cell = around(boxes[number][None], shape, step), (int(cells[number, 0]), int(cells[number, 1]))
        if own.pixels > most_pixels:
            too_large.append(number)
            continue
        if windows and cell == last:
            together = around(boxes[[*windows[-1][1], number]], shape, step)
            same = (boxes[number] == boxes[windows[-1][1][-1]]).all()
            if same or together.pixels <= most_pixels // 16:
                windows[-1] = together, [*windows[-1][1], number]
                continue
        windows.append((own, [number]))
        last = cell
    return windows, too_large


def around(boxes: np.ndarray, shape: tuple[int, int], step: int) -> Part:
    """The smallest window with a margin around boxes (n, 4), at multiples of ``step``."""
    margin = _MARGIN * step
    x0, y0 = (int(value) // step * step for value in np.maximum(boxes[:, :2].min(0) - margin, 0))
    x1, y1 = (-(-int(value) // step) * step for value in boxes[:, 2:].max(0) + margin)
    return Part(y0, min(y1, shape[0]), x0, min(x1, shape[1]))


def _masks(
    found: Found, windows: list[tuple[Part, list[int]]], whole: list[int], read: ReadRows, threshold: float,
    shape: tuple[int, int],
) -> Iterator[tuple[Part, np.ndarray]]:  # fmt: skip
    """Windows with what of them is to be measured: of those too large the strips."""
    for part, own in windows:
        mask = np.ascontiguousarray(read(part.top, part.bottom)[:, part.left : part.right] >= threshold)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
        x, y, width, height = stats[:, :4].T
        x0, y0 = x + part.left, y + part.top
        boxes = {tuple(box) for box in found.boxes[own].tolist()}
        inside = [box in boxes for box in zip(*(v.tolist() for v in (x0, y0, x0 + width, y0 + height)), strict=True)]
        inside[0] = False  # the background
        yield part, np.array(inside)[labels]
    for number in whole:
        for (start, stop), owner in zip(found.strips, found.owners, strict=True):
            if (owner == number).any():
                mask = np.ascontiguousarray(read(start, stop) >= threshold)
                labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)[1]
                yield Part(start, stop, 0, shape[1]), (owner == number)[labels]
