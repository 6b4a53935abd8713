"""Cracks as lines for maps and drawings: their centrelines in pixels of the photograph, with few points."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from csbsr.measure.results import Crack, Measurement
from csbsr.measure.severity import WidthGuide
from csbsr.measure.tables import Row, crack_rows

_TOLERANCE = 0.1  # pixels of the photograph by which a line may leave its points out
_WIDTHS = ("mean", "maximum", "percentile")
#: What a line tells of its crack, of the columns of `csbsr.measure.crack_rows`.
PROPERTIES = (
    "crack",
    *(f"length{part}_{unit}" for unit in ("px", "mm") for part in ("", "_low", "_high")),
    *(
        f"width_reported_{kind}_{part}_{unit}"
        for kind in _WIDTHS for unit in ("px", "mm") for part in ("value", "low", "high")
    ),
    "width_source", "width_flag", "severity", "severity_level", "severity_uncertain", "severity_guide",
    "touches_border", "mm_per_pixel_low", "mm_per_pixel_high", "gsd_source",
)  # fmt: skip


def crack_lines(crack: Crack, scale: float) -> list[np.ndarray]:
    """The centrelines (n, 2) of a crack: x and y in pixels of the photograph, 0 at its upper left corner.

    Args:
        crack: measured.
        scale: pixels of the measured image to one of the photograph, along a side.
    """
    return [simplified((line.points + 0.5) / scale, _TOLERANCE) for line in crack.centrelines]


def simplified(points: np.ndarray, tolerance: float) -> np.ndarray:
    """Fewer of the points (n, 2) of a line, which then lies within ``tolerance`` of all (Douglas and Peucker 1973)."""
    origin = points[0]
    near = (points - origin).astype(np.float32)  # single precision counts from the line's own beginning
    kept = cv2.approxPolyDP(near[:, None], tolerance, closed=False)[:, 0]
    return kept.astype(np.float64) + origin


def line_rows(measurement: Measurement, image: str, guide: WidthGuide | None) -> list[Row]:
    """`PROPERTIES` of each crack; what does not apply is None."""
    rows: Sequence[Row] = crack_rows(measurement, image, guide)
    return [{key: None if row[key] == "" else row[key] for key in PROPERTIES} for row in rows]
