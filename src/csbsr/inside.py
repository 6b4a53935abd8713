"""Paths that a file names: inside the folder that the file describes, or not followed at all."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

from csbsr.words import printable


def check_relative(path: str, name: str) -> None:
    """Check that a path from a file leads down from the file's folder by its words alone.

    Args:
        path: with forward slashes.
        name: of the entry, for the error.

    Raises:
        ValueError: it is empty, absolute, or leads up.
    """
    parts = PurePosixPath(path).parts
    anchored = PurePosixPath(path).is_absolute() or (os.name == "nt" and PureWindowsPath(path).anchor)
    if not parts or anchored or ".." in parts or "\0" in path:
        raise ValueError(f"{name}: expected a path below the folder, got {printable(path)[:80]!r}")


def inside(folder: Path, relative: str, follow: bool = True) -> Path | None:
    """``folder / relative``, if that is inside ``folder`` when links are followed; else None.

    Args:
        folder: that a file describes.
        relative: path in the file.
        follow: True to read what is there; False to replace or remove it, when a link itself counts, not its end.
    """
    place = folder / relative
    try:
        real = place.resolve() if follow else place.parent.resolve() / place.name
        home = folder.resolve()
    except (OSError, RuntimeError, ValueError):  # a circle of links, a zero byte
        return None
    return place if real != home and home in real.parents else None
