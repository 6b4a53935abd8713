"""An entry of a summary, checked before it is believed: it may come with a folder from anyone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from csbsr.inside import check_relative
from csbsr.plain import check_plain, is_kind, kind_of
from csbsr.words import printable

_MOST_VALUES = 2000
_CRACK_COLUMNS = ("crack", "x0", "y0", "x1", "y1")
_LARGEST = 2**31
#: Entries that count something, and how little of it there can be.
_COUNTS = {
    "width": 1, "height": 1, "result_width": 1, "result_height": 1, "width_px": 1, "height_px": 1, "tile": 1,
    "reduced": 1, "cracks": 0, "bicubic_cracks": 0, "severity_level": 0,
}  # fmt: skip


def check_entry(entry: Any) -> None:
    """Check an entry of ``summary.json``: finite numbers, sizes that can be, and paths that stay below its folder.

    Raises:
        ValueError: something else; says which entry, what was expected and what it is.
    """
    if not isinstance(entry, Mapping):
        raise ValueError(f"photographs: expected mappings, got {kind_of(entry)}")
    name = entry.get("file")
    if not isinstance(name, str):
        raise ValueError(f"photographs: expected an entry with a file, got {kind_of(name)}")
    check_relative(name, "file")
    about = printable(name)[:80]
    check_plain(entry, about, most=_MOST_VALUES, deepest=6)
    for key, value in entry.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{about}: {printable(key)}: expected a finite number, got {value}")
        if key in _COUNTS and is_kind(value, float) and not _COUNTS[key] <= value < _LARGEST:
            raise ValueError(f"{about}: {key}: expected a number from {_COUNTS[key]} to {_LARGEST - 1}, got {value:g}")
    level = entry.get("severity_level")
    if entry.get("severity") and not is_kind(level, int):
        raise ValueError(f"{about}: severity_level: expected a whole number, got {kind_of(level)}")
    source = entry.get("source")
    if isinstance(source, Mapping) and (not isinstance(source.get("path"), str) or "\0" in source["path"]):
        raise ValueError(f"{about}: source.path: expected a path, got {kind_of(source.get('path'))}")
    settings = entry.get("settings")
    least = settings.get("min_pixels") if isinstance(settings, Mapping) else None
    if least is not None and not is_kind(least, float):
        raise ValueError(f"{about}: settings.min_pixels: expected a number, got {kind_of(least)}")
    _check_range(entry, "threshold", about, 0, 1)
    _check_range(entry, "scale", about, 1e-6, 1e6)
    _check_range(entry, "mm_per_pixel", about, 0, 1e9)
    if isinstance(entry.get("stem"), str):
        check_relative(entry["stem"], f"{about}: stem")
    results = entry.get("results")
    if isinstance(results, Mapping):
        for kind, path in results.items():
            if not isinstance(path, str):
                raise ValueError(f"{about}: results.{printable(kind)}: expected a path, got {kind_of(path)}")
            check_relative(path, f"{about}: results.{printable(kind)}")


def _check_range(entry: Mapping[str, Any], key: str, about: str, least: float, most: float) -> None:
    value = entry.get(key)
    if value is not None and is_kind(value, float) and not least <= value <= most:
        raise ValueError(f"{about}: {key}: expected a number from {least:g} to {most:g}, got {value:g}")


def check_crack_rows(rows: Sequence[Mapping[str, str]]) -> None:
    """Check the rows of a table of cracks: the columns that a report reads, and numbers in them.

    Raises:
        ValueError: a column is missing, or something else is in it.
    """
    for row in rows:
        missing = next((column for column in _CRACK_COLUMNS if column not in row), None)
        if missing is not None:
            raise ValueError(f"a table of cracks without the column {missing}")
        for key, value in row.items():
            if value and (key in _CRACK_COLUMNS or key.endswith(("_px", "_mm"))) and not _is_number(value):
                raise ValueError(f"a table of cracks with {printable(value)[:40]!r} as {printable(key)[:40]}")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
