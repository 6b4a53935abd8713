"""The pixels of an image file as it holds them: bands, alpha, no-data and what white is, turned upright.

`csbsr.data.reading.photographs` makes RGB of them, `csbsr.data.masks` labels.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from csbsr.data.errors import DataError
from csbsr.data.reading.files import DAMAGED, EXPECTED, any_size, contents, damaged, head_checked, unusual
from csbsr.data.reading.formats import is_heif, named, unreadable
from csbsr.data.reading.jpeg import is_jpeg, orientation_of, read_jpeg
from csbsr.data.reading.tiff import Tiff, is_tiff, read_tiff

_ORIENTATION = 274  # EXIF tag
_COMMON = ("NONE", "LZW", "ADOBE_DEFLATE", "DEFLATE", "PACKBITS", "JPEG")  # compressions that Pillow always has
_OPACITY = ("RGBA", "LA", "PA", "RGBa")


class Decoded(NamedTuple):
    """An image file's pixels, turned upright."""

    pixels: np.ndarray  #: (H, W, C) of the file's own type
    kind: str  #: "grey" (C = 1), "rgb" (C = 3) or "bands" (any other C, what they are is not known)
    alpha: np.ndarray | None  #: (H, W), opacity, of the file's own type
    valid: np.ndarray | None  #: (H, W) bool, False where the file says that there is no data; None: everywhere
    white: float | None  #: the largest value of the file's format; None where the values themselves must tell
    lossy: bool  #: JPEG and the like, which ripple
    labels: np.ndarray | None  #: (H, W) uint8, indices of a colour palette
    notes: tuple[str, ...]  #: what a person should know of the file


def decode(path: str | Path, grey: bool = False) -> Decoded:
    """Everything a file holds of an image.

    Args:
        path: of the file.
        grey: colours are not needed: those of a JPEG are dropped while it is decoded.

    Raises:
        DataError: the file is missing, empty, damaged, or of a kind that is not read; says what it is and how to
            convert it.
    """
    data = contents(path)
    if (how := unreadable(path)) and not is_jpeg(data):  # a raw file may open as its preview
        raise DataError.about(path, "a photograph in a format that cannot be read", EXPECTED, f"It is {how}.")
    with any_size():
        try:
            return _decoded(path, data, grey)
        except (DataError, MemoryError):
            raise
        except Exception as error:  # decoders raise all kinds of errors on what they cannot read
            raise damaged(path, error or type(error).__name__) from error


def _decoded(path: str | Path, data: bytes, grey: bool) -> Decoded:
    if is_jpeg(data):
        pixels = _oriented(read_jpeg(path, data, grey), orientation_of(data))
        return _simple(pixels, lossy=True)
    if is_heif(data):
        return _heic(path, data)
    if is_tiff(data):
        return _tiff(path, data)
    return _by_pillow(path, data)


def _simple(
    pixels: np.ndarray,
    alpha: np.ndarray | None = None,
    lossy: bool = False,
    labels: np.ndarray | None = None,
    notes: tuple[str, ...] = (),
) -> Decoded:
    """A picture of one or three bands and whole numbers."""
    white = float(np.iinfo(pixels.dtype).max)
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    kind = "grey" if pixels.shape[2] == 1 else "rgb"
    return Decoded(pixels, kind, alpha, None, white, lossy, labels, notes)


def _by_pillow(path: str | Path, data: bytes) -> Decoded:
    image = _open(path, data)
    head_checked(path, *image.size, len(image.getbands()), 2 if "16" in image.mode else 1)
    notes = _frames(image)
    try:
        if _sixteen_bit(image):
            return _sixteen(path, data, image, notes)
        if image.mode in ("I", "F"):
            raise unusual(path, f"a {image.format} image of mode {image.mode}")
        image.load()
        if image.getexif().get(_ORIENTATION, 1) != 1:
            image = ImageOps.exif_transpose(image)
        if image.mode == "La":  # Pillow converts it to no other mode
            image = image.convert("LA")
        labels = np.asarray(image) if image.mode == "P" else None
        alpha = None
        if image.mode in _OPACITY or "transparency" in image.info:
            alpha = np.asarray(image.convert("RGBA"))[..., 3]
        lossy = image.format in ("WEBP", "AVIF", "JPEG2000", "MPO")
        grey = image.mode in ("1", "L", "LA")
        pixels = np.asarray(image.convert("RGB" if image.mode == "LA" else "L") if grey else image.convert("RGB"))
        pixels = pixels[..., 0] if grey and pixels.ndim == 3 else pixels
        return _simple(pixels, alpha=alpha, lossy=lossy, labels=labels, notes=notes)
    except DataError:
        raise
    except DAMAGED as error:
        raise damaged(path, error) from error


def _open(path: str | Path, data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        if what := named(data):
            way = "Convert it to PNG or TIFF, or remove it."
            raise DataError.about(path, f"{what} that cannot be read", EXPECTED, way) from error
        raise DataError.about(path, "no image", EXPECTED, "Convert it or remove it.") from error
    except DAMAGED as error:
        raise damaged(path, error) from error


def _frames(image: Image.Image) -> tuple[str, ...]:
    if image.format == "TIFF":  # counted where its directories are read
        return ()
    count = getattr(image, "n_frames", 1)
    return (f"holds {count} pictures; only the first is read",) if count > 1 and image.format != "MPO" else ()


def _sixteen_bit(image: Image.Image) -> bool:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return True  # the second is how Pillow before 11.3 opens a 16-bit grey PNG
    tiles = [tile[3] for tile in getattr(image, "tile", ())]  # the raw mode is there, alone or first, e.g. "RGB;16B"
    return any("16" in str(args[0] if isinstance(args, tuple) and args else args) for args in tiles)


def _sixteen(path: str | Path, data: bytes, opened: Image.Image, notes: tuple[str, ...]) -> Decoded:
    """16-bit grey by Pillow, colour by cv2: Pillow would cut it to 8 bits."""
    orientation = opened.getexif().get(_ORIENTATION, 1)
    opened.load()  # cv2 does not notice a truncated file, Pillow does
    if opened.mode.startswith("I"):
        image: np.ndarray = np.asarray(opened).astype(np.uint16)
    else:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        if found is None or found.dtype != np.uint16:
            raise unusual(path, f"a {opened.format} image of mode {opened.mode}")
        image = found
    image = np.ascontiguousarray(_oriented(image, orientation))
    alpha = None
    if image.ndim == 3:
        if image.shape[2] in (2, 4):
            alpha = image[..., -1]
        image = image[..., 2::-1] if image.shape[2] >= 3 else image[..., 0]
    return _simple(image, alpha=alpha, notes=notes)._replace(white=None)


def _tiff(path: str | Path, data: bytes) -> Decoded:
    tiff = read_tiff(path, data)
    if tiff.pixels is None:
        try:
            found = _by_pillow(path, data)
        except DataError:
            if tiff.compression in _COMMON:
                raise
            raise unusual(path, f"a TIFF compressed by {tiff.compression}") from None
        opaque = _oriented(tiff.opaque, tiff.orientation) if tiff.opaque is not None else None
        found = found._replace(valid=opaque, notes=tiff.notes, alpha=found.alpha if tiff.alpha is not None else None)
        return _without_nodata(found, tiff.nodata)
    return arranged(tiff, tiff.pixels)


def arranged(tiff: Tiff, stored: np.ndarray) -> Decoded:
    """What pixels (H, W, C) ``stored`` in a TIFF mean."""
    return _without_nodata(_banded(tiff, stored), tiff.nodata)


def _banded(tiff: Tiff, stored: np.ndarray) -> Decoded:
    """What tifffile read."""
    pixels = _oriented(stored, tiff.orientation)
    opaque = None if tiff.opaque is None else _oriented(tiff.opaque, tiff.orientation)
    alpha = None if tiff.alpha is None else pixels[..., tiff.alpha]
    kind, notes = "bands", tiff.notes
    others = [band for band in range(pixels.shape[2]) if band != tiff.alpha]
    if tiff.grey:
        kind, pixels = "grey", pixels[..., :1]
    elif tiff.rgb or (len(others) in (3, 4)):
        if not tiff.rgb:
            notes = (*notes, "its first three bands are taken as red, green and blue")
        if len(others) > 3:
            notes = (*notes, f"holds {len(others)} bands; the first three are read (bands= chooses others)")
        kind = "rgb"
    if pixels.dtype.kind == "f":
        finite = np.isfinite(pixels).all(2)
        if not finite.all():
            opaque = finite if opaque is None else opaque & finite
    return Decoded(np.ascontiguousarray(pixels), kind, alpha, opaque, None, False, None, notes)


def _without_nodata(found: Decoded, nodata: float | None) -> Decoded:
    """Pixels whose bands all have the value for no-data are none."""
    if nodata is None:
        return found
    colours = found.pixels if found.kind != "rgb" else found.pixels[..., :3]
    same = np.isnan(colours).all(2) if np.isnan(nodata) else (colours == nodata).all(2)
    if not same.any():
        return found
    return found._replace(valid=~same if found.valid is None else found.valid & ~same)


def _heic(path: str | Path, data: bytes) -> Decoded:
    try:
        import pi_heif
    except ImportError:
        raise DataError.about(
            path,
            "HEIC that cannot be read here",
            EXPECTED,
            "pip install 'csbsr[heic]', or convert it to JPEG or PNG, e.g. with heif-convert or ImageMagick.",
        ) from None
    try:
        image = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
        head_checked(path, *image.size)
        pixels = np.array(image)  # a copy: its memory goes with it
    except DataError:
        raise
    except (*DAMAGED, RuntimeError) as error:
        raise DataError.about(
            path,
            f"HEIC that cannot be decoded ({error})",
            EXPECTED,
            "Copy it again from its source, or convert it to JPEG or PNG, e.g. with heif-convert or ImageMagick.",
        ) from error
    alpha = pixels[..., 3] if pixels.ndim == 3 and pixels.shape[2] == 4 else None
    return _simple(pixels if pixels.ndim == 2 else pixels[..., :3], alpha=alpha, lossy=True)


def _oriented(image: np.ndarray, orientation: int) -> np.ndarray:
    """What a camera held with this EXIF orientation saw."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
