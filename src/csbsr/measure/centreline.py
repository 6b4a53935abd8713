"""From branches of a skeleton to smooth centrelines that reach the tips of the crack, with the width along them.

All branches of many cracks are traced together: arrays hold the points of one line after the other, see
`csbsr.measure.ragged`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from csbsr.measure.patches import Patches
from csbsr.measure.ragged import along, arcs, even, filtered, medians, place_of, row_of, starts_of, taken
from csbsr.measure.skeleton import Branch
from csbsr.measure.width import BAND, widths_across

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

    @cached_property
    def length(self) -> float:
        """Length of the line in pixels."""
        return float(np.cumsum(np.hypot(*np.diff(self.points, axis=0).T))[-1])


class _Lines(NamedTuple):
    """Lines being traced, r of them with n points in all."""

    points: np.ndarray  #: (n, 2)
    directions: np.ndarray  #: (n, 2) of length 1
    half: np.ndarray  #: (n,) half the width
    starts: np.ndarray  #: (r + 1,)
    radius: np.ndarray  #: (r,) typical half-width
    patch: np.ndarray  #: (r,) number of the crack's patch

    def flipped(self) -> _Lines:
        """The same lines the other way round, the last one first."""
        starts = self.starts[-1] - self.starts[::-1]
        return _Lines(
            self.points[::-1], -self.directions[::-1], self.half[::-1], starts, self.radius[::-1], self.patch[::-1]
        )

    def chosen(self, rows: np.ndarray) -> _Lines:
        """Some of them."""
        entries, starts = taken(self.starts, rows)
        points, directions, half = (values[entries] for values in self[:3])
        return _Lines(points, directions, half, starts, self.radius[rows], self.patch[rows])


def trace_centrelines(branches: Sequence[Branch], patch: np.ndarray, cover: Patches) -> list[Centreline]:
    """Smooth branches, lead their free ends to the tips of the cracks and measure the width along them.

    The chain of pixels is smoothed by a Gaussian of half the half-width (at least 2 pixels) with its ends held, which
    takes the pixel steps out of the length.  A free end is cut back by the half-width, because a skeleton may turn into
    a corner there, and led on in its direction to where the crack ends: this adds the half-width that the skeleton of a
    crack lacks at its ends, whatever their shape.

    Args:
        branches: of skeletons, each in the pixels of its crack's patch.
        patch: (r,) number of that.
        cover: each crack's coverage, see `csbsr.measure.width.coverage`.
    """
    if not branches:
        return []
    closed = np.array([branch.closed for branch in branches])
    free = np.array([[branch.start is None, branch.end is None] for branch in branches]) & ~closed[:, None]
    reach = np.array([branch.reach for branch in branches])
    lines = _smoothed(branches, closed, np.asarray(patch))
    lines = _to_tips(lines.flipped(), np.flatnonzero(free[::-1, 0]), cover).flipped()
    lines = _to_tips(lines, np.flatnonzero(free[:, 1]), cover)
    arc = arcs(lines.points, lines.starts)
    total = arc[lines.starts[1:] - 1]
    at, starts = even(total, np.maximum(1.0, lines.radius / 8))
    row = row_of(starts)
    points = along(lines.points, arc, lines.starts, at, row)
    directions = _unit(along(lines.directions, arc, lines.starts, at, row))
    half = np.maximum(along(lines.half, arc, lines.starts, at, row), lines.radius[row])
    far = 1.5 * np.maximum.reduceat(half, starts[:-1]) + BAND + 1
    profile = widths_across(cover, lines.patch[row], points, directions, far[row])
    unclear = np.where(free, 1.5 * lines.radius[:, None] + 1, 2 * reach + 1)
    clear = closed[row] | ((at > unclear[row, 0]) & (at < total[row] - unclear[row, 1]))
    widths = _along_the_line(profile, clear, at, starts, lines.radius, closed)
    parts = [slice(first, last) for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)]
    return [Centreline(points[part], widths[part], clear[part], profile[part]) for part in parts]


def straight_centrelines(
    centre: np.ndarray, direction: np.ndarray, reach: np.ndarray, area: np.ndarray, patch: np.ndarray, cover: Patches
) -> list[Centreline]:
    """The straight lines through compact cracks, which have no skeleton to speak of, from edge to edge.

    Args:
        centre: (r, 2), x and y in the pixels of each crack's patch, on the crack.
        direction: (r, 2), of length 1: the crack's longer axis.
        reach: (r,) pixels that surely lead out of the crack.
        area: (r,) square pixels.
        patch: (r,) numbers of the patches.
        cover: each crack's coverage.

    Returns:
        Lines of two points, nowhere clear, as wide as the crack's area divided by its length.
    """
    if not len(centre):
        return []
    distances, starts = _looks(reach + _TIP_STEP)
    row = row_of(starts)
    profiles = [cover.sample(patch[row], centre[row] + side * distances[:, None] * direction[row]) for side in (-1, 1)]
    level = 0.5 * np.maximum.reduceat(np.maximum(*profiles), starts[:-1])
    tips = []
    for side, profile in zip((-1, 1), profiles, strict=True):
        inside = np.where(profile >= level[row], place_of(starts), -1)
        last = np.maximum.reduceat(inside, starts[:-1])
        reached = np.where(last >= 0, _crossings(profile, starts, level, np.maximum(last, 0)), 0.0)
        tips.append(centre + side * direction * reached[:, None])
    points = np.stack(tips, axis=1)
    widths = area / np.hypot(*(points[:, 1] - points[:, 0]).T)
    return [
        Centreline(line, both, np.zeros(2, dtype=bool), both)
        for line, both in zip(points, np.repeat(widths[:, None], 2, axis=1), strict=True)
    ]


def _smoothed(branches: Sequence[Branch], closed: np.ndarray, patch: np.ndarray) -> _Lines:
    """The chains of pixels as smooth lines, a pixel between their points."""
    starts = starts_of(np.array([len(branch.points) for branch in branches]))
    points = np.concatenate([branch.points for branch in branches])
    half = np.concatenate([branch.radius for branch in branches])
    radius = medians(half, starts)
    kept, starts = _straight_at_junctions(branches, points, starts, closed)
    arc = arcs(points[kept], starts)
    at, even_starts = even(arc[starts[1:] - 1], 1.0)
    row = row_of(even_starts)
    chain, half = along(points[kept], arc, starts, at, row), along(half[kept], arc, starts, at, row)
    points = _smooth(chain, even_starts, np.maximum(2.0, radius / 2), closed)
    directions = _unit(_gradients(_smooth(chain, even_starts, np.maximum(3.0, radius), closed), even_starts))
    first, last = even_starts[:-1][closed], even_starts[1:][closed] - 1
    directions[first] = directions[last] = _unit(points[first + 1] - points[last - 1])
    return _Lines(points, directions, half, even_starts, radius, patch)


def _straight_at_junctions(
    branches: Sequence[Branch], points: np.ndarray, starts: np.ndarray, closed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the points that are not hard by a junction, a loop's first one again at its end; and their starts."""
    row, first, last = row_of(starts), starts[:-1], starts[1:] - 1
    keep = np.ones(len(points), dtype=bool)
    for end, reach in zip((first, last), np.array([branch.reach for branch in branches]).T, strict=True):
        keep &= np.hypot(*(points - points[end[row]]).T) >= (_JUNCTION * reach)[row]
    keep[first] = keep[last] = True
    of_one = np.array([branch.start is not None and branch.start == branch.end for branch in branches])
    tiny = of_one & (np.add.reduceat(keep.astype(int), first) == 2)  # a loop no larger than its junction
    keep |= (closed | tiny)[row]
    kept = np.insert(np.flatnonzero(keep), np.cumsum(np.add.reduceat(keep.astype(int), first))[closed], first[closed])
    return kept, starts_of(np.add.reduceat(keep.astype(int), first) + closed)


def _along_the_line(
    profile: np.ndarray, clear: np.ndarray, at: np.ndarray, starts: np.ndarray, radius: np.ndarray, closed: np.ndarray
) -> np.ndarray:
    """(n,) moving mean of the widths in clear places, between them and beyond that of the nearest; else of all."""
    row, counts = row_of(starts), np.diff(starts)
    length = at[starts[1:] - 1]
    window = np.maximum(1, np.rint(np.maximum(5.0, radius) * (counts - 1) / length).astype(int))
    chosen = clear | ~np.maximum.reduceat(clear, starts[:-1])[row]
    chosen_starts = starts_of(np.add.reduceat(chosen.astype(int), starts[:-1]))
    smooth = filtered(
        profile[chosen], chosen_starts, window, int, lambda values, size: uniform_filter1d(values, int(size)), closed
    )
    return along(smooth, at[chosen], chosen_starts, at, row)


def _to_tips(lines: _Lines, rows: np.ndarray, cover: Patches) -> _Lines:
    """The same lines, the last end of those in ``rows`` cut back and led on to the tip."""
    if not len(rows):
        return lines
    own = lines.chosen(rows)
    arc = arcs(own.points, own.starts)
    total = arc[own.starts[1:] - 1]
    line = row_of(own.starts)
    typical = medians(_middle(own.points, own.directions, own.radius[line], own.patch[line], cover), own.starts)
    cut = np.minimum(own.radius, total / 4)
    found = _tips(own, arc, total, cut, typical, cover)
    again = np.flatnonzero(found.reach < 0.8 * cut)
    if len(again):
        cut[again] = 0.0
        entries, _ = taken(own.starts, again)
        other = _tips(own.chosen(again), arc[entries], total[again], cut[again], typical[again], cover)
        for values, better in zip(found, other, strict=True):
            values[again] = better
    tip = found.origin + found.reach[:, None] * found.direction
    keep = np.ones(len(lines.points), bool)
    keep[taken(lines.starts, rows)[0]] = arc < (total - cut)[line] - 1e-9
    ends = np.concatenate([row_of(lines.starts)[keep], rows, rows])
    order = np.argsort(ends, kind="stable")  # of each line what is kept, then the two new points
    return _Lines(
        np.concatenate([lines.points[keep], found.origin, tip])[order],
        np.concatenate([lines.directions[keep], found.direction, found.direction])[order],
        np.concatenate([lines.half[keep], own.radius, own.radius])[order],
        starts_of(np.bincount(ends, minlength=len(lines.radius))),
        lines.radius,
        lines.patch,
    )


class _Tips(NamedTuple):
    origin: np.ndarray  #: (r, 2) where the line is left
    direction: np.ndarray  #: (r, 2)
    reach: np.ndarray  #: (r,) pixels from there to the tip


def _tips(
    lines: _Lines, arc: np.ndarray, total: np.ndarray, cut: np.ndarray, typical: np.ndarray, cover: Patches
) -> _Tips:
    """Where the cracks end beyond the last ends of lines that are cut back by ``cut`` (r,)."""
    every = np.arange(len(cut))
    origin = along(lines.points, arc, lines.starts, total - cut, every)
    direction = _unit(along(lines.directions, arc, lines.starts, total - cut, every))
    distances, starts = _looks(cut + 1.5 * lines.radius + 3)
    row = row_of(starts)
    ray = origin[row] + distances[:, None] * direction[row]
    profile = _middle(ray, direction[row], lines.radius[row], lines.patch[row], cover)
    level = 0.5 * typical
    outside = np.where(profile < level[row], place_of(starts), len(profile))
    last = np.minimum(np.minimum.reduceat(outside, starts[:-1]), np.diff(starts)) - 1
    return _Tips(origin, direction, _crossings(profile, starts, level, np.maximum(last, 0)))


def _looks(reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances from 0 to each of ``reach`` (r,), exclusive, in steps of `_TIP_STEP`; and their starts."""
    starts = starts_of(np.ceil(reach / _TIP_STEP).astype(int))
    return place_of(starts) * _TIP_STEP, starts


def _middle(
    points: np.ndarray, directions: np.ndarray, radius: np.ndarray, patch: np.ndarray, cover: Patches
) -> np.ndarray:
    """(n,) mean coverage of the middle half of the crack across the line at each point."""
    offsets = np.linspace(-1, 1, 5) * np.maximum(radius / 2, 0.5)[:, None]
    normals = np.stack([-directions[:, 1], directions[:, 0]], axis=1)
    return np.asarray(cover.sample(patch, points[:, None] + normals[:, None] * offsets[..., None]).mean(axis=1))


def _crossings(profile: np.ndarray, starts: np.ndarray, level: np.ndarray, last: np.ndarray) -> np.ndarray:
    """(r,) distance at which each profile falls to ``level`` after its sample ``last``, by linear interpolation."""
    here = starts[:-1] + last
    after = np.minimum(here + 1, starts[1:] - 1)
    fall = profile[here] - profile[after]
    falls = (after > here) & (profile[here] > level)
    share = np.divide(profile[here] - level, fall, out=np.zeros(len(level)), where=falls)
    return np.asarray((last + share) * _TIP_STEP)


def _smooth(points: np.ndarray, starts: np.ndarray, sigma: np.ndarray, closed: np.ndarray) -> np.ndarray:
    """Gaussian along each line, twice: what the first took off, smoothed, is put back, so that bends keep their radius.

    An open line is continued by its mirror image in its end points, which so stay in place.
    """
    counts = np.diff(starts)
    pad = np.minimum(counts - 1, (8 * sigma).astype(int) + 1)
    wide = starts_of(counts + 2 * pad)
    place = place_of(wide) - np.repeat(pad, np.diff(wide))
    row, last = row_of(wide), np.repeat(counts - 1, np.diff(wide))
    before, after = place < 0, place > last
    mirrored = np.where(before, -place, np.where(after, 2 * last - place, place))
    around = place % np.maximum(last, 1)
    first = starts[:-1][row]
    padded = points[first + np.where(closed[row], np.where(place == last, last, around), mirrored)]
    for beyond, middle in ((before & ~closed[row], first), (after & ~closed[row], first + last)):
        padded[beyond] = 2 * points[middle[beyond]] - padded[beyond]

    def gauss(values: np.ndarray) -> np.ndarray:
        return filtered(
            values, wide, sigma, lambda one: int(4 * one + 0.5), lambda part, one: gaussian_filter1d(part, one, axis=0)
        )

    smooth = gauss(padded)
    smooth += gauss(padded - smooth)
    return np.asarray(smooth[(place >= 0) & (place <= last)])


def _gradients(points: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Central differences along each line, one-sided at its ends."""
    found = np.empty_like(points)
    found[1:-1] = (points[2:] - points[:-2]) / 2
    first, last = starts[:-1], starts[1:] - 1
    found[first], found[last] = points[first + 1] - points[first], points[last] - points[last - 1]
    return found


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))
