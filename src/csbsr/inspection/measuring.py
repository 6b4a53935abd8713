"""Measures photographs one after another and writes what an inspection leaves: rows, coloured cracks, the report."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from csbsr.inspection.page import Entry, inspection_page
from csbsr.inspection.views import PhotographPictures, encoded, width_layer, write_whole
from csbsr.measure import (
    CRACK_COLUMNS,
    IMAGE_COLUMNS,
    Measurement,
    WidthGuide,
    crack_rows,
    draw_widths,
    gsd_of,
    image_row,
    measure_cracks,
)
from csbsr.measure.checks import check_number

REPORT, CRACKS = "report.html", "cracks.csv"
#: What a summary's row holds of a measurement, see `csbsr.measure.image_row`.
MEASURED = [column for column in IMAGE_COLUMNS if column not in ("image", "threshold")]
BICUBIC = "bicubic_"
#: The same of the bicubic enlargement.
MEASURED_BICUBIC = [
    f"{BICUBIC}{column}"
    for column in MEASURED
    if column not in ("height_px", "width_px", "mm_per_pixel", "percentile", "severity_guide")
]


@dataclass(frozen=True)
class Measuring:
    """How photographs are measured.

    Attributes:
        gsd: ground sampling distance of the photographs, see `csbsr.measure.ground_sampling`.
        guide: for classes of severity; it needs millimetres.
        percentile: of the width.
        min_pixels: cracks that would cover fewer pixels of the photograph are left out; None means 1.
        spur: see `csbsr.measure.measure_cracks`.
        hole: see there.
        megapixels: a larger image is shrunken before it is measured, so that memory stays bounded.
    """

    gsd: float | dict[str, float] | None = None
    guide: WidthGuide | None = None
    percentile: float = 95
    min_pixels: float | None = 1
    spur: float = 2.0
    hole: int = 16
    megapixels: float = 64

    def __post_init__(self) -> None:
        if self.min_pixels is None:
            object.__setattr__(self, "min_pixels", 1)
        for name in ("percentile", "min_pixels", "spur", "hole", "megapixels"):
            check_number(name, getattr(self, name))
        if not self.megapixels > 0:
            raise ValueError(f"megapixels: expected a number above 0, got {self.megapixels!r}")
        self.measure("", np.zeros((1, 1), bool), 0.5, 1)  # raises for what is out of its range

    def measure(self, name: str, segmentation: np.ndarray, threshold: float, scale: float) -> Measurement:
        """Measure one photograph.

        Args:
            name: by which its ground sampling distance is listed.
            segmentation: (H, W) probability or bool.
            threshold: at and above which a probability is crack.
            scale: pixels of ``segmentation`` to one of the photograph, along a side.
        """
        return measure_cracks(
            segmentation,
            threshold,
            gsd_mm=gsd_of(name, self.gsd),
            scale=scale,
            percentile=self.percentile,
            min_pixels=self.min_pixels * scale**2,
            spur=self.spur,
            hole=self.hole,
        )

    def row(self, measurement: Measurement, prefix: str = "") -> dict[str, Any]:
        """What a summary's row holds of a measurement, None where a value does not apply; with `BICUBIC` as prefix,
        the columns `MEASURED_BICUBIC`, else `MEASURED`."""
        row = {f"{prefix}{key}": None if value == "" else value for key, value in self._image_row(measurement).items()}
        return {key: row[key] for key in (MEASURED_BICUBIC if prefix else MEASURED)}

    def crack_table(self, measurement: Measurement, name: str) -> str:
        """One row for each crack, as the text of a CSV file with the columns `csbsr.measure.CRACK_COLUMNS`."""
        return table(crack_rows(measurement, name, self.guide), CRACK_COLUMNS)

    def settings(self) -> dict[str, Any]:
        """For the report: what was chosen, in words."""
        guide = "none" if self.guide is None else self.guide.name
        return {
            "smallest crack": f"{self.min_pixels:g} px of the photograph",
            "percentile of the width": f"{self.percentile:g} %",
            "guide for classes": guide,
        }

    def _image_row(self, measurement: Measurement) -> dict[str, Any]:
        return image_row(measurement, "", self.guide)


def save_pictures(
    folder: Path, stem: str, measurement: Measurement, before: np.ndarray | None, after: np.ndarray
) -> bytes:
    """Write a photograph's pictures for the report.

    Args:
        folder: output folder.
        stem: of the photograph's results.
        measurement: of the view.
        before: (h, w, 3) uint8, the photograph; None if it is itself what was measured.
        after: (H, W, 3) uint8, the view that was measured, at any size.

    Returns:
        The JPEG file of ``after`` in grey with its cracks coloured by width, a colour scale and a scale bar.
    """
    PhotographPictures(folder, stem).save(before, after, width_layer(measurement, after.shape[:2]))
    return encoded(Image.fromarray(draw_widths(after, measurement)), "jpeg", quality=90)


def write_report(
    folder: Path,
    entries: Sequence[Entry],
    measuring: Measuring,
    sides: tuple[str, str],
    settings: Mapping[str, object],
) -> None:
    """Write ``cracks.csv`` and ``report.html`` into ``folder``; see `csbsr.inspection.page.inspection_page`."""
    rows = [row for entry in entries for row in entry.cracks]
    write_text(folder / CRACKS, table(rows, CRACK_COLUMNS))
    page = inspection_page(
        entries, folder, guide=measuring.guide, sides=sides, settings={**settings, **measuring.settings()}
    )
    write_text(folder / REPORT, page)


def write_summary(
    folder: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], about: Mapping[str, Any]
) -> None:
    """Write ``summary.csv`` with ``columns`` and ``summary.json`` with everything, a row for each photograph."""
    write_text(folder / "summary.csv", table(rows, columns))
    text = json.dumps({**about, "photographs": list(rows)}, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(folder / "summary.json", text)


def read_cracks(path: Path) -> list[dict[str, str]]:
    """The rows of one photograph's table of cracks; none if there is no such file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as the text of a CSV file; None and what is not finite are empty, True and False are 1 and 0."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, extrasaction="ignore", restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return stream.getvalue()


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    # A file name may hold bytes that are no UTF-8; Python keeps them as surrogates.
    write_whole(path, text.encode("utf-8", "surrogateescape"))


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return "" if value is None or (isinstance(value, float) and not math.isfinite(value)) else value
