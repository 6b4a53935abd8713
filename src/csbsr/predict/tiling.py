"""How a photograph is cut into tiles, and how what was computed on them becomes one image again, row by row.

Every tile has a core; the cores divide the photograph.  What is computed on a tile is a window around its core:

    |<----------------------- window ----------------------->|
    | margin | half blend |        core        | half blend | margin |

The margin, which the window's border spoils, is thrown away; in the blend, neighbours fade into each other linearly,
with weights that sum to 1.  At the photograph's own border there is neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np

Item = TypeVar("Item")


class Window(NamedTuple):
    """Pixels ``start`` to ``stop`` (excluded) along one axis."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.stop - self.start

    @property
    def slice(self) -> slice:
        """For indexing."""
        return slice(self.start, self.stop)

    def times(self, scale: int) -> Window:
        """The same part in an image ``scale`` times as large."""
        return Window(self.start * scale, self.stop * scale)


class Axis:
    """The tiles along one side of a photograph, in its pixels.

    Cores are equally long up to rounding, at most ``tile`` and ``align`` pixels together.

    Args:
        length: of the side, at least 1.
        tile: largest length of a core.
        blend: pixels over which neighbours fade into each other, even.
        align: cores and windows start at multiples of this.
        margin: of the windows, where it is known.  The first and the last core are then longer by what their windows
            need not reach beyond the border, so equally large windows hold fewer pixels in all.
    """

    def __init__(self, length: int, tile: int, blend: int, align: int = 1, margin: int | None = None) -> None:
        if length < 1 or tile < 1 or align < 1 or blend < 0 or blend % 2:
            raise ValueError(
                f"length, tile, align and blend: expected at least 1, 1, 1 and an even number, got {length}, {tile}, "
                f"{align}, {blend}"
            )
        self.length, self.align = length, align
        self._fitted = margin is not None
        reach = 0 if margin is None else blend // 2 + margin
        shared = length - 2 * reach
        count = max(1, -(-shared // tile))
        bounds = {min(length, round((reach + i * shared / count) / align) * align) for i in range(1, count)}
        self.bounds = [0, *sorted(bounds - {0, length}), length]
        cores = [stop - start for start, stop in pairwise(self.bounds)]
        self._longest = max(cores)
        self.half = min(blend // 2, min(cores) // 2) if len(cores) > 1 else 0

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def kept(self, i: int) -> Window:
        """What of tile ``i`` enters the image: its core and half a blend beyond each inner border."""
        start, stop = self.bounds[i], self.bounds[i + 1]
        return Window(start - self.half if i else 0, stop + self.half if i + 1 < len(self) else self.length)

    def window(self, i: int, margin: int) -> Window:
        """What tile ``i`` is computed on: what is kept and at least ``margin`` on every inner side.

        At the photograph's border the window reaches further inwards instead, so all are equally large (up to
        ``align``) where the photograph allows it.
        """
        kept = self.kept(i)
        size = self._needed(margin) if self._fitted else _up(self._longest + 2 * (self.half + margin), self.align)
        start = _down(max(0, min(kept.start - margin, self.length - size)), self.align)
        stop = min(self.length, max(start + size, _up(kept.stop + margin, self.align)))
        return Window(start, stop)

    def middle(self, i: int, side: int) -> Window:
        """The middle of tile ``i``, at most ``side`` (up to ``align``), starting at a multiple of ``align``."""
        kept = self.kept(i)
        start = _down(kept.start + max(0, kept.size - side) // 2, self.align)
        return Window(start, min(self.length, start + _up(min(side, kept.size), self.align)))

    def _needed(self, margin: int) -> int:
        """The largest of what the tiles need: what they keep and ``margin``, but nothing beyond the border."""
        kept = [self.kept(i) for i in range(len(self))]
        ends = [(max(0, part.start - margin), min(self.length, part.stop + margin)) for part in kept]
        return max(_up(stop, self.align) - _down(start, self.align) for start, stop in ends)

    def weights(self, i: int, scale: int = 1) -> np.ndarray:
        """Weights (``kept(i).size · scale``,) float32 of what is kept; at every pixel those of all tiles sum to 1."""
        kept = self.kept(i)
        weights = np.ones(kept.size * scale, np.float32)
        width = 2 * self.half * scale
        ramp = (np.arange(width, dtype=np.float32) + np.float32(0.5)) / np.float32(max(width, 1))
        if i and width:
            weights[:width] = ramp
        if i + 1 < len(self) and width:
            weights[-width:] = 1 - ramp
        return weights


#: What 1 is in a `Blender` of 16 bits: four parts of it, each rounded, stay below 65536.
_ONE = 65532
_STRIP = 64  # rows that are added or handed over at a time


class Blender:
    """Adds up weighted tiles and hands over the rows that no later tile touches.

    It holds one row of tiles, whatever the height of the image.

    Args:
        rows: tiles from top to bottom.
        columns: tiles from left to right.
        channels: of the image.
        scale: size of the image relative to the photograph that the axes describe.
        compact: hold values in [0, 1] in 16 bits, half the memory; they are off by at most 3.1e-5, by 7.7e-6 where
            nothing is blended.
    """

    def __init__(self, rows: Axis, columns: Axis, channels: int, scale: int, compact: bool = False) -> None:
        self.rows, self.columns, self.scale = rows, columns, scale
        height = max(rows.kept(i).size for i in range(len(rows)))
        dtype = np.uint16 if compact else np.float32
        self._sum = np.zeros((channels, height * scale, columns.length * scale), dtype)
        self._one = np.float32(_ONE if compact else 1)
        self._column_weights = [columns.weights(j, scale) for j in range(len(columns))]

    def add(self, i: int, j: int, tile: np.ndarray, top: Window, left: Window, first: int = 0) -> None:
        """Add tile (i, j): (C, H, W), computed on rows ``top`` and columns ``left`` of the photograph.

        A tile of fewer channels than the image adds to those from ``first`` on.
        """
        rows, columns, s = self.rows.kept(i), self.columns.kept(j), self.scale
        y, x = rows.start - top.start, columns.start - left.start
        inner = tile[:, y * s : (y + rows.size) * s, x * s : (x + columns.size) * s]
        place = self._sum[first : first + len(tile), : rows.size * s, columns.start * s : columns.stop * s]
        down = self.rows.weights(i, s)[:, None] * self._one
        for start in range(0, rows.size * s, _STRIP):
            strip = slice(start, start + _STRIP)
            weighted = inner[:, strip] * self._column_weights[j]
            weighted *= down[strip]
            place[:, strip] += weighted if place.dtype == np.float32 else np.rint(weighted).astype(place.dtype)

    def finished(self, i: int, at_most: int = _STRIP) -> Iterator[np.ndarray]:
        """After all tiles of row ``i``: its finished rows in parts (C, at most ``at_most``, W), valid until the next.

        Exhaust it before adding tiles of row ``i + 1``.
        """
        kept, s = self.rows.kept(i), self.scale
        ready = ((self.rows.kept(i + 1).start if i + 1 < len(self.rows) else kept.stop) - kept.start) * s
        for start in range(0, ready, at_most):
            part = self._sum[:, start : min(start + at_most, ready)]
            yield part if part.dtype == np.float32 else part * (1 / self._one)
        rest = kept.size * s - ready
        self._sum[:, :rest] = self._sum[:, ready : ready + rest].copy()
        self._sum[:, rest:] = 0

    def carried(self, i: int) -> np.ndarray:
        """After the rows that `finished` gave of row ``i``: what the next row of tiles adds to."""
        kept = self.rows.kept(i)
        stop = self.rows.kept(i + 1).start if i + 1 < len(self.rows) else kept.stop
        return self._sum[:, : (kept.stop - stop) * self.scale].copy()

    def carry(self, carried: np.ndarray) -> None:
        """Begin with what `carried` gave in another blender of these tiles."""
        self._sum[:] = 0
        self._sum[:, : carried.shape[1]] = carried


def spread_over(items: Sequence[Item], count: int) -> list[Item]:
    """At most ``count`` of ``items``, evenly from the first to the last."""
    return [items[k] for k in sorted({round(k) for k in np.linspace(0, len(items) - 1, count)})] if items else []


def _down(value: int, multiple: int) -> int:
    return value // multiple * multiple


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
