"""Bias and spread of measured lengths and widths on drawn cracks, as a table: python -m tests.measure.accuracy.

Straight cracks, ten widths and at least 50 pixels long, at eleven angles from 0 to 90 degrees and two places within the
pixel, with flat and with round ends, as mask, with sub-pixel edges, blurred, and blurred with noise.  Blurred cracks
below two pixels are left out: little of their probability reaches the threshold.  Masks at
angles of the pixel grid (0, 26.6, 45 … degrees) have the grid's width, up to half a pixel from the drawn one, which is
counted as error too; their own width, pixels by length, is compared besides, of those with flat ends.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from csbsr.measure import Measurement, measure_cracks
from tests.measure.drawn import EDGES, draw, render, straight

ANGLES = (0, 5, 15, 26.6, 30, 45, 60, 63.4, 75, 85, 90)
WIDTHS = (1, 2, 3, 4, 5, 8, 10, 15, 20)
_SPECK = 4  # pixels; noise leaves smaller ones beside a crack
_OWN = "mask, against its own width"
PLACES = ((0.17, -0.31), (-0.42, 0.08))


class Case(NamedTuple):
    """One drawn crack and what was measured of it."""

    edge: str
    width: float
    angle: float
    cap: str
    length: float
    raster_width: float  #: area of what was measured by the drawn length: for masks, the width the pixels have
    found: Measurement


def straight_cases(
    widths: Iterable[float],
    angles: Iterable[float],
    places: Sequence[tuple[float, float]] = PLACES,
    caps: Sequence[str] = ("flat", "round"),
    edges: Sequence[str] = EDGES,
) -> Iterator[Case]:
    """Draw straight cracks and measure them; noise may tear one of two pixels, whose pieces are then summed."""
    for width in widths:
        for angle in angles:
            for place in places:
                for cap in caps:
                    length = max(10 * width, 50)
                    side = int(length + 3 * width) + 12
                    line = straight(length, angle, (side / 2 + place[0], side / 2 + place[1]))
                    cover = draw([line], width, (side, side), cap)
                    whole = length + (width if cap == "round" else 0)
                    for edge in edges:
                        if width < 2 and edge in ("soft", "noisy"):
                            continue
                        drawn = render(cover, edge, width)
                        found = measure_cracks(drawn, min_pixels=_SPECK)
                        yield Case(edge, width, angle, cap, whole, float((drawn >= 0.5).sum()) / length, found)


def table(cases: Iterable[Case]) -> str:
    """Markdown: for each kind of edge and band of widths mean, standard deviation and largest size of the errors."""
    groups: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for case in cases:
        length = 100 * (case.found.length / case.length - 1)
        groups.setdefault((case.edge, _band(case.width)), []).append((length, case.found.width_mean - case.width))
        if case.edge == "mask" and case.cap == "flat":
            own = case.found.width_mean - case.raster_width
            groups.setdefault((_OWN, _band(case.width)), []).append((length, own))
    lines = [
        "| edges | width, px | cracks | length: bias, % | spread, % | largest, % "
        "| mean width: bias, px | spread, px | largest, px |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    order = [EDGES[0], _OWN, *EDGES[1:]]
    for edge, band in sorted(groups, key=lambda group: (order.index(group[0]), float(group[1].partition("–")[0]))):
        errors = np.array(groups[edge, band])
        cells = [f"{mean:+.2f} | {spread:.2f} | {most:.2f}" for mean, spread, most in _summary(errors)]
        lines.append(f"| {edge} | {band} | {len(errors)} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _band(width: float) -> str:
    """The band of a width, for a row of the table; each of the thin ones is one of its own."""
    return f"{width:g}" if width < 3 else "3–5" if width <= 5 else "8–20"


def _summary(errors: np.ndarray) -> list[tuple[float, float, float]]:
    return list(zip(errors.mean(axis=0), errors.std(axis=0), np.abs(errors).max(axis=0), strict=True))


if __name__ == "__main__":
    sys.stdout.write(table(straight_cases(WIDTHS, ANGLES)) + "\n")
