"""Names as they are told to a person."""

from __future__ import annotations

from collections.abc import Sequence


def printable(name: str) -> str:
    """A name that may hold bytes that are no UTF-8, for the terminal."""
    return name.encode("utf-8", "replace").decode()


def first_names(names: Sequence[str], most: int = 3) -> str:
    """The first of some names."""
    shown = ", ".join(map(printable, names[:most]))
    return shown + (", …" if len(names) > most else "")
