"""The cracks of a folder of results as layers of a map: GeoJSON, GeoPackage; their density; the photographs.

One layer holds what has one system of coordinates: ``cracks.geojson`` where that is all, else one for each,
``cracks_epsg25832.geojson`` and ``cracks_pixels.geojson``.  Photographs that lie nowhere are in their own pixels, y
downwards.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from csbsr.files import write_pieces, write_text
from csbsr.inspection.density import DensityMap
from csbsr.inspection.geopackage import write_geopackage
from csbsr.inspection.lines import DEGREES, CrackLine, Lines, placed, read_lines
from csbsr.inspection.record import DONE, Record
from csbsr.inspection.store import DENSITY, LAYER, PLACES, Store
from csbsr.pages.files import json_line, json_text
from csbsr.words import first_names, printable

log = logging.getLogger("csbsr")
logging.getLogger("rasterio._env").setLevel(logging.WARNING)  # else each point that PROJ refuses has a line

_WGS84 = 4326
_AT_ONCE = 10_000  # things of a layer whose coordinates are computed together

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


def geojson(found: Iterable[Feature], system: int | None, kind: str = "MultiLineString") -> Iterator[str]:
    """The text of a GeoJSON FeatureCollection, which names its system of coordinates (as GeoJSON 2008 has it).

    Args:
        found: what it holds; each is a line of the text.
        system: code of the system of coordinates; None for pixels.
        kind: of geometry: ``MultiLineString``, or ``Polygon`` of the border and those of holes.
    """
    crs = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{system}"}}
    named = {"coordinates_in": "pixels, y downwards"} if system is None else {} if system == _WGS84 else {"crs": crs}
    yield json_line({"type": "FeatureCollection", **named})[:-1] + ', "features": ['
    between = "\n"
    for lines, told in found:
        geometry = {"type": kind, "coordinates": [line.tolist() for line in lines]}
        yield between + json_line({"type": "Feature", "id": told["id"], "properties": told, "geometry": geometry})
        between = ",\n"
    yield "\n]}\n"


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


def to_wgs84(found: Sequence[Feature], system: int) -> Iterator[Feature]:
    """What lies in a system of coordinates as longitude and latitude.

    Things of photographs that lie where the system has no place, or in one that PROJ does not know, are left out; a
    line tells which.

    Raises:
        ImportError: rasterio is not installed.
    """
    from rasterio.warp import transform

    lost: dict[str, None] = {}
    for photograph, group in groupby(found, lambda feature: feature[1]["photograph"]):
        own = list(group)
        for start in range(0, len(own), _AT_ONCE):
            part = own[start : start + _AT_ONCE]
            all_lines = [line for lines, _ in part for line in lines]
            x, y = np.concatenate([np.empty((0, 2)), *all_lines]).T.tolist()
            try:
                points = np.stack(transform(f"EPSG:{system}", f"EPSG:{_WGS84}", x, y), axis=1).round(DEGREES)
            except Exception:  # those of GDAL have no public class
                points = np.full((1, 2), np.nan)
            if not np.isfinite(points).all():
                lost[photograph] = None
                continue
            moved = iter(np.split(points, np.cumsum([len(line) for line in all_lines])))
            yield from (([next(moved) for _ in lines], told) for lines, told in part)
    if lost:
        log.warning(
            "layers   EPSG:%d has no place for what is in %s, which has no longitude and latitude; check its GeoTIFF",
            system,
            first_names(list(lost)),
        )


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
    own, other = f"{name}.geojson", f"{name}_wgs84.geojson"
    write_pieces(folder / own, geojson(found, system, kind))
    if system is None:
        return {own}
    try:
        write_pieces(folder / other, geojson(to_wgs84(found, system), _WGS84, kind))
    except ImportError:
        log.warning("layers   %s needs pip install csbsr[geo]", other)
        return {own}
    return {own, other}


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
