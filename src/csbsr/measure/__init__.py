"""Cracks in numbers: length, width, area and severity from a probability map or mask."""

from csbsr.measure.blur import BlurMap
from csbsr.measure.centreline import Centreline
from csbsr.measure.coverage import Coverage, coverage_of
from csbsr.measure.cracks import measure_cracks
from csbsr.measure.density import Density, Grid, crack_density
from csbsr.measure.gsd import GroundSampling, ground_sampling, gsd_of, unmatched
from csbsr.measure.intervals import Light, Width, WidthSet
from csbsr.measure.light import light_widths, with_light
from csbsr.measure.noise import TooNoisyError
from csbsr.measure.overlay import draw_widths
from csbsr.measure.photometric import photometric_width
from csbsr.measure.reading import above, read_segmentation, reduced, reduction
from csbsr.measure.reported import Reported, reported
from csbsr.measure.results import Crack, Measurement, width_uncertainty
from csbsr.measure.severity import Severity, WidthGuide
from csbsr.measure.tables import CRACK_COLUMNS, IMAGE_COLUMNS, crack_rows, image_row

__all__ = [
    "CRACK_COLUMNS",
    "IMAGE_COLUMNS",
    "BlurMap",
    "Centreline",
    "Coverage",
    "Crack",
    "Density",
    "Grid",
    "GroundSampling",
    "Light",
    "Measurement",
    "Reported",
    "Severity",
    "TooNoisyError",
    "Width",
    "WidthGuide",
    "WidthSet",
    "above",
    "coverage_of",
    "crack_density",
    "crack_rows",
    "draw_widths",
    "ground_sampling",
    "gsd_of",
    "image_row",
    "light_widths",
    "measure_cracks",
    "photometric_width",
    "read_segmentation",
    "reduced",
    "reduction",
    "reported",
    "unmatched",
    "width_uncertainty",
    "with_light",
]
