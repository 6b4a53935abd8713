"""Images larger than memory: a TIFF read a few rows at a time, after a first look at all of it.

reader = RowReader(path)
reader.look()                          # decodes everything once: mean, deviation, white, what is damaged
image, valid = reader.rows(0, 256)     # (256, W, 3), (256, W)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import tifffile

from csbsr.data.errors import DataError
from csbsr.data.limits import decoded_bytes
from csbsr.data.reading.files import DAMAGED, damaged
from csbsr.data.reading.geo import is_placed
from csbsr.data.reading.photographs import as_unit, chosen, filled, read_photograph, shown, white_of
from csbsr.data.reading.pixels import Decoded, arranged
from csbsr.data.reading.segments import Box, needs_gdal, segment_size, segments_of
from csbsr.data.reading.tiff import (
    BLACK_IS_ZERO,
    RGB,
    WHITE_IS_ZERO,
    YCBCR,
    dark_below,
    full_pages,
    mask_of,
    traits,
)
from csbsr.data.regular import check_regular

_STRIP = 256  # rows of the first look at a time, at least
_COLOURS = (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)  # that are read by rows
_JPEG = 7  # the compression, whose colours GDAL turns into RGB
_LARGEST_SEGMENT = 256 << 20  # bytes of one tile or strip that is decoded whole


@dataclass(frozen=True)
class Looked:
    """What a first look at all of an image tells; no-data left out.

    Attributes:
        mean: (3,) of each channel, of values in [0, 1].
        variance: about these means, over all channels.
        share: of the pixels that hold data.
        broken: parts that could not be decoded.
        notes: what was assumed of the file, for the person who gave it.
    """

    mean: np.ndarray
    variance: float
    share: float
    broken: tuple[Box, ...]
    notes: tuple[str, ...]


class Head(NamedTuple):
    """What the head of a TIFF tells of reading it."""

    pixels: int
    columns: int
    decoded: int  #: bytes that reading all of it at once takes, about
    placed: bool  #: it is georeferenced
    whole_because: str | None  #: why it cannot be read by rows; None if it can


class RowReader:
    """A TIFF, read by rows.

    Args:
        path: of the file.
        bands: as for `csbsr.data.reading.read_photograph`.
        bits: as there.

    Attributes:
        shape: h, w.

    Raises:
        DataError: the file is damaged, or of a kind that cannot be read by rows.
    """

    def __init__(self, path: str | Path, bands: Sequence[int] | None = None, bits: int | None = None) -> None:
        check_regular(path)
        self.path, self._bands, self._bits = Path(path), bands, bits
        try:
            self._file = tifffile.TiffFile(path)
        except DAMAGED as error:
            raise damaged(path, error) from error
        try:
            page, mask = _pages(path, self._file)
            self.shape = int(page.imagelength), int(page.imagewidth)
            self._page, self._traits = page, traits(page)
            self._segments = segments_of(path, self._file, page)
            self._mask = None if mask is None else segments_of(path, self._file, mask, mask=True)
        except Exception:
            self._file.close()
            raise
        self._looked: Looked | None = None
        self._white = 255.0
        self._notes: tuple[str, ...] = ()

    def __enter__(self) -> RowReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def rows(self, start: int, stop: int, columns: slice | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rows ``start`` to ``stop`` (excluded), of all columns or of some that follow each other.

        Returns:
            (n, w, 3) uint8, or float32 in [0, 1] if the file holds more than 8 bits; and (n, w) bool, where there is
            a photograph: not where the file says so, leaves a tile out, or is damaged.
        """
        pixels, valid = self._stored(start, stop, columns)
        if pixels.dtype != np.uint8 or self._bits not in (None, 8):
            self.look()  # tells what is white
            pixels = as_unit(pixels, self._white)
        return (np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels), valid

    def strips(self) -> Iterator[tuple[int, int]]:
        """First and last row (excluded) of strips that decode each tile once."""
        side = self._segments.side[0]
        rows = side * math.ceil(_STRIP / side)
        for start in range(0, self.shape[0], rows):
            yield start, min(start + rows, self.shape[0])

    def look(self) -> Looked:
        """Decode everything once; remembered.

        Raises:
            DataError: nothing of it holds data, or its values cannot be told to be those of a photograph.
        """
        if self._looked is None:
            self._looked = self._look()
        return self._looked

    def _look(self) -> Looked:
        count, sums, squares = 0, np.zeros(3), np.zeros(3)
        smallest, largest = 0.0, 0.0
        notes: list[str] = []
        dtype = self._segments.dtype
        for start, stop in self.strips():
            pixels, valid = self._stored(start, stop)
            seen = pixels[valid].astype(np.float64)
            if len(seen):
                count += len(seen)
                sums += seen.sum(0)
                squares += np.square(seen).sum(0)
                smallest, largest = min(smallest, float(seen.min())), max(largest, float(seen.max()))
        if not count:
            raise DataError.about(
                self.path, "no pixel that holds data" + (", and damaged tiles" if self._segments.broken else ""),
                "a photograph", "If its alpha channel or no-data value means nothing, save it without; else remove it.",
            )  # fmt: skip
        own = None if dtype.itemsize > 1 or dtype.kind != "u" else 255.0
        self._white = white_of(self.path, dtype, (smallest, largest), own, self._bits, notes)
        mean = sums / count
        variance = float(np.maximum(squares / count - mean**2, 0).mean()) / self._white**2
        broken = tuple(sorted(self._segments.broken))
        share = count / (self.shape[0] * self.shape[1])
        return Looked(mean / self._white, variance, share, broken, (*self._notes, *notes))

    def _stored(self, start: int, stop: int, columns: slice | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(n, w, 1 or 3) of the file's own type, and (n, w) bool."""
        chosen_columns = columns or slice(0, self.shape[1])
        stored, present = self._segments.rows(start, stop, chosen_columns)
        if self._mask is not None:
            opaque, there = self._mask.rows(start, stop, chosen_columns)
            present &= (opaque[..., 0] > 0) & there
        found: Decoded = arranged(self._traits._replace(opaque=present), dark_below(self._page, stored))
        self._notes = found.notes
        valid = shown(found)
        return chosen(self.path, found, self._bands), present if valid is None else valid


def sample_of(path: str | Path, side: int) -> np.ndarray:
    """A part (n, m, 3) of a photograph, sides at most ``side``, uint8 or float32 in [0, 1].

    Of a TIFF that can be read by rows it is from the middle, where there are no transparent corners; no more is read.

    Raises:
        DataError: it cannot be read.
    """
    if not can_be_read_by_rows(path):
        return read_photograph(path).image[:side, :side]
    with RowReader(path) as reader:
        top, left = (max(0, (length - side) // 2) for length in reader.shape)
        columns = slice(left, min(left + side, reader.shape[1]))
        return filled(*reader.rows(top, min(top + side, reader.shape[0]), columns))


def can_be_read_by_rows(path: str | Path) -> bool:
    """Is it a TIFF, upright, in pieces that can be decoded one by one?  A damaged one is none."""
    head = head_by_rows(path)
    return head is not None and head.whole_because is None


def head_by_rows(path: str | Path) -> Head | None:
    """What the head of a TIFF tells; None of other files and of damaged ones: the usual reading says what is wrong."""
    try:
        check_regular(path)
        with tifffile.TiffFile(path) as file:
            page, mask = _pages(path, file)
            height, width = int(page.imagelength), int(page.imagewidth)
            bands, item_bytes = max(1, int(page.samplesperpixel)), max(1, int(page.bitspersample) // 8)
            decoded = decoded_bytes(width, height, bands, item_bytes)
            return Head(height * width, width, decoded, is_placed(page), _whole_because(page, mask))
    except Exception:  # whatever a damaged file makes tifffile raise
        return None


def _whole_because(page: tifffile.TiffPage, mask: tifffile.TiffPage | None) -> str | None:
    height, width = segment_size(page)
    bits = int(page.bitspersample) * (int(page.samplesperpixel) if int(page.planarconfig) == 1 else 1)
    for other in (page, mask):
        if other is not None and (name := needs_gdal(other)) is not None:
            return f"compressed by {name}, which windows read with pip install 'csbsr[geo]'"
    jpeg = int(page.photometric) == YCBCR and int(page.compression) == _JPEG
    if int(page.photometric) not in _COLOURS and not jpeg:
        return f"its colours are stored as {getattr(page.photometric, 'name', page.photometric)}; save it as RGB"
    if traits(page).orientation != 1:
        return "its orientation turns it; save it upright"
    if bits < 8:
        return f"{bits} bits to a pixel; save it with 8"
    if height * width * bits // 8 > _LARGEST_SEGMENT:
        return f"one of its tiles or strips alone has {height * width / 1e6:.3g} megapixels; save it in tiles"
    return None


def _pages(path: str | Path, file: tifffile.TiffFile) -> tuple[tifffile.TiffPage, tifffile.TiffPage | None]:
    """The page of the image, and its mask."""
    pages = [page for page in file.pages[:64] if isinstance(page, tifffile.TiffPage)]
    page = full_pages(path, pages)[0]
    return page, mask_of(page, pages)
