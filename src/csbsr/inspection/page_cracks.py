"""What the report says of single cracks: those that it lists, and those that its viewer draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from csbsr.inspection.page_widths import Row, both, both_units, length_or_width, notes, number, width_key

_LISTED = 12  # for a photograph, the widest first


def widest(cracks: Sequence[Row]) -> list[Row]:
    """The cracks that are listed for a photograph."""
    return sorted(cracks, key=lambda crack: -(number(crack, width_key(crack, "px")) or 0))[:_LISTED]


def listed(row: Row) -> dict[str, Any]:
    """What the list of a photograph's cracks says of one."""
    return {
        "number": crack_number(row),
        "length": both_units(row, "length", "length_uncertainty"),
        "mean": length_or_width(row, "width_mean", "width_uncertainty"),
        "largest": length_or_width(row, "width_max", None),
        **both(row),
        "place": f"{row['x0']}–{row['x1']}, {row['y0']}–{row['y1']}",
        "severity": row.get("severity") or "",
        "notes": ", ".join([
            *notes(row),
            *(note for key, note in (("at_limit", "at the limit"), ("touches_border", "reaches the border"))
              if number(row, key)),
        ]),
    }  # fmt: skip


def told(row: Row) -> str:
    """What the viewer says of a crack."""
    cells = listed(row)
    sizes = {"length": "length", "mean width": "mean", "largest width": "largest"}
    parts = [f"{name} {cells[key]}" for name, key in sizes.items() if cells[key]]
    return ", ".join([f"crack {cells['number']}", *parts, *filter(None, (cells["severity"], cells["notes"]))])


def crack_number(row: Row) -> int:
    """The number of a crack, which may come from a file."""
    return int(float(row["crack"]))
