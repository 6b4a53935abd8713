"""Ground sampling distance of photographs: one number for all, or a CSV file with one for each."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePath, PurePosixPath

from csbsr.data.tables import number, read_table

_COLUMNS = ("file", "gsd_mm")


def ground_sampling(given: float | str | Path | None) -> float | dict[str, float] | None:
    """What the user gave as ground sampling distance, checked.

    Args:
        given: millimetres to a pixel of the photograph, also with a decimal comma and ``mm``; or the path of a CSV or
            xlsx file with the columns ``file`` (a photograph's path or name) and ``gsd_mm``; or None.

    Returns:
        The number, the file's numbers by name, or None.

    Raises:
        ValueError: not above 0, no such file, a column or a number missing, a file listed twice.
    """
    if given is None:
        return None
    if not isinstance(given, (str, Path)) or not Path(given).is_file():
        try:
            return _positive(number(str(given)))
        except (TypeError, ValueError):
            raise ValueError(
                "gsd_mm: expected millimetres per pixel above 0, or a CSV or xlsx file with columns file,gsd_mm, got "
                f"{given!r}"
            ) from None
    table: dict[str, float] = {}
    for row in read_table(given, _COLUMNS):
        name = PurePosixPath(unicodedata.normalize("NFC", row.cells["file"].replace("\\", "/"))).as_posix()
        if not row.cells["file"]:
            if not row.cells["gsd_mm"]:
                continue
            raise ValueError(f"{given}, line {row.line}: expected a photograph's name beside {row.cells['gsd_mm']!r}")
        if name in table:
            raise ValueError(f"{given}, line {row.line}: {name} is listed twice; keep one")
        try:
            table[name] = _positive(number(row.cells["gsd_mm"]))
        except ValueError:
            raise ValueError(
                f"{given}, line {row.line}: expected gsd_mm above 0 for {name}, got {row.cells['gsd_mm']!r}"
            ) from None
    if not table:
        raise ValueError(f"{given}: expected a row for each photograph, got none below the header")
    return table


def gsd_of(name: str | Path, gsd: float | dict[str, float] | None) -> float | None:
    """The ground sampling distance of one photograph; None if it is not listed.

    It is listed by its path, else by its file name, else by these in other letter case, else without its suffix, if
    that means one row alone; whatever the Unicode form.
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
    path = PurePosixPath(unicodedata.normalize("NFC", PurePath(name).as_posix()))
    whole, last = path.as_posix(), path.name
    for wanted in (whole, last):
        if wanted in gsd:
            return wanted
    for wanted in (whole, last, path.with_suffix("").as_posix(), path.stem):
        found = [row for row in gsd if row.casefold() == wanted.casefold()]
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
