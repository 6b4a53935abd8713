"""A PNG file written row by row, so that an image need not fit into memory."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from types import TracebackType

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR = {1: 0, 3: 2}  # PNG's colour type for grey and RGB
_UP = 2  # PNG's filter that subtracts the byte above
_CHUNK = 1 << 20
_LARGEST = 2**31 - 1


class PngWriter:
    """Writes a grey or RGB image of 8 or 16 bits from top to bottom.

    Args:
        path: of the file; it is complete once the writer is closed after the last row.
        height: number of rows.
        width: of a row.
        channels: 1 (grey) or 3 (RGB).
        bits: 8 or 16.
        level: effort of the compression, 0 to 9; the filter matters more.

    Raises:
        ValueError: other channels or bits, or a side that PNG cannot hold.
    """

    def __init__(self, path: Path, height: int, width: int, channels: int = 1, bits: int = 8, level: int = 2) -> None:
        if channels not in _COLOUR or bits not in (8, 16):
            raise ValueError(f"channels and bits: expected 1 or 3 and 8 or 16, got {channels} and {bits}")
        if not (0 < height <= _LARGEST and 0 < width <= _LARGEST):
            raise ValueError(f"height and width: expected 1 to {_LARGEST}, got {height} and {width}")
        self.height, self.width, self.channels, self.bits = height, width, channels, bits
        self._written = 0
        self._above = np.zeros(width * channels * bits // 8, np.uint8)
        self._compress = zlib.compressobj(level)
        self._buffer = bytearray()
        self._file = path.open("wb")
        self._file.write(_SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, _COLOUR[channels], 0, 0, 0))

    def __enter__(self) -> PngWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()

    def write(self, rows: np.ndarray) -> None:
        """Add rows (n, W) or (n, W, 3) of uint8 or uint16.

        Raises:
            ValueError: another shape or type than the file's, or more rows than it has.
        """
        shape = (len(rows), self.width) if self.channels == 1 else (len(rows), self.width, self.channels)
        if rows.shape != shape or rows.dtype != np.dtype(f"uint{self.bits}"):
            raise ValueError(f"rows: expected {shape} of uint{self.bits}, got {rows.shape} of {rows.dtype}")
        if self._written + len(rows) > self.height:
            raise ValueError(f"rows: expected {self.height} in all, got {self._written + len(rows)}")
        if not len(rows):
            return
        lines = np.ascontiguousarray(rows, f">u{self.bits // 8}").view(np.uint8).reshape(len(rows), -1)
        filtered = np.empty((len(lines), lines.shape[1] + 1), np.uint8)
        filtered[:, 0] = _UP
        np.subtract(lines[0], self._above, out=filtered[0, 1:])
        np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
        self._above = lines[-1].copy()
        self._written += len(rows)
        self._buffer += self._compress.compress(filtered.data)
        self._flush(_CHUNK)

    def close(self) -> None:
        """Finish the file.

        Raises:
            ValueError: rows are missing.
        """
        if self._written != self.height:
            self.abandon()
            raise ValueError(f"rows: expected {self.height}, got {self._written}")
        self._buffer += self._compress.flush()
        self._flush(1)
        self._chunk(b"IEND", b"")
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is, unfinished."""
        self._file.close()

    def _flush(self, at_least: int) -> None:
        if len(self._buffer) >= at_least:
            self._chunk(b"IDAT", bytes(self._buffer))
            self._buffer.clear()

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self._file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
