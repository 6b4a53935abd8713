"""Rows for CSV files: one for each crack, one for each image, with the unit in the name of the column."""

from __future__ import annotations

from csbsr.measure.results import Crack, Measurement
from csbsr.measure.severity import Severity, WidthGuide

Row = dict[str, object]

_LENGTHS = ("length", "length_uncertainty", "width_mean", "width_max", "width_percentile", "width_uncertainty")
_SIZES = [f"{name}_{unit}" for name in _LENGTHS for unit in ("px", "mm")]
_SEVERITY = ["severity", "severity_level", "severity_uncertain", "exposure_exceeded", "severity_guide"]
_SHARED = [*_SIZES, "at_limit", "area_px", "area_mm2", "density", "orientation_deg", "branches"]

#: columns of `crack_rows`, for the header of a file without a crack
CRACK_COLUMNS = ["image", "crack", *_SHARED, "pixels", "x0", "y0", "x1", "y1", "touches_border", *_SEVERITY]
#: columns of `image_row`
IMAGE_COLUMNS = [
    *("image", "height_px", "width_px", "mm_per_pixel", "threshold", "percentile", "cracks"),
    *(*_SHARED, *_SEVERITY),
]


def crack_rows(measurement: Measurement, image: str, guide: WidthGuide | None = None) -> list[Row]:
    """One row for each crack; what does not apply (millimetres, a direction, a class) is an empty text.

    Args:
        measurement: of the image.
        image: its name.
        guide: for the classes of severity; it needs millimetres.

    Returns:
        Rows with the columns `CRACK_COLUMNS`.  Lengths are rounded to 0.001 pixels and 0.0001 mm; the box is in pixels,
        x1 and y1 exclusive; ``at_limit``, ``touches_border``, ``severity_uncertain`` and ``exposure_exceeded`` are 0
        or 1.
    """
    rows = []
    for crack in measurement.cracks:
        x0, y0, x1, y1 = crack.box
        rows.append(
            {
                "image": image,
                "crack": crack.number,
                **_shared(crack, measurement),
                "pixels": crack.pixels,
                **{"x0": x0, "y0": y0, "x1": x1, "y1": y1},
                "touches_border": int(crack.touches_border),
                **_severity(guide.of_crack(crack, measurement) if guide else None, guide),
            }
        )
    return rows


def image_row(measurement: Measurement, image: str, guide: WidthGuide | None = None) -> Row:
    """One row on all cracks of an image, with the columns `IMAGE_COLUMNS`; as `crack_rows`, the class the severest."""
    height, width = measurement.shape
    return {
        "image": image,
        "height_px": height,
        "width_px": width,
        "mm_per_pixel": "" if measurement.mm_per_pixel is None else measurement.mm_per_pixel,
        "threshold": measurement.threshold,
        "percentile": measurement.percentile,
        "cracks": len(measurement.cracks),
        **_shared(measurement, measurement),
        **_severity(guide.of_image(measurement) if guide else None, guide),
    }


def _shared(item: Crack | Measurement, measurement: Measurement) -> Row:
    row: Row = {}
    for name in _LENGTHS:
        row[f"{name}_px"] = _rounded(getattr(item, name), 3)
        row[f"{name}_mm"] = _rounded(measurement.mm(getattr(item, name)), 4)
    row["at_limit"] = int(item.at_limit)
    row["area_px"] = _rounded(item.area, 2)
    row["area_mm2"] = _rounded(measurement.mm2(item.area), 4)
    row["density"] = _rounded(item.density, 8)
    row["orientation_deg"] = _rounded(item.orientation, 1)
    row["branches"] = item.branches
    return row


def _severity(severity: Severity | None, guide: WidthGuide | None) -> Row:
    if severity is None or guide is None:
        return dict.fromkeys(_SEVERITY, "")
    exceeds = "" if severity.exceeds is None else int(severity.exceeds)
    return dict(
        zip(_SEVERITY, (severity.label, severity.level, int(severity.uncertain), exceeds, guide.name), strict=True)
    )


def _rounded(value: float | None, digits: int) -> float | str:
    return "" if value is None else round(value, digits)
