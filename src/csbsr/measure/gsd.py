"""Ground sampling distance of photographs: one number for all, or a CSV file with one for each."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
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
    """The ground sampling distance of one photograph; None if it is not listed.

    It is listed by its path, else by its file name, else by these in other letter case, if that means one row alone.
    """
    if not isinstance(gsd, dict):
        return gsd
    row = _row(name, gsd)
    return None if row is None else gsd[row]


def unmatched(names: Iterable[str | Path], gsd: float | dict[str, float] | None) -> tuple[list[str | Path], list[str]]:
    """What a list of ground sampling distances leaves out, and what it lists for nothing.

    Args:
        names: of all photographs.
        gsd: see `ground_sampling`.

    Returns:
        Names without a number, and rows without a photograph, as they are listed; both empty without a list.
    """
    if not isinstance(gsd, dict):
        return [], []
    rows = {name: _row(name, gsd) for name in names}
    used = set(rows.values())
    return [name for name, row in rows.items() if row is None], [row for row in gsd if row not in used]


def _row(name: str | Path, gsd: dict[str, float]) -> str | None:
    """By what the list has a photograph."""
    path = PurePath(name)
    for wanted in (path.as_posix(), path.name):
        if wanted in gsd:
            return wanted
    for wanted in (path.as_posix().casefold(), path.name.casefold()):
        found = [row for row in gsd if row.casefold() == wanted]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _positive(value: float | str | Path) -> float:
    if isinstance(value, Path):
        raise TypeError
    number = float(value)
    if not 0 < number < math.inf:
        raise ValueError
    return number
