"""The inspection report: one self-contained HTML page with a sortable table and every photograph's cracks."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from csbsr.inspection.classes import COLOURS
from csbsr.inspection.density import DensityMap
from csbsr.inspection.page_cracks import crack_number, listed, told, widest
from csbsr.inspection.page_density import density_section
from csbsr.inspection.page_widths import length_or_width, reported_key, width_key
from csbsr.inspection.page_widths import number as _number
from csbsr.inspection.record import BEFORE, BICUBIC
from csbsr.inspection.store import PicturePlaces
from csbsr.inspection.viewer import Viewer, viewers
from csbsr.inspection.views import Views, embedded_views, thumbnail
from csbsr.measure import WidthGuide
from csbsr.measure.overlay import round_below
from csbsr.pages.templates import template
from csbsr.words import printable

Row = Mapping[str, Any]

_SIZES = ((24, 1280), (100, 900), (math.inf, 600))  # up to so many photographs: pixels of a picture's longest side
_BUDGET = 32_000_000  # characters of all pictures of a page; beyond it photographs are shown by thumbnail and links
_CHIPS = 5  # colours of severity


@dataclass(frozen=True)
class Entry:
    """One photograph of an inspection.

    Attributes:
        row: its row of the summary: ``file``, the columns of `csbsr.measure.image_row`, and what else is known:
            ``error``, ``consistency`` with ``consistency_flag``, ``latitude``, ``longitude``, ``taken``, ``camera``,
            and with the prefix ``bicubic_`` what was measured on the bicubic enlargement.  What is missing, None or
            empty is not shown.
        stem: path of its results inside the output folder, without kind and ending.
        cracks: a row for each crack, see `csbsr.measure.crack_rows`.
        files: paths of its files inside the output folder by what they show, to be linked.
    """

    row: Row
    stem: str
    cracks: Sequence[Row] = ()
    files: Mapping[str, str] = field(default_factory=dict)


class Column(NamedTuple):
    """A column of the page's table: the key in the rows, its heading, digits after the point, a factor."""

    key: str
    title: str
    digits: int
    factor: float = 1.0


def inspection_page(
    entries: Sequence[Entry],
    folder: str | Path,
    *,
    guide: WidthGuide | None = None,
    sides: tuple[str, str] = ("photograph", "super-resolved"),
    settings: Mapping[str, object] | None = None,
    maps: Sequence[DensityMap] = (),
) -> str:
    """The report of an inspection.

    Pictures are embedded: a thumbnail of each photograph; a preview with its cracks as lines for a viewer, see
    `csbsr.inspection.viewer.viewers`; and two views and the cracks for a slider, of at most 1280, 900 or 600 pixels for
    up to 24, up to 100 or more photographs.  Those for sliders are at most 32 MB together, the widest cracks first;
    other photographs are shown by thumbnail.  What has one view alone has no slider beside its viewer.  Links lead to
    the files beside the page, in up to 4096 pixels; the page works without them.

    Args:
        entries: in the order of the table.
        folder: output folder, which holds the pictures.
        guide: that gave the classes of severity.
        sides: what the left and the right picture of a slider are called.
        settings: shown at the end, by name.
        maps: of the density of cracks.
    """
    measured = [entry for entry in entries if not entry.row.get("error")]
    size = next(size for most, size in _SIZES if len(measured) <= most)
    shown = viewers([entry.stem for entry in widest_first(measured)], folder)
    compared = [
        entry for entry in measured if entry.stem not in shown or PicturePlaces.of(folder, entry.stem).before.is_file()
    ]
    views = embedded(compared, folder, size)
    unit = "mm" if any(_number(entry.row, "width_percentile_mm") is not None for entry in measured) else "px"
    return template("inspection", "inspection.html").render(
        title="Crack inspection",
        tiles=_tiles(entries, measured),
        columns=(columns := shown_columns([entry.row for entry in measured])),
        photographs=[
            _photograph(number, entry, columns, unit, folder, views.get(entry.stem), shown.get(entry.stem))
            for number, entry in enumerate(measured, 1)
        ],
        severities=_severities(measured),
        width_unit=unit,
        failed=[(printable(entry.row["file"]), entry.row["error"]) for entry in entries if entry.row.get("error")],
        percentile=next((entry.row["percentile"] for entry in measured if entry.row.get("percentile")), 95),
        guide=guide,
        sides=sides,
        colours=COLOURS,
        compared=any("bicubic_cracks" in entry.row for entry in measured),
        consistency=any(_number(entry.row, "consistency") is not None for entry in measured),
        light=any(crack.get("width_light_mean_px") not in (None, "") for entry in measured for crack in entry.cracks),
        settings=settings or {},
        density=density_section(maps, measured, folder),
    )


def embedded(entries: Sequence[Entry], folder: str | Path, size: int) -> dict[str, Views]:
    """Pictures by stem, the widest cracks first, until the page's budget is spent."""
    left, views = _BUDGET, {}
    for entry in widest_first(entries):
        found = embedded_views(PicturePlaces.of(folder, entry.stem), size)
        if found.size > left:
            break
        if found.after is not None:
            views[entry.stem] = found
            left -= found.size
    return views


def widest_first(entries: Sequence[Entry]) -> list[Entry]:
    """By the width of their cracks."""
    return sorted(entries, key=lambda entry: -(_number(entry.row, "width_percentile_px") or 0))


def shown_columns(rows: Sequence[Row]) -> list[Column]:
    """The columns of the table for which some row has a value; widths and lengths in millimetres if there are any."""
    percentile = next((row["percentile"] for row in rows if row.get("percentile")), 95)
    unit = "mm" if any(_number(row, "length_mm") is not None for row in rows) else "px"
    digits = 2 if unit == "mm" else 1

    def width(key: str, unit: str) -> str:
        reported = next((name for row in rows if (name := reported_key(row, key)) is not None), None)
        return f"{key}_{unit}" if reported is None else f"{reported}_value_{unit}"

    wanted = [
        Column(width("width_percentile", unit), f"width, {percentile:g} % below, {unit}", digits),
        Column(width("width_max", unit), f"largest width, {unit}", digits),
        Column(width("width_mean", unit), f"mean width, {unit}", digits),
        Column(f"bicubic_width_percentile_{unit}", f"{percentile:g} % below, from bicubic, {unit}", digits),
        Column(width("width_percentile", "px"), f"width, {percentile:g} % below, px", 1),
        Column(f"length_{unit}", f"length, {unit}", 0),
        Column("cracks", "cracks", 0),
        Column("density", "area, %", 3, 100.0),
        Column("density_m_per_m2", "density, m/m²", 2),
        Column("consistency", "consistency", 3),
    ]
    unique: dict[str, Column] = {}
    for column in wanted:
        unique.setdefault(column.key, column)  # without millimetres the width in pixels comes twice
    return [column for column in unique.values() if any(_number(row, column.key) is not None for row in rows)]


def remarks(row: Row) -> list[str]:
    """What of a photograph asks for a second look."""
    found = []
    if _number(row, "edited"):
        found.append("edited: the mask was corrected by hand; what is measured is the corrected one")
    for key, what in (
        ("missing_share", "holds no photograph (transparent or no-data)"),
        ("excluded_share", "left out by hand"),
    ):
        if share := _number(row, key):
            found.append(f"{100 * share:.3g} % {what}; it counts in no area")
    if share := _number(row, "skipped_share"):
        risk = 100 * (_number(row, "skipped_risk") or 0)
        found.append(
            f"{100 * share:.3g} % skipped: a quick look found nothing there; where that was measured, {risk:.2g} % of "
            "the length of labelled cracks lay in such parts"
        )
    if row.get("not_measured"):
        found.append(f"cracks: {row['not_measured']}")
    if row.get("scale_refused"):
        found.append(f"scale: {row['scale_refused']}")
    if row.get("note"):
        found.append(f"file: {row['note']}")
    if _number(row, "at_limit"):
        found.append("mean width below 3 px: at the limit of measurement")
    if row.get("severity_between"):
        found.append(str(row["severity_between"]))
    elif _number(row, "severity_uncertain"):
        found.append("class uncertain: a limit lies within the uncertainty of the width")
    if flags := _number(row, "width_flags"):
        noun = "crack" if flags == 1 else "cracks"
        found.append(f"{flags:.0f} {noun} with widths from mask and light that disagree, or filled: see the list")
    if _number(row, "exposure_exceeded"):
        found.append("above the guide's value for the chosen exposure")
    if (_number(row, "reduced") or 1) > 1:
        found.append(f"measured after shrinking by {_number(row, 'reduced'):.0f}, to keep memory bounded")
    if _number(row, "consistency_flag"):
        marked = _number(row, "consistency_cracks")
        where = "" if marked is None else f" (consistency {marked:.3f} where cracks are marked)"
        found.append(f"super-resolved image does not agree with the photograph{where}")
    return found


def _photograph(
    number: int,
    entry: Entry,
    columns: Sequence[Column],
    unit: str,
    folder: str | Path,
    views: Views | None,
    viewer: Viewer | None,
) -> dict[str, Any]:
    """What the template shows of one photograph."""
    row, own = entry.row, PicturePlaces.of(folder, entry.stem)
    level = _number(row, "severity_level")
    latitude, longitude = _number(row, "latitude"), _number(row, "longitude")
    pictures = {"large picture, left": own.before, "large picture, right": own.after}
    files = {name: file.relative_to(folder).as_posix() for name, file in pictures.items() if file.is_file()}
    if len(files) == 1:
        files = dict(zip(["large picture"], files.values(), strict=True))
    return {
        "number": number,
        "name": printable(row["file"]),
        "thumbnail": thumbnail(own),
        "cells": [_cell(row, column) for column in columns],
        "cracks": int(_number(row, "cracks") or 0),
        "severity": row.get("severity") or "",
        "level": None if level is None else int(level),
        "chip": None if level is None else min(int(level), _CHIPS),
        "remarks": remarks(row),
        "width": _number(row, width_key(row, unit)) or 0,
        "figures": _figures(row),
        "views": views,
        "viewer": viewer,
        "told": {} if viewer is None else {crack_number(crack): told(crack) for crack in entry.cracks},
        "scale": _scale(row),
        "comparison": _comparison(row, BICUBIC),
        "edited": bool(_number(row, "edited")),
        "before": _comparison(row, BEFORE),
        "widest": [listed(crack) for crack in widest(entry.cracks)],
        "all_cracks": len(entry.cracks),
        "position": None if latitude is None or longitude is None else f"{latitude:.6f}, {longitude:.6f}",
        "geo": None if latitude is None or longitude is None else f"geo:{latitude:.6f},{longitude:.6f}",
        "files": {name: quote(os.fsencode(path)) for name, path in {**files, **entry.files}.items()},
    }


def _figures(row: Row) -> list[tuple[str, str]]:
    """Numbers of a photograph with names, units and uncertainties."""
    found = [("cracks", _text(row, "cracks", 0))] if _number(row, "cracks") is not None else []
    found += [
        (title, text)
        for title, key, uncertainty in (
            ("length", "length", "length_uncertainty"),
            ("mean width", "width_mean", "width_uncertainty"),
            (f"width, {row.get('percentile') or 95:g} % below", "width_percentile", None),
            ("largest width", "width_max", None),
        )
        if _number(row, "cracks") != 0 and (text := length_or_width(row, key, uncertainty))
    ]
    orientation = _number(row, "orientation_deg")
    if orientation is not None:
        found.append(("orientation", f"{orientation:.0f}°"))
    if row.get("gsd_source"):
        found.append(("millimetres from", str(row["gsd_source"])))
    if _number(row, "consistency") is not None:
        found.append(("consistency", _text(row, "consistency", 3)))
    found += [(title, str(row[key])) for title, key in (("taken", "taken"), ("camera", "camera")) if row.get(key)]
    return found


def _scale(row: Row) -> dict[str, Any] | None:
    """The colour scale's numbers, and a scale bar as a share of the picture's width."""
    widest, columns = _number(row, width_key(row, "px")), _number(row, "width_px")
    if not widest or not columns:
        return None
    per_pixel = _number(row, "mm_per_pixel")
    unit, factor = ("px", 1.0) if per_pixel is None else ("mm", per_pixel)
    digits = 2 if unit == "mm" else 1
    bar = round_below(columns * factor / 4)
    return {
        "unit": unit,
        "numbers": [f"{share * widest * factor:.{digits}f}" for share in (0.0, 0.5, 1.0)],
        "bar": f"{bar:g} {unit}",
        "percent": f"{100 * bar / (columns * factor):.3f}",
    }


def _comparison(row: Row, prefix: str) -> list[tuple[str, str, str]]:
    """Name, value, and what was measured otherwise: on the bicubic enlargement, or before a correction."""
    if row.get(f"{prefix}cracks") in (None, ""):
        return []
    others = {key.removeprefix(prefix): value for key, value in row.items() if key.startswith(prefix)}
    theirs = dict(_figures({**others, "percentile": row.get("percentile")}))
    row = {key: value for key, value in row.items() if not key.startswith("width_reported_")}  # theirs are of the mask
    ours = {
        name: value
        for name, value in _figures(row)
        if name not in ("consistency", "taken", "camera", "millimetres from")
    }
    return [(name, ours.get(name, "–"), theirs.get(name, "–")) for name in dict.fromkeys([*ours, *theirs])]


def _tiles(entries: Sequence[Entry], measured: Sequence[Entry]) -> list[tuple[str, str]]:
    """The first numbers of the page, as (name, value)."""
    rows = [entry.row for entry in measured]
    tiles = [("photographs", str(len(entries)))]
    if len(measured) < len(entries):
        tiles.append(("not readable", str(len(entries) - len(measured))))
    tiles.append(("with cracks", str(sum(bool(_number(row, "cracks")) for row in rows))))
    tiles.append(("cracks", f"{sum(_number(row, 'cracks') or 0 for row in rows):.0f}"))
    lengths = [value for row in rows if (value := _number(row, "length_mm")) is not None]
    if lengths and len(lengths) == len(rows):
        tiles.append(("total length", f"{sum(lengths) / 1000:.2f} m"))
    for unit, digits in (("mm", 2), ("px", 1)):
        widths = [value for row in rows if (value := _number(row, width_key(row, unit))) is not None]
        if widths:
            tiles.append(("widest of them", f"{max(widths):.{digits}f} {unit}"))
            break
    if edited := sum(bool(_number(row, "edited")) for row in rows):
        tiles.append(("edited by hand", str(edited)))
    tiles.append(("with remarks", str(sum(bool(remarks(row)) for row in rows))))
    return tiles


def _severities(entries: Sequence[Entry]) -> list[tuple[int, str]]:
    """The classes that occur, by level."""
    return sorted(
        {(int(entry.row["severity_level"]), entry.row["severity"]) for entry in entries if entry.row.get("severity")}
    )


def _cell(row: Row, column: Column) -> tuple[str, str]:
    """Text of a cell, and the number it is sorted by; both empty if there is none."""
    value = _number(row, column.key)
    if value is None:
        return "–", ""
    return f"{value * column.factor:.{column.digits}f}", repr(value)


def _text(row: Row, key: str, digits: int) -> str:
    return f"{_number(row, key):.{digits}f}"
