"""Reads masks and probability maps from files, of hundreds of megapixels too, and shrinks what is too large."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from csbsr.data.errors import DataError
from csbsr.data.mask_values import MaskRule
from csbsr.data.masks import read_labels
from csbsr.data.reading import any_size, check_regular, read_image
from csbsr.data.reading.files import head_checked
from csbsr.predict.rows import Shrinker

KINDS = ("auto", "mask", "probability")
_LARGEST = 65535  # of 16 bits
_LABELS = 255  # values up to it in 16 bits are labels, or 8 bits in the wrong place
_ORIENTATION = 274  # EXIF tag
_STRIP = 256  # rows converted at a time


def read_segmentation(
    path: str | Path,
    kind: str = "auto",
    most_pixels: float = math.inf,
    faint: bool = False,
    rule: MaskRule | None = None,
) -> tuple[np.ndarray, int]:
    """A crack mask or a probability map from a file.

    Args:
        path: in any format of `csbsr.data.reading`; colours are made grey.
        kind: ``mask``, crack where the file holds more than half of its range; ``probability``, 0 to its largest
            value; or ``auto``: a probability if the file holds 16 bits, as ``csbsr-predict`` writes them, else a mask.
        most_pixels: a larger one is shrunken by the whole factor of `reduction`.
        faint: 16 bits may hold no value above 255, as of a photograph without cracks; else they are refused as labels.
        rule: which values of a mask are crack; None for white.

    Returns:
        (H, W) bool, or a float16 probability in [0, 1]; and the factor.

    Raises:
        DataError: the file cannot be read, or its values are no 16-bit ones.
        ValueError: ``kind`` is none of these.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    with any_size():  # the results of a photograph of 12 megapixels have 192
        levels = None if rule is not None and rule.given else _sixteen_bit(path)
        if levels is not None:
            _check_range(path, levels, faint)
        if levels is not None and kind == "mask":
            found = levels > _LARGEST // 2
        elif levels is not None:
            found = np.empty(levels.shape, np.float16)  # exact to 0.0005 and better
            for start in range(0, len(levels), _STRIP):
                found[start : start + _STRIP] = levels[start : start + _STRIP] / np.float32(_LARGEST)
        elif kind == "probability":
            image = read_image(path)
            largest = np.float32(255 if image.dtype == np.uint8 else 1)
            found = (image.mean(2, dtype=np.float32) / largest).astype(np.float16)
        else:
            found = read_labels(path, rule) == 1
    factor = reduction(found.shape, most_pixels)
    return reduced(found, factor), factor


def above(path: str | Path, threshold: float) -> np.ndarray:
    """The mask (H, W) bool that csbsr-predict made of a probability of 16 bits: its levels above ``threshold``.

    Raises:
        DataError: the file holds no 16-bit grey values.
    """
    with any_size():
        levels = _sixteen_bit(path)
    if levels is None:
        raise DataError.about(path, "no probability of 16 bits", "one that csbsr-predict wrote", "Restore it.")
    return np.asarray(levels > threshold * _LARGEST)


def reduction(shape: tuple[int, int], most_pixels: float) -> int:
    """The smallest whole factor by which both sides of ``shape`` are divided so that at most ``most_pixels`` are left.

    Raises:
        ValueError: ``most_pixels`` is below 1.
    """
    if not most_pixels >= 1:
        raise ValueError(f"most_pixels: expected at least 1, got {most_pixels!r}")
    factor = 1
    while math.ceil(shape[0] / factor) * math.ceil(shape[1] / factor) > most_pixels:
        factor += 1
    return factor


def reduced(segmentation: np.ndarray, factor: int) -> np.ndarray:
    """Means over squares of ``factor`` x ``factor`` pixels, those at the right and bottom over what there is.

    A mask so becomes the share of each square that is crack: its area, and widths up to half a pixel, stay.

    Args:
        segmentation: (H, W) bool or float.
        factor: at least 1; 1 changes nothing.

    Returns:
        (⌈H/factor⌉, ⌈W/factor⌉) float16.
    """
    if factor == 1:
        return segmentation
    height, width = segmentation.shape
    shrinker = Shrinker(height, width, factor)
    shrinker.add(segmentation)
    return shrinker.result().astype(np.float16).clip(0, 1)


def _sixteen_bit(path: str | Path) -> np.ndarray | None:
    """Grey values (H, W) up to 65535; None for a file of another kind, or one that other readers explain better."""
    try:
        check_regular(path)
        # Not by its name: Pillow would map a TIFF from its file, and then not turn it.
        with Path(path).open("rb") as file, Image.open(file) as image:
            if not image.mode.startswith("I"):  # "I;16"; "I" before Pillow 11.3
                return None
            width, height = image.size
            head_checked(path, width, height, 1, 2)
            image.load()  # turns a TIFF itself
            turned = image.getexif().get(_ORIENTATION, 1) != 1
            return np.asarray(ImageOps.exif_transpose(image) if turned else image)
    except (OSError, SyntaxError, ValueError):
        return None


def _check_range(path: str | Path, levels: np.ndarray, faint: bool) -> None:
    smallest, largest = int(levels.min()), int(levels.max())
    if smallest < 0 or largest > _LARGEST:
        raise DataError.about(
            path, f"values from {smallest} to {largest}", f"0 to {_LARGEST}", "Save it as a mask of 8 bits, 0 and 255."
        )
    if 0 < largest <= _LABELS and not faint:
        raise DataError.about(
            path, f"16 bits but values up to {largest}", f"values up to {_LARGEST}",
            "Save it as 8 bits, or multiply by 257 (labels 0 and 1 by 65535).",
        )  # fmt: skip
