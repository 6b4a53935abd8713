"""Reads photographs and crack masks: any common format, EXIF orientation applied, damaged files noticed.

Every file is read once and decoded from memory.  JPEG goes through cv2, which is a third faster than Pillow, but only
if the file ends as a JPEG must: cv2 fills what a truncated one lacks with grey and reports nothing.  Everything else is
decoded by Pillow, except 16-bit colour, which Pillow would cut to 8 bits.
"""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from csbsr.data.errors import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
_FORMATS = "a photograph in JPEG, PNG, BMP or TIFF format"
_ORIENTATION = 274  # EXIF tag
_DAMAGED = (OSError, SyntaxError, ValueError, IndexError, EOFError, struct.error, zlib.error)


def read_image(path: str | Path) -> np.ndarray:
    """A photograph as RGB (H, W, 3): uint8, or float32 in [0, 1] (value / 65535) if its file holds 16 bits.

    Grey becomes three equal channels, palettes are looked up, alpha is dropped, the EXIF orientation is applied.

    Raises:
        DataError: the file is missing, empty, truncated, or no image of a known kind.
    """
    data = _bytes(path)
    if _whole_jpeg(data):
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is not None:
            return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    image = _open(path, data)
    if _sixteen_bit(image):
        return _sixteen(path, data, image)
    if image.mode in ("I", "F"):
        raise _unusual(path, image)
    return np.asarray(_decode(path, image, "RGB"))


def eight_bit(image: np.ndarray) -> np.ndarray:
    """An image of `read_image` as uint8."""
    return image if image.dtype == np.uint8 else np.rint(image * np.float32(255)).clip(0, 255).astype(np.uint8)


@contextlib.contextmanager
def any_size() -> Iterator[None]:
    """Read images of any size inside: without Pillow's limit, a guard against files that unpack to very many pixels.

    For commands whose user names the files.  The limit is the process's, so threads outside are without it too.
    """
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def read_mask(path: str | Path) -> np.ndarray:
    """A crack mask (H, W) uint8 in {0, 1}: 1 where the file holds more than 127 of 255.

    Cutting in the middle undoes JPEG's ripples.  A mask that is white everywhere only warns.

    Raises:
        DataError: the file cannot be read, or its largest value is 1 to 127 of 255, so that no crack would be left.
    """
    data = _bytes(path)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if _whole_jpeg(data) else None
    if image is None:
        opened = _open(path, data)
        if _sixteen_bit(opened):
            image = _sixteen(path, data, opened).max(2) * np.float32(255)
        elif opened.mode in ("I", "F"):
            raise _unusual(path, opened)
        else:
            image = np.asarray(_decode(path, opened, "L"))
    mask = (image > 127).view(np.uint8)
    cracks = cv2.countNonZero(mask)
    if cracks == 0:
        largest = float(image.max())
        if largest > 0:
            raise DataError.about(
                path,
                f"a mask whose largest value is {largest:.3g}",
                "0 for background and 255 for crack",
                "If it holds labels 0 and 1, multiply them by 255; if cracks are grey, raise them above 127.",
            )
    elif cracks == mask.size:
        warnings.warn(f"{path}: every pixel of this mask is crack; is it inverted or empty by mistake?", stacklevel=2)
    return mask


def _bytes(path: str | Path) -> bytes:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError.about(
            path, f"no readable file ({error.strerror})", _FORMATS, "Check the path and your rights to read it."
        ) from error
    if not data:
        raise DataError.about(path, "an empty file", _FORMATS, "Copy it again or remove it.")
    return data


def _whole_jpeg(data: bytes) -> bool:
    """Does the file begin as a JPEG and end with its end mark (zero bytes may follow)?"""
    return data[:3] == b"\xff\xd8\xff" and data[-64:].rstrip(b"\x00").endswith(b"\xff\xd9")


def _open(path: str | Path, data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise DataError.about(path, "no image", _FORMATS, "Convert it or remove it.") from error
    except Image.DecompressionBombError as error:
        raise DataError.about(
            path,
            "more pixels than Pillow opens without being told to",
            f"at most {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels",
            "Cut the image into parts, or read it inside csbsr.data.reading.any_size().",
        ) from error
    except _DAMAGED as error:
        raise _unreadable(path, error) from error


def _decode(path: str | Path, image: Image.Image, mode: str) -> Image.Image:
    try:
        image.load()
        if image.getexif().get(_ORIENTATION, 1) != 1:
            image = ImageOps.exif_transpose(image)
        if mode == "L" and image.mode != "L":
            image = image.convert("RGB")  # drops alpha and looks palettes up
        return image if image.mode == mode else image.convert(mode)
    except _DAMAGED as error:
        raise _unreadable(path, error) from error


def _sixteen_bit(image: Image.Image) -> bool:
    if image.mode.startswith("I;16"):
        return True
    if image.mode == "I" and image.format == "PNG":
        return True  # how Pillow before 11.3 opens a 16-bit grey PNG
    if image.format == "TIFF":
        return image.mode != "F" and max(image.tag_v2.get(258, (8,))) == 16  # 258: bits per sample
    return any("16" in str(tile[3]) for tile in image.tile)  # the raw mode, e.g. "RGB;16B"


def _sixteen(path: str | Path, data: bytes, opened: Image.Image) -> np.ndarray:
    """16-bit image as RGB float32 (H, W, 3) in [0, 1]."""
    try:
        # a TIFF is turned by cv2 and by Pillow themselves while they load it
        orientation = 1 if opened.format == "TIFF" else opened.getexif().get(_ORIENTATION, 1)
        opened.load()  # cv2 does not notice a truncated file, Pillow does
    except _DAMAGED as error:
        raise _unreadable(path, error) from error
    if opened.mode.startswith("I"):
        image = np.asarray(opened)
    else:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        if image is None or image.dtype != np.uint16:
            raise _unusual(path, opened)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, 2)
    elif image.shape[2] >= 3:
        image = image[..., 2::-1]  # BGR or BGRA
    else:
        raise _unusual(path, opened)
    return np.ascontiguousarray(_oriented(image, orientation), dtype=np.float32) / np.float32(65535)


def _oriented(image: np.ndarray, orientation: int) -> np.ndarray:
    """What a camera held with this EXIF orientation saw."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image


def _unreadable(path: str | Path, error: Exception) -> DataError:
    return DataError.about(
        path, f"a damaged or truncated file ({error})", _FORMATS, "Copy it again from its source or remove it."
    )


def _unusual(path: str | Path, image: Image.Image) -> DataError:
    return DataError.about(
        path, f"a {image.format} image of mode {image.mode}", "8 or 16 bits, grey or colour", "Convert it first."
    )
