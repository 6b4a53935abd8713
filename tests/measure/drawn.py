"""Draw cracks whose length and width are known: coverage of each pixel by a polyline of a given width."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter

Points = Sequence[tuple[float, float]]


def draw(lines: Sequence[Points], width: float, shape: tuple[int, int], cap: str = "flat", fine: int = 9) -> np.ndarray:
    """Coverage (H, W) in [0, 1] of polylines (x, y), from fine x fine samples in each pixel.

    ``cap`` "flat" ends a line at its end point, "round" half a width after it.  Corners between segments are round.
    """
    offsets = (np.arange(fine) + 0.5) / fine - 0.5
    x = (np.arange(shape[1])[:, None] + offsets).reshape(-1)
    y = (np.arange(shape[0])[:, None] + offsets).reshape(-1)
    inside = np.zeros((y.size, x.size), dtype=bool)
    for line in lines:
        line = np.asarray(line, dtype=np.float64)
        own = np.zeros_like(inside)
        for start, end in pairwise(line):
            rows, columns = _window(x, y, np.minimum(start, end), np.maximum(start, end), width)
            dx, dy = x[None, columns] - start[0], y[rows, None] - start[1]
            length = np.hypot(*(end - start))
            ux, uy = (end - start) / length
            along, across = dx * ux + dy * uy, dy * ux - dx * uy
            own[rows, columns] |= np.hypot(along - np.clip(along, 0, length), across) <= width / 2
        if cap == "flat" and not np.allclose(line[0], line[-1]):
            for end, inner in ((line[0], line[1]), (line[-1], line[-2])):
                rows, columns = _window(x, y, end, end, width)
                dx, dy = x[None, columns] - end[0], y[rows, None] - end[1]
                beyond = dx * (inner - end)[0] + dy * (inner - end)[1] < 0
                own[rows, columns] &= ~(beyond & (np.hypot(dx, dy) <= width / 2 + 1))
        inside |= own
    return inside.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))


def _window(x: np.ndarray, y: np.ndarray, low: np.ndarray, high: np.ndarray, width: float) -> tuple[slice, slice]:
    """Rows and columns of samples within a width of a box."""
    columns = slice(*np.searchsorted(x, (low[0] - width - 1, high[0] + width + 1)))
    return slice(*np.searchsorted(y, (low[1] - width - 1, high[1] + width + 1))), columns


def path_length(line: Points) -> float:
    return float(np.hypot(*np.diff(np.asarray(line, dtype=np.float64), axis=0).T).sum())


def straight(length: float, angle: float, centre: tuple[float, float]) -> list[tuple[float, float]]:
    """End points; the angle in degrees counter-clockwise as seen."""
    dx, dy = 0.5 * length * np.cos(np.radians(angle)), -0.5 * length * np.sin(np.radians(angle))
    return [(centre[0] - dx, centre[1] - dy), (centre[0] + dx, centre[1] + dy)]


def arc(radius: float, start: float, end: float, centre: tuple[float, float]) -> list[tuple[float, float]]:
    """Points on a circle between two angles in degrees."""
    angles = np.radians(np.linspace(start, end, max(8, int(abs(end - start)))))
    return [(centre[0] + radius * np.cos(a), centre[1] - radius * np.sin(a)) for a in angles]


def wave(length: float, height: float, period: float, start: tuple[float, float]) -> list[tuple[float, float]]:
    """Points on a sine from left to right."""
    x = np.linspace(0, length, max(50, int(length)))
    return [(start[0] + a, start[1] + height * np.sin(2 * np.pi * a / period)) for a in x]


EDGES = ("mask", "sub-pixel", "soft", "noisy")


def render(cover: np.ndarray, edge: str, width: float, seed: int = 0) -> np.ndarray:
    """A measurement's input from coverage: bool mask, coverage, blurred, blurred with Gaussian noise.

    The blur is Gaussian of 1 pixel, of half a width below two pixels; the noise 0.1, below three pixels 0.03.
    """
    if edge == "mask":
        return cover >= 0.5
    if edge == "sub-pixel":
        return cover
    soft = gaussian_filter(cover, min(1.0, width / 2))
    if edge == "soft":
        return soft
    return np.clip(soft + np.random.default_rng(seed).normal(0, 0.1 if width >= 3 else 0.03, cover.shape), 0, 1)
