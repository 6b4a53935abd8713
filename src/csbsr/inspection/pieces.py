"""Measures the cracks of a result of any size that lies in rows on the disk: in windows around them, on a fine grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from csbsr.data.reading import filled
from csbsr.data.reading.by_rows import RowReader
from csbsr.inspection.measuring import Measuring
from csbsr.inspection.rowfiles import RowFile
from csbsr.inspection.spread import VARIANCE_WHITE
from csbsr.measure import BlurMap, Measurement
from csbsr.measure.ground import Scale
from csbsr.measure.pieces import MOST_PIXELS, Part, Piece, measure_in_pieces
from csbsr.memory import give_back_memory
from csbsr.predict.rows import LEVELS, NO_DATA

#: Pixels to one of the photograph, along a side, on which cracks are measured: coarser rasters are enlarged for it.
_FINEST = 4


@dataclass(frozen=True)
class InPieces:
    """One result and how it is measured.

    Attributes:
        measuring: the settings.
        name: of the image.
        shape: H, W of the result.
        scale: its pixels to one of the image, along a side.
        threshold: at and above which a probability is crack.
        ground: the scale of the image.
        probability: (H, W) uint16 in `LEVELS`; `NO_DATA` where there is none.
        variance: (H, W) uint16, of the probability over flips, in `LEVELS` of `VARIANCE_WHITE`; None without flips.
        image: to take widths from its light; None to do without.
        blur: of a part (h, w) of the image.
    """

    measuring: Measuring
    name: str
    shape: tuple[int, int]
    scale: int
    threshold: float
    ground: Scale
    probability: RowFile
    variance: RowFile | None = None
    image: RowReader | None = None
    blur: Callable[[tuple[int, int]], BlurMap | None] = lambda shape: None

    @property
    def finer(self) -> int:
        """Pixels of the measurement to one of the result, along a side."""
        return max(1, _FINEST // self.scale)

    def measure(self, counted: int) -> tuple[Measurement, int]:
        """Measure it.

        Args:
            counted: pixels of the result that hold data.

        Returns:
            The measurement, and how many cracks are too large for a window and were measured in pieces.

        Raises:
            csbsr.measure.TooNoisyError: a window has more branches than the settings allow.
        """
        return measure_in_pieces(
            self._values, self.shape, self.threshold, self._part, step=self.scale, finer=self.finer, counted=counted
        )

    def nothing(self) -> Measurement:
        """A measurement without cracks."""
        height, width = self.shape
        return self.measuring.nothing((height * self.finer, width * self.finer), self.threshold)

    def _values(self, start: int, stop: int) -> np.ndarray:
        return (self.probability.read(start, stop) * np.float32(1 / LEVELS)).astype(np.float16)

    def _part(self, part: Part, own: np.ndarray) -> Piece:
        """What is crack in a window by ``own`` (h, w) bool, measured on as fine a grid as memory allows."""
        give_back_memory()  # windows of many sizes leave holes in what the process keeps: 60 MB a window
        columns, r = slice(part.left, part.right), self.scale
        valid = self.probability.read(part.top, part.bottom)[:, columns] != NO_DATA
        segmentation = self._values(part.top, part.bottom)[:, columns]
        segmentation[(segmentation >= self.threshold) & ~own] = 0
        spread = None
        if self.variance is not None:
            share = self.variance.read(part.top, part.bottom)[:, columns] * np.float32(1 / LEVELS)
            spread = np.sqrt(share * np.float32(VARIANCE_WHITE)).astype(np.float16)
        finer = max(f for f in (1, 2, 4) if f == 1 or (f * r <= _FINEST and part.pixels * f**2 <= MOST_PIXELS))
        found = self.measuring.measure(
            self.name, enlarged(segmentation, finer), self.threshold, r * finer,
            valid.repeat(finer, 0).repeat(finer, 1), None if spread is None else enlarged(spread, finer), self.ground,
        )  # fmt: skip
        if not found.cracks or not self.measuring.light or self.image is None:
            return Piece(found, finer)
        across = slice(part.left // r, part.right // r)
        image = filled(*self.image.rows(part.top // r, part.bottom // r, across))
        return Piece(self.measuring.with_light(found, image, self.blur((image.shape[0], image.shape[1]))), finer)


def told_of_pieces(cut: int) -> str | None:
    """What is told of so many cracks that were measured in pieces."""
    return f"{cut} cracks are too large to be measured whole and are listed in pieces" if cut else None


def enlarged(values: np.ndarray, factor: int) -> np.ndarray:
    """Values (h, w) float16 between their pixels' centres, (factor·h, factor·w) float16."""
    if factor == 1:
        return values
    size = values.shape[1] * factor, values.shape[0] * factor
    return cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_LINEAR).astype(np.float16)
