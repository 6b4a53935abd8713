"""The viewer of the report: a photograph or mosaic with the centrelines of its cracks over it, to zoom and to pan.

The picture is a preview inside the page; the lines are drawn as vectors in pixels of the photograph, so they stay
sharp however far one zooms.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from csbsr.data.reading.geo import GeoReference
from csbsr.inspection.classes import COLOURS, WIDTH, class_label, width_class
from csbsr.inspection.lines import CrackLine, Lines, read_lines
from csbsr.inspection.store import PicturePlaces
from csbsr.measure.lines import simplified
from csbsr.measure.overlay import round_below
from csbsr.pages.pictures import data_uri, limited, opened
from csbsr.words import printable

log = logging.getLogger("csbsr")

_SIDES = ((4, 4096), (24, 2048), (math.inf, 1280))  # up to so many photographs: pixels of a preview's longest side
_BUDGET = 24_000_000  # characters of all previews and lines of a page; beyond it photographs have no viewer
_LINES = 4_000_000  # characters of the lines of one photograph; beyond it the narrowest cracks are not drawn
_QUALITY = 80
_TOLERANCE = 0.1  # pixels of the preview by which a line may leave its points out
_STILL = (800, 600)  # pixels on a screen for which the scale bar is drawn before a script fits it to the window
_BAR = 160  # pixels on a screen that a scale bar has at most


class Drawn(NamedTuple):
    """A crack in the viewer."""

    number: int
    path: str  #: of SVG, in pixels of the photograph
    width_class: int


class Bar(NamedTuple):
    """A scale bar as it stands until the picture is zoomed."""

    text: str
    pixels: float  #: of a screen


class North(NamedTuple):
    """An arrow to the north."""

    degrees: float  #: clockwise from upwards, from 0 to below 360
    text: str

    @property
    def tip(self) -> tuple[float, float]:
        """Where the letter N is written, x to the right and y downwards from the arrow's middle, for a length of 1."""
        angle = math.radians(self.degrees)
        return math.sin(angle), -math.cos(angle)


class Viewer(NamedTuple):
    """What a page embeds of one photograph."""

    picture: str  #: the preview as a data URI
    size: tuple[float, float]  #: width and height in pixels of the photograph
    finest: float  #: pixels of the photograph to one of the preview, along a side
    cracks: tuple[Drawn, ...]  #: the widest first
    left_out: int  #: cracks that are not drawn, to keep the page small
    classes: tuple[tuple[int, str, str], ...]  #: those that occur: number, colour, what it is
    mm_per_pixel: float | None  #: of the photograph
    north: North | None

    @property
    def characters(self) -> int:
        """Characters that picture and lines take in a page."""
        return len(self.picture) + sum(len(crack.path) for crack in self.cracks)

    @property
    def numbers(self) -> frozenset[int]:
        """Of the cracks that are drawn."""
        return frozenset(crack.number for crack in self.cracks)

    @property
    def unit(self) -> float:
        """Pixels of the photograph to one of the screen, before a script fits the picture to the window."""
        return max(side / room for side, room in zip(self.size, _STILL, strict=True))

    @property
    def bar(self) -> Bar | None:
        """The scale bar before the picture is zoomed; None where millimetres are not known."""
        if self.mm_per_pixel is None:
            return None
        long = round_below(_BAR * self.unit * self.mm_per_pixel)
        return Bar(length(long), round(long / self.mm_per_pixel / self.unit, 2))


def viewers(stems: Sequence[str], folder: str | Path) -> dict[str, Viewer]:
    """What the viewers of a page embed, by stem, until the page's budget is spent.

    Up to 4 photographs have previews of 4096 pixels on their longer side, up to 24 of 2048, more of 1280; they and the
    lines are at most 24 MB together.

    Args:
        stems: paths of the results of the photographs, those first that matter most.
        folder: output folder.
    """
    side = next(side for most, side in _SIDES if len(stems) <= most)
    left, found = _BUDGET, {}
    for stem in stems:
        try:
            viewer = viewer_of(PicturePlaces.of(folder, stem), side)
        except (ValueError, TypeError, KeyError) as error:  # lines that are not ours
            told = printable(f"{stem}: its lines cannot be drawn ({error}); it has no viewer")
            log.warning("note     %s", told)
            continue
        if viewer is None:
            continue
        if viewer.characters > left:
            break
        found[stem] = viewer
        left -= viewer.characters
    return found


def viewer_of(places: PicturePlaces, side: int) -> Viewer | None:
    """The viewer of one photograph; None without its picture or lines.

    Args:
        places: of its pictures.
        side: pixels of the longest side of the preview at most.

    Raises:
        ValueError: the file of lines is damaged.
        TypeError, KeyError: a number of a crack in it is none, or is missing.
    """
    lines, picture = read_lines(places.lines), opened(places.after)
    if lines is None or picture is None:
        return None
    preview = limited(picture.convert("RGB"), side)
    finest = lines.size[0] / preview.width
    known = lines.mm_per_pixel is not None
    cracks = _drawn(lines, known, finest)
    return Viewer(
        picture=data_uri(preview, "jpeg", quality=_QUALITY, optimize=True),
        size=lines.size,
        finest=finest,
        cracks=cracks,
        left_out=len(lines.cracks) - len(cracks),
        classes=tuple((i, COLOURS[i], class_label(i, known)) for i in sorted({crack.width_class for crack in cracks})),
        mm_per_pixel=lines.mm_per_pixel,
        north=north(lines.geo),
    )


def _drawn(lines: Lines, in_mm: bool, finest: float) -> tuple[Drawn, ...]:
    """The cracks, the widest first, as many as the page has room for."""
    found, left = [], _LINES
    drawable = [crack for crack in lines.cracks if crack.lines]
    for crack in sorted(drawable, key=lambda crack: -(crack.properties.get(WIDTH[in_mm]) or 0.0)):
        path = svg_path(crack, _TOLERANCE * finest)
        left -= len(path)
        if left < 0:
            break
        found.append(Drawn(int(crack.properties["crack"]), path, width_class(crack.properties, in_mm)))
    return tuple(found)


def svg_path(crack: CrackLine, tolerance: float) -> str:
    """The lines of a crack as the data of an SVG path, in pixels of the photograph.

    Args:
        crack: its lines.
        tolerance: pixels of the photograph by which a line may leave its points out.
    """
    return "".join("M" + " ".join(f"{value:.6g}" for value in _fewer(line, tolerance).ravel()) for line in crack.lines)


def _fewer(line: np.ndarray, tolerance: float) -> np.ndarray:
    return simplified(line, tolerance) if len(line) > 2 else line


def north(geo: GeoReference | None) -> North | None:
    """Where the north of the coordinates is in the picture; None where its system is not known."""
    if geo is None or geo.epsg is None:
        return None
    a, b, _, d, e, _ = geo.transform
    determinant = a * e - b * d
    degrees = math.degrees(math.atan2(-b / determinant, -a / determinant))  # of what the transform takes to (0, 1)
    return North(round(degrees, 2) % 360, "north" if geo.degrees else f"north of the grid (EPSG:{geo.epsg})")


def length(mm: float) -> str:
    """A length of a scale bar in the unit that it is told in: ``5 mm``, ``2 cm``, ``10 m``."""
    factor, unit = (1.0, "mm") if mm < 10 else (10.0, "cm") if mm < 1000 else (1000.0, "m")
    return f"{mm / factor:g} {unit}"
