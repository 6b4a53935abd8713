"""Which images are read by windows, how large their results are, and why one is read whole all the same."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from csbsr.data.errors import DataError
from csbsr.data.limits import MAX_MEGAPIXELS, PIXELS_PER_BYTE, check_memory
from csbsr.data.reading.by_rows import Head, head_by_rows
from csbsr.inspection.store import KINDS

#: Pixels of an image above which results are as large as it is: finer ones fill disks.
LARGE = 50e6
#: Columns above which they are: a row of finer tiles takes gigabytes.
WIDE = 12_000
#: Pixels above which a TIFF without coordinates is read by windows: photographs of the largest cameras are read whole,
#: for more is told of them.
LARGE_PHOTOGRAPH = 150e6
_ABSENT = ("consistency", "labelme", "coco")  # kinds that need all of an image at once


class Choice(NamedTuple):
    """How an image is read."""

    scale: int | None = None  #: pixels of the result to one of the image, along a side, by windows; None: whole
    told: str | None = None  #: why it is read whole, though it has coordinates, is large, or windows are asked for


@dataclass(frozen=True)
class Windows:
    """Which images are read by windows, and how large their results are.

    Attributes:
        mode: True for all TIFFs that can be; ``auto`` for georeferenced ones, so that their results are too, and those
            that are too large to be read whole: above 150 megapixels, or larger than the memory that is free; False for
            none.
        result_scale: pixels of a result to one of the image, along a side; None for 1 above 50 megapixels or 12 000
            columns, else for that of the system.

    Raises:
        ValueError: another mode or scale.
    """

    mode: bool | str = "auto"
    result_scale: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in (True, False, "auto"):
            raise ValueError(f"windows: expected true, false or auto, got {self.mode!r}")
        if self.result_scale not in (None, 1, 2, 4):
            raise ValueError(f"result_scale: expected 1, 2 or 4, got {self.result_scale!r}")

    def choice(self, path: Path, own: int, obstacle: str | None = None) -> Choice:
        """How the file at ``path`` is read.

        Args:
            path: of a photograph; formats other than TIFF are read whole, and so are files that cannot be read.
            own: scale of the system.
            obstacle: why nothing can be read by windows, as the settings are.
        """
        head = None if self.mode is False else head_by_rows(path)
        if head is None or (self.mode == "auto" and not (head.placed or _too_large(path, head))):
            return Choice()
        because = obstacle or head.whole_because or _more_than_it_holds(path, head)
        if because is not None:
            though = "it has coordinates" if head.placed and not _is_large(head) else f"it has {_megapixels(head)}"
            return Choice(None, f"read whole, though {though}: {because}")
        return Choice(self.result_scale or (1 if _is_large(head) else own))


def kinds_by_windows(kinds: Collection[str], scale: int) -> list[str]:
    """Of some kinds of results those of an image that is read by windows, ``scale`` times as large as the image."""
    absent = {*_ABSENT, *(() if scale > 1 else ("sr",))}
    return [kind for kind in KINDS if kind in kinds and kind not in absent]


def left_out_by_windows(kinds: Sequence[str], written: Collection[str]) -> str | None:
    """What is told of kinds that were asked for and are not ``written`` of an image that is read by windows."""
    absent = [kind for kind in kinds if kind not in written]
    return f"read by windows, without {', '.join(absent)}" if absent else None


def _megapixels(head: Head) -> str:
    return f"{head.pixels / 1e6:.3g} megapixels"


def _is_large(head: Head) -> bool:
    return head.pixels > LARGE or head.columns > WIDE


def _too_large(path: Path, head: Head) -> bool:
    if head.pixels > LARGE_PHOTOGRAPH:
        return True
    try:
        check_memory(path, head.decoded)
    except DataError:
        return True
    return False


def _more_than_it_holds(path: Path, head: Head) -> str | None:
    if head.pixels <= max(MAX_MEGAPIXELS * 1e6, PIXELS_PER_BYTE * path.stat().st_size):
        return None
    return "its file is too small to hold so many"
