"""How the report tells lengths and widths: what is reported with its interval, where it is from, what to look at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

_KINDS = {"width_mean": "mean", "width_max": "maximum", "width_percentile": "percentile"}
_FLAGS = {"disagree": "mask and light disagree", "filled": "filled, or no open gap"}
_MOST_DIGITS = 4  # after the point, for an uncertainty that would else be 0
_DIGITS = {"mm": 2, "px": 1}


def number(row: Row, key: str) -> float | None:
    """A finite number of a row, which may come from a file; None if there is none."""
    value = row.get(key)
    if value is None or value == "":
        return None
    value = float(value)
    return value if math.isfinite(value) else None


def reported_key(row: Row, key: str) -> str | None:
    """Of a column such as ``width_mean`` the beginning of the reported one's; None if the row has none."""
    kind = _KINDS.get(key)
    known = kind is not None and number(row, f"width_reported_{kind}_low_px") is not None
    return f"width_reported_{kind}" if known else None


def with_interval(row: Row, name: str) -> str:
    """A width as ``0.31 (0.25–0.40) mm (1.2 px)``, in pixels alone, or without a value as ``0.25–0.40 mm``."""
    unit = "px" if number(row, f"{name}_low_mm") is None else "mm"
    value, low, high = (number(row, f"{name}_{end}_{unit}") for end in ("value", "low", "high"))
    if low is None or high is None:
        return ""
    digits = _DIGITS[unit]
    ends = f"{low:.{digits}f}–{high:.{digits}f}"
    if value is None:
        return f"{ends} {unit}"
    pixels = number(row, f"{name}_value_px")
    beside = "" if unit == "px" or pixels is None else f" ({pixels:.1f} px)"
    return f"{value:.{digits}f} ({ends}) {unit}{beside}"


def both(row: Row) -> dict[str, str]:
    """Of a crack the mean width from the mask and from the light, and which is reported; empty without a light."""
    unit = "px" if number(row, "width_light_mean_mm") is None else "mm"
    mask, light = number(row, f"width_mean_{unit}"), number(row, f"width_light_mean_{unit}")
    digits = _DIGITS[unit]
    return {
        "mask": "" if mask is None else f"{mask:.{digits}f} {unit}",
        "light": "" if light is None else f"{light:.{digits}f} {unit}",
        "source": str(row.get("width_source") or ""),
    }


def notes(row: Row) -> list[str]:
    """What of a crack's widths asks for a look."""
    found = [_FLAGS[flag]] if (flag := str(row.get("width_flag") or "")) in _FLAGS else []
    return found + ([str(row["severity_between"])] if row.get("severity_between") else [])


def length_or_width(row: Row, key: str, uncertainty: str | None) -> str:
    """A reported width with its interval, else a length or width of the mask with its uncertainty."""
    reported = reported_key(row, key)
    return both_units(row, key, uncertainty) if reported is None else with_interval(row, reported)


def both_units(row: Row, key: str, uncertainty: str | None) -> str:
    """A length as ``0.31 ± 0.06 mm (1.2 px)``, or in pixels alone; empty if it is unknown."""
    parts = []
    for unit in ("mm", "px"):
        value = number(row, f"{key}_{unit}")
        if value is None:
            continue
        digits = 2 if unit == "mm" else 1
        if key == "length":
            digits = 1 if value < 100 else 0
        around = number(row, f"{uncertainty}_{unit}") if uncertainty else None
        while around and f"{around:.{digits}f}" == f"{0:.{digits}f}" and digits < _MOST_DIGITS:
            digits += 1
        plus_minus = "" if around is None else f" ± {around:.{digits}f}"
        parts.append(f"{value:.{digits}f}{plus_minus} {unit}")
    if len(parts) == 2:
        return f"{parts[0]} ({parts[1].partition(' ±')[0].removesuffix(' px')} px)"
    return parts[0] if parts else ""


def width_key(row: Row, unit: str) -> str:
    """The column with the percentile of the reported width, else of the mask's; the upper end if there is no value."""
    reported = reported_key(row, "width_percentile")
    if reported is None:
        return f"width_percentile_{unit}"
    return f"{reported}_{'high' if number(row, f'{reported}_value_px') is None else 'value'}_{unit}"
