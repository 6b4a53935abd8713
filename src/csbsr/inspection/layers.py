"""The cracks of a folder of results as layers of a map: GeoJSON, GeoPackage; their density; the photographs.

One layer holds what has one system of coordinates: ``cracks.geojson`` where that is all, else one for each,
``cracks_epsg25832.geojson`` and ``cracks_pixels.geojson``.  Photographs that lie nowhere are in their own pixels, y
downwards.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from csbsr.files import write_text
from csbsr.inspection.density import DensityMap
from csbsr.inspection.geopackage import write_geopackage
from csbsr.inspection.lines import DEGREES, CrackLine, Lines, placed, read_lines
from csbsr.inspection.record import DONE, Record
from csbsr.inspection.store import DENSITY, LAYER, PLACES, Store
from csbsr.pages.files import json_text
from csbsr.words import printable

log = logging.getLogger("csbsr")

_WGS84 = 4326

#: Lines or borders of areas (n, 2) of a thing in the coordinates of its layer, and its properties.
Feature = tuple[list[np.ndarray], dict[str, Any]]


def write_layers(store: Store, layers: Collection[str], maps: Iterable[DensityMap] = ()) -> None:
    """Write the layers of all photographs of a folder, and remove those of systems that it no longer holds.

    Args:
        store: the folder.
        layers: that are wanted.
        maps: of the density of cracks, which have a layer of their own.
    """
    groups = grouped(_kept(store))
    written: set[str] = set()
    if "geojson" in layers:
        for system, lines in groups.items():
            written |= _write_geojson(store.folder, _name(system, groups), system, features(lines))
        places = photographs(store.sorted_records)
        if places["features"]:
            write_text(store.folder / PLACES, json_text(places))
            written.add(PLACES)
    if "gpkg" in layers:
        for system, lines in groups.items():
            name = f"{_name(system, groups)}.gpkg"
            write_geopackage(store.folder / name, features(lines), system)
            written.add(name)
    if len(groups) > 1 and written:
        ending = "geojson" if "geojson" in layers else "gpkg"
        files = ", ".join(f"{_name(system, groups)}.{ending}" for system in groups)
        log.info("layers   %d systems of coordinates, each with a file of its own: %s", len(groups), files)
    written |= _write_density(store.folder, maps)
    store.remove_layers(written)


def grouped(kept: Iterable[Lines]) -> dict[int | None, list[Lines]]:
    """By the code of the system of coordinates; None for pixels, also of a GeoTIFF that names no system."""
    groups: dict[int | None, list[Lines]] = {}
    for lines in kept:
        groups.setdefault(lines.system, []).append(lines)
    return dict(sorted(groups.items(), key=lambda item: item[0] or 0))


def features(group: Sequence[Lines]) -> list[Feature]:
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


def collection(found: Sequence[Feature], system: int | None, kind: str = "MultiLineString") -> dict[str, Any]:
    """A GeoJSON FeatureCollection, which names its system of coordinates (as GeoJSON 2008 has it).

    Args:
        found: what it holds.
        system: code of the system of coordinates; None for pixels.
        kind: of geometry: ``MultiLineString``, or ``Polygon`` of the border and those of holes.
    """
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
                "geometry": {"type": kind, "coordinates": [line.tolist() for line in lines]},
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
    return np.stack([x, y], axis=1).round(DEGREES)


def _write_density(folder: Path, maps: Iterable[DensityMap]) -> set[str]:
    groups: dict[int | None, list[Feature]] = {}
    for one in maps:
        groups.setdefault(one.lines.system, []).extend(one.features())
    written: set[str] = set()
    for system, found in groups.items():
        written |= _write_geojson(folder, _name(system, groups, DENSITY), system, found, "Polygon")
    return written


def _write_geojson(
    folder: Path, name: str, system: int | None, found: Sequence[Feature], kind: str = "MultiLineString"
) -> set[str]:
    write_text(folder / f"{name}.geojson", json_text(collection(found, system, kind)))
    written = {f"{name}.geojson"}
    if system is None:
        return written
    try:
        moved = [([to_wgs84(line, system) for line in lines], told) for lines, told in found]
    except ImportError:
        log.warning("layers   %s_wgs84.geojson needs pip install csbsr[geo]", name)
        return written
    write_text(folder / f"{name}_wgs84.geojson", json_text(collection(moved, _WGS84, kind)))
    return {*written, f"{name}_wgs84.geojson"}


def _name(system: int | None, groups: Collection[int | None], layer: str = LAYER) -> str:
    if len(groups) == 1:
        return layer
    return f"{layer}_pixels" if system is None else f"{layer}_epsg{system}"


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
