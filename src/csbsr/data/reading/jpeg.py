"""JPEG files: decoded by libjpeg-turbo with its warnings, so that a file damaged in its middle is noticed.

libjpeg fills what it cannot decode with grey and only warns; cv2 prints that and Pillow drops it.  simplejpeg gives the
same pixels and reports the first warning.  Some warnings cost no pixel and pass.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

from csbsr.data.reading.files import DAMAGED, damaged, head_checked, unusual

_MOST_PIXELS_PER_BYTE = 20_000  # one colour and progressive has two hundred
_ORIENTATION = 274  # EXIF tag
_HARMLESS = re.compile(r"Invalid SOS parameters|Adobe color transform|JFIF", re.I)
_LEFT = re.compile(r"(\d+) extraneous bytes before marker 0xd9", re.I)
_FRAMES = {
    0xC3: "a lossless JPEG", 0xC5: "a hierarchical JPEG", 0xC6: "a hierarchical JPEG", 0xC7: "a hierarchical JPEG",
    0xCB: "a lossless JPEG", 0xF7: "JPEG-LS",
}  # fmt: skip


def is_jpeg(data: bytes) -> bool:
    """Does a file begin as a JPEG?"""
    return data[:3] == b"\xff\xd8\xff"


def frame(data: bytes) -> tuple[int, int, int, int, int] | None:
    """Marker, bits, height, width and components of a JPEG's frame header; None if there is none."""
    place, end = 2, len(data)
    while place + 4 <= end:
        if data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        if 0xD0 <= marker <= 0xD8 or marker == 0x01:
            place += 2
            continue
        if marker in (0xD9, 0xDA):
            return None
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            head = data[place + 4 : place + 10]
            if len(head) < 6:
                return None
            return marker, head[0], int.from_bytes(head[1:3], "big"), int.from_bytes(head[3:5], "big"), head[5]
        place += 2 + max(length, 2)
    return None


def orientation_of(data: bytes) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none."""
    if b"Exif\x00" not in data[:70000]:
        return 1
    try:
        with Image.open(io.BytesIO(data)) as image:
            found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # an unreadable note about a readable picture
        return 1
    return found if found in range(1, 9) else 1


def read_jpeg(path: str | Path, data: bytes, grey: bool = False) -> np.ndarray:
    """The pixels (H, W, C) uint8 as they lie in the file, C = 3 (RGB), or 1 with ``grey`` or where the file is grey.

    Raises:
        DataError: it is damaged, has more than 8 bits, or is of a rare kind.
    """
    head = frame(data)
    if head is None:
        raise damaged(path, "no frame header")
    marker, bits, height, width, components = head
    if marker in _FRAMES:
        raise unusual(path, _FRAMES[marker])
    if bits != 8:
        raise unusual(path, f"a JPEG of {bits} bits", "a JPEG of 8 bits")
    head_checked(path, width, height, 1 if grey else components)
    if width * height > _MOST_PIXELS_PER_BYTE * len(data):
        raise damaged(path, f"{len(data)} bytes for {width * height / 1e6:.0f} megapixels")
    if components not in (1, 3):
        return _by_pillow(path, data, grey)
    space = "GRAY" if grey or components == 1 else "RGB"
    try:
        return simplejpeg.decode_jpeg(data, space)
    except MemoryError:
        raise
    except (*DAMAGED, RuntimeError) as error:
        if "subsampling" in str(error):  # a rare one, which turbojpeg leaves to libjpeg
            return _by_pillow(path, data, grey)
        if not _harmless(str(error), data):
            raise damaged(path, error) from error
    try:
        return simplejpeg.decode_jpeg(data, space, strict=False)
    except (*DAMAGED, RuntimeError) as error:
        raise damaged(path, error) from error


def _harmless(warning: str, data: bytes) -> bool:
    """Does a warning of libjpeg cost no pixel?  Padding before the end mark does not; pixels left over there do."""
    if found := _LEFT.search(warning):
        end = data.rfind(b"\xff\xd9")
        return not data[max(0, end - int(found[1])) : end].strip(b"\x00\xff")
    return _HARMLESS.search(warning) is not None


def _by_pillow(path: str | Path, data: bytes, grey: bool) -> np.ndarray:
    """CMYK, which Adobe stores inverted, and rare subsamplings."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image.convert("RGB").convert("L") if grey else image.convert("RGB"))
    except DAMAGED as error:
        raise damaged(path, error) from error
    return pixels[..., None] if grey else pixels
