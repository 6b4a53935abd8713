"""A large image kept by rows: in memory while it is small, in a temporary file beyond; and shrinking one by rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import DTypeLike

#: Largest image kept in memory, in bytes.
IN_MEMORY = 32 << 20
#: White of an image kept in 16 bits, and of a probability: the mask follows from the rounded one, so both files agree.
LEVELS = 65535
#: Level of a probability, and of a mask, that stands for no data.  As a probability it is none to speak of, so that
#: readers that know nothing of no-data see no crack; a level of 1 that was computed becomes 0.
NO_DATA = 1


class RowStore:
    """An image (C, H, W) in [0, 1], written once from top to bottom and read by bands of rows.

    It is kept in 16 bits, which rounds by at most 7.6e-6.  The file has no name on systems that allow it, so nothing
    stays behind if the program is killed.

    Args:
        channels: C.
        width: W.
        folder: where the file is made if one is needed; None for the system's folder for temporary files.
    """

    def __init__(self, channels: int, width: int, folder: Path | None = None) -> None:
        self.channels, self.width = channels, width
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=None if folder is None else str(folder))  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> RowStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, rows: np.ndarray) -> None:
        """Add rows (C, n, W) at the bottom; values outside [0, 1] are clipped."""
        self._file.write(np.ascontiguousarray(as_levels(rows).transpose(1, 0, 2)).data)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows ``start`` to ``stop`` (excluded) as (n, C, W) uint16; see `as_float`."""
        line = self.channels * self.width * 2
        position = self._file.tell()
        self._file.seek(start * line)
        data = self._file.read((stop - start) * line)
        self._file.seek(position)
        return np.frombuffer(data, np.uint16).reshape(stop - start, self.channels, self.width)


def as_levels(values: np.ndarray) -> np.ndarray:
    """Values clipped to [0, 1] as uint16, 1 being `LEVELS`."""
    return np.rint(values.clip(0, 1) * np.float32(LEVELS)).astype(np.uint16)


def as_float(levels: np.ndarray) -> np.ndarray:
    """What `RowStore.read` returned, (n, C, W), as float32 (C, n, W) in [0, 1]."""
    return levels.transpose(1, 0, 2).astype(np.float32) * np.float32(1 / LEVELS)


def magnified(valid: np.ndarray, row: int, number: int, s: int) -> np.ndarray:
    """(number, s·w) bool: the rows from ``row`` on of what is ``s`` times as large as ``valid`` (h, w)."""
    part = valid[row // s : -(-(row + number) // s)].repeat(s, 0).repeat(s, 1)
    return part[row % s : row % s + number]


class Statistics:
    """Mean and variance of each channel of an image that arrives by rows, in double precision."""

    def __init__(self, channels: int) -> None:
        self._count = 0
        self._sums = np.zeros((2, channels))

    def add(self, rows: np.ndarray) -> None:
        """Take in rows (C, n, W) with values around [0, 1]."""
        centred = rows - np.float32(0.5)  # keeps the two sums of like size, so their difference keeps its digits
        self._count += rows[0].size
        self._sums[0] += centred.sum((1, 2), dtype=np.float64)
        self._sums[1] += np.square(centred).sum((1, 2), dtype=np.float64)

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Means and (biased) variances, (C,) each."""
        mean, square = self._sums / self._count
        return mean + 0.5, np.maximum(square - mean**2, 0)


class Shrinker:
    """Shrinks an image that arrives by rows by a whole factor: each pixel of the result stands for a square.

    Args:
        height: of the image.
        width: of the image.
        factor: side of the squares; those at the right and bottom may be cut off by the border.
        largest: take the maximum of a square instead of its mean.
        dtype: of the result; None for float32, or with ``largest`` for that of the rows.
    """

    def __init__(
        self, height: int, width: int, factor: int, largest: bool = False, dtype: DTypeLike | None = None
    ) -> None:
        self.height, self.factor = height, factor
        self._reduce = np.maximum.reduceat if largest else np.add.reduceat
        self._largest, self._dtype = largest, dtype
        self._columns = np.arange(0, width, factor)
        self._column_sizes = np.diff(np.append(self._columns, width)).astype(np.float32)
        self._pending: list[np.ndarray] = []
        self._done, self._waiting = 0, 0
        self._values = np.empty((0, 0), dtype)

    def add(self, rows: np.ndarray) -> None:
        """Take in rows (n, W) or (n, W, C)."""
        if not self._done + self._waiting:
            self._values = self._room(rows)
        if self.factor == 1:
            self._values[self._done : self._done + len(rows)] = rows
            self._done += len(rows)
            return
        while len(rows):
            missing = min(self.factor, self.height - self._done) - self._waiting
            part, rows = rows[:missing], rows[missing:]
            line = part.max(0) if self._largest else part.sum(0, dtype=np.float32)  # whole rows first: fast
            self._pending.append(self._reduce(line, self._columns, axis=0))
            self._waiting += len(part)
            if len(part) == missing:
                self._values[self._done // self.factor] = self._line()
                self._done += self._waiting
                self._pending, self._waiting = [], 0

    def _room(self, rows: np.ndarray) -> np.ndarray:
        shape = (-(-self.height // self.factor), len(self._columns), *rows.shape[2:])
        return np.empty(shape, self._dtype or (rows.dtype if self._largest else np.float32))

    def _line(self) -> np.ndarray:
        if self._largest:
            return np.max(self._pending, 0)
        sizes = self._column_sizes.reshape(-1, *[1] * (self._pending[0].ndim - 1))
        return np.sum(self._pending, 0) / (sizes * self._waiting)

    def result(self) -> np.ndarray:
        """The shrunken image, (⌈H/factor⌉, ⌈W/factor⌉) or with channels last, after the last row."""
        return self._values
