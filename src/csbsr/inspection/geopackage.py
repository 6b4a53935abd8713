"""Lines as a GeoPackage with a style, in which QGIS opens them: coloured by width (``pip install csbsr[geo]``)."""

from __future__ import annotations

import logging
import os
import sqlite3
import struct
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from csbsr.inspection.classes import CLASSES, COLOURS, WIDTH, class_label

log = logging.getLogger("csbsr")
logging.getLogger("pyogrio").setLevel(logging.WARNING)  # it tells how many lines it wrote
_LAYER = "cracks"
_STYLES = """CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT, f_table_schema TEXT,
f_table_name TEXT, f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,
description TEXT, owner TEXT, ui TEXT, update_time DATETIME DEFAULT CURRENT_TIMESTAMP)"""


def check_geopackage() -> None:
    """Raise ValueError if pyogrio is not installed."""
    try:
        import pyogrio  # noqa: F401
    except ImportError as error:
        raise ValueError("layers: gpkg needs pyogrio; pip install csbsr[geo]") from error


def write_geopackage(
    path: Path, features: Sequence[tuple[list[np.ndarray], Mapping[str, Any]]], system: int | None
) -> None:
    """Write the lines of cracks, with their properties as columns, and the style.

    Args:
        path: of the file; an earlier one is replaced when the new one is whole.
        features: lines (n, 2) of each crack, and its properties, of the same names.
        system: code of EPSG; None for pixels, whose y is then turned upwards.  Of one that PROJ does not know a line
            tells, and the file names none.
    """
    from pyogrio.errors import CRSError

    flip = np.array([1.0, -1.0 if system is None else 1.0])
    geometry = np.array([multi_line([line * flip for line in lines]) for lines, _ in features], dtype=object)
    names = list(features[0][1]) if features else []
    columns = [_column([told[name] for _, told in features]) for name in names]
    growing, fields = path.with_name(f".{path.name}"), dict(zip(names, columns, strict=True))
    try:
        _write(growing, geometry, fields, None if system is None else f"EPSG:{system}")
    except CRSError:
        log.warning("layers   %s names no system of coordinates: PROJ does not know EPSG:%s", path.name, system)
        _write(growing, geometry, fields, None)
    in_mm = any(told.get(WIDTH[True]) is not None for _, told in features)
    _add_style(growing, style(in_mm))
    os.replace(growing, path)


def _write(path: Path, geometry: np.ndarray, fields: Mapping[str, np.ndarray], crs: str | None) -> None:
    from pyogrio.raw import write

    path.unlink(missing_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")  # pixels have none
        write(
            path, geometry, field_data=list(fields.values()), fields=np.array(list(fields), dtype=object),
            layer=_LAYER, driver="GPKG", geometry_type="MultiLineString", crs=crs,
        )  # fmt: skip


def multi_line(lines: Sequence[np.ndarray]) -> bytes:
    """Lines (n, 2) as the MultiLineString of well-known binary (OGC 06-103r4, 8.2)."""
    parts = [struct.pack("<BII", 1, 2, len(line)) + line.astype("<f8").tobytes() for line in lines]
    return struct.pack("<BII", 1, 5, len(lines)) + b"".join(parts)


def style(in_mm: bool) -> str:
    """A style of QGIS (QML): lines in five classes of width, the upper end of what is reported."""
    ends = CLASSES[in_mm]
    lows, highs = (0.0, *ends), (*ends, 1e9)
    ranges, symbols = [], []
    for index, (low, high, colour) in enumerate(zip(lows, highs, COLOURS, strict=True)):
        label = class_label(index, in_mm)
        ranges.append(f'<range symbol="{index}" lower="{low}" upper="{high}" label="{label}" render="true"/>')
        symbols.append(
            f'<symbol type="line" name="{index}" alpha="1" clip_to_extent="1"><layer class="SimpleLine" enabled="1" '
            f'pass="0" locked="0"><Option type="Map"><Option type="QString" name="line_color" value="{_rgb(colour)}"/>'
            f'<Option type="QString" name="line_width" value="{0.3 + 0.2 * index:.1f}"/></Option></layer></symbol>'
        )
    return (
        '<!DOCTYPE qgis PUBLIC "http://mrcc.com/qgis.dtd" "SYSTEM"><qgis version="3.28" styleCategories="Symbology">'
        f'<renderer-v2 type="graduatedSymbol" attr="{WIDTH[in_mm]}" graduatedMethod="GraduatedColor">'
        f"<ranges>{''.join(ranges)}</ranges><symbols>{''.join(symbols)}</symbols></renderer-v2></qgis>"
    )


def _add_style(path: Path, text: str) -> None:
    connection = sqlite3.connect(path)
    try:
        column = connection.execute(
            "SELECT column_name FROM gpkg_geometry_columns WHERE table_name = ?", (_LAYER,)
        ).fetchone()
        connection.execute(_STYLES)
        connection.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
            "styleQML, styleSLD, useAsDefault, description, owner) VALUES ('', '', ?, ?, 'width', ?, '', 1, ?, '')",
            (_LAYER, column[0], text, "cracks by width"),
        )
        connection.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('layer_styles', 'attributes', "
            "'layer_styles')"
        )
        connection.commit()
    finally:
        connection.close()


def _column(values: Sequence[Any]) -> np.ndarray:
    """Values of one type, None where there are none: numbers with NaN, or texts."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, (int, float)) for value in known):
        return np.array([np.nan if value is None else float(value) for value in values])
    return np.array([None if value is None else str(value) for value in values], dtype=object)


def _rgb(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"{red},{green},{blue},255"
