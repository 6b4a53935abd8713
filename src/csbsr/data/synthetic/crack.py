"""Random cracks: paths whose width varies along them, and how much of each pixel they cover."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from csbsr.data.synthetic.surface import Courses

SUPERSAMPLING = 4  # sub-pixels per pixel side when coverage is drawn
NARROWEST, WIDEST = 1.0, 8.0  # pixels


class CrackPath(NamedTuple):
    """One crack without its branches."""

    points: np.ndarray  #: (N, 2) float, x and y in pixels, about 1 apart
    widths: np.ndarray  #: (N,) float, pixels


def draw_cracks(rng: np.random.Generator, size: tuple[int, int], courses: Courses | None = None) -> list[CrackPath]:
    """Paths of the cracks of one image.

    Args:
        rng: where the numbers come from.
        size: (H, W) in pixels.
        courses: the joints of a wall: some cracks then climb along them.
    """
    kind = rng.random()
    if courses is not None and kind < 0.45:
        return _with_branches(rng, *stairs(rng, size, courses), depth=1)
    if kind > 0.92:
        return network(rng, size)
    paths: list[CrackPath] = []
    for _ in range(1 if kind < 0.75 else 2):
        points = _wander(rng, *starting_point(rng, size), length=rng.uniform(0.5, 1.5) * max(size))
        width = float(np.clip(rng.lognormal(np.log(2.6), 0.5), 1.2, 6.5))
        paths += _with_branches(rng, points, width, depth=2)
    return paths


def _ragged(rng: np.random.Generator, points: np.ndarray, widths: np.ndarray) -> CrackPath:
    """The path resampled to one pixel, with edges that break off grain by grain."""
    at = np.arange(0, len(points) - 1, 0.5)
    known = np.arange(len(points))
    fine = np.stack([np.interp(at, known, points[:, axis]) for axis in (0, 1)], 1)
    fine += rng.normal(0, rng.uniform(0.15, 0.45), fine.shape)
    wide = np.interp(at, known, widths) * np.exp(rng.normal(0, rng.uniform(0.05, 0.25), len(at)))
    return CrackPath(fine, np.clip(wide, NARROWEST, WIDEST))


def coverage(paths: list[CrackPath], size: tuple[int, int]) -> np.ndarray:
    """Fraction (H, W) float32 in [0, 1] of each pixel's area that lies inside a crack (sampled on 4×4 points)."""
    height, width = size
    canvas = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING), np.uint8)
    shift = 4
    for path in paths:
        # cv2 counts from the centre of the first sub-pixel, our points from the centre of the first pixel
        fine = ((path.points + 0.5) * SUPERSAMPLING - 0.5) * 2**shift
        fine = np.rint(fine).astype(int).tolist()
        thick = np.maximum(np.rint(path.widths * SUPERSAMPLING), 1).astype(int).tolist()
        for start, end, thickness in zip(fine[:-1], fine[1:], thick[:-1], strict=True):
            cv2.line(canvas, start, end, 255, thickness, cv2.LINE_8, shift)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)


def starting_point(rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Where a crack begins, on the border or anywhere, and the direction in which it sets out for the inner part."""
    height, width = size
    extent = np.array([width, height])
    if rng.random() < 0.35:
        point = rng.uniform(0.15, 0.85, 2) * extent
    else:
        point, axis = rng.uniform(0.05, 0.95, 2) * extent, int(rng.integers(2))
        point[axis] = rng.choice([-3, extent[axis] + 3])
    target = rng.uniform(0.25, 0.75, 2) * extent
    return point, float(np.arctan2(*(target - point)[::-1]))


def _wander(rng: np.random.Generator, start: np.ndarray, heading: float, length: float) -> np.ndarray:
    """Points (N, 2) of a path that keeps its direction, kinks now and then and trembles."""
    step = 2.0
    count = max(4, int(length / step))
    kinks = rng.normal(0, 0.55, count) * (rng.random(count) < step / rng.uniform(15, 60))
    drift = np.cumsum(kinks)
    drift -= np.linspace(0, 0.6, count) * drift[-1]  # cracks follow a load: the direction is not lost altogether
    tremble = np.convolve(rng.normal(0, rng.uniform(0.35, 0.9), count), (0.25, 0.5, 0.25), "same")
    angle = heading + drift + tremble
    steps = np.stack([np.cos(angle), np.sin(angle)], 1) * step
    return start + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, 0)[:-1]])


def _widths(rng: np.random.Generator, count: int, width: float, tapered: bool) -> np.ndarray:
    knots = rng.normal(0, 0.35, count // 8 + 3)
    smooth = np.interp(np.arange(count) / 8, np.arange(len(knots)), knots)
    widths = width * np.exp(smooth)
    if tapered:
        position = np.linspace(0, 1, count)
        widths *= np.clip(2.2 * (1 - position), 0.15, 1) if rng.random() < 0.7 else 1.0
    return widths


def _with_branches(rng: np.random.Generator, points: np.ndarray, width: float, depth: int) -> list[CrackPath]:
    """The crack along ``points`` and, ``depth`` times over, others that leave it sideways and are narrower."""
    count = len(points)
    paths = [_ragged(rng, points, _widths(rng, count, width, tapered=True))]
    if depth == 0 or count < 20:
        return paths
    for _ in range(int(rng.poisson(0.9 if depth == 2 else 0.5))):
        at = int(rng.integers(count // 8, count - count // 8))
        away = rng.choice([-1, 1]) * rng.uniform(0.45, 1.3)
        here = np.arctan2(*(points[min(at + 4, count - 1)] - points[max(at - 4, 0)])[::-1])
        branch = _wander(rng, points[at], here + away, rng.uniform(0.15, 0.6) * count * 2.0)
        paths += _with_branches(rng, branch, max(width * rng.uniform(0.4, 0.8), 1.0), depth - 1)
    return paths


def stairs(rng: np.random.Generator, size: tuple[int, int], courses: Courses) -> tuple[np.ndarray, float]:
    """Points and width of a crack that steps down a wall: along bed joints, then through head joints or bricks."""
    direction = int(rng.choice([-1, 1]))
    x, row = rng.uniform(0.05, 0.95) * size[1], 0
    steps: list[tuple[float, float]] = []
    while (row - 1) * courses.height + courses.top < size[0] + courses.height:
        offset = courses.left + (row % 2) * courses.length / 2
        joint = round((x + direction * courses.length / 2 + offset) / courses.length) * courses.length - offset
        if rng.random() < 0.25:  # through the brick instead of beside it
            joint += rng.uniform(-0.3, 0.3) * courses.length
        y = (row - 1) * courses.height + courses.top
        steps += [(joint, y), (joint + rng.normal(0, 1.0), y + courses.height)]
        x, row = joint, row + 1
    corners = np.array(steps)[int(rng.integers(0, 2)) :]
    if rng.random() < 0.5:
        corners = corners[: max(3, int(len(corners) * rng.uniform(0.5, 0.9)))]
    run = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    at = np.arange(0, run[-1], 2.0)
    points = np.stack([np.interp(at, run, corners[:, axis]) for axis in (0, 1)], 1)
    points += np.stack([np.convolve(rng.normal(0, 1.1, len(at)), (0.25, 0.5, 0.25), "same") for _ in range(2)], 1)
    return points, float(rng.uniform(1.6, 5.0))


def network(rng: np.random.Generator, size: tuple[int, int]) -> list[CrackPath]:
    """Map cracking: trembling edges of the Voronoi cells of scattered points."""
    height, width = size
    spacing = rng.uniform(0.22, 0.4) * min(size)
    seeds = [
        (x + rng.uniform(-0.42, 0.42) * spacing, y + rng.uniform(-0.42, 0.42) * spacing)
        for y in np.arange(-spacing, height + 2 * spacing, spacing)
        for x in np.arange(-spacing, width + 2 * spacing, spacing)
    ]
    reach = int(3 * spacing)
    divider = cv2.Subdiv2D((-reach, -reach, width + 2 * reach, height + 2 * reach))
    divider.insert([(float(x), float(y)) for x, y in seeds])
    facets, _ = divider.getVoronoiFacetList([])
    wide, kept = rng.uniform(1.2, 3.2), rng.uniform(0.6, 1.0)
    paths, seen = [], set()
    for facet in facets:
        for start, end in zip(facet, np.roll(facet, -1, 0), strict=True):
            key = tuple(sorted([tuple(np.rint(start).astype(int)), tuple(np.rint(end).astype(int))]))
            middle = (start + end) / 2
            if key in seen or not (-20 < middle[0] < width + 20 and -20 < middle[1] < height + 20):
                continue
            seen.add(key)
            if rng.random() > kept:
                continue
            count = max(3, int(np.hypot(*(end - start)) / 2))
            points = np.linspace(start, end, count)
            wobble = np.cumsum(rng.normal(0, 0.8, (count, 2)), 0)
            points = points + wobble - np.linspace(0, 1, count)[:, None] * wobble[-1]
            paths.append(_ragged(rng, points, _widths(rng, count, wide * rng.uniform(0.6, 1.2), tapered=False)))
    return paths
