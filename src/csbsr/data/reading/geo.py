"""Where a GeoTIFF lies: its transform, its system of coordinates and the unit of that, from its tags (GeoTIFF 1.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile

from csbsr.data.regular import check_regular

_SCALE, _TIEPOINT, _MATRIX, _KEYS, _DOUBLES, _TEXTS = 33550, 33922, 34264, 34735, 34736, 34737
_MODEL, _RASTER, _GEOGRAPHIC, _PROJECTED, _LINEAR = 1024, 1025, 2048, 3072, 3076
_PROJECTED_MODEL, _GEOGRAPHIC_MODEL, _POINT, _AREA = 1, 2, 2, 1
_USER_DEFINED = 32767
#: Metres to a unit, by the code of EPSG: metre, international foot, US survey foot.
METRES = {9001: 1.0, 9002: 0.3048, 9003: 1200 / 3937}


@dataclass(frozen=True)
class GeoReference:
    """Where the pixels of an image lie.

    Attributes:
        transform: a, b, c, d, e, f: the pixel corner (column x, row y) lies at (a x + b y + c, d x + e y + f).
        epsg: code of the system of coordinates; None if the file gives none.
        degrees: coordinates are degrees of longitude and latitude; else lengths.
        metres: to a unit of the coordinates; None for degrees, or where the file does not tell.
        size: width and height of the image in pixels.
    """

    transform: tuple[float, float, float, float, float, float]
    epsg: int | None
    degrees: bool
    metres: float | None
    size: tuple[int, int]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Coordinates of the pixel corner at column ``x``, row ``y``."""
        a, b, c, d, e, f = self.transform
        return a * x + b * y + c, d * x + e * y + f


def read_georeference(path: str | Path) -> GeoReference | None:
    """Of the first page of a TIFF; None of other files, of damaged ones, and without a transform one can invert."""
    try:
        check_regular(path)
        with tifffile.TiffFile(path) as file:
            tags = {tag.code: tag.value for tag in _first(file).tags}
        return georeference(tags)
    except Exception:  # no TIFF, or whatever a damaged one makes tifffile raise
        return None


def is_placed(page: tifffile.TiffPage) -> bool:
    """Does a page of a TIFF tell where it lies?"""
    return georeference({tag.code: tag.value for tag in page.tags}) is not None


def told_of_place(path: str | Path) -> list[str]:
    """What is missing or unusual of where a TIFF lies, for a person; nothing of a file that tells of no place."""
    try:
        check_regular(path)
        with tifffile.TiffFile(path) as file:
            tags = {tag.code: tag.value for tag in _first(file).tags}
    except Exception:  # no TIFF, or whatever a damaged one makes tifffile raise
        return []
    geo = georeference(tags)
    if geo is None:
        told = any(tag in tags for tag in (_SCALE, _TIEPOINT, _MATRIX, _KEYS))
        return ["lies nowhere, for it has no transform that can be used: its lines are in pixels"] if told else []
    notes = []
    if geo.epsg is None:
        notes.append("names no coordinate system by its code: its lines are in pixels")
    _, b, _, d, _, _ = geo.transform
    if b or d:
        notes.append("turned against its coordinates, and so are its results")
    return notes


def _first(file: tifffile.TiffFile) -> tifffile.TiffPage:
    page = file.pages[0]
    if not isinstance(page, tifffile.TiffPage):
        raise ValueError("no page")
    return page


def placing_tags(path: str | Path, scale: float) -> list[tuple[int, str, int, Any, bool]]:
    """Tags for tifffile that place an image, ``scale`` times as large along a side, where the TIFF at ``path`` lies.

    None of a file that is not georeferenced.  The coordinate system is copied as it is; pixels are areas.
    """
    geo = read_georeference(path)
    if geo is None:
        return []
    a, b, c, d, e, f = geo.transform
    a, b, d, e = (value / scale for value in (a, b, d, e))
    if b == d == 0 and a > 0 > e:
        found = [(_SCALE, "d", 3, (a, -e, 0.0), True), (_TIEPOINT, "d", 6, (0.0, 0.0, 0.0, c, f, 0.0), True)]
    else:
        matrix = (a, b, 0.0, c, d, e, 0.0, f, *(0.0,) * 4, 0.0, 0.0, 0.0, 1.0)
        found = [(_MATRIX, "d", 16, matrix, True)]
    with tifffile.TiffFile(path) as file:
        tags = {tag.code: tag.value for tag in _first(file).tags}
    keys = _as_area([int(value) for value in tags.get(_KEYS, ())])
    result: list[tuple[int, str, int, Any, bool]] = [*found]
    if keys:
        result.append((_KEYS, "H", len(keys), keys, True))
    if _DOUBLES in tags:
        numbers = tuple(float(value) for value in tags[_DOUBLES])
        result.append((_DOUBLES, "d", len(numbers), numbers, True))
    if _TEXTS in tags:
        result.append((_TEXTS, "s", 0, str(tags[_TEXTS]), True))
    return result


def _as_area(directory: list[int]) -> list[int]:
    """A directory of keys with pixels as areas."""
    for place in range(4, len(directory) - 3, 4):
        if directory[place] == _RASTER:
            directory[place + 1 : place + 4] = [0, 1, _AREA]
    return directory


def georeference(tags: dict[int, Any]) -> GeoReference | None:
    """From TIFF tags by number; None without a transform, or with one that squeezes the image into a line.

    Pixels are areas or points (GTRasterTypeGeoKey); of points the corner lies half a pixel before.
    """
    keys = _geo_keys(tags.get(_KEYS, ()))
    transform = _transform(tags)
    if transform is None:
        return None
    a, b, c, d, e, f = transform
    if keys.get(_RASTER) == _POINT:
        c, f = c - (a + b) / 2, f - (d + e) / 2
    if not all(map(math.isfinite, (a, b, c, d, e, f))) or a * e == b * d:
        return None
    model = keys.get(_MODEL)
    degrees = model == _GEOGRAPHIC_MODEL
    code = keys.get(_GEOGRAPHIC if degrees else _PROJECTED)
    epsg = code if code is not None and 0 < code < _USER_DEFINED else None
    metres = METRES.get(keys.get(_LINEAR, 0))
    if metres is None and model == _PROJECTED_MODEL and _is_utm(epsg):
        metres = 1.0
    size = int(tags[256]), int(tags[257])
    return GeoReference((a, b, c, d, e, f), epsg, degrees, None if degrees else metres, size)


def _transform(tags: dict[int, Any]) -> tuple[float, float, float, float, float, float] | None:
    matrix, scale, tie = (tags.get(code) for code in (_MATRIX, _SCALE, _TIEPOINT))
    if matrix is not None and len(matrix) == 16:
        return (*(float(matrix[i]) for i in (0, 1, 3)), *(float(matrix[i]) for i in (4, 5, 7)))  # type: ignore[return-value]
    if scale is None or tie is None or len(scale) < 2 or len(tie) < 6:
        return None
    x, y = float(scale[0]), -float(scale[1])
    return x, 0.0, float(tie[3]) - x * float(tie[0]), 0.0, y, float(tie[4]) - y * float(tie[1])


def _geo_keys(directory: Any) -> dict[int, int]:
    """The keys whose value stands in the directory itself: codes."""
    numbers = [int(value) for value in directory]
    entries = [numbers[i : i + 4] for i in range(4, len(numbers) - 3, 4)]
    return {key: value for key, place, _, value in entries if place == 0}


def _is_utm(epsg: int | None) -> bool:
    """UTM of WGS 84 or ETRS89, whose unit is the metre."""
    return epsg is not None and (32601 <= epsg <= 32660 or 32701 <= epsg <= 32760 or 25828 <= epsg <= 25838)
