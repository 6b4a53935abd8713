"""Ground sampling distance of photographs: one number for all, or a CSV file with one for each."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePath, PurePosixPath

from csbsr.data.tables import number, read_table

_COLUMNS = ("file", "gsd_mm")
_UNCERTAINTY = "gsd_mm_uncertainty"
_BETWEEN = re.compile(r"\s*(?:\+-|\+/-|±)\s*")


class GroundSampling(float):
    """Millimetres to a pixel of the photograph, above 0, with ``uncertainty``: half of their 90 % interval, or 0."""

    uncertainty: float

    def __new__(cls, value: float, uncertainty: float = 0.0) -> GroundSampling:
        """Checked: a finite number above 0, and an uncertainty from 0 to below it."""
        made = super().__new__(cls, value)
        if not 0 < made < math.inf or not 0 <= uncertainty < made:
            raise ValueError(f"expected a number above 0 and an uncertainty below it, got {value!r} ± {uncertainty!r}")
        made.uncertainty = float(uncertainty)
        return made

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
    parts = _BETWEEN.split(str(value).strip())
    around = "" if uncertainty is None else str(uncertainty).strip()
    if len(parts) > 2:
        raise ValueError(f"expected one uncertainty, got {value!r}")
    return GroundSampling(number(parts[0]), number(around or (parts[1] if len(parts) == 2 else "0")))


def ground_sampling(given: float | str | Path | None) -> float | dict[str, float] | None:
    """What the user gave as ground sampling distance, checked.

    Args:
        given: millimetres to a pixel of the photograph, also with a decimal comma and ``mm``: ``0.4``, ``0.4+-0.02``,
            ``0,4 ± 0,02 mm``; or the path of a CSV or xlsx file with the columns ``file`` (a photograph's path or
            name), ``gsd_mm`` and perhaps ``gsd_mm_uncertainty``; or None.  What reads as a number is one, also where a
            file of that name lies here.

    Returns:
        The number, the file's numbers by name, or None; numbers are `GroundSampling`.

    Raises:
        ValueError: not above 0, no such file, a column or a number missing, a file listed twice.
    """
    if given is None:
        return None
    try:
        return parse_sampling(given if isinstance(given, GroundSampling) else str(given))
    except (TypeError, ValueError):
        if isinstance(given, (str, Path)) and Path(given).is_file():
            return _table(given)
        raise ValueError(
            "gsd_mm: expected millimetres per pixel above 0, such as 0.4 or 0.4+-0.02, or a CSV or xlsx file with "
            f"columns file,gsd_mm, got {given!r}"
        ) from None


def _table(given: str | Path) -> dict[str, float]:
    """The numbers of a file by names of photographs."""
    table: dict[str, float] = {}
    for row in read_table(given, _COLUMNS, (_UNCERTAINTY,)):
        name = PurePosixPath(unicodedata.normalize("NFC", row.cells["file"].replace("\\", "/"))).as_posix()
        if not row.cells["file"]:
            if not row.cells["gsd_mm"]:
                continue
            raise ValueError(f"{given}, line {row.line}: expected a photograph's name beside {row.cells['gsd_mm']!r}")
        if name in table:
            raise ValueError(f"{given}, line {row.line}: {name} is listed twice; keep one")
        try:
            table[name] = parse_sampling(row.cells["gsd_mm"], row.cells[_UNCERTAINTY])
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
    if not last:
        return None
    if not last:
        return None
    for wanted in (whole, last):
        if wanted in gsd:
            return wanted
    for wanted in (whole, last, path.with_suffix("").as_posix(), path.stem):
        found = [row for row in gsd if row.casefold() == wanted.casefold()]
        if found:
            return found[0] if len(found) == 1 else None
    return None
