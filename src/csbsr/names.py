"""Weights that come with the package, by name; a leaf that imports no torch."""

from __future__ import annotations

from pathlib import Path

#: Their names.
SHIPPED = ("lite",)


def shipped(ckpt: str | Path) -> Path | None:
    """The file of the shipped weights called ``ckpt``, or None if that is no name of theirs.

    The text ``lite`` is always the name, whatever lies in the current folder; ``./lite`` and a `Path` are paths.
    """
    if not isinstance(ckpt, str) or ckpt not in SHIPPED:
        return None
    return Path(__file__).with_name("weights") / f"{ckpt}.safetensors"
