"""The bytes of a file, and the errors about it; pipes and devices are never opened."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from csbsr.data.errors import DataError

EXPECTED = "a photograph in JPEG, PNG, TIFF, WebP, AVIF, JPEG 2000 or BMP format"
#: What decoders raise on damaged files.
DAMAGED = (OSError, SyntaxError, ValueError, IndexError, EOFError, KeyError, TypeError, struct.error, zlib.error)
_SPECIAL = {
    stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}  # fmt: skip


@contextlib.contextmanager
def any_size() -> Iterator[None]:
    """Read images of any size inside: without Pillow's limit, a guard against files that unpack to very many pixels.

    For commands whose user names the files.  The limit is the process's, so threads outside are without it too.
    """
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def check_regular(path: str | Path) -> None:
    """Raise a DataError if a path is a pipe, a device, a socket or a folder, or a link to one; opens nothing.

    What is missing passes: reading it says so.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except (OSError, ValueError):
        return
    if kind in _SPECIAL:
        raise DataError.about(path, _SPECIAL[kind], EXPECTED, "Name a file, or move this away.")


def contents(path: str | Path) -> bytes:
    """All bytes of a file.

    Raises:
        DataError: it is missing, empty, not readable, or no file.
    """
    check_regular(path)
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError.about(
            path, f"no readable file ({reason})", EXPECTED, "Check the path and your rights to read it."
        ) from error
    if not data:
        raise DataError.about(path, "an empty file", EXPECTED, "Copy it again or remove it.")
    return data


def head_checked(path: str | Path, width: int, height: int) -> None:
    """Raise a DataError if an image of this size is not to be decoded; called when its head is read."""
    if Image.MAX_IMAGE_PIXELS is not None and width * height > 2 * Image.MAX_IMAGE_PIXELS:
        raise too_large(path)


def damaged(path: str | Path, reason: object) -> DataError:
    """The error for a file that cannot be decoded to its end."""
    return DataError.about(
        path, f"a damaged or truncated file ({reason})", EXPECTED, "Copy it again from its source or remove it."
    )


def unusual(path: str | Path, what: str, expected: str = "8 or 16 bits, grey or colour") -> DataError:
    """The error for an image of a kind that is not read."""
    return DataError.about(path, what, expected, "Convert it first, e.g. to PNG or an uncompressed TIFF.")


def too_large(path: str | Path) -> DataError:
    """The error for an image with more pixels than the limit of Pillow."""
    return DataError.about(
        path,
        "more pixels than Pillow opens without being told to",
        f"at most {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels",
        "Cut the image into parts, or read it inside csbsr.data.reading.any_size().",
    )
