"""Which cracks a surface gets: hairlines, cracks, openings, gaps and nets, where they run and how wide they are."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from scipy.signal import lfilter
from skimage.graph import route_through_array

from csbsr.data.synthetic.crack import CrackPath, network, stairs, starting_point
from csbsr.data.world.ground import Generator, Ground, Size

STYLES = ("hairline", "thin", "open", "gap", "net")
#: How often each style occurs on a surface, in the order of `STYLES`.
OFTEN = {
    "asphalt": (0.18, 0.60, 0.07, 0.02, 0.13),
    "aggregate": (0.06, 0.24, 0.40, 0.22, 0.08),
    "concrete": (0.36, 0.34, 0.09, 0.07, 0.14),
    "plaster": (0.36, 0.30, 0.13, 0.10, 0.11),
    "masonry": (0.07, 0.28, 0.43, 0.22, 0.0),
    "boards": (0.35, 0.35, 0.15, 0.10, 0.05),
    "photograph": (0.19, 0.40, 0.20, 0.11, 0.10),
}
#: Typical width in pixels and the spread of its logarithm.
WIDTHS = {"hairline": (1.4, 0.25), "thin": (2.6, 0.35), "open": (6.5, 0.4), "gap": (17.0, 0.5), "net": (2.2, 0.45)}
NARROWEST, WIDEST = 1.0, 60.0  # pixels
STRAIGHT = 0.2  # of the free paths run nearly straight, as cracks of walls and slabs do
EVEN = 0.35  # of the wide cracks keep the straight edges of the bricks or slabs that have come apart
WIDE = 8.0  # from this width on a crack is drawn as an area whose two edges break independently
SUPERSAMPLING = 4  # sub-pixels per pixel side of what is narrower, ...
COARSE = 2  # ... and of what is wider


class Cracks(NamedTuple):
    """The cracks of one picture before they are shaded."""

    style: str  #: one of `STYLES`
    covered: np.ndarray  #: (H, W) float32 in [0, 1]: fraction of the pixel inside a crack
    marked: np.ndarray  #: (H, W) float32: the same with narrow cracks as wide as they are marked at least
    width: float  #: typical width in pixels


def draw_cracks(rng: Generator, ground: Ground, thinnest: float = 0.0) -> Cracks:
    """The cracks of one picture of ``ground``; those narrower than ``thinnest`` pixels are marked that wide."""
    size = ground.relief.shape
    style = str(rng.choice(STYLES, p=OFTEN[ground.kind]))
    typical, spread = WIDTHS[style]
    width = float(np.clip(rng.lognormal(np.log(typical), spread), NARROWEST, WIDEST))
    if style == "net":
        return _cracks(rng, style, _net(rng, size, width), size, width, thinnest)
    paths: list[CrackPath] = []
    for _ in range(1 if rng.random() < 0.72 or style == "gap" else int(rng.integers(2, 4))):
        points = _line(rng, ground, width)
        depth = 1 if style in ("open", "gap") else 2
        paths += _branching(rng, points, width, depth, style)
    return _cracks(rng, style, paths, size, width, thinnest)


def _cracks(rng: Generator, style: str, paths: list[CrackPath], size: Size, width: float, thinnest: float) -> Cracks:
    covered = coverage(rng, paths, size)
    if thinnest <= NARROWEST:
        return Cracks(style, covered, covered, width)
    narrow = [path for path in paths if np.percentile(path.widths, 75) < WIDE and path.widths.min() < thinnest]
    wider = [CrackPath(path.points, np.maximum(path.widths, thinnest)) for path in narrow]
    return Cracks(style, covered, np.maximum(covered, coverage(rng, wider, size)), width)


def coverage(rng: Generator, paths: list[CrackPath], size: Size) -> np.ndarray:
    """Fraction (H, W) float32 in [0, 1] of each pixel's area inside a crack; wide ones get edges that crumble."""
    wide = [path for path in paths if np.percentile(path.widths, 75) >= WIDE]
    narrow = [path for path in paths if np.percentile(path.widths, 75) < WIDE]
    covered = _strokes(narrow, size, SUPERSAMPLING)
    covered = cv2.resize(covered, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    if wide:
        covered = np.maximum(covered, _crumbled(rng, wide, size))
    return covered


def _line(rng: Generator, ground: Ground, width: float) -> np.ndarray:
    """Points (N, 2), 2 pixels apart, of a crack: along joints of a wall, along edges of a photograph, or free."""
    size = ground.relief.shape
    if ground.courses is not None and rng.random() < 0.62:
        return stairs(rng, size, ground.courses)[0]
    if ground.courses is None and ground.kind in ("photograph", "masonry") and rng.random() < 0.4:
        return _along_edges(rng, ground)
    across = rng.random() < (0.75 if width >= WIDE else 0.5)
    length = (rng.uniform(1.2, 2.2) if across else rng.uniform(0.4, 1.2)) * max(size)
    start, heading = starting_point(rng, size)
    if rng.random() < STRAIGHT:  # across or along what it breaks
        heading = np.round(heading / (np.pi / 2)) * (np.pi / 2) + rng.normal(0, 0.1)
    if not (0 < start[0] < size[1] and 0 < start[1] < size[0]):  # its tip lies outside
        start = start - 3 * width * np.array([np.cos(heading), np.sin(heading)])
    return _course(rng, start, heading, length, width)


def _along_edges(rng: Generator, ground: Ground, coarse: int = 5) -> np.ndarray:
    """A path between two borders that prefers the borders of bricks, stones and boards: the way of least resistance."""
    height, width = ground.relief.shape
    grey = cv2.resize(ground.colour.mean(0), (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    slope = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    rows, columns = max(4, height // coarse), max(4, width // coarse)
    slope = cv2.resize(slope, (columns, rows), interpolation=cv2.INTER_AREA)
    slope = slope / (slope.mean() + np.float32(1e-6))
    cost = 1 / (0.15 + np.minimum(slope, 3)) * np.exp(rng.normal(0, 0.35, slope.shape)) + 0.1
    if rng.random() < 0.6:  # downwards, else across
        ends = (0, int(rng.integers(columns))), (rows - 1, int(rng.integers(columns)))
    else:
        ends = (int(rng.integers(rows)), 0), (int(rng.integers(rows)), columns - 1)
    route, _ = route_through_array(cost, *ends, fully_connected=True, geometric=True)
    points = (np.array(route, float)[:, ::-1] + 0.5) * (width / columns, height / rows)
    points[0] += (points[0] - points[1]) * 2  # begins and ends outside
    points[-1] += (points[-1] - points[-2]) * 2
    if rng.random() < 0.4:
        keep = rng.uniform(0.4, 0.9)
        points = points[: max(4, int(len(points) * keep))]
    run = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.arange(0, run[-1], 2.0)
    fine = np.stack([np.interp(at, run, points[:, axis]) for axis in (0, 1)], 1)
    soft = np.array([0.25, 0.5, 0.25])
    fine[1:-1] = np.stack([np.convolve(fine[:, axis], soft, "valid") for axis in (0, 1)], 1)
    return fine + np.stack([np.convolve(rng.normal(0, 0.8, len(at)), soft, "same") for _ in range(2)], 1)


def _course(rng: Generator, start: np.ndarray, heading: float, length: float, width: float) -> np.ndarray:
    """Points (N, 2), 2 pixels apart, of a path that wanders about its direction, kinks and trembles.

    The deviation from ``heading`` is a process that forgets itself over some 25 to 150 pixels.  A wide crack runs in
    straighter pieces with sharper kinks between them.
    """
    step = 2.0
    count = max(4, int(length / step))
    memory = np.exp(-step / rng.uniform(25, 150))
    straight = rng.random() < STRAIGHT
    spread = rng.uniform(0.02, 0.1) if straight else rng.uniform(0.12, 0.55)
    pushes = rng.normal(0, spread * np.sqrt(1 - memory**2), count)
    wide = width >= WIDE
    kinks = rng.random(count) < step / (rng.uniform(10, 45) if wide else rng.uniform(20, 90))
    sharp = rng.uniform(0.4, 1.0) if wide else rng.uniform(0.2, 0.9)
    pushes += kinks * rng.normal(0, 0.3 * sharp if straight else sharp, count)
    bend = lfilter([1.0], [1.0, -memory], pushes)
    trembling = rng.uniform(0.1, 0.4) if straight else rng.uniform(0.2, 1.0)
    tremble = np.convolve(rng.normal(0, trembling, count), (0.25, 0.5, 0.25), "same")
    angle = heading + np.clip(bend, -1.5, 1.5) + tremble
    steps = np.stack([np.cos(angle), np.sin(angle)], 1) * step
    return start + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, 0)[:-1]])


def _branching(rng: Generator, points: np.ndarray, width: float, depth: int, style: str) -> list[CrackPath]:
    """The crack along ``points`` and narrower ones that leave it."""
    count = len(points)
    paths = [_profile(rng, points, width, style)]
    if depth == 0 or count < 20:
        return paths
    for _ in range(int(rng.poisson(0.7 if depth == 2 else 0.4))):
        at = int(rng.integers(count // 8, count - count // 8))
        away = rng.choice([-1, 1]) * rng.uniform(0.35, 1.2)
        here = np.arctan2(*(points[min(at + 4, count - 1)] - points[max(at - 4, 0)])[::-1])
        narrower = max(width * rng.uniform(0.25, 0.8), NARROWEST)
        branch = _course(rng, points[at], here + away, rng.uniform(0.15, 0.6) * count * 2.0, narrower)
        paths += _branching(rng, branch, narrower, depth - 1, style)
    return paths


def _profile(rng: Generator, points: np.ndarray, width: float, style: str) -> CrackPath:
    """The path every half pixel, its width swelling, tapering and for gaps at times closing to a hairline."""
    count = len(points)
    knots = rng.normal(0, {"gap": 0.3, "open": 0.35}.get(style, 0.28), count // 10 + 3)
    widths = width * np.exp(np.interp(np.arange(count) / 10, np.arange(len(knots)), knots))
    position = np.linspace(0, 1, count)
    if rng.random() < 0.5:
        widths *= np.clip(rng.uniform(1.2, 3.0) * (1 - position), 0.1, 1)
    elif style in ("open", "gap") and rng.random() < 0.5:  # opens and closes again
        middle, reach = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.6)
        widths *= np.clip(1.4 * np.exp(-(((position - middle) / reach) ** 2)), 0.12, 1)
    tip = rng.uniform(1.5, 6) * width / 2  # both ends run out
    widths *= np.clip(np.minimum(np.arange(count), np.arange(count)[::-1]) / tip, 0.1, 1)
    at = np.arange(0, count - 1, 0.25 if width < 4 else 0.5)
    known = np.arange(count)
    fine = np.stack([np.interp(at, known, points[:, axis]) for axis in (0, 1)], 1)
    if width < WIDE:
        fine += rng.normal(0, min(rng.uniform(0.12, 0.45), 0.25 * width), fine.shape)
    wide = np.interp(at, known, widths) * np.exp(rng.normal(0, rng.uniform(0.03, 0.25), len(at)))
    return CrackPath(fine, np.clip(wide, NARROWEST, WIDEST))


def _net(rng: Generator, size: Size, width: float) -> list[CrackPath]:
    """Map or alligator cracking over the picture or a part of it."""
    paths = network(rng, size)
    ratio = width / max(0.5, float(np.median([np.median(path.widths) for path in paths])) if paths else 1.0)
    paths = [CrackPath(path.points, np.clip(path.widths * ratio, NARROWEST, WIDEST)) for path in paths]
    if rng.random() < 0.45:  # only where the load was
        centre, reach = rng.uniform(0, 1, 2) * size[::-1], rng.uniform(0.25, 0.6) * max(size)
        paths = [path for path in paths if np.hypot(*(path.points.mean(0) - centre)) < reach] or paths
    return paths


def _strokes(paths: list[CrackPath], size: Size, factor: int) -> np.ndarray:
    """The paths as discs and lines on a canvas of ``factor`` sub-pixels per pixel side; uint8, 255 inside."""
    canvas = np.zeros((size[0] * factor, size[1] * factor), np.uint8)
    for path in paths:
        step = max(1, int(np.median(path.widths) * 0.25))
        points, widths = path.points[::step], path.widths[::step]
        # cv2 counts from the centre of the first sub-pixel, our points from the centre of the first pixel
        fine = np.rint(((points + 0.5) * factor - 0.5) * 16).astype(int).tolist()
        thick = np.maximum(np.rint(widths * factor), 1).astype(int).tolist()
        for start, end, thickness in zip(fine[:-1], fine[1:], thick[:-1], strict=True):
            cv2.line(canvas, start, end, 255, thickness, cv2.LINE_8, 4)
    return canvas


def _crumbled(rng: Generator, paths: list[CrackPath], size: Size) -> np.ndarray:
    """Coverage of wide cracks: their area, its edges displaced piece by piece so that no two lips are alike."""
    canvas = _strokes(paths, size, COARSE)
    width = float(np.median([np.median(path.widths) for path in paths]))
    rows, columns = canvas.shape
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    calm = rng.uniform(0.05, 0.3) if rng.random() < EVEN else 1.0
    grain = calm * rng.uniform(0.3, 2.2)
    scales = ((rng.uniform(0.5, 1.6) * width, calm * rng.uniform(0.08, 0.3) * width), (7, grain), (3, 0.5 * grain))
    for cell, amount in scales:
        for axis in (x, y):
            noise: np.ndarray = rng.standard_normal((int(rows / COARSE / cell) + 4, int(columns / COARSE / cell) + 4))
            noise = cv2.resize(noise.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
            axis += noise * np.float32(amount * COARSE)
    moved = cv2.remap(canvas, x, y, cv2.INTER_LINEAR)
    return cv2.resize(moved, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
