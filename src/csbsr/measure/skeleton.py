"""From the masks of cracks to the branches of their skeletons: traced, freed of spurs, near junctions merged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from csbsr.measure.ragged import row_of, starts_of
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
        return float(np.hypot(*np.diff(self.points, axis=0).T).sum())


def skeleton_branches(rows: np.ndarray, columns: np.ndarray, radius: np.ndarray, spur: float = 2.0) -> list[Branch]:
    """Branches of the skeleton of one crack, see `branches_of_each`."""
    return branches_of_each(rows, columns, radius, starts_of(np.array([rows.size])), spur)[0]


def branches_of_each(
    rows: np.ndarray, columns: np.ndarray, radius: np.ndarray, starts: np.ndarray, spur: float = 2.0
) -> list[list[Branch]]:
    """Branches of the skeletons of cracks.

    A side branch is a spur, and left out, if it sticks out of the crack it leaves by no more than half that crack's
    half-width plus ``spur`` pixels: roughness of the edge and the corners of a square end do, a real branch does not.
    Two junctions that lie within about each other's width, as where two wide cracks cross, become one.

    Args:
        rows: (n,) int, 0 or more, of the pixels of skeletons as `csbsr.measure.thinning.thin` leaves them: crack by
            crack, each in reading order.
        columns: (n,) int, 0 or more.
        radius: (n,) half the crack's width at those pixels.
        starts: (cracks + 1,) first pixel of each crack, see `csbsr.measure.ragged`.
        spur: pixels, 0 or more.

    Returns:
        The branches of each crack; none of a skeleton that shrinks to a point.
    """
    found: list[list[Branch]] = [[] for _ in range(len(starts) - 1)]
    crack = row_of(starts)
    while crack.size:
        graph = _Graph(rows, columns, radius, crack)
        spurs = graph.spurs(spur)
        pruned = np.zeros(len(found), bool)
        pruned[graph.crack_of_trace[spurs]] = True
        for number, branch in graph.branches(~pruned):
            found[number].append(branch)
        keep = np.ones(crack.size, bool)
        for trace in np.flatnonzero(spurs).tolist():
            keep[graph.pixels_of(trace)] = False
        keep = (keep | (graph.cluster >= 0)) & pruned[crack]
        graph.thin_junctions(keep)
        rows, columns, radius, crack = rows[keep], columns[keep], radius[keep], crack[keep]
    return found


class _Graph:
    """Skeleton pixels as a graph: two steps where the pixels touch by a side, or by a corner with no way round.

    Traces are its lines from junction or free end to junction or free end, the junctions' pixels included.

    Attributes:
        cluster: (n,) the junction of each pixel, -1 for none.
        start, end: (t,) junctions of each trace, -1 for a free end.
        crack_of_trace: (t,) number of the crack.
    """

    def __init__(self, rows: np.ndarray, columns: np.ndarray, radius: np.ndarray, crack: np.ndarray) -> None:
        self._points = np.stack([columns, rows], axis=1).astype(np.float64)
        self._radius = radius
        self._stride = int(columns.max()) + 3
        # Cracks lie one below the other, two rows apart, so that their pixels never touch.
        self._keys = (crack * (int(rows.max()) + 3) + rows) * self._stride + columns + 1
        pairs = _neighbours(self._keys, self._stride)
        degree = np.bincount(pairs.reshape(-1), minlength=rows.size)
        crossing = degree >= 3
        inside = pairs[crossing[pairs].all(axis=1)]
        self.cluster = np.full(rows.size, -1)
        names, numbers = np.unique(_parts(inside, rows.size)[crossing], return_inverse=True)
        self.cluster[crossing] = numbers
        self._centres = _means(self._points[crossing], numbers, names.size)
        self._reach = np.zeros(names.size)
        np.maximum.at(self._reach, numbers, radius[crossing])
        traces, open_traces = _traced(_links(pairs, rows.size), degree.tolist(), self.cluster.tolist())
        self._starts = starts_of(np.array([len(trace) for trace in traces], dtype=int))
        self._pixels = np.array([pixel for trace in traces for pixel in trace], dtype=int)
        self._closed = np.arange(len(traces)) >= open_traces
        firsts, lasts = self._starts[:-1], self._starts[1:] - 1
        self.start, self.end = (np.where(self._closed, -1, self.cluster[self._pixels[at]]) for at in (firsts, lasts))
        self.crack_of_trace = crack[self._pixels[firsts]]

    def pixels_of(self, trace: int) -> np.ndarray:
        """Numbers of the pixels of a trace."""
        return self._pixels[self._starts[trace] : self._starts[trace + 1]]

    def spurs(self, spur: float) -> np.ndarray:
        """(t,) whether a trace ends free on one side and hardly leaves the crack at the other."""
        one_free = (self.start < 0) != (self.end < 0)
        tip = self._pixels[np.where(self.start < 0, self._starts[:-1], self._starts[1:] - 1)]
        reach = np.zeros(len(tip))
        reach[one_free] = self._reach[np.maximum(self.start, self.end)[one_free]]
        sticks_out = self._lengths(self._traced_points(self._centres)) + self._radius[tip] - reach
        return np.asarray(one_free & (sticks_out <= _CORNER * reach + spur))

    def branches(self, cracks: np.ndarray) -> list[tuple[int, Branch]]:
        """The traces of some ``cracks`` (bool, by number) as branches, with junctions that overlap merged into one."""
        names = self._merged()
        centres = _means(self._centres, names, len(names))[names]
        reach = self._reach + np.hypot(*(centres - self._centres).T)
        points, radius = self._traced_points(centres), self._radius[self._pixels]
        within = (self.start >= 0) & (self.end >= 0) & (self.start != self.end)
        within[within] = names[self.start[within]] == names[self.end[within]]
        found = []
        for trace in np.flatnonzero(cracks[self.crack_of_trace] & ~within).tolist():
            part = slice(self._starts[trace], self._starts[trace + 1])
            start, end = int(self.start[trace]), int(self.end[trace])
            branch = Branch(
                points=points[part],
                radius=radius[part],
                start=int(names[start]) if start >= 0 else None,
                end=int(names[end]) if end >= 0 else None,
                reach=(_reach_at(reach, start), _reach_at(reach, end)),
                closed=bool(self._closed[trace]),
            )
            found.append((int(self.crack_of_trace[trace]), branch))
        return found

    def thin_junctions(self, keep: np.ndarray) -> None:
        """Drop from ``keep`` the junctions' pixels that nothing hangs on any more, once a side of them is gone."""
        alive = set(self._keys[keep].tolist())
        steps = [(1 << bit, down * self._stride + right) for bit, (down, right) in enumerate(_AROUND)]
        for pixel in np.flatnonzero(keep & (self.cluster >= 0)).tolist():
            key = int(self._keys[pixel])
            if REMOVABLE[sum(bit for bit, step in steps if key + step in alive)]:
                keep[pixel] = False
                alive.discard(key)

    def _merged(self) -> np.ndarray:
        """For each junction the number of the one it goes by; two links between a pair are a loop and stay."""
        between = (self.start >= 0) & (self.end >= 0) & (self.start != self.end)
        ends = np.sort(np.stack([self.start, self.end], axis=1)[between], axis=1)
        lengths = self._lengths(self._traced_points(self._centres))[between]
        pairs, first, count = np.unique(ends, axis=0, return_index=True, return_counts=True)
        near = lengths[first] <= _OVERLAP * self._reach[pairs].sum(axis=1) + 3
        return _parts(pairs[(count == 1) & near], len(self._centres))

    def _traced_points(self, centres: np.ndarray) -> np.ndarray:
        """Points of all traces, ends at junctions moved to the ``centres`` of these."""
        points = self._points[self._pixels]
        for at, junction in ((self._starts[:-1], self.start), (self._starts[1:] - 1, self.end)):
            points[at[junction >= 0]] = centres[junction[junction >= 0]]
        return points

    def _lengths(self, points: np.ndarray) -> np.ndarray:
        """(t,) lengths of the traces."""
        steps = np.zeros(len(points))
        steps[1:] = np.hypot(*np.diff(points, axis=0).T)
        steps[self._starts[:-1]] = 0
        return np.add.reduceat(steps, self._starts[:-1]) if len(steps) else np.zeros(0)


def _links(pairs: np.ndarray, count: int) -> list[list[int]]:
    """The neighbours of each pixel."""
    links: list[list[int]] = [[] for _ in range(count)]
    for first, second in pairs.tolist():
        links[first].append(second)
        links[second].append(first)
    return links


def _traced(links: list[list[int]], degree: list[int], cluster: list[int]) -> tuple[list[list[int]], int]:
    """Pixels of each trace, loops without any junction last; and how many come before those."""
    seen = [False] * len(degree)
    traces = []
    for start in range(len(degree)):
        if degree[start] in (0, 2):
            continue
        for step in links[start]:
            if seen[step] and degree[step] == 2:
                continue
            if degree[step] != 2 and (step < start or cluster[start] == cluster[step] >= 0):
                continue
            pixels = _walk(start, step, links, degree, seen)
            seen[start] = seen[pixels[-1]] = True
            traces.append(pixels)
    open_traces = len(traces)
    for start in range(len(degree)):
        if degree[start] == 2 and not seen[start]:
            seen[start] = True
            pixels = _walk(start, links[start][0], links, degree, seen)
            traces.append(pixels[:-1] if pixels[-1] == start else pixels)
    return traces, open_traces


def _walk(start: int, step: int, links: list[list[int]], degree: list[int], seen: list[bool]) -> list[int]:
    pixels = [start, step]
    while degree[step] == 2 and not seen[step]:
        seen[step] = True
        first, second = links[step]
        step = second if first == pixels[-2] else first
        pixels.append(step)
    return pixels


def _means(values: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """(count, c) mean of the ``values`` (n, c) of each ``group`` (n,); 0 of an empty one."""
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, group, values)
    return np.asarray(sums / np.maximum(np.bincount(group, minlength=count), 1)[:, None])


def _parts(pairs: np.ndarray, count: int) -> np.ndarray:
    """(count,) for each of ``count`` things the number of the group that ``pairs`` tie it into."""
    if not len(pairs):
        return np.arange(count)
    return connected_components(coo_array((np.ones(len(pairs)), pairs.T), shape=(count, count)), directed=False)[1]


def _reach_at(reach: np.ndarray, junction: int) -> float:
    """The reach of a junction; 0 for the negative number of a free end."""
    return float(reach[junction]) if junction >= 0 else 0.0


def _neighbours(keys: np.ndarray, stride: int) -> np.ndarray:
    """(m, 2) pairs of pixel numbers; ``keys`` (n,) rising, ``stride`` from one row to the next."""

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
