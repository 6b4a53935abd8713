"""Rows of different lengths in one flat array, so that numpy works on all lines of an image at once.

Row k of a flat array lies at ``starts[k]:starts[k + 1]``; ``starts`` has one number more than there are rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def starts_of(counts: np.ndarray) -> np.ndarray:
    """(r + 1,) starts of rows of ``counts`` (r,) entries."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)


def row_of(starts: np.ndarray) -> np.ndarray:
    """(n,) the row of each entry."""
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))


def place_of(starts: np.ndarray) -> np.ndarray:
    """(n,) the place of each entry within its row."""
    return np.arange(starts[-1]) - np.repeat(starts[:-1], np.diff(starts))


def taken(starts: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the entries of chosen ``rows``, in their order, and the starts of these rows."""
    fewer = starts_of(np.diff(starts)[rows])
    return place_of(fewer) + np.repeat(starts[rows], np.diff(fewer)), fewer


def arcs(points: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(n,) length along each line of ``points`` (n, 2) from its first point; rows of at least one point."""
    steps = np.zeros(len(points))
    steps[1:] = np.hypot(*np.diff(points, axis=0).T)
    steps[starts[:-1]] = 0
    for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):  # row by row no digits are lost
        np.cumsum(steps[first:last], out=steps[first:last])
    return steps


def medians(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(r,) median of each row; rows of at least one entry."""
    ordered = values[np.lexsort((values, row_of(starts)))]
    counts = np.diff(starts)
    pairs = ordered[[starts[:-1] + (counts - 1) // 2, starts[:-1] + counts // 2]]
    return np.asarray(pairs.mean(axis=0))


def along(values: np.ndarray, at: np.ndarray, starts: np.ndarray, wanted: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Linear interpolation in each row, as `numpy.interp` does it.

    Args:
        values: (n,) or (n, c) at ``at``.
        at: (n,) 0 or more, not falling within a row.
        starts: of the rows.
        wanted: (m,) places.
        row: (m,) the row of each of them.

    Returns:
        (m,) or (m, c); beyond the ends of a row its first or last value.
    """
    base = max(float(at.max(initial=0)), float(wanted.max(initial=0))) + 1
    left = np.searchsorted(row_of(starts) * base + at, row * base + wanted, side="right") - 1
    first, last = starts[:-1][row], starts[1:][row] - 1
    left = np.clip(left, first, np.maximum(last - 1, first))
    right = np.minimum(left + 1, last)
    span = at[right] - at[left]
    share = np.divide(np.clip(wanted, at[first], at[last]) - at[left], span, out=np.zeros(len(left)), where=span > 0)
    if values.ndim == 2:
        share = share[:, None]
    return np.asarray(values[left] + share * (values[right] - values[left]))


def even(lengths: np.ndarray, spacing: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Places from 0 to each of ``lengths`` (r,), evenly about ``spacing`` apart and at least 5; and their starts."""
    counts = np.maximum(5, np.rint(lengths / spacing).astype(int) + 1)
    starts = starts_of(counts)
    at = place_of(starts) * np.repeat(lengths / (counts - 1), counts)
    at[starts[1:] - 1] = lengths
    return at, starts


def filtered(
    values: np.ndarray,
    starts: np.ndarray,
    setting: np.ndarray,
    reach: Callable[[float], int],
    run: Callable[[np.ndarray, float], np.ndarray],
    around: np.ndarray | None = None,
) -> np.ndarray:
    """A filter along each row; rows of one setting are filtered together.

    Args:
        values: (n,) or (n, c).
        starts: of the rows.
        setting: (r,) of the filter, e.g. its width.
        reach: entries to either side that the filter of a setting looks at.
        run: the filter along the first axis of an array, with a setting.
        around: (r,) bool: a row that goes on at its other end; others, and all for None, go on with their end values.
    """
    result = np.empty_like(values)
    closed = np.zeros(len(setting), bool) if around is None else around
    for one in np.unique(setting).tolist():
        rows = np.flatnonzero(setting == one)
        own, own_starts = taken(starts, rows)
        margin = reach(one)
        wide = starts_of(np.diff(own_starts) + 2 * margin)
        place, count = place_of(wide) - margin, np.repeat(np.diff(own_starts), np.diff(wide))
        inside = np.where(np.repeat(closed[rows], np.diff(wide)), place % count, np.clip(place, 0, count - 1))
        source = own[inside + np.repeat(own_starts[:-1], np.diff(wide))]
        result[own] = run(values[source], one)[(place >= 0) & (place < count)]
    return result
