"""Rows for CSV files: one for each crack, one for each image, with the unit in the name of the column."""

from __future__ import annotations

from csbsr.measure.intervals import Width, WidthSet
from csbsr.measure.reported import NEITHER, reported, reported_of_image
from csbsr.measure.results import Crack, Measurement
from csbsr.measure.severity import Severity, WidthGuide

Row = dict[str, object]

_LENGTHS = ("length", "length_uncertainty", "width_mean", "width_max", "width_percentile", "width_uncertainty")
_SIZES = [f"{name}_{unit}" for name in _LENGTHS for unit in ("px", "mm")]
_SEVERITY = ["severity", "severity_level", "severity_uncertain", "exposure_exceeded", "severity_guide"]
_ENDS = ("low", "high")
_UNITS = ("px", "mm")
# Of the mask the interval; of the light and of what is reported the value too.
_INTERVALS = [f"{name}_{end}_{unit}" for name in ("length", "width_mean") for end in _ENDS for unit in _UNITS]
_LIGHT = [f"width_light_{end}_{unit}" for end in ("mean", *_ENDS) for unit in _UNITS]
_REPORTED = [
    f"width_reported_{kind}_{end}_{unit}" for kind in WidthSet._fields for end in ("value", *_ENDS) for unit in _UNITS
]
_GROUND = ["mm_per_pixel_low", "mm_per_pixel_high", "gsd_source"]
_SHARED = [*_SIZES, "at_limit", "area_px", "area_mm2", "density", "orientation_deg", "branches"]

#: columns of `crack_rows`, for the header of a file without a crack
CRACK_COLUMNS = [
    *("image", "crack", *_SHARED, "pixels", "x0", "y0", "x1", "y1", "touches_border", *_SEVERITY),
    *("severity_between", *_INTERVALS, *_LIGHT, "light_profiles", "width_source", "width_flag", *_REPORTED, *_GROUND),
]
#: columns of `image_row`
IMAGE_COLUMNS = [
    *("image", "height_px", "width_px", "mm_per_pixel", "threshold", "percentile", "cracks"),
    *(*_SHARED, *_SEVERITY),
    *("severity_between", "gsd_mm_uncertainty", "width_flags", *_REPORTED, *_GROUND),
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
            _ordered(
                CRACK_COLUMNS,
                {
                    "image": image,
                    "crack": crack.number,
                    **_shared(crack, measurement),
                    "pixels": crack.pixels,
                    **{"x0": x0, "y0": y0, "x1": x1, "y1": y1},
                    "touches_border": int(crack.touches_border),
                    **_severity(guide.of_crack(crack, measurement) if guide else None, guide),
                    **_of_crack(crack, measurement),
                    **_ground(measurement),
                },
            )
        )
    return rows


def image_row(measurement: Measurement, image: str, guide: WidthGuide | None = None) -> Row:
    """One row on all cracks of an image, with the columns `IMAGE_COLUMNS`; as `crack_rows`, the class the severest."""
    height, width = measurement.shape
    row = {
        "image": image,
        "height_px": height,
        "width_px": width,
        "mm_per_pixel": "" if measurement.mm_per_pixel is None else measurement.mm_per_pixel,
        "threshold": measurement.threshold,
        "percentile": measurement.percentile,
        "cracks": len(measurement.cracks),
        **_shared(measurement, measurement),
        **_severity(guide.of_image(measurement) if guide else None, guide),
        **_of_image(measurement),
        **_ground(measurement),
    }
    return _ordered(IMAGE_COLUMNS, row)


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
        return dict.fromkeys([*_SEVERITY, "severity_between"], "")
    exceeds = "" if severity.exceeds is None else int(severity.exceeds)
    cells = (severity.label, severity.level, int(severity.uncertain), exceeds, guide.name)
    return {**dict(zip(_SEVERITY, cells, strict=True)), "severity_between": severity.between}


def _of_crack(crack: Crack, measurement: Measurement) -> Row:
    """The intervals, the width from the light, and the widths that are reported."""
    found = reported(crack)
    light = None if crack.light is None else crack.light.widths.mean
    row: Row = {}
    for name, width in (("length", crack.length_interval), ("width_mean", crack.mask_widths.mean)):
        row |= {key: cell for key, cell in _cells(name, width, measurement).items() if "_value_" not in key}
    row |= {key.replace("_value_", "_mean_"): cell for key, cell in _cells("width_light", light, measurement).items()}
    row["light_profiles"] = "" if crack.light is None else crack.light.profiles
    row["width_source"], row["width_flag"] = found.source, found.flag
    for kind, width in zip(WidthSet._fields, found.widths, strict=True):
        row |= _cells(f"width_reported_{kind}", width, measurement)
    if found.source == NEITHER:
        row |= {key: "" for key in row if key.startswith("width_reported_") and "_value_" in key}
    return row


def _of_image(measurement: Measurement) -> Row:
    """The reported widths of all cracks, see `csbsr.measure.reported.reported_of_image`."""
    found = [reported(crack) for crack in measurement.cracks]
    row: Row = {"width_flags": sum(bool(one.flag) for one in found), "gsd_mm_uncertainty": ""}
    if measurement.mm_per_pixel is not None and measurement.mm_relative > 0:
        row["gsd_mm_uncertainty"] = measurement.mm_per_pixel * measurement.mm_relative
    together = reported_of_image(measurement)
    for place, kind in enumerate(WidthSet._fields):
        row |= _cells(f"width_reported_{kind}", None if together is None else together[place], measurement)
    return row


def _ground(measurement: Measurement) -> Row:
    """The interval of the millimetres to a pixel, the same as their value where it is not known, and their source."""
    value = measurement.mm_per_pixel
    if value is None:
        return dict.fromkeys(_GROUND, "")
    low, high = (float(f"{value * (1 + sign * measurement.mm_relative):.6g}") for sign in (-1, 1))
    return dict(zip(_GROUND, (low, high, measurement.mm_source), strict=True))


def _ordered(columns: list[str], row: Row) -> Row:
    return {column: row[column] for column in columns}


def _cells(name: str, width: Width | None, measurement: Measurement) -> Row:
    row: Row = {}
    for unit, digits, one in zip(_UNITS, (3, 4), (width, width and measurement.width_mm(width)), strict=True):
        for end in ("value", *_ENDS):
            row[f"{name}_{end}_{unit}"] = "" if one is None else round(getattr(one, end), digits)
    return row


def _rounded(value: float | None, digits: int) -> float | str:
    return "" if value is None else round(value, digits)
