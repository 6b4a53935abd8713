"""The cracks of one photograph as lines, kept in its folder of pictures until all layers are written from them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from csbsr.data.reading.geo import GeoReference
from csbsr.measure import Coverage, Measurement, WidthGuide
from csbsr.measure.lines import crack_lines, line_rows
from csbsr.pages.files import json_text, read_json
from csbsr.plain import is_kind, kind_of

FORMAT = 1
_DIGITS = 3  # of a pixel
#: Digits of degrees in a layer; of metres or feet there are fewer: a tenth of a millimetre.
DEGREES = 9
_LENGTHS = 4
_LARGEST = 1e12  # no length in pixels or metres reaches it


@dataclass(frozen=True)
class Frame:
    """What a measured image shows of its photograph.

    Attributes:
        scale: pixels of the measured image to one of the photograph, along a side.
        geo: where the photograph lies; None for one that is not georeferenced.
        coverage: what of the photograph holds data; None: all.
    """

    scale: float
    geo: GeoReference | None = None
    coverage: Coverage | None = None


@dataclass(frozen=True)
class CrackLine:
    """A crack: its lines (n, 2), x and y in pixels of the photograph from its upper left corner, and its numbers."""

    lines: tuple[np.ndarray, ...]
    properties: dict[str, Any]


@dataclass(frozen=True)
class Lines:
    """The cracks of one photograph.

    Attributes:
        photograph: its name.
        size: width and height in its pixels.
        mm_per_pixel: of the photograph; None if it is not known.
        geo: where it lies.
        cracks: by number.
        block: of the coverage that is kept beside them; None where all of the photograph holds data.
    """

    photograph: str
    size: tuple[float, float]
    mm_per_pixel: float | None
    geo: GeoReference | None
    cracks: tuple[CrackLine, ...]
    block: float | None = None

    @property
    def system(self) -> int | None:
        """Code of the system of coordinates; None for pixels, also of a GeoTIFF that names no system."""
        return None if self.geo is None else self.geo.epsg


def lines_of(measurement: Measurement, name: str, frame: Frame, guide: WidthGuide | None) -> Lines:
    """The lines of a measured photograph."""
    height, width = (side / frame.scale for side in measurement.shape)
    rows = line_rows(measurement, name, guide)
    cracks = tuple(
        CrackLine(tuple(np.round(line, _DIGITS) for line in crack_lines(crack, frame.scale)), row)
        for crack, row in zip(measurement.cracks, rows, strict=True)
    )
    per_pixel = None if measurement.mm_per_pixel is None else measurement.mm_per_pixel * frame.scale
    block = None if frame.coverage is None else frame.coverage.block
    return Lines(name, (width, height), per_pixel, frame.geo, cracks, block)


def to_text(lines: Lines) -> str:
    """As the text of a JSON file."""
    return json_text(
        {
            "format": FORMAT,
            "photograph": lines.photograph,
            "size": lines.size,
            "mm_per_pixel": lines.mm_per_pixel,
            "coverage_block": lines.block,
            "georeference": None if lines.geo is None else dataclasses.asdict(lines.geo),
            "cracks": [
                {"properties": crack.properties, "lines": [line.tolist() for line in crack.lines]}
                for crack in lines.cracks
            ],
        }
    )


def read_lines(path: Path) -> Lines | None:
    """From the file that `to_text` made; None if there is none.

    Raises:
        ValueError: it is damaged.
    """
    if not path.is_file():
        return None
    found = read_json(path)
    try:
        geo = None if found["georeference"] is None else _georeference(found["georeference"])
        cracks = tuple(
            CrackLine(tuple(_points(line) for line in crack["lines"]), dict(crack["properties"]))
            for crack in found["cracks"]
        )
        width, height = map(_length, found["size"])
        numbers = found["mm_per_pixel"], found.get("coverage_block")  # the latter unknown to earlier versions
        per_pixel, block = (None if number is None else _length(number) for number in numbers)
        return Lines(str(found["photograph"]), (width, height), per_pixel, geo, cracks, block)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: expected the lines of a photograph's cracks, got other JSON ({error})") from error


def placed(points: np.ndarray, geo: GeoReference | None) -> np.ndarray:
    """Points (n, 2) in the coordinates of the georeference, pixels without one."""
    if geo is None or geo.epsg is None:
        return points
    a, b, c, d, e, f = geo.transform
    moved = points @ np.array([[a, d], [b, e]]) + [c, f]
    return moved.round(DEGREES if geo.degrees else _LENGTHS)


def _georeference(found: Any) -> GeoReference:
    transform, (width, height) = tuple(map(float, found["transform"])), found["size"]
    a, b, c, d, e, f = transform
    if not all(abs(number) < _LARGEST for number in transform) or a * e == b * d:
        raise ValueError(f"expected the transform of an image, got {transform}")
    epsg, metres = found["epsg"], None if found["metres"] is None else _length(found["metres"])
    if epsg is not None and not is_kind(epsg, int):
        raise ValueError(f"expected the code of a system of coordinates, got {kind_of(epsg)}")
    return GeoReference((a, b, c, d, e, f), epsg, bool(found["degrees"]), metres, (width, height))


def _length(value: Any) -> float:
    if not is_kind(value, float) or not 1 / _LARGEST < value < _LARGEST:
        raise ValueError(f"expected a length above 0, got {str(value)[:40]}")
    return float(value)


def _points(line: Any) -> np.ndarray:
    points = np.array(line, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError("expected points of x and y")
    return points
