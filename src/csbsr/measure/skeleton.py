"""From a crack's mask to the branches of its skeleton: traced, freed of spurs, near junctions merged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from csbsr.measure.thinning import REMOVABLE

_CORNER = 0.5  # a square end sends spurs into its corners that stick out by 0.41 half-widths
_OVERLAP = 1.5  # of both half-widths: two cracks that cross at 45 degrees share this much of their skeletons
_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))  # as the bits of REMOVABLE


@dataclass(frozen=True)
class Branch:
    """One line of the skeleton, from junction or free end to junction or free end.

    Attributes:
        points: (n, 2) float, x and y in pixels; a junction's end is the centre of the junction.
        radius: (n,) float, half the local width in pixels: distance to the background less half a pixel.
        start: number of the junction at the first point; None for a free end.
        end: number of the junction at the last point; None for a free end.
        reach: pixels around the junction at the first and the last point within which its strands overlap; 0 at a
            free end.
        closed: a loop without any junction; its first point is not repeated.
    """

    points: np.ndarray
    radius: np.ndarray
    start: int | None
    end: int | None
    reach: tuple[float, float] = (0.0, 0.0)
    closed: bool = False

    @property
    def length(self) -> float:
        """Length of the chain of pixels, diagonals counted as the square root of two."""
        return _length(self.points)


def skeleton_branches(rows: np.ndarray, columns: np.ndarray, radius: np.ndarray, spur: float = 2.0) -> list[Branch]:
    """Branches of the skeleton of one crack.

    A side branch is a spur, and left out, if it sticks out of the crack it leaves by no more than half that crack's
    half-width plus ``spur`` pixels: roughness of the edge and the corners of a square end do, a real branch does not.
    Two junctions that lie within about each other's width, as where two wide cracks cross, become one.

    Args:
        rows: (n,) int, of the pixels of a skeleton as `csbsr.measure.thinning.thin` leaves it, in reading order.
        columns: (n,) int.
        radius: (n,) half the crack's width at those pixels.
        spur: pixels, 0 or more.

    Returns:
        The branches; none if the skeleton shrinks to a point.
    """
    while rows.size > 1:
        graph = _Graph(rows, columns, radius)
        spurs = [trace for trace in graph.traces if graph.is_spur(trace, spur)]
        if not spurs:
            return graph.branches()
        keep = np.ones(rows.size, dtype=bool)
        for trace in spurs:
            keep[trace.pixels] = False
        junctions = graph.cluster >= 0
        keep |= junctions
        _thin_junctions(rows, columns, keep, np.flatnonzero(junctions))
        rows, columns, radius = rows[keep], columns[keep], radius[keep]
    return []


def _thin_junctions(rows: np.ndarray, columns: np.ndarray, keep: np.ndarray, junctions: np.ndarray) -> None:
    """Drop from ``keep`` the junctions' pixels that nothing hangs on any more, once a side of them is gone."""
    alive = set(zip(rows[keep].tolist(), columns[keep].tolist(), strict=True))
    for pixel in junctions.tolist():
        row, column = int(rows[pixel]), int(columns[pixel])
        code = sum(1 << bit for bit, (down, right) in enumerate(_AROUND) if (row + down, column + right) in alive)
        if REMOVABLE[code]:
            keep[pixel] = False
            alive.discard((row, column))


@dataclass
class _Trace:
    """Pixels of a branch by number, its junctions' included; ``start``, ``end``: junctions, -1 for a free end."""

    pixels: list[int]
    start: int
    end: int
    closed: bool = False


class _Graph:
    """Skeleton pixels as a graph: two steps where the pixels touch by a side, or by a corner with no way round."""

    def __init__(self, rows: np.ndarray, columns: np.ndarray, radius: np.ndarray) -> None:
        self.points = np.stack([columns, rows], axis=1).astype(np.float64)
        self.radius = radius
        pairs = _neighbours(rows, columns)
        self.links: list[list[int]] = [[] for _ in range(rows.size)]
        for first, second in pairs.tolist():
            self.links[first].append(second)
            self.links[second].append(first)
        degree = np.bincount(pairs.reshape(-1), minlength=rows.size)
        crossing = degree >= 3
        inside = pairs[crossing[pairs].all(axis=1)]
        self.cluster = np.full(rows.size, -1)
        names, numbers = np.unique(_parts(inside, rows.size)[crossing], return_inverse=True)
        self.cluster[crossing] = numbers
        self.centres = np.zeros((names.size, 2))
        np.add.at(self.centres, numbers, self.points[crossing])
        self.centres /= np.bincount(numbers, minlength=names.size)[:, None]
        self.reach = np.zeros(names.size)
        np.maximum.at(self.reach, numbers, radius[crossing])
        self.traces = self._trace(degree.tolist())

    def _trace(self, degree: list[int]) -> list[_Trace]:
        cluster = self.cluster.tolist()
        seen = [False] * len(degree)
        traces = []
        for start in range(len(degree)):
            if degree[start] in (0, 2):
                continue
            for step in self.links[start]:
                if seen[step] and degree[step] == 2:
                    continue
                if degree[step] != 2 and (step < start or cluster[start] == cluster[step] >= 0):
                    continue
                pixels = self._walk(start, step, degree, seen)
                seen[start] = seen[pixels[-1]] = True
                traces.append(_Trace(pixels, cluster[start], cluster[pixels[-1]]))
        for start in range(len(degree)):
            if degree[start] == 2 and not seen[start]:
                seen[start] = True
                pixels = self._walk(start, self.links[start][0], degree, seen)
                traces.append(_Trace(pixels[:-1] if pixels[-1] == start else pixels, -1, -1, closed=True))
        return traces

    def _walk(self, start: int, step: int, degree: list[int], seen: list[bool]) -> list[int]:
        pixels = [start, step]
        while degree[step] == 2 and not seen[step]:
            seen[step] = True
            first, second = self.links[step]
            step = second if first == pixels[-2] else first
            pixels.append(step)
        return pixels

    def is_spur(self, trace: _Trace, spur: float) -> bool:
        """Whether the trace ends free on one side and hardly leaves the crack at the other."""
        if (trace.start < 0) == (trace.end < 0):
            return False
        tip, junction = (trace.pixels[-1], trace.start) if trace.start >= 0 else (trace.pixels[0], trace.end)
        reach = self.reach[junction]
        sticks_out = _length(self._points(trace, self.centres)) + self.radius[tip] - reach
        return sticks_out <= _CORNER * reach + spur

    def branches(self) -> list[Branch]:
        """The traces as branches, with junctions that overlap merged into one."""
        names = self._merged()
        centres = np.zeros_like(self.centres)
        np.add.at(centres, names, self.centres)
        centres = (centres / np.maximum(np.bincount(names, minlength=len(names)), 1)[:, None])[names]
        reach = self.reach + np.hypot(*(centres - self.centres).T)
        found = []
        for trace in self.traces:
            inside = trace.start >= 0 and trace.end >= 0
            if inside and names[trace.start] == names[trace.end] and trace.start != trace.end:
                continue
            found.append(
                Branch(
                    points=self._points(trace, centres),
                    radius=self.radius[trace.pixels],
                    start=int(names[trace.start]) if trace.start >= 0 else None,
                    end=int(names[trace.end]) if trace.end >= 0 else None,
                    reach=(_reach_at(reach, trace.start), _reach_at(reach, trace.end)),
                    closed=trace.closed,
                )
            )
        return found

    def _merged(self) -> np.ndarray:
        """For each junction the number of the one it goes by; two links between a pair are a loop and stay."""
        links: dict[tuple[int, int], list[float]] = {}
        for trace in self.traces:
            if trace.start >= 0 and trace.end >= 0 and trace.start != trace.end:
                pair = (min(trace.start, trace.end), max(trace.start, trace.end))
                links.setdefault(pair, []).append(_length(self._points(trace, self.centres)))
        short = [
            pair
            for pair, lengths in links.items()
            if len(lengths) == 1 and lengths[0] <= _OVERLAP * (self.reach[pair[0]] + self.reach[pair[1]]) + 3
        ]
        return _parts(np.array(short, dtype=int).reshape(-1, 2), len(self.centres))

    def _points(self, trace: _Trace, centres: np.ndarray) -> np.ndarray:
        points = self.points[trace.pixels]
        if trace.start >= 0:
            points[0] = centres[trace.start]
        if trace.end >= 0:
            points[-1] = centres[trace.end]
        return points


def _parts(pairs: np.ndarray, count: int) -> np.ndarray:
    """(count,) for each of ``count`` things the number of the group that ``pairs`` tie it into."""
    if not len(pairs):
        return np.arange(count)
    return connected_components(coo_array((np.ones(len(pairs)), pairs.T), shape=(count, count)), directed=False)[1]


def _reach_at(reach: np.ndarray, junction: int) -> float:
    """The reach of a junction; 0 for the negative number of a free end."""
    return float(reach[junction]) if junction >= 0 else 0.0


def _length(points: np.ndarray) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def _neighbours(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(m, 2) pairs of pixel numbers; ``rows`` and ``columns`` in reading order."""
    stride = int(columns.max()) + 3
    keys = rows * stride + columns + 1

    def at(step: int) -> tuple[np.ndarray, np.ndarray]:
        place = np.minimum(np.searchsorted(keys, keys + step), keys.size - 1)
        return place, keys[place] == keys + step

    east, has_east = at(1)
    south, has_south = at(stride)
    south_east, has_south_east = at(stride + 1)
    south_west, has_south_west = at(stride - 1)
    has_west = at(-1)[1]
    has_south_east &= ~(has_east | has_south)
    has_south_west &= ~(has_west | has_south)
    own = np.arange(keys.size)
    steps = ((east, has_east), (south, has_south), (south_east, has_south_east), (south_west, has_south_west))
    return np.concatenate([np.stack([own[has], place[has]], axis=1) for place, has in steps])
