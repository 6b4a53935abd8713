"""What the head of an image file tells, without its pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from csbsr.data.reading.files import any_size
from csbsr.data.regular import check_regular

Told = TypeVar("Told")
#: Number of the part of EXIF that tells of the picture's taking, for ``Image.Exif.get_ifd``.
EXIF = 0x8769


def in_head(path: str | Path, find: Callable[[Image.Image], Told]) -> Told | None:
    """What ``find`` takes from an opened image; None of a file that is none: reading its pixels says why."""
    try:
        check_regular(path)
        with any_size(), Image.open(path) as image:
            return find(image)
    except Exception:  # whatever a damaged file makes Pillow raise
        return None


def text_of(value: Any) -> str | None:
    """A text of EXIF without what cameras pad it with; None of anything else and of an empty one."""
    return value.replace("\x00", "").strip() or None if isinstance(value, str) else None
