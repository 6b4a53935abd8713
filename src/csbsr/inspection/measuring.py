"""How the cracks of photographs are measured, the same for all of a run; and what of it is written down."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from csbsr.data.reading.geo import read_georeference
from csbsr.files import write_text
from csbsr.inspection.coverage import write_coverage
from csbsr.inspection.drawing import check_drawing, write_drawing
from csbsr.inspection.geopackage import check_geopackage
from csbsr.inspection.lines import Frame, lines_of, to_text
from csbsr.inspection.record import MEASURED, Measured
from csbsr.inspection.store import GrowingFiles
from csbsr.inspection.views import save_measured
from csbsr.measure import (
    CRACK_COLUMNS,
    BlurMap,
    Measurement,
    WidthGuide,
    crack_rows,
    gsd_of,
    image_row,
    measure_cracks,
    with_light,
)
from csbsr.measure.checks import check_number
from csbsr.measure.ground import Automatic, Scale
from csbsr.measure.gsd import parse_sampling
from csbsr.measure.noise import check_limit
from csbsr.pages.files import csv_text
from csbsr.plain import is_kind

_NUMBERS = ("percentile", "min_pixels", "spur", "hole", "megapixels")
#: The layers that may be asked for.
LAYERS = ("geojson", "gpkg", "dxf")
#: What `Measuring.recorded` tells.
RECORDED = ("gsd_mm", "gsd_mm_uncertainty", "marker_mm", "light", "severity", *_NUMBERS)


@dataclass(frozen=True)
class Measuring:
    """How photographs are measured.

    Attributes:
        gsd: ground sampling distance of the photographs, see `csbsr.measure.ground_sampling`.
        guide: for classes of severity; it needs millimetres.
        percentile: of the width.
        min_pixels: cracks that would cover fewer pixels of the photograph are left out; None means 1.
        spur: pixels by which a side branch must clear its crack to count, see `csbsr.measure.measure_cracks`.
        hole: pixels up to which a hole in a crack is noise, see `csbsr.measure.measure_cracks`.
        megapixels: a larger image is shrunken before it is measured, so that memory stays bounded.
        max_branches: an image with more branches of cracks is not measured, see `csbsr.measure.measure_cracks`.
        light: measure widths from the photograph's intensities too, see `csbsr.measure.with_light`.
        layers: of the map that are written, of `LAYERS`.
        cell_m: side in metres of the cells for which the density of cracks is told; None: for none.
        automatic: finds the ground sampling distance of each photograph, where ``gsd`` is None.
    """

    gsd: float | dict[str, float] | None = None
    guide: WidthGuide | None = None
    percentile: float = 95
    min_pixels: float | None = 1
    spur: float = 2.0
    hole: int = 16
    megapixels: float = 64
    max_branches: int | None = None
    light: bool = True
    automatic: Automatic | None = None
    layers: tuple[str, ...] = ("geojson",)
    cell_m: float | None = None

    def __post_init__(self) -> None:
        if self.min_pixels is None:
            object.__setattr__(self, "min_pixels", 1)
        check_layers(self.layers)
        for name in _NUMBERS:
            check_number(name, getattr(self, name))
        if not self.megapixels > 0:
            raise ValueError(f"megapixels: expected a number above 0, got {self.megapixels!r}")
        check_limit(self.max_branches)
        _check_cell(self.cell_m)
        self.measure("", np.zeros((1, 1), bool), 0.5, 1)  # raises for what is out of its range

    @property
    def looks_for_marker(self) -> bool:
        """Whether a marker is looked for in photographs, which are rectified where they show it at an angle."""
        return self.automatic is not None and self.automatic.marker_mm is not None

    def measure(
        self,
        name: str,
        segmentation: np.ndarray,
        threshold: float,
        scale: float,
        valid: np.ndarray | None = None,
        spread: np.ndarray | None = None,
        ground: Scale | None = None,
    ) -> Measurement:
        """Measure one photograph.

        Args:
            name: by which its ground sampling distance is listed.
            segmentation: (H, W) probability or bool.
            threshold: at and above which a probability is crack.
            scale: pixels of ``segmentation`` to one of the photograph, along a side.
            valid: (H, W) bool, what of it counts; None for all.
            spread: (H, W) standard deviation of the probability over flips; None without.
            ground: the photograph's scale; None for what is listed.

        Raises:
            csbsr.measure.TooNoisyError: it has more than `max_branches`.
        """
        ground = ground or self.ground(name)
        measurement = measure_cracks(
            segmentation,
            threshold,
            gsd_mm=ground.sampling,
            scale=scale,
            percentile=self.percentile,
            min_pixels=(self.min_pixels or 0) * scale**2,
            spur=self.spur,
            hole=self.hole,
            valid=valid,
            spread=spread,
            max_branches=self.max_branches,
        )
        return replace(measurement, mm_source=ground.source)

    def ground(self, name: str, path: Path | None = None, image: np.ndarray | None = None) -> Scale:
        """The scale of a photograph: as it was given, else as its file or its ``image`` (H, W, 3) uint8 tells."""
        given = gsd_of(name, self.gsd)
        if given is None and self.automatic is not None and path is not None:
            return self.automatic.of_file(path) if image is None else self.automatic.of_photograph(path, image)
        geo = None if path is None else read_georeference(path)
        return Scale(geo=geo) if given is None else Scale(parse_sampling(given), "gsd_mm", geo=geo)

    def with_light(
        self, measurement: Measurement, photograph: np.ndarray | None, blur: BlurMap | None = None
    ) -> Measurement:
        """The measurement with the widths that its photograph tells, if there is one and they are asked for."""
        if photograph is None or not self.light:
            return measurement
        return with_light(measurement, photograph, blur)

    def nothing(self, shape: tuple[int, int], threshold: float) -> Measurement:
        """A measurement without cracks, to draw the pictures of what was not measured; ``shape``: H, W."""
        return Measurement((), shape, threshold, self.percentile, None)

    def numbers(self, measurement: Measurement) -> Measured:
        """What a record holds of a measurement, None where a value does not apply."""
        row: dict[str, Any] = image_row(measurement, "", self.guide)
        known = {key: None if value == "" else value for key, value in row.items()}
        return Measured(**{key: known[key] for key in MEASURED})

    def crack_table(self, measurement: Measurement, name: str) -> str:
        """One row for each crack, as the text of a CSV file with the columns `csbsr.measure.CRACK_COLUMNS`."""
        return csv_text(crack_rows(measurement, name, self.guide), CRACK_COLUMNS)

    def save(
        self,
        measurement: Measurement,
        name: str,
        files: GrowingFiles,
        before: np.ndarray | None,
        after: np.ndarray,
        frame: Frame,
    ) -> str:
        """Write a photograph's pictures for the report, and of its files those that show a measurement.

        Args:
            measurement: of the view.
            name: of the photograph.
            files: of the photograph.
            before: (h, w, 3) uint8, the photograph; None if it is itself what was measured.
            after: (H, W, 3) uint8, the view that was measured, at any size.
            frame: what the measured image shows of the photograph, and where that holds data.

        Returns:
            The table of cracks.
        """
        widths, table = save_measured(files.pictures, measurement, before, after), self.crack_table(measurement, name)
        if "widths" in files.kinds:
            files.temporary("widths").write_bytes(widths)
        if "cracks" in files.kinds:
            write_text(files.temporary("cracks"), table)
        lines = lines_of(measurement, name, frame, self.guide)
        write_text(files.pictures.lines, to_text(lines))
        write_coverage(files.pictures.coverage, frame.coverage)
        if "drawing" in files.kinds:
            write_drawing(files.temporary("drawing"), lines)
        return table

    def recorded(self, name: str, path: Path | None = None) -> dict[str, Any]:
        """What a photograph's measurement hangs on, to tell results of other settings apart; ``path``: its file."""
        severity = None if self.guide is None else _described(self.guide)
        gsd = self.ground(name, None if self.automatic is None else path).sampling
        marker = None if self.automatic is None or gsd is not None else self.automatic.marker_mm
        looked_for = {} if marker is None else {"marker_mm": marker}
        chosen = {"gsd_mm": gsd, "gsd_mm_uncertainty": getattr(gsd, "uncertainty", None), "light": self.light}
        return {**chosen, **looked_for, "severity": severity, **{key: getattr(self, key) for key in _NUMBERS}}

    def shown(self) -> dict[str, Any]:
        """For the report: what was chosen, in words."""
        guide = "none" if self.guide is None else self.guide.name
        cells = {} if self.cell_m is None else {"cells of the density": f"{self.cell_m:g} m"}
        return {
            "smallest crack": f"{self.min_pixels:g} px of the photograph",
            "percentile of the width": f"{self.percentile:g} %",
            "guide for classes": guide,
            "widths": "from mask and light" if self.light else "from the mask",
            **cells,
        }


def check_layers(layers: Collection[str]) -> None:
    """Raise ValueError for an unknown layer, or one whose package is not installed."""
    for layer in layers:
        if layer not in LAYERS:
            raise ValueError(f"layers: expected some of {', '.join(LAYERS)}, got {layer!r}")
    if "gpkg" in layers:
        check_geopackage()
    if "dxf" in layers:
        check_drawing()


def _check_cell(cell_m: Any) -> None:
    """Raise ValueError unless it is a length above 0, or None."""
    if cell_m is not None and not (is_kind(cell_m, float) and 0 < cell_m < math.inf):
        raise ValueError(f"cell_m: expected metres above 0, such as 0.5, got {cell_m!r}; leave it out for no density")


def _described(guide: WidthGuide) -> str:
    """All that a class hangs on."""
    limits = "; ".join(f"{exposure} {limit:g} mm" for exposure, limit in guide.limits.items())
    return f"{guide.name}, {guide.width} width, exposure {guide.exposure} ({limits})"
