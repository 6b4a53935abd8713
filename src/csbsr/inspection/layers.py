"""The cracks of a folder of results as layers of a map: GeoJSON, GeoPackage; and the places of the photographs.

One layer holds what has one system of coordinates: ``cracks.geojson`` where that is all, else one for each,
``cracks_epsg25832.geojson`` and ``cracks_pixels.geojson``.  Photographs that lie nowhere are in their own pixels, y
downwards.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from csbsr.data.reading.geo import GeoReference
from csbsr.files import write_text
from csbsr.inspection.geopackage import write_geopackage
from csbsr.inspection.lines import CrackLine, Lines, read_lines
from csbsr.inspection.record import DONE, Record
from csbsr.inspection.store import LAYER, PLACES, Store
from csbsr.pages.files import json_text
from csbsr.words import printable

log = logging.getLogger("csbsr")

_WGS84 = 4326
_DIGITS, _DEGREES = 4, 9  # of metres or feet, and of degrees: a tenth of a millimetre


def write_layers(store: Store, layers: Collection[str]) -> None:
    """Write the layers of all photographs of a folder, and remove those of systems that it no longer holds."""
    groups = grouped(_kept(store))
    written: set[str] = set()
    if "geojson" in layers:
        for system, lines in groups.items():
            written |= _write_geojson(store.folder, _name(system, groups), system, lines)
        places = photographs(store.sorted_records)
        if places["features"]:
            write_text(store.folder / PLACES, json_text(places))
            written.add(PLACES)
    if "gpkg" in layers:
        for system, lines in groups.items():
            name = f"{_name(system, groups)}.gpkg"
            write_geopackage(store.folder / name, features(lines), system)
            written.add(name)
    store.remove_layers(written)


def grouped(kept: Iterable[Lines]) -> dict[int | None, list[Lines]]:
    """By the code of the system of coordinates; None for pixels, also of a GeoTIFF that names no system."""
    groups: dict[int | None, list[Lines]] = {}
    for lines in kept:
        groups.setdefault(None if lines.geo is None else lines.geo.epsg, []).append(lines)
    return dict(sorted(groups.items(), key=lambda item: item[0] or 0))


def features(group: Sequence[Lines]) -> list[tuple[list[np.ndarray], dict[str, Any]]]:
    """The lines of each crack in the coordinates of its group, and its properties."""
    return [
        ([placed(line, lines.geo) for line in crack.lines], properties(lines, crack))
        for lines in group
        for crack in lines.cracks
    ]


def properties(lines: Lines, crack: CrackLine) -> dict[str, Any]:
    """Of a crack, with a number that stays while its mask does."""
    own = f"{lines.photograph}#{crack.properties.get('crack')}"
    return {"id": own, "photograph": lines.photograph, **crack.properties}


def placed(points: np.ndarray, geo: GeoReference | None) -> np.ndarray:
    """Points (n, 2) in the coordinates of the georeference, pixels without one."""
    if geo is None or geo.epsg is None:
        return points
    a, b, c, d, e, f = geo.transform
    moved = points @ np.array([[a, d], [b, e]]) + [c, f]
    return moved.round(_DEGREES if geo.degrees else _DIGITS)


def collection(found: Sequence[tuple[list[np.ndarray], Mapping[str, Any]]], system: int | None) -> dict[str, Any]:
    """A GeoJSON FeatureCollection of lines, which names its system of coordinates (as GeoJSON 2008 has it)."""
    crs = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{system}"}}
    named = {"coordinates_in": "pixels, y downwards"} if system is None else {} if system == _WGS84 else {"crs": crs}
    return {
        "type": "FeatureCollection",
        **named,
        "features": [
            {
                "type": "Feature",
                "id": told["id"],
                "properties": dict(told),
                "geometry": {"type": "MultiLineString", "coordinates": [line.tolist() for line in lines]},
            }
            for lines, told in found
        ],
    }


def photographs(records: Iterable[Record]) -> dict[str, Any]:
    """A GeoJSON FeatureCollection of the places where EXIF says that photographs were taken."""
    found = []
    for record in records:
        place = record.metadata
        if record.status != DONE or place is None or place.latitude is None or place.longitude is None:
            continue
        told = {"photograph": record.file, "taken": place.taken, "altitude_m": place.altitude_m}
        cracks = {} if record.measured is None else {"cracks": record.measured.cracks}
        point = {"type": "Point", "coordinates": [place.longitude, place.latitude]}
        found.append({"type": "Feature", "properties": {**told, **cracks}, "geometry": point})
    return {"type": "FeatureCollection", "features": found}


def to_wgs84(points: np.ndarray, system: int) -> np.ndarray:
    """Points (n, 2) as longitude and latitude.

    Raises:
        ImportError: rasterio is not installed.
    """
    from rasterio.warp import transform

    x, y = transform(f"EPSG:{system}", f"EPSG:{_WGS84}", points[:, 0].tolist(), points[:, 1].tolist())
    return np.stack([x, y], axis=1).round(_DEGREES)


def _write_geojson(folder: Path, name: str, system: int | None, group: Sequence[Lines]) -> set[str]:
    found = features(group)
    write_text(folder / f"{name}.geojson", json_text(collection(found, system)))
    written = {f"{name}.geojson"}
    if system is None:
        return written
    try:
        moved = [([to_wgs84(line, system) for line in lines], told) for lines, told in found]
    except ImportError:
        log.warning("layers   %s_wgs84.geojson needs pip install csbsr[geo]", name)
        return written
    write_text(folder / f"{name}_wgs84.geojson", json_text(collection(moved, _WGS84)))
    return {*written, f"{name}_wgs84.geojson"}


def _name(system: int | None, groups: Collection[int | None]) -> str:
    if len(groups) == 1:
        return LAYER
    return f"{LAYER}_pixels" if system is None else f"{LAYER}_epsg{system}"


def _kept(store: Store) -> list[Lines]:
    kept = []
    for record in store.sorted_records:
        if record.status != DONE or record.stem is None or record.measured is None:
            continue
        try:
            lines = read_lines(store.pictures(record.stem).lines)
        except ValueError as error:
            log.warning("note     %s; it is in no layer", printable(str(error)))
            continue
        if lines is not None:
            kept.append(lines)
    return kept
