"""Ground sampling distance of photographs: one number for all, or a CSV file with one for each."""

from __future__ import annotations

import csv
import math
from pathlib import Path, PurePath

_COLUMNS = ("file", "gsd_mm")


def ground_sampling(given: float | str | Path | None) -> float | dict[str, float] | None:
    """What the user gave as ground sampling distance, checked.

    Args:
        given: millimetres to a pixel of the photograph; or the path of a CSV file with the columns ``file`` (a
            photograph's path or name) and ``gsd_mm``; or None.

    Returns:
        The number, the file's numbers by name, or None.

    Raises:
        ValueError: not above 0, no such file, a column or a number missing, a file listed twice.
    """
    if given is None:
        return None
    try:
        return _positive(given)
    except (TypeError, ValueError):
        if not isinstance(given, (str, Path)) or not Path(given).is_file():
            raise ValueError(
                f"gsd_mm: expected millimetres per pixel above 0 or a CSV file with columns file,gsd_mm, got {given!r}"
            ) from None
    table: dict[str, float] = {}
    with open(given, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if not set(_COLUMNS) <= set(reader.fieldnames or ()):
            raise ValueError(f"{given}: expected the columns {','.join(_COLUMNS)}, got {reader.fieldnames}")
        for row in reader:
            name = PurePath(row["file"] or "").as_posix()
            if name in table:
                raise ValueError(f"{given}, line {reader.line_num}: {name} is listed twice; keep one")
            try:
                table[name] = _positive(row["gsd_mm"])
            except (TypeError, ValueError):
                raise ValueError(
                    f"{given}, line {reader.line_num}: expected gsd_mm above 0 for {name}, got {row['gsd_mm']!r}"
                ) from None
    return table


def gsd_of(name: str | Path, gsd: float | dict[str, float] | None) -> float | None:
    """The ground sampling distance of one photograph: listed by its path, else by its file name; None if unlisted."""
    if not isinstance(gsd, dict):
        return gsd
    path = PurePath(name)
    return gsd.get(path.as_posix(), gsd.get(path.name))


def _positive(value: float | str | Path) -> float:
    number = float(value)
    if not 0 < number < math.inf:
        raise ValueError
    return number
