"""Some rows of a TIFF's pixels at a time, as they are stored: its tiles or strips that cover them, the damaged told."""

from __future__ import annotations

import importlib.util
import math
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile

from csbsr.data.errors import DataError
from csbsr.data.reading.files import DAMAGED

#: Compressions that tifffile decodes alone: none, deflate (twice), LZMA.
BY_TIFFFILE = (1, 8, 32946, 34925)


class Box(NamedTuple):
    """A part of an image, in its pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.height * self.width


class Segments:
    """The tiles or strips of one page.

    Args:
        file: that holds it, open.
        page: with the pixels.

    Attributes:
        size: height and width of the page.
        bands: of its pixels.
        dtype: of their values.
        side: height and width of its tiles or strips.
        broken: parts that could not be decoded so far.
    """

    def __init__(self, file: tifffile.TiffFile, page: tifffile.TiffPage) -> None:
        self._file, self._page = file, page
        self.size = int(page.imagelength), int(page.imagewidth)
        self.bands = int(page.samplesperpixel)
        self.dtype = np.dtype(page.dtype if page.dtype is not None else np.uint8).newbyteorder("=")
        self._planes = self.bands if int(page.planarconfig) == 2 else 1
        self.side = segment_size(page)
        self._grid = math.ceil(self.size[0] / self.side[0]), math.ceil(self.size[1] / self.side[1])
        self.broken: set[Box] = set()

    def rows(self, start: int, stop: int, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Rows ``start`` to ``stop`` (excluded) of some columns: (n, w, bands); (n, w) bool: where the file has any."""
        pixels = np.zeros((stop - start, columns.stop - columns.start, self.bands), self.dtype)
        present = np.ones(pixels.shape[:2], bool)
        each = self.bands // self._planes
        for row in range(start // self.side[0], -(-stop // self.side[0])):
            for column in range(columns.start // self.side[1], -(-columns.stop // self.side[1])):
                box = self._box(row, column)
                first, last = max(start, box.top), min(stop, box.top + box.height)
                left, right = max(columns.start, box.left), min(columns.stop, box.left + box.width)
                place = slice(first - start, last - start), slice(left - columns.start, right - columns.start)
                for plane in range(self._planes):
                    found = self._decoded(box, (plane * self._grid[0] + row) * self._grid[1] + column)
                    if found is None:
                        present[place] = False
                    else:
                        part = found[first - box.top : last - box.top, left - box.left : right - box.left]
                        pixels[place[0], place[1], plane * each : (plane + 1) * each] = part
        return pixels, present

    def _box(self, row: int, column: int) -> Box:
        (height, width), (down, across) = self.size, self.side
        top, left = row * down, column * across
        return Box(top, left, min(down, height - top), min(across, width - left))

    def _decoded(self, box: Box, index: int) -> np.ndarray | None:
        """(h, w, bands of the plane); None of a segment that the file leaves out, or that is damaged."""
        try:
            offset, count = self._page.dataoffsets[index], self._page.databytecounts[index]
            if not count:  # sparse: GDAL writes no tile where there is no data
                return None
            handle = self._file.filehandle
            handle.seek(offset)
            data = handle.read(count)
            if len(data) != count:
                raise ValueError("the file ends before it")
            decoded = self._page.decode(data, index)[0]
            if decoded is None:
                return None
            found = np.asarray(decoded)[0]
            if found.shape[0] < box.height or found.shape[1] < box.width:
                raise ValueError("it holds too few pixels")
            return found
        except (*DAMAGED, RuntimeError):
            self.broken.add(box)
            return None


class SegmentsByGdal:
    """As `Segments`, of a file that rasterio reads (``csbsr[geo]``): any compression.

    Args:
        path: of the file.
        mask: give its mask band instead of its pixels.
    """

    def __init__(self, path: str | Path, mask: bool = False) -> None:
        import rasterio

        with warnings.catch_warnings():  # where an image lies is read elsewhere
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            self._dataset = rasterio.open(path)
        self._mask = mask
        self.size = self._dataset.height, self._dataset.width
        self.bands = 1 if mask else self._dataset.count
        self.dtype = np.dtype(np.uint8 if mask else self._dataset.dtypes[0])
        self.side = self._dataset.block_shapes[0]
        self.broken: set[Box] = set()

    def rows(self, start: int, stop: int, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """See `Segments.rows`."""
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        pixels = np.zeros((stop - start, columns.stop - columns.start, self.bands), self.dtype)
        present = np.ones(pixels.shape[:2], bool)
        (down, across), (height, width) = self.side, self.size
        for top in range(start // down * down, stop, down):
            first, last = max(top, start), min(top + down, stop)
            for edge in range(columns.start // across * across, columns.stop, across):
                left, right = max(edge, columns.start), min(edge + across, columns.stop)
                window = Window(left, first, right - left, last - first)
                place = slice(first - start, last - start), slice(left - columns.start, right - columns.start)
                try:
                    found = self._dataset.dataset_mask(window=window)[None] if self._mask else self._read(window)
                    pixels[place] = found.transpose(1, 2, 0)
                except (RasterioError, *DAMAGED):
                    present[place] = False
                    self.broken.add(Box(top, edge, min(down, height - top), min(across, width - edge)))
        return pixels, present

    def _read(self, window: object) -> np.ndarray:
        return np.asarray(self._dataset.read(window=window))


def segments_of(
    path: str | Path, file: tifffile.TiffFile, page: tifffile.TiffPage, mask: bool = False
) -> Segments | SegmentsByGdal:
    """A reader of a page's segments; with ``mask`` the page is the mask of the image.

    Raises:
        DataError: of a compression that only GDAL reads, which is not installed.
    """
    if _by_tifffile(page):
        return Segments(file, page)
    if (name := needs_gdal(page)) is not None:
        raise DataError.about(
            path,
            f"a large TIFF compressed by {name}",
            "one that is stored plainly, deflated or by LZMA",
            "pip install 'csbsr[geo]', or convert it, e.g. with gdal_translate -co COMPRESS=DEFLATE -co TILED=YES.",
        )
    return SegmentsByGdal(path, mask)


def needs_gdal(page: tifffile.TiffPage) -> str | None:
    """The compression of a page that only GDAL reads, where rasterio is not installed; None of other pages."""
    if _by_tifffile(page) or importlib.util.find_spec("rasterio") is not None:
        return None
    return str(getattr(page.compression, "name", page.compression))


def _by_tifffile(page: tifffile.TiffPage) -> bool:
    return int(page.compression) in BY_TIFFFILE and page.dtype is not None


def segment_size(page: tifffile.TiffPage) -> tuple[int, int]:
    """Height and width of a page's tiles or strips."""
    if page.is_tiled:
        return int(page.tilelength), int(page.tilewidth)
    return min(int(page.rowsperstrip), int(page.imagelength)), int(page.imagewidth)
