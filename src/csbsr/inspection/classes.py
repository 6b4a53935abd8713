"""Classes of crack widths with which layers, drawings and the report colour lines; the same in all of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

#: Upper ends of the classes, in millimetres (True) and in pixels (False); a last class has none.
CLASSES = {True: (0.1, 0.2, 0.3, 0.4), False: (2.0, 4.0, 8.0, 16.0)}
#: Of the classes, from narrow to wide.
COLOURS = ("#2c7bb6", "#00a6ca", "#f9d057", "#f29e2e", "#d7191c")
#: What is sorted into them, of the properties of a line: the upper end of the width that 95 % of the crack stay below.
WIDTH = {True: "width_reported_percentile_high_mm", False: "width_reported_percentile_high_px"}


def width_class(properties: Mapping[str, Any], in_mm: bool) -> int:
    """The class of a crack, 0 to 4; 0 where its width is not known.

    Raises:
        TypeError: the width is no number.
    """
    return bisect_left(CLASSES[in_mm], properties.get(WIDTH[in_mm]) or 0.0)


def class_label(index: int, in_mm: bool) -> str:
    """A class in words: ``0.1 to 0.2 mm``."""
    unit, ends = "mm" if in_mm else "px", (0.0, *CLASSES[in_mm])
    return (
        f"over {ends[index]:g} {unit}" if index == len(ends) - 1 else f"{ends[index]:g} to {ends[index + 1]:g} {unit}"
    )
