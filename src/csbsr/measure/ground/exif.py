"""What a photograph's EXIF tells of its lens and its size, and the XMP packet beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from csbsr.data.reading.head import EXIF, exif_of, in_head, text_of

_MODEL, _XMP_TIFF = 0x0110, 700
_FOCAL, _FOCAL_35, _ZOOM, _WIDTH, _HEIGHT = 0x920A, 0xA405, 0xA404, 0xA002, 0xA003
_XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\x00"


@dataclass(frozen=True)
class Head:
    """What the head of a photograph tells; None for what it does not.

    Attributes:
        width: pixels, as they lie in the file.
        height: pixels.
        model: of the camera.
        focal_mm: focal length.
        focal_35_mm: the one that shows as much on 36 x 24 mm, by the diagonal.
        zoom: digital zoom, 1 for none.
        taken_width: pixels as the camera wrote them; another number means that the image was resized or cropped.
        taken_height: pixels.
        xmp: the XMP packet; empty without one.
    """

    width: int
    height: int
    model: str | None = None
    focal_mm: float | None = None
    focal_35_mm: float | None = None
    zoom: float = 1.0
    taken_width: int | None = None
    taken_height: int | None = None
    xmp: bytes = b""

    @property
    def cropped(self) -> bool:
        """Whether the image has other proportions than the camera gave it, so that its width is not the sensor's."""
        if not self.taken_width or not self.taken_height:
            return False
        sides, taken = sorted((self.width, self.height)), sorted((self.taken_width, self.taken_height))
        return abs(sides[1] * taken[0] - sides[0] * taken[1]) > 2 * max(taken[1], sides[1])


def read_head(path: str | Path) -> Head | None:
    """The head of an image file; None of a file that is none: reading its pixels says why."""
    return in_head(path, _head)


def _head(image: Image.Image) -> Head:
    exif = exif_of(image)
    detail = exif.get_ifd(EXIF)
    return Head(
        *image.size,
        text_of(exif.get(_MODEL)),
        _positive(detail, _FOCAL),
        _positive(detail, _FOCAL_35),
        max(1.0, _positive(detail, _ZOOM) or 1.0),
        int(_positive(detail, _WIDTH) or 0) or None,
        int(_positive(detail, _HEIGHT) or 0) or None,
        _packet(image, exif),
    )


def _packet(image: Image.Image, exif: Mapping[int, Any]) -> bytes:
    for marker, content in getattr(image, "applist", ()):  # of a JPEG
        if marker == "APP1" and content.startswith(_XMP_HEAD):
            return bytes(content[len(_XMP_HEAD) :])
    found = image.info.get("xmp") or exif.get(_XMP_TIFF) or b""
    return found.encode() if isinstance(found, str) else bytes(found)


def _positive(tags: Mapping[int, Any], tag: int) -> float | None:
    try:
        value = float(tags[tag])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) and value > 0 else None
