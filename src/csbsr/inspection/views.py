"""The pictures of one photograph of an inspection on disk, from which its report is made.

    <folder>/pictures/<photograph>/before.webp  after.webp  widths.png

``before`` and ``after`` show one view, the former only where it differs; ``widths`` lies over ``after``: its cracks
coloured by width, the rest transparent.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from csbsr.measure import Measurement, draw_widths
from csbsr.pages.pictures import data_uri, limited, opened

PICTURES = "pictures"  #: folder of pictures inside an output folder
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


class PhotographPictures:
    """The pictures of one photograph.

    Args:
        folder: output folder of the inspection.
        stem: path of the photograph's results inside it, without kind and ending.
    """

    def __init__(self, folder: str | Path, stem: str) -> None:
        self.folder = Path(folder) / PICTURES / stem
        self.relative = f"{PICTURES}/{Path(stem).as_posix()}"

    def save(self, before: np.ndarray | None, after: np.ndarray, widths: np.ndarray) -> None:
        """Write the pictures, each whole or not at all; larger ones than `LARGEST` are shrunken.

        Args:
            before: (h, w, 3) uint8; None if there is only one view.
            after: (H, W, 3) uint8, the same view.
            widths: (H', W', 4) uint8, see `width_layer`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, pixels in (("before.webp", before), ("after.webp", after)):
            if pixels is None:
                (self.folder / name).unlink(missing_ok=True)  # of an earlier run
                continue
            picture = limited(Image.fromarray(pixels), LARGEST)
            write_whole(self.folder / name, encoded(picture, "webp", quality=_QUALITY, method=1))
        picture = Image.fromarray(shrunken_layer(widths, LARGEST))
        write_whole(self.folder / "widths.png", encoded(picture, "png"))

    def views(self, size: int) -> Views:
        """The pictures as data URIs, their longest side at most ``size`` pixels."""
        pair = [opened(self.folder / name) for name in ("before.webp", "after.webp")]
        layer = opened(self.folder / "widths.png")
        if layer is not None:
            layer = Image.fromarray(shrunken_layer(np.asarray(layer), size))
        return Views(
            *(None if p is None else data_uri(limited(p.convert("RGB"), size), "webp", quality=72) for p in pair),
            None if layer is None else data_uri(layer, "webp", lossless=True, method=4),
        )

    def thumbnail(self, size: int = 144) -> str | None:
        """The cracks over the view, as a data URI; None without pictures."""
        picture, layer = opened(self.folder / "after.webp"), opened(self.folder / "widths.png")
        if picture is None:
            return None
        picture = limited(picture.convert("RGBA"), size)
        if layer is not None:
            over = Image.fromarray(shrunken_layer(np.asarray(layer), size)).resize(
                picture.size, Image.Resampling.NEAREST
            )
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
    alpha = (drawn.any(2) * np.uint8(255))[..., None]  # no colour of the scale is black
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


def encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    """The bytes of a picture's file."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under a temporary name beside its place, then move it there: it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Its length does not hang on the name's, which may fill what the file system allows.
    temporary = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32]}.partial")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
