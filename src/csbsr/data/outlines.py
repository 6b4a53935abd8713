"""Masks as outlines and outlines as masks.

A pixel is crack if its centre, at x = column and y = row as in scikit-image, lies inside or on the outline.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_ROUNDING = 1e-9  # pixels by which a crossing of whole numbers may be off


def inside(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels (H, W) bool whose centre lies inside a polygon, by the even-odd rule, or on its outline.

    As `skimage.draw.polygon`, but in a time that depends on the rows and the outline, not on the area.

    Args:
        points: (n, 2) of x, y; the last joins the first.
        shape: (H, W).
    """
    height, width = shape
    found = np.zeros(shape, bool)
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    # Right of a point lie crossings of edges that end above its row, left of it of those that end below: so a point on
    # an edge is odd on one side.
    for upper, (rows, starts, stops) in ((True, _spans(x, y, True, height)), (False, _spans(x, y, False, height))):
        begins = np.ceil(starts) if upper else np.floor(starts) + 1
        ends = np.ceil(stops) if upper else np.floor(stops) + 1
        limits = (edge.clip(0, width).astype(np.int64).tolist() for edge in (begins, ends))
        for row, start, stop in zip(rows.tolist(), *limits, strict=True):
            found[row, start:stop] = True
    corners = (x == np.rint(x)) & (y == np.rint(y)) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    found[y[corners].astype(np.int64), x[corners].astype(np.int64)] = True
    return found


def _spans(x: np.ndarray, y: np.ndarray, upper: bool, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, and from where to where they run inside a polygon; an edge holds the row of its upper end, or its lower."""
    x2, y2 = np.roll(x, -1), np.roll(y, -1)
    bound = np.ceil if upper else lambda value: np.floor(value) + 1
    first = bound(np.minimum(y, y2)).clip(0, height).astype(np.int64)
    counts = bound(np.maximum(y, y2)).clip(0, height).astype(np.int64) - first
    edge = np.repeat(np.arange(len(x)), counts)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    at = x[edge] + (rows - y[edge]) / (y2[edge] - y[edge]) * (x2[edge] - x[edge])
    whole = np.rint(at)
    at = np.where(np.abs(at - whole) < _ROUNDING, whole, at)
    order = np.lexsort((at, rows))
    rows, at = rows[order], at[order]
    return rows[::2], at[::2], at[1::2]


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Polygons (n, 2) of x, y around the pixels of a mask (H, W) bool, whose `inside` together are exactly the mask.

    They run along the pixels' borders, half a pixel from the centres.  A hole is joined to the outline around it by a
    cut along such borders, there and back.
    """
    rings = _rings(mask)
    outer: list[tuple[np.ndarray, list[np.ndarray]]] = [(ring, []) for ring, around in rings if around > 0]
    for ring, around in rings:
        if around < 0:
            x, y = ring[0] + 0.5  # the centre of the hole's first pixel
            owners = [entry for entry in outer if _contains(entry[0], x, y)]
            min(owners, key=lambda entry: _area(entry[0]))[1].append(ring)
    return [_joined(ring, holes) - 0.5 for ring, holes in outer]


def _rings(mask: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Closed paths along pixel borders with crack on their right, and twice their signed area (> 0: around crack).

    Where two crack pixels touch by a corner alone, the path turns so that they stay apart.
    """
    padded = np.pad(np.asarray(mask, bool), 1)
    inner = padded[1:-1, 1:-1]
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}
    borders: tuple[tuple[np.ndarray, tuple[int, int], tuple[int, int]], ...] = (
        (inner & ~padded[:-2, 1:-1], (0, 0), (1, 0)),  # upper border, to the right
        (inner & ~padded[1:-1, 2:], (1, 0), (1, 1)),  # right border, down
        (inner & ~padded[2:, 1:-1], (1, 1), (0, 1)),  # lower border, to the left
        (inner & ~padded[1:-1, :-2], (0, 1), (0, 0)),  # left border, up
    )
    for border, start, stop in borders:
        rows, columns = np.nonzero(border)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            steps.setdefault((column + start[0], row + start[1]), []).append((column + stop[0], row + stop[1]))
    found = []
    for origin in sorted(steps):
        while steps.get(origin):
            path, here = [origin], steps[origin].pop()
            before = origin
            while here != origin:
                choices = steps[here]
                if len(choices) > 1:  # turn right: stay with this pixel
                    heading = (here[0] - before[0], here[1] - before[1])
                    right = (here[0] - heading[1], here[1] + heading[0])
                    chosen = choices.pop(choices.index(right) if right in choices else 0)
                else:
                    chosen = choices.pop()
                path.append(here)
                before, here = here, chosen
            ring = _corners(np.array(path, np.float64))
            found.append((ring, _area(ring)))
    return found


def _corners(path: np.ndarray) -> np.ndarray:
    """The path without points in the middle of a straight line."""
    ahead, behind = np.roll(path, -1, 0) - path, path - np.roll(path, 1, 0)
    return path[ahead[:, 0] * behind[:, 1] != ahead[:, 1] * behind[:, 0]]


def _area(ring: np.ndarray) -> float:
    """Twice the signed area; positive clockwise as seen on a screen."""
    following = np.roll(ring, -1, 0)
    return float((ring[:, 0] * following[:, 1] - following[:, 0] * ring[:, 1]).sum())


def _contains(ring: np.ndarray, x: float, y: float) -> bool:
    return cv2.pointPolygonTest(ring.astype(np.float32).reshape(-1, 1, 2), (float(x), float(y)), False) > 0


def _joined(ring: np.ndarray, holes: Sequence[np.ndarray]) -> np.ndarray:
    """One path around a ring and its holes; each cut is walked there and back, so it encloses nothing."""
    path = [ring, ring[:1]] if holes else [ring]
    for hole in holes:
        corner = np.array([[hole[0, 0], ring[0, 1]]])
        path += [corner, hole, hole[:1], corner, ring[:1]]
    return np.concatenate(path)
