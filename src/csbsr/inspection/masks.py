"""The work on existing masks and probability maps: measure the cracks in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from csbsr.data.limits import MAX_MEGAPIXELS
from csbsr.data.reading import at_most, eight_bit, read_image
from csbsr.inspection.measuring import Measuring
from csbsr.inspection.metadata import read_metadata
from csbsr.inspection.record import Record
from csbsr.inspection.sources import Mask
from csbsr.inspection.store import GrowingFiles
from csbsr.inspection.views import LARGEST
from csbsr.measure import read_segmentation, reduced
from csbsr.measure.checks import check_number
from csbsr.measure.reading import KINDS
from csbsr.pages.pictures import limited

_THRESHOLD = 0.5  # where none is given or noted
_UNKNOWN_SCALE = 4.0  # taken for the largest mask that is read, where nobody says how many pixels are one


class MeasuringMasks:
    """Measures masks, see `csbsr.inspection.job.Work`.

    Args:
        measuring: how cracks are measured.
        kind: what the files hold, see `csbsr.measure.read_segmentation`.
        threshold: of a probability; None for what is noted of a mask, else 0.5.
        scale: pixels of a mask to one of the photograph; None for what is noted of it, or from the photograph, or 1.
        max_megapixels: of a photograph that is read; a mask may have as many at the photograph's scale.

    Raises:
        ValueError: something is out of its range.
    """

    noun = "mask"
    measured_settings = ()
    sides = ("without", "with the cracks")
    kinds = ("widths", "cracks")

    def __init__(
        self,
        measuring: Measuring,
        kind: str = "auto",
        threshold: float | None = None,
        scale: float | None = None,
        max_megapixels: float = MAX_MEGAPIXELS,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
        for name, value in (("threshold", threshold), ("scale", scale)):
            if value is not None:
                check_number(name, value)
        self.measuring, self.kind, self.threshold, self.scale = measuring, kind, threshold, scale
        self.max_megapixels = max_megapixels
        # Raises for what is out of its range, before anything is written.
        measuring.measure("", np.zeros((1, 1), bool), _first(threshold, _THRESHOLD), _first(scale, 1))

    def settings(self, item: Mask) -> dict[str, Any] | None:
        """Masks are always measured anew, whatever was there."""
        return None

    def do(self, item: Mask, record: Record, files: GrowingFiles, tick: Callable[[float], None]) -> None:
        """Measure one mask: its files grow under their temporary names, its record is filled."""
        if item.error is not None:
            raise ValueError(item.error)
        measuring = self.measuring
        side = max(1.0, _first(self.scale, item.scale, _UNKNOWN_SCALE))
        with at_most(self.max_megapixels * side**2):
            segmentation, factor = read_segmentation(item.path, self.kind, measuring.megapixels * 1e6, item.predicted)
            picture = None if item.picture is None else eight_bit(read_image(item.picture))
        from_photograph = 1 if picture is None else factor * segmentation.shape[1] / picture.shape[1]
        scale = _first(self.scale, item.scale, from_photograph)
        threshold = _first(self.threshold, item.threshold, _THRESHOLD)
        measurement = measuring.measure(item.listed_name(measuring.gsd), segmentation, threshold, scale / factor)
        view = limited(Image.fromarray(as_picture(segmentation) if picture is None else picture), LARGEST)
        measuring.save(measurement, item.name, files, None, np.asarray(view))
        record.metadata = item.metadata or read_metadata(item.picture or item.path)
        record.agreement, record.scale, record.reduced, record.threshold = item.agreement, scale, factor, threshold
        record.stem, record.measured = item.stem, measuring.numbers(measurement)


def _first(*values: float | None) -> float:
    """The first of some values that is given, the last being always there."""
    return next(value for value in values if value is not None)


def as_picture(segmentation: np.ndarray) -> np.ndarray:
    """A mask or probability (H, W) as grey (H, W, 3) uint8."""
    shrunken = reduced(segmentation, max(1, max(segmentation.shape) // LARGEST))
    return np.repeat(eight_bit(shrunken.astype(np.float32))[..., None], 3, axis=2)
