"""Photographs as RGB with a map of where there is a photograph, and masks cut in the middle."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from csbsr.data.errors import DataError
from csbsr.data.reading.files import unusual
from csbsr.data.reading.pixels import Decoded, decode

_WHITES = (255, 4095, 65535)  # of 8, 12 and 16 bits


class Photograph(NamedTuple):
    """A photograph from a file."""

    image: np.ndarray  #: RGB (H, W, 3): uint8, or float32 in [0, 1] if its file holds more than 8 bits
    valid: np.ndarray | None  #: (H, W) bool: where there is a photograph; None for everywhere
    notes: tuple[str, ...]  #: what was assumed of the file, for the person who gave it


def read_photograph(path: str | Path, bands: Sequence[int] | None = None, bits: int | None = None) -> Photograph:
    """A photograph, and where its file holds one.

    Grey becomes three equal channels, palettes are looked up, the EXIF orientation is applied.  There is no photograph
    where the opacity is below half, the no-data value of GDAL stands in all bands, a mask band says so, or a number is
    not finite.

    Args:
        path: of the file.
        bands: the three (or the one) to read, counted from 1 as GDAL does; None for red, green and blue.
        bits: what white is, 2^bits - 1; None to tell it from the file.  Of 16 bits without a value above 4095 the
            range is taken to be that of 12 bits (8, without one above 255), and a note says so.

    Raises:
        DataError: the file is missing, empty, damaged, of a kind that is not read, or transparent everywhere.
        ValueError: ``bands`` or ``bits`` make no sense.
    """
    found = decode(path)
    valid, notes = _valid(path, found), list(found.notes)
    pixels = chosen(path, found, bands)
    if pixels.dtype == np.uint8 and bits in (None, 8):
        image = pixels
    else:
        image = _unit(path, pixels, valid, found.white, bits, notes)
    if image.shape[2] == 1:
        image = np.repeat(image, 3, 2)
    return Photograph(np.ascontiguousarray(image), valid, tuple(notes))


def read_image(path: str | Path, bands: Sequence[int] | None = None, bits: int | None = None) -> np.ndarray:
    """The ``image`` of `read_photograph`, also where the file says that there is none.

    Args:
        path: as there; so are ``bands`` and ``bits``.

    Raises:
        DataError: see there; a transparent file is read.
    """
    found = decode(path)
    pixels = chosen(path, found, bands)
    exact = pixels.dtype == np.uint8 and bits in (None, 8)
    image = pixels if exact else _unit(path, pixels, found.valid, found.white, bits, [])
    return np.ascontiguousarray(np.repeat(image, 3, 2) if image.shape[2] == 1 else image)


def eight_bit(image: np.ndarray) -> np.ndarray:
    """An image of `read_image` as uint8."""
    if image.dtype == np.uint8:
        return image
    levels = image * np.float32(255)
    return np.rint(levels, out=levels).clip(0, 255, out=levels).astype(np.uint8)


def filled(image: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
    """``image`` (H, W, 3) with the nearest colour of the photograph where there is none: no edge for a network to see.

    ``valid`` (H, W) bool; None, and a map without a single True, change nothing.
    """
    if valid is None or valid.all() or not valid.any():
        return image
    _, labels = cv2.distanceTransformWithLabels(
        (~valid).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    source = np.zeros(labels.max() + 1, np.int64)
    places = np.flatnonzero(valid)
    source[labels.ravel()[places]] = places
    holes = np.flatnonzero(~valid)
    result = image.reshape(-1, image.shape[2]).copy()
    result[holes] = result[source[labels.ravel()[holes]]]
    return result.reshape(image.shape)


def read_mask(path: str | Path) -> np.ndarray:
    """A crack mask (H, W) uint8 in {0, 1}: 1 where the file holds more than 127 of 255.

    Cutting in the middle undoes JPEG's ripples.  A mask that is white everywhere only warns.  What the values mean is
    looked at by `csbsr.data.masks`.

    Raises:
        DataError: the file cannot be read, or its largest value is 1 to 127 of 255, so that no crack would be left.
    """
    image = grey_levels(path, decode(path, grey=True))
    mask = (image > 127).view(np.uint8)
    cracks = cv2.countNonZero(mask)
    if cracks == 0:
        largest = float(image.max())
        if largest > 0:
            raise low_mask(path, largest)
    elif cracks == mask.size:
        warnings.warn(f"{path}: every pixel of this mask is crack; is it inverted or empty by mistake?", stacklevel=2)
    return mask


def low_mask(path: str | Path, largest: float) -> DataError:
    """The error for a mask in which no pixel reaches the middle."""
    return DataError.about(
        path,
        f"a mask whose largest value is {largest:.3g}",
        "0 for background and 255 for crack",
        "If it holds labels 0 and 1, say data.crack_label=1 (csbsr-measure: crack_label=1) or multiply them by 255; if "
        "cracks are grey, raise them above 127.",
    )


def grey_levels(path: str | Path, found: Decoded) -> np.ndarray:
    """One level for each pixel (H, W): uint8, or float32 in 0 … 255 for files of more than 8 bits."""
    pixels = found.pixels
    if found.kind == "bands":
        raise unusual(path, f"{pixels.shape[2]} bands", "a mask of one band")
    if pixels.dtype == np.uint8:
        return pixels[..., 0] if pixels.shape[2] == 1 else luminance(pixels)
    pixels = pixels[..., :3].max(2)
    if pixels.dtype.kind == "f":
        largest = float(np.nanmax(pixels, initial=0))
        return np.nan_to_num(pixels.astype(np.float32) * np.float32(255 if largest <= 1 else 255 / _white(largest)))
    white = np.iinfo(pixels.dtype).max
    return pixels.astype(np.float32) / np.float32(white) * np.float32(255)


def luminance(rgb: np.ndarray) -> np.ndarray:
    """Grey (H, W) uint8 of RGB (H, W, 3), with Pillow's weights: (19595 R + 38470 G + 7471 B + 2^15) / 2^16."""
    weighted = rgb[..., 0].astype(np.uint32) * 19595
    weighted += rgb[..., 1].astype(np.uint32) * 38470
    weighted += rgb[..., 2].astype(np.uint32) * 7471 + 0x8000
    return (weighted >> 16).astype(np.uint8)


def _valid(path: str | Path, found: Decoded) -> np.ndarray | None:
    """(H, W) bool, None if it is True everywhere."""
    valid = shown(found)
    if valid is None or valid.all():
        return None
    if not valid.any():
        raise DataError.about(
            path,
            "a file without a single opaque pixel",
            "a photograph",
            "If its alpha channel or no-data value means nothing, save it without; else remove the file.",
        )
    return np.ascontiguousarray(valid)


def shown(found: Decoded) -> np.ndarray | None:
    """(H, W) bool, where a file shows a photograph; None where it tells nothing of that."""
    valid = found.valid
    if found.alpha is not None:
        largest = float(found.alpha.max()) if found.alpha.dtype.kind == "f" else np.iinfo(found.alpha.dtype).max
        opaque = found.alpha > largest / 2
        valid = opaque if valid is None else valid & opaque
    return valid


def chosen(path: str | Path, found: Decoded, bands: Sequence[int] | None) -> np.ndarray:
    """(H, W, 1 or 3) of the file's own type."""
    count = found.pixels.shape[2]
    if bands is not None:
        if len(bands) not in (1, 3) or not all(isinstance(band, int) and 1 <= band <= count for band in bands):
            raise DataError.about(
                path, f"{count} bands", f"bands={list(bands)} to be one or three of 1 to {count}", "Choose others."
            )
        return found.pixels[..., [band - 1 for band in bands]]
    if found.kind == "bands":
        raise DataError.about(
            path,
            f"{count} bands that do not say which are red, green and blue",
            "a photograph in colour or grey",
            "Choose three of them, counted from 1, e.g. bands=[3,2,1] (data.bands=[3,2,1] in training).",
        )
    return found.pixels[..., :3]


def _unit(
    path: str | Path,
    pixels: np.ndarray,
    valid: np.ndarray | None,
    white: float | None,
    bits: int | None,
    notes: list[str],
) -> np.ndarray:
    """Values as float32 in [0, 1]; what was taken to be white goes into ``notes``."""
    seen = pixels if valid is None else pixels[valid]
    smallest, largest = float(np.min(seen, initial=0)), float(np.max(seen, initial=0))
    white = white_of(path, pixels.dtype, (smallest, largest), white, bits, notes)
    return as_unit(pixels, white, clip=valid is not None)


def as_unit(pixels: np.ndarray, white: float, clip: bool = True) -> np.ndarray:
    """Values of a file as float32 in [0, 1], ``white`` being 1; what is not finite is 0."""
    image = pixels.astype(np.float32) / np.float32(white)
    floating = pixels.dtype.kind == "f"
    if floating:
        image = np.nan_to_num(image, nan=0.0, posinf=0.0, neginf=0.0)
    return image.clip(0, 1) if floating or clip else image


def white_of(
    path: str | Path,
    dtype: np.dtype,
    values: tuple[float, float],
    white: float | None,
    bits: int | None,
    notes: list[str],
) -> float:
    """What is white in a file; where that was told from its values, ``notes`` get a line.

    Args:
        path: of the file.
        dtype: of its values.
        values: the smallest (at most 0) and the largest of them.
        white: of its format; None where the values must tell.
        bits: as for `read_photograph`.
        notes: of the file.

    Raises:
        DataError: values below 0 or above white.
        ValueError: ``bits`` make no sense.
    """
    smallest, largest = values
    if bits is not None and (not isinstance(bits, int) or not 1 <= bits <= 32):
        raise ValueError(f"bits: expected a whole number from 1 to 32, got {bits!r}")
    floating = dtype.kind == "f"
    if not np.isfinite(largest) or smallest < (-1e-3 * max(1.0, largest) if floating else 0):
        raise DataError.about(
            path, f"values from {smallest:.4g} to {largest:.4g}", "0 or more",
            "Scale them to 0 … 1, or name what stands for no data in the file (gdal_edit.py -a_nodata).",
        )  # fmt: skip
    if bits is not None:
        white = float(2**bits - 1)
    elif floating and largest <= 1.001:
        white = 1.0
        notes.append(f"numbers up to {largest:.3g}, taken as 0 … 1")
    elif floating or white is None or dtype.itemsize > 1:
        own = 65535.0 if floating else float(np.iinfo(dtype).max)
        white = _white(largest, own)
        if floating:
            notes.append(f"numbers up to {largest:.4g}, taken as 0 … {white:.0f}")
        elif white < own and largest > 0:
            notes.append(
                f"{dtype.itemsize * 8} bits but no value above {largest:.0f}: taken as 0 … {white:.0f} "
                f"(bits={dtype.itemsize * 8} takes the whole range)"
            )
    if largest > white:
        raise DataError.about(
            path, f"values up to {largest:.4g}", f"at most {white:.0f}",
            "Leave bits= out, or scale the values." if bits is not None else "Scale them to 0 … 1.",
        )  # fmt: skip
    return white


def _white(largest: float, own: float = 65535.0) -> float:
    """The smallest usual range that holds ``largest``: of 8, 12 or 16 bits, or the type's ``own``."""
    return next((float(white) for white in _WHITES if largest <= white < own), own)
