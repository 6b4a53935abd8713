"""Names as they are told to a person."""

from __future__ import annotations

from collections.abc import Sequence


def first_names(names: Sequence[str]) -> str:
    """The first three of some names."""
    shown = ", ".join(name.encode("utf-8", "replace").decode() for name in names[:3])
    return shown + (", …" if len(names) > 3 else "")
