"""The pictures of one photograph of an inspection, from which its report is made: saved, shrunken, embedded."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from csbsr.files import write_bytes
from csbsr.inspection.store import PicturePlaces
from csbsr.measure import Measurement, draw_widths
from csbsr.pages.pictures import data_uri, limited, opened

LARGEST = 4096  #: longest side of a picture on disk
_QUALITY = 85


class Views(NamedTuple):
    """Pictures of one photograph as data URIs; None where there is no such file."""

    before: str | None
    after: str | None
    widths: str | None

    @property
    def size(self) -> int:
        """Characters they take in a page."""
        return sum(map(len, filter(None, self)))


def save_views(places: PicturePlaces, before: np.ndarray | None, after: np.ndarray, widths: np.ndarray) -> None:
    """Write a photograph's pictures, each whole or not at all; larger ones than `LARGEST` are shrunken.

    Args:
        places: of the pictures.
        before: (h, w, 3) uint8; None if there is only one view.
        after: (H, W, 3) uint8, the same view.
        widths: (H', W', 4) uint8, see `width_layer`.
    """
    for place, pixels in ((places.before, before), (places.after, after)):
        if pixels is None:
            place.unlink(missing_ok=True)  # of an earlier run
            continue
        picture = limited(Image.fromarray(pixels), LARGEST)
        write_bytes(place, encoded(picture, "webp", quality=_QUALITY, method=1))
    write_bytes(places.widths, encoded(Image.fromarray(shrunken_layer(widths, LARGEST)), "png"))


def save_measured(
    places: PicturePlaces, measurement: Measurement, before: np.ndarray | None, after: np.ndarray
) -> bytes:
    """Write a photograph's pictures with its cracks; as `save_views`.

    Args:
        places: of the pictures.
        measurement: of the view.
        before: (h, w, 3) uint8, the photograph; None if it is itself what was measured.
        after: (H, W, 3) uint8, the view that was measured, at any size.

    Returns:
        The JPEG file of ``after`` in grey with its cracks coloured by width, a colour scale and a scale bar.
    """
    save_views(places, before, after, width_layer(measurement, after.shape[:2]))
    return encoded(Image.fromarray(draw_widths(after, measurement)), "jpeg", quality=90)


def embedded_views(places: PicturePlaces, size: int) -> Views:
    """The pictures as data URIs, their longest side at most ``size`` pixels."""

    def embedded(place: Path) -> str | None:
        picture = opened(place)
        return None if picture is None else data_uri(limited(picture.convert("RGB"), size), "webp", quality=72)

    layer = opened(places.widths)
    if layer is not None:
        layer = Image.fromarray(shrunken_layer(np.asarray(layer), size))
    widths = None if layer is None else data_uri(layer, "webp", lossless=True, method=4)
    return Views(embedded(places.before), embedded(places.after), widths)


def thumbnail(places: PicturePlaces, size: int = 144) -> str | None:
    """The cracks over the view, as a data URI; None without pictures."""
    picture, layer = opened(places.after), opened(places.widths)
    if picture is None:
        return None
    picture = limited(picture.convert("RGBA"), size)
    if layer is not None:
        over = Image.fromarray(shrunken_layer(np.asarray(layer), size)).resize(picture.size, Image.Resampling.NEAREST)
        picture = Image.alpha_composite(picture, over)
    return data_uri(picture.convert("RGB"), "webp", quality=70)


def width_layer(measurement: Measurement, shape: tuple[int, int], widest: float | None = None) -> np.ndarray:
    """The cracks as `csbsr.measure.draw_widths` colours them, on nothing.

    Args:
        measurement: of the view.
        shape: H, W of the layer, of the view's proportions.
        widest: width in pixels of the measured image at the upper end of the colours; None as in `draw_widths`.

    Returns:
        (H, W, 4) uint8, RGBA.
    """
    drawn = draw_widths(np.zeros(shape, np.uint8), measurement, widest=widest, legend=False)
    alpha = drawn.any(2, keepdims=True).astype(np.uint8) * np.uint8(255)  # no colour of the scale is black
    return np.concatenate([drawn, alpha], axis=2)


def shrunken_layer(layer: np.ndarray, longest: int) -> np.ndarray:
    """A layer (H, W, 4) with its longest side at most ``longest``; thin lines stay, where a mean would fade them."""
    height, width = layer.shape[:2]
    factor = max(height, width) / longest
    if factor <= 1:
        return layer
    side = math.ceil(factor)
    size = tuple(max(1, round(length / factor)) for length in (width, height))
    return cv2.resize(cv2.dilate(layer, np.ones((side, side), np.uint8)), size, interpolation=cv2.INTER_NEAREST)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a picture's file."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()
