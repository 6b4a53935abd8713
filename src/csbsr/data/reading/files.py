"""The bytes of a file, and the errors about it; pipes and devices are never opened."""

from __future__ import annotations

import contextlib
import contextvars
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

from csbsr.data.errors import DataError
from csbsr.data.limits import MAX_MEGAPIXELS, check_memory, check_pixels, decoded_bytes
from csbsr.data.regular import check_regular

EXPECTED = "a photograph in JPEG, PNG, TIFF, WebP, AVIF, JPEG 2000 or BMP format"
#: What decoders raise on damaged files.
DAMAGED = (OSError, SyntaxError, ValueError, IndexError, EOFError, KeyError, TypeError, struct.error, zlib.error)


_limit: contextvars.ContextVar[float] = contextvars.ContextVar("max_megapixels", default=MAX_MEGAPIXELS)
_inside, _entering = [0], threading.Lock()
_pillow: list[int | None] = []
_SNIFFED = 64 << 20  # bytes; a larger file is read only if it begins as an image
_MOST_BYTES = 16  # to a pixel: four bands of 32 bits
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"RIFF", b"BM", b"\0\0\0\x0cjP",
               b"\xff\x4f\xff\x51")  # fmt: skip


@contextlib.contextmanager
def at_most(megapixels: float) -> Iterator[None]:
    """Images of up to so many megapixels are read inside, instead of `csbsr.data.limits.MAX_MEGAPIXELS`.

    It holds for this thread.  Larger ones are refused by their head, before anything is decoded.
    """
    token = _limit.set(megapixels)
    try:
        yield
    finally:
        _limit.reset(token)


@contextlib.contextmanager
def any_size() -> Iterator[None]:
    """Inside, Pillow opens images of any size: what may be read is told by `head_checked` instead.

    Pillow's limit is the process's; it comes back when the last thread has left.
    """
    with _entering:
        if not _inside[0]:
            _pillow[:], Image.MAX_IMAGE_PIXELS = [Image.MAX_IMAGE_PIXELS], None
        _inside[0] += 1
    try:
        yield
    finally:
        with _entering:
            _inside[0] -= 1
            if not _inside[0]:
                Image.MAX_IMAGE_PIXELS = _pillow[0]


def contents(path: str | Path) -> bytes:
    """All bytes of a file.

    Raises:
        DataError: it is missing, empty, not readable, no file, or larger than the memory.
    """
    size = check_regular(path)
    try:
        with open(path, "rb") as file:
            if size > _SNIFFED:
                _check_large(path, file, size)
                file.seek(0)
            data = file.read()
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError.about(
            path, f"no readable file ({reason})", EXPECTED, "Check the path and your rights to read it."
        ) from error
    if not data:
        raise DataError.about(path, "an empty file", EXPECTED, "Copy it again or remove it.")
    return data


def _check_large(path: str | Path, file: IO[bytes], size: int) -> None:
    """Refuse a large file that is no image, or that is far larger than its image, before all of it is read."""
    beginning = file.read(16)
    if not beginning.startswith(_BEGINNINGS) and beginning[4:8] != b"ftyp":
        raise DataError.about(path, f"{size / 1e6:.0f} MB that are no image", EXPECTED, "Convert it or remove it.")
    file.seek(0)
    try:
        with any_size(), Image.open(file) as image:
            kind, width, height = image.format, image.width, image.height
    except UnidentifiedImageError:
        if not beginning.startswith((b"II", b"MM")):  # of a TIFF more is read than Pillow knows
            raise damaged(path, f"{size / 1e6:.0f} MB without a readable head") from None
    except DAMAGED as error:
        raise damaged(path, error) from error
    else:
        check_pixels(path, width, height, _limit.get())
        if kind != "TIFF" and size > _SNIFFED + _MOST_BYTES * width * height:
            raise DataError.about(
                path, f"{size / 1e6:.0f} MB for {width} x {height} pixels", "a file of a size that fits",
                "It holds something else too: save the picture anew, or remove it.",
            )  # fmt: skip
    check_memory(path, size)


def head_checked(path: str | Path, width: int, height: int, channels: int = 3, item_bytes: int = 1) -> None:
    """Raise a DataError if an image of this size is not to be decoded; called when its head is read.

    It is compared with the limit of `at_most`, and with the memory that is free.
    """
    check_pixels(path, width, height, _limit.get())
    check_memory(path, decoded_bytes(width, height, channels, item_bytes))


def damaged(path: str | Path, reason: object) -> DataError:
    """The error for a file that cannot be decoded to its end."""
    return DataError.about(
        path, f"a damaged or truncated file ({reason})", EXPECTED, "Copy it again from its source or remove it."
    )


def unusual(path: str | Path, what: str, expected: str = "8 or 16 bits, grey or colour") -> DataError:
    """The error for an image of a kind that is not read."""
    return DataError.about(path, what, expected, "Convert it first, e.g. to PNG or an uncompressed TIFF.")
