"""From branches of a skeleton to smooth centrelines that reach the tips of the crack, with the width along them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from csbsr.measure.skeleton import Branch
from csbsr.measure.width import sample, widths_across

_JUNCTION = 0.7  # of the half-width: this near a junction the skeleton bends towards it and is drawn straight instead
_TIP_STEP = 0.25  # pixels between looks for the tip


@dataclass(frozen=True)
class Centreline:
    """One smooth line along a crack.

    Attributes:
        points: (n, 2) float, x and y in pixels, evenly spaced; a loop's first point is repeated at its end.
        widths: (n,) float, pixels, a moving mean along the line; by tips and junctions that of the nearest clear point.
        clear: (n,) bool, away from tips and junctions: where the width is that of one strand of the crack.
        profile: (n,) float, pixels, the width as measured at each point, without mean.
    """

    points: np.ndarray
    widths: np.ndarray
    clear: np.ndarray
    profile: np.ndarray

    @property
    def spacing(self) -> float:
        """Pixels between two points."""
        return self.length / (len(self.points) - 1)

    @property
    def length(self) -> float:
        """Length of the line in pixels."""
        return float(_arc(self.points)[-1])


def trace_centreline(branch: Branch, cover: np.ndarray) -> Centreline:
    """Smooth a branch, lead its free ends to the tips of the crack and measure the width along it.

    The chain of pixels is smoothed by a Gaussian of half the half-width (at least 2 pixels) with its ends held, which
    takes the pixel steps out of the length.  A free end is cut back by the half-width, because a skeleton may turn into
    a corner there, and led on in its direction to where the crack ends: this adds the half-width that the skeleton of a
    crack lacks at its ends, whatever their shape.

    Args:
        branch: of the skeleton, in the pixels of ``cover``.
        cover: (H, W), see `csbsr.measure.width.coverage`.
    """
    radius = float(np.median(branch.radius))
    chain, half = _straight_at_junctions(branch)
    steps = _arc(chain)
    at = _even(steps[-1], 1.0)
    chain, half = _along(chain, steps, at), np.interp(at, steps, half)
    points = _smooth(chain, max(2.0, radius / 2), branch.closed)
    directions = _unit(np.gradient(_smooth(chain, max(3.0, radius), branch.closed), axis=0))
    if branch.closed:
        directions[0] = directions[-1] = _unit(points[1] - points[-2])
    else:
        if branch.start is None:
            points, directions, half = _to_tip(points[::-1], -directions[::-1], half[::-1], radius, cover)
            points, directions, half = points[::-1], -directions[::-1], half[::-1]
        if branch.end is None:
            points, directions, half = _to_tip(points, directions, half, radius, cover)
    arc = _arc(points)
    at = _even(arc[-1], max(1.0, radius / 8))
    points, directions = _along(points, arc, at), _unit(_along(directions, arc, at))
    profile = widths_across(cover, points, directions, np.maximum(np.interp(at, arc, half), radius))
    clear = _clear(branch, at, radius)
    window = max(1, round(max(5.0, radius) * (len(at) - 1) / at[-1]))
    mode = "wrap" if branch.closed else "nearest"
    if clear.any():
        widths = np.interp(at, at[clear], uniform_filter1d(profile[clear], window, mode=mode))
    else:
        widths = uniform_filter1d(profile, window, mode=mode)
    return Centreline(points, widths, clear, profile)


def straight_centreline(centre: np.ndarray, direction: np.ndarray, reach: float, cover: np.ndarray) -> Centreline:
    """The straight line through a compact crack, which has no skeleton to speak of, from edge to edge.

    Args:
        centre: (2,), x and y in pixels, on the crack.
        direction: (2,), of length 1: the crack's longer axis.
        reach: pixels that surely lead out of the crack.
        cover: (H, W) coverage of the crack.

    Returns:
        A line of two points, nowhere clear, as wide as the crack's area divided by its length.
    """
    distances = np.arange(0, reach + _TIP_STEP, _TIP_STEP)
    profiles = [sample(cover, centre + side * distances[:, None] * direction) for side in (-1, 1)]
    level = 0.5 * max(profile.max() for profile in profiles)
    tips = []
    for side, profile in zip((-1, 1), profiles, strict=True):
        inside = np.flatnonzero(profile >= level)
        reached = _crossing(distances, profile, level, int(inside[-1])) if inside.size else 0.0
        tips.append(centre + side * direction * reached)
    points = np.stack(tips)
    widths = np.full(2, float(cover.sum(dtype=np.float64)) / np.hypot(*(points[1] - points[0])))
    return Centreline(points, widths, np.zeros(2, dtype=bool), widths)


def _to_tip(
    points: np.ndarray, directions: np.ndarray, half: np.ndarray, radius: float, cover: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same line with its last end cut back and led on to the tip."""
    arc = _arc(points)
    typical = float(np.median(_middle(points, directions, radius, cover)))
    for cut in (min(radius, arc[-1] / 4), 0.0):
        stop = arc[-1] - cut
        origin = _along(points, arc, np.array([stop]))[0]
        direction = _unit(_along(directions, arc, np.array([stop])))[0]
        distances = np.arange(0, cut + 1.5 * radius + 3, _TIP_STEP)
        ray = origin + distances[:, None] * direction
        profile = _middle(ray, np.broadcast_to(direction, ray.shape), radius, cover)
        outside = np.flatnonzero(profile < 0.5 * typical)
        last = int(outside[0]) - 1 if outside.size else len(profile) - 1
        reach = _crossing(distances, profile, 0.5 * typical, max(last, 0))
        if reach >= 0.8 * cut:
            break
    keep = arc < stop - 1e-9
    tip = origin + reach * direction
    return (
        np.concatenate([points[keep], [origin, tip]]),
        np.concatenate([directions[keep], [direction, direction]]),
        np.concatenate([half[keep], [radius, radius]]),
    )


def _middle(points: np.ndarray, directions: np.ndarray, radius: float, cover: np.ndarray) -> np.ndarray:
    """Mean coverage of the middle half of the crack across the line at each point."""
    offsets = np.linspace(-1, 1, 5) * max(radius / 2, 0.5)
    normals = np.stack([-directions[:, 1], directions[:, 0]], axis=1)
    return sample(cover, points[:, None] + normals[:, None] * offsets[:, None]).mean(axis=1)


def _crossing(distances: np.ndarray, profile: np.ndarray, level: float, last: int) -> float:
    """Distance at which a profile falls to ``level`` after its sample ``last``, by linear interpolation."""
    if last + 1 >= len(profile) or profile[last] <= level:
        return float(distances[last])
    share = (profile[last] - level) / (profile[last] - profile[last + 1])
    return float(distances[last] + share * (distances[last + 1] - distances[last]))


def _straight_at_junctions(branch: Branch) -> tuple[np.ndarray, np.ndarray]:
    """Points and half-widths without those hard by a junction; a loop's first point repeated at its end."""
    points, radius = branch.points, branch.radius
    if branch.closed:
        return np.concatenate([points, points[:1]]), np.concatenate([radius, radius[:1]])
    keep = np.ones(len(points), dtype=bool)
    for end, reach in zip((0, -1), branch.reach, strict=True):
        keep &= np.hypot(*(points - points[end]).T) >= _JUNCTION * reach
    keep[[0, -1]] = True
    if keep.sum() == 2 and branch.start is not None and branch.start == branch.end:
        keep[:] = True  # a loop no larger than its junction
    return points[keep], radius[keep]


def _clear(branch: Branch, at: np.ndarray, radius: float) -> np.ndarray:
    if branch.closed:
        return np.ones(len(at), dtype=bool)
    first = 1.5 * radius + 1 if branch.start is None else 2 * branch.reach[0] + 1
    last = 1.5 * radius + 1 if branch.end is None else 2 * branch.reach[1] + 1
    return (at > first) & (at < at[-1] - last)


def _smooth(points: np.ndarray, sigma: float, closed: bool) -> np.ndarray:
    """Gaussian along the line, twice: what the first took off, smoothed, is put back, so that bends keep their radius.

    An open line is continued by its mirror image in its end points, which so stay in place.
    """
    pad = min(len(points) - 1, int(8 * sigma) + 1)
    if closed:
        padded = np.concatenate([points[-1 - pad : -1], points, points[1 : 1 + pad]])
    else:
        padded = np.concatenate([2 * points[0] - points[pad:0:-1], points, 2 * points[-1] - points[-2 : -2 - pad : -1]])
    smooth = gaussian_filter1d(padded, sigma, axis=0, mode="nearest")
    smooth += gaussian_filter1d(padded - smooth, sigma, axis=0, mode="nearest")
    return smooth[pad : pad + len(points)]


def _even(length: float, spacing: float) -> np.ndarray:
    return np.linspace(0, length, max(5, round(length / spacing) + 1))


def _arc(points: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])


def _along(values: np.ndarray, arc: np.ndarray, at: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(at, arc, column) for column in values.T], axis=1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
