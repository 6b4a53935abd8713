"""The robustness table as text, as a figure and as a section of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from csbsr.pages.bars import Bar, bar_chart

#: Columns of the table: key, heading, digits, meaning.
COLUMNS = (
    ("iou_max", "IoU max", 3, "mean over the images of the IoU, at the threshold best for this row"),
    ("iou_recommended", "IoU", 3, "the same at the recommended threshold"),
    ("psnr", "PSNR", 2, "of the super-resolved image, dB"),
    ("psnr_bicubic", "bicubic", 2, "PSNR of the bicubic enlargement, dB"),
    ("kernel_psnr", "kernel", 2, "PSNR of the estimated kernel, dB"),
    ("kernel_psnr_best", "best kernel", 2, "PSNR of the nearest kernel that this system can express, dB"),
    ("consistency", "consistency", 2, "PSNR of the super-resolved image, degraded again, against the photograph, dB"),
)

#: Decibels above which a kernel counts as exact: what is left is rounding.
EXACT = 80.0


def unsuited(rows: Sequence[Mapping[str, Any]], least: float = 45.0) -> str | None:
    """A sentence naming the factors whose blur the system cannot express to ``least`` dB, None if there are none."""
    names = [
        str(row["factor"])
        for row in rows
        if row["group"] != "varying" and row.get("kernel_psnr_best", math.inf) < least
    ]
    if not names:
        return None
    return (
        "The kernels of this system cannot represent the blur of: "
        + ", ".join(names)
        + f" (the nearest one is below {least:g} dB)."
    )


def table_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Headings and lines of text; columns without any number are left out."""
    shown = [column for column in COLUMNS if any(math.isfinite(row[column[0]]) for row in rows)]
    lines = [[str(row["factor"]), *(_text(row[key], digits) for key, _, digits, _ in shown)] for row in rows]
    return ["", *(heading for _, heading, *_ in shown)], lines


def _text(value: float, digits: int) -> str:
    if not math.isfinite(value):
        return "–"
    return f"> {EXACT:g}" if value > EXACT else f"{value:.{digits}f}"


def figure(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows' IoU as a bar chart, an ``<svg>`` element."""
    bars = [Bar(str(row["factor"]), float(row["iou_max"])) for row in rows]
    return bar_chart(bars, "IoU max, mean over the images", marked=bars[0].value)


def section(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What the report's template shows of the rows, None without any."""
    if not rows:
        return None
    headings, lines = table_rows(rows)
    return {
        "images": rows[0]["images"],
        "headings": headings,
        "lines": lines,
        "meanings": [(heading, meaning) for key, heading, _, meaning in COLUMNS if heading in headings],
        "figure": Markup(figure(rows)),
        "unsuited": unsuited(rows),
    }
