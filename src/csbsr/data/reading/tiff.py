"""TIFF files that Pillow and cv2 misread: separate planes, signed and floating numbers, many bands, no-data, pages.

tifffile decodes what is stored plainly or deflated.  The other compressions are left to libtiff, through Pillow: each
plane is presented to it as a grey image, which it always reads rightly, by a second directory behind the same data.
"""

from __future__ import annotations

import io
import logging
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from PIL import Image

from csbsr.data.errors import DataError
from csbsr.data.reading.files import DAMAGED, damaged, head_checked, unusual
from csbsr.data.reading.segments import BY_TIFFFILE

#: Photometric interpretations.
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, YCBCR = 0, 1, 2, 6
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_ALPHA = (1, 2)  # ExtraSamples: associated, unassociated
_NODATA = "42113"  # GDAL's tag
_BYTES = (5, 32773, 50000, 34925)  # of LZW, PackBits, Zstandard and LZMA: these know no samples

for _logger in ("tifffile", "PIL.TiffImagePlugin"):  # they log what they then raise
    logging.getLogger(_logger).setLevel(logging.CRITICAL)


class Tiff(NamedTuple):
    """What a TIFF file holds; pixels as they lie in the file, not turned."""

    pixels: np.ndarray | None  #: (H, W, C) with all bands, of the file's own type; None where Pillow is to read it
    grey: bool  #: the first band alone is the picture
    rgb: bool  #: the first three bands are red, green and blue
    alpha: int | None  #: band of the opacity
    opaque: np.ndarray | None  #: (H, W) bool of a mask band
    nodata: float | None  #: value where there is no photograph
    orientation: int  #: 1 to 8; of ``pixels`` (Pillow turns by itself)
    notes: tuple[str, ...]
    compression: str  #: how its pixels are compressed, by name


def is_tiff(data: bytes) -> bool:
    """Does a file begin as a TIFF or a BigTIFF?"""
    return data[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def read_tiff(path: str | Path, data: bytes) -> Tiff:
    """The first full page of a TIFF.

    Raises:
        DataError: it is damaged, or of a kind that nothing here reads.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            pages = [page for page in file.pages[:64] if isinstance(page, tifffile.TiffPage)]
            return _read(path, data, pages, len(file.pages))
    except MemoryError:
        raise
    except (*DAMAGED, RuntimeError, AttributeError) as error:
        if type(error).__name__ == "DataError":
            raise
        raise damaged(path, error) from error


def _read(path: str | Path, data: bytes, pages: list[tifffile.TiffPage], count: int) -> Tiff:
    if not pages:
        raise damaged(path, "no page")
    full = full_pages(path, pages)
    page = full[0]
    if not page.imagewidth or not page.imagelength:
        raise damaged(path, "a page without pixels")
    item_bytes = max(1, int(page.bitspersample) // 8)
    head_checked(path, page.imagewidth, page.imagelength, max(1, int(page.samplesperpixel)), item_bytes)
    check_whole(path, page, len(data))
    notes = []
    if len(full) > 1:
        notes.append(f"holds {count} pages; only the first is read")
    bands, photometric = int(page.samplesperpixel), int(page.photometric)
    told = traits(page)
    eight = page.bitspersample == 8 and int(page.sampleformat) == 1
    codec = int(page.compression) not in (*BY_TIFFFILE, *_BYTES)  # e.g. JPEG, which Pillow has or has not
    plain = page is pages[0] and (_plain(page, bands, photometric, told.alpha) or (codec and eight and bands <= 4))
    pixels = None if plain else _pixels(path, data, page)
    if pixels is not None:
        pixels = dark_below(page, pixels)
    opaque = _mask_band(path, data, page, pages)
    return told._replace(pixels=pixels, opaque=opaque, notes=tuple(notes))


def full_pages(path: str | Path, pages: Sequence[tifffile.TiffPage]) -> list[tifffile.TiffPage]:
    """The pages that are images themselves, neither reduced copies nor masks.

    Raises:
        DataError: there is none.
    """
    full = [page for page in pages if not int(page.subfiletype) & (_REDUCED | _MASK)]
    if not full:
        raise DataError.about(
            path, "only reduced copies of an image (levels of a pyramid)", "the image itself",
            "Give the file that the pyramid belongs to, or one level as a file of its own with gdal_translate.",
        )  # fmt: skip
    return full


def mask_of(page: tifffile.TiffPage, pages: Sequence[tifffile.TiffPage]) -> tifffile.TiffPage | None:
    """The page with GDAL's mask band of ``page``; None without one of its size."""
    for other in pages:
        masks = int(other.subfiletype) & _MASK and not int(other.subfiletype) & _REDUCED
        if masks and (other.imagelength, other.imagewidth) == (page.imagelength, page.imagewidth):
            return other
    return None


def traits(page: tifffile.TiffPage) -> Tiff:
    """What the tags of a page tell of its pixels, without these."""
    bands, photometric = int(page.samplesperpixel), int(page.photometric)
    extra = tuple(int(value) for value in (page.extrasamples or ()))
    alpha = next((bands - len(extra) + i for i, kind in enumerate(extra) if kind in _ALPHA), None)
    rgb = photometric in (RGB, YCBCR) and bands >= 3
    grey = photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO) and (bands == 1 or (bands == 2 and len(extra) == 1))
    tag = page.tags.get(274)
    orientation = int(tag.value) if tag is not None and int(tag.value) in range(1, 9) else 1
    return Tiff(None, grey, rgb, alpha, None, _nodata(page), orientation, (), _compression(page))


def _compression(page: tifffile.TiffPage) -> str:
    return str(getattr(page.compression, "name", page.compression))


def _plain(page: tifffile.TiffPage, bands: int, photometric: int, alpha: int | None) -> bool:
    """Does Pillow read it rightly?"""
    eight = page.bitspersample in (1, 2, 4) or (page.bitspersample == 8 and int(page.sampleformat) == 1)
    most = {0: 1, 1: 2 if alpha == 1 else 1, 2: 4 if alpha == 3 else 3}.get(photometric, 4)
    return eight and bands <= most and not (int(page.planarconfig) == 2 and bands > 1)


def check_whole(path: str | Path, page: tifffile.TiffPage, size: int) -> None:
    """Raise a DataError if a file of so many bytes ends before its pixels: tifffile gives zeros for what is missing."""
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if offset + count > size:
            raise damaged(path, f"its pixels end {offset + count - size} bytes after the file")


def _pixels(path: str | Path, data: bytes, page: tifffile.TiffPage) -> np.ndarray:
    """(H, W, C) of the page's own type."""
    if page.dtype is None:
        raise unusual(path, f"a TIFF of {page.bitspersample} bits packed")
    compression = int(page.compression)
    if compression in BY_TIFFFILE:
        array = page.asarray()
    else:
        array = _by_libtiff(path, data, page)
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind not in "uif":
        raise unusual(path, f"a TIFF of {array.dtype} numbers", "whole or floating numbers")
    height, width, bands = int(page.imagelength), int(page.imagewidth), int(page.samplesperpixel)
    if int(page.planarconfig) == 2 and bands > 1:
        array = np.moveaxis(array.reshape(bands, height, width), 0, 2)
    return array.reshape(height, width, bands)


def _by_libtiff(path: str | Path, data: bytes, page: tifffile.TiffPage) -> np.ndarray:
    """Pixels in the order of the file, each plane decoded by libtiff as a grey image."""
    height, width, bands = int(page.imagelength), int(page.imagewidth), int(page.samplesperpixel)
    separate = int(page.planarconfig) == 2 and bands > 1
    planes, samples = (bands, 1) if separate else (1, bands)
    predictor, kind, compression = int(page.predictor), np.dtype(page.dtype), int(page.compression)
    name = f"a TIFF of {page.bitspersample} bits, compressed by {_compression(page)}"
    if compression not in _BYTES or (kind.itemsize not in (1, 2) and kind != np.float32):
        raise unusual(path, name)
    if data[2:3] not in (b"*", b"\x00") or (predictor not in (1, 2) and samples > 1):
        raise unusual(path, name)
    tile = int(page.tilewidth) if page.is_tiled else width
    across = math.ceil(width / tile)
    offsets, counts = list(page.dataoffsets), list(page.databytecounts)
    each = len(offsets) // planes
    result = []
    for plane in range(planes):
        part = slice(plane * each, (plane + 1) * each)
        fields = {
            256: ("L", [across * tile * samples if page.is_tiled else width * samples]), 257: ("L", [height]),
            258: ("H", [kind.itemsize * 8]), 259: ("H", [compression]), 262: ("H", [1]), 277: ("H", [1]),
            317: ("H", [1 if samples > 1 else predictor]), 339: ("H", [3 if kind == np.float32 else 1]),
        }  # fmt: skip
        if page.is_tiled:
            fields |= {322: ("L", [tile * samples]), 323: ("L", [int(page.tilelength)])}
            fields |= {324: ("L", offsets[part]), 325: ("L", counts[part])}
        else:
            fields |= {278: ("L", [int(page.rowsperstrip)]), 273: ("L", offsets[part]), 279: ("L", counts[part])}
        try:
            with Image.open(io.BytesIO(_with_directory(data, fields))) as image:
                array = np.array(image)
        except DAMAGED as error:
            raise unusual(path, f"{name} ({error})") from error
        if array.dtype.itemsize != kind.itemsize:
            raise unusual(path, name)
        array = array.astype(array.dtype.newbyteorder("=")).reshape(
            height, across, tile if page.is_tiled else width, samples
        )
        if samples > 1 and predictor == 2:
            array = np.cumsum(array, axis=2, dtype=array.dtype)
        array = array.reshape(height, -1, samples)[:, :width]
        result.append(array.view(kind.newbyteorder("=")) if kind.kind == "i" else array)
    return np.stack(result)


def _with_directory(data: bytes, fields: dict[int, tuple[str, list[int]]]) -> bytes:
    """The file with another directory, behind its data."""
    order = "<" if data[:2] == b"II" else ">"
    start = len(data) + len(data) % 2
    after = start + 2 + 12 * len(fields) + 4
    entries, values = [], b""
    for tag, (code, numbers) in sorted(fields.items()):
        packed = struct.pack(f"{order}{len(numbers)}{'H' if code == 'H' else 'I'}", *numbers)
        if len(packed) > 4:
            packed, place = struct.pack(f"{order}I", after + len(values)), packed
            values += place + b"\x00" * (len(place) % 2)
        entries.append(
            struct.pack(f"{order}HHI", tag, 3 if code == "H" else 4, len(numbers)) + packed.ljust(4, b"\x00")
        )
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + b"\x00" * 4
    head = data[:4] + struct.pack(f"{order}I", start)
    return head + data[8:] + b"\x00" * (start - len(data)) + directory + values


def dark_below(page: tifffile.TiffPage, pixels: np.ndarray) -> np.ndarray:
    """Pixels of a page so that large values are bright, also where its white is zero."""
    return np.invert(pixels) if int(page.photometric) == WHITE_IS_ZERO and pixels.dtype.kind == "u" else pixels


def _mask_band(
    path: str | Path, data: bytes, page: tifffile.TiffPage, pages: list[tifffile.TiffPage]
) -> np.ndarray | None:
    """True where GDAL's mask band shows the photograph; None without one of the page's size."""
    mask = mask_of(page, pages)
    if mask is None:
        return None
    try:
        if mask.bitspersample == 1 and int(mask.compression) not in BY_TIFFFILE:
            with Image.open(io.BytesIO(data)) as image:
                image.seek(pages.index(mask))
                return np.array(image.convert("L")) > 0
        return mask.asarray().reshape(page.imagelength, page.imagewidth) > 0
    except DAMAGED as error:
        raise unusual(path, f"a TIFF whose mask band cannot be read ({error})") from error


def _nodata(page: tifffile.TiffPage) -> float | None:
    tag = page.tags.get(int(_NODATA))
    if tag is None:
        return None
    try:
        return float(str(tag.value).strip("\x00 "))
    except ValueError:
        return None
