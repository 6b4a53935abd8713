"""How large an image may be, judged by its head, before anything is decoded.

A PNG of a megabyte can hold ten thousand megapixels.  Whoever wrote the file chooses that number, so it is compared
with what the user allows and with the memory there is, both with the way out.
"""

from __future__ import annotations

from pathlib import Path

from csbsr.data.errors import DataError
from csbsr.memory import available_memory

#: Largest image that is read unless the user says otherwise: three times the largest cameras of today.
MAX_MEGAPIXELS = 500.0
#: Of a file: more pixels stand in none that holds what it claims, unless nearly all of them are of one colour.
PIXELS_PER_BYTE = 100
#: Memory for a reader's copies (decoded, turned upright, converted) beside the array it returns, as a multiple of it.
_COPIES = 2.5


def check_pixels(path: str | Path, width: int, height: int, max_megapixels: float = MAX_MEGAPIXELS) -> None:
    """Check the size that an image's head tells.

    Args:
        path: of the image.
        width: in pixels.
        height: in pixels.
        max_megapixels: the largest that may be read.

    Raises:
        DataError: a side is below 1, or there are more pixels.
    """
    if width < 1 or height < 1:
        raise DataError.about(
            path, f"{width} x {height} pixels", "at least one pixel", "Copy it again from its source or remove it."
        )
    if width * height > max_megapixels * 1e6:
        raise DataError.about(
            path,
            f"{width} x {height} pixels ({width * height / 1e6:.0f} megapixels)",
            f"at most {max_megapixels:g} megapixels",
            f"If that is what it should hold, set max_megapixels={_next(width * height / 1e6)}; else remove it.",
        )


def check_memory(path: str | Path, needed: int, available: int | None = None) -> None:
    """Check that decoding fits into memory.

    Args:
        path: of the image.
        needed: bytes, see `decoded_bytes`.
        available: bytes; None asks the system, and passes where that does not say.

    Raises:
        DataError: it does not fit.
    """
    free = available_memory(needed) if available is None else available
    if free is not None and needed > free:
        raise DataError.about(
            path,
            f"an image that takes about {needed / 1e9:.1f} GB while it is read",
            f"at most the {free / 1e9:.1f} GB of memory that are free",
            "Cut it into parts, or use a machine with more memory.",
        )


def decoded_bytes(width: int, height: int, channels: int = 3, item_bytes: int = 1) -> int:
    """About how many bytes reading an image takes at its peak, the reader's copies included.

    Args:
        width: in pixels.
        height: in pixels.
        channels: of the array that is returned.
        item_bytes: of each of its values.
    """
    return int(width * height * channels * item_bytes * (1 + _COPIES))


def _next(megapixels: float) -> int:
    """A round number of megapixels at or above this one."""
    step = 10 ** (len(str(int(megapixels))) - 1)
    return -(-int(megapixels + 1) // step) * step
