"""Weights that come with the package, by name; a leaf that imports no torch."""

from __future__ import annotations

from pathlib import Path

#: Their names.
SHIPPED = ("lite",)


def shipped(ckpt: str | Path) -> Path | None:
    """The file of the shipped weights called ``ckpt``, or None: it names none, or there is a file of that name here."""
    path = Path(ckpt)
    if path.name not in SHIPPED or path.parent != Path() or path.exists():
        return None
    return Path(__file__).with_name("weights") / f"{path.name}.safetensors"
