"""What the head of an image file tells, without its pixels."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

from PIL import Image

from csbsr.data.reading.files import any_size
from csbsr.data.regular import check_regular

Told = TypeVar("Told")
#: Number of the part of EXIF that tells of the picture's taking, for ``Image.Exif.get_ifd``.
EXIF = 0x8769
PNG = b"\x89PNG\r\n\x1a\n"  # with which its files begin
_MOST_EXIF = 1 << 20  # bytes; other formats hold at most 64 KiB


def in_head(path: str | Path, find: Callable[[Image.Image], Told]) -> Told | None:
    """What ``find`` takes from an opened image; None of a file that is none: reading its pixels says why."""
    try:
        check_regular(path)
        with any_size(), Image.open(path) as image:
            return find(image)
    except Exception:  # whatever a damaged file makes Pillow raise
        return None


def exif_of(image: Image.Image) -> Image.Exif:
    """EXIF of an opened image; its pixels stay undecoded, where Pillow would decode a PNG to look behind them."""
    if image.format == "PNG" and "exif" not in image.info:
        found = _behind_pixels(image.fp)  # type: ignore[attr-defined]  # Pillow tells of it only in ImageFile
        if found:
            image.info["exif"] = b"Exif\x00\x00" + found
    return Image.Image.getexif(image)


def _behind_pixels(file: IO[bytes]) -> bytes:
    """The EXIF chunk of a PNG; empty where there is none."""
    place = file.tell()
    file.seek(len(PNG))
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"eXIf":
            found = file.read(min(length, _MOST_EXIF))
            break
        file.seek(length + 4, io.SEEK_CUR)  # and its checksum
    else:
        found = b""
    file.seek(place)
    return found


def text_of(value: Any) -> str | None:
    """A text of EXIF without what cameras pad it with; None of anything else and of an empty one."""
    return value.replace("\x00", "").strip() or None if isinstance(value, str) else None
