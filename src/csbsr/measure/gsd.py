"""Ground sampling distance of photographs: one number for all, or a CSV file with one for each."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable
from pathlib import Path, PurePath

_COLUMNS = ("file", "gsd_mm")
_UNCERTAINTY = "gsd_mm_uncertainty"
_BETWEEN = re.compile(r"\s*(?:\+-|\+/-|±)\s*")


class GroundSampling(float):
    """Millimetres to a pixel of the photograph, above 0, with ``uncertainty``: half of their 90 % interval, or 0."""

    uncertainty: float

    def __new__(cls, value: float, uncertainty: float = 0.0) -> GroundSampling:
        """Checked: a finite number above 0, and an uncertainty from 0 to below it."""
        number = super().__new__(cls, value)
        if not 0 < number < math.inf or not 0 <= uncertainty < number:
            raise ValueError
        number.uncertainty = float(uncertainty)
        return number

    def __getnewargs__(self) -> tuple[float, float]:  # type: ignore[override]  # float's takes one
        """For copies of it."""
        return float(self), self.uncertainty


def parse_sampling(value: float | str, uncertainty: float | str | None = None) -> GroundSampling:
    """From a number, or a text such as ``0.4``, ``0.4+-0.02`` or ``0.4 ± 0.02``.

    Args:
        value: the number or text.
        uncertainty: from a column of its own; empty or None for what ``value`` says.

    Raises:
        ValueError: it is neither, or out of its range.
    """
    if isinstance(value, GroundSampling):
        return value
    parts = _BETWEEN.split(value.strip()) if isinstance(value, str) else [value]
    given = uncertainty.strip() if isinstance(uncertainty, str) else uncertainty
    if given is None or given == "":
        given = 0.0 if len(parts) == 1 else parts[1]
    if len(parts) > 2:
        raise ValueError
    return GroundSampling(float(parts[0]), float(given))


def ground_sampling(given: float | str | Path | None) -> float | dict[str, float] | None:
    """What the user gave as ground sampling distance, checked.

    Args:
        given: millimetres to a pixel of the photograph, ``0.4`` or ``0.4+-0.02``; or the path of a CSV file with the
            columns ``file`` (a photograph's path or name), ``gsd_mm`` and perhaps ``gsd_mm_uncertainty``; or None.

    Returns:
        The number, the file's numbers by name, or None; numbers are `GroundSampling`.

    Raises:
        ValueError: not above 0, no such file, a column or a number missing, a file listed twice.
    """
    if given is None:
        return None
    try:
        return parse_sampling(given)  # type: ignore[arg-type]  # a path is no number, which is caught
    except (TypeError, ValueError, AttributeError):
        if not isinstance(given, (str, Path)) or not Path(given).is_file():
            raise ValueError(
                f"gsd_mm: expected millimetres per pixel above 0, such as 0.4 or 0.4+-0.02, or a CSV file with columns "
                f"file,gsd_mm, got {given!r}"
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
                table[name] = parse_sampling(row["gsd_mm"], row.get(_UNCERTAINTY))
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
