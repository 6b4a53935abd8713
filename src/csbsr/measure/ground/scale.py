"""What is known of a photograph's scale: the millimetres to its pixel, from where, and what was refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from csbsr.data.reading.geo import GeoReference
from csbsr.measure.gsd import GroundSampling


class RefusedError(ValueError):
    """A source of the scale is there and must not be used; the text says why, and the way out."""


class ContradictionError(RefusedError):
    """Two parts of one file contradict each other, so that neither can be trusted."""


class Rectification(NamedTuple):
    """How a photograph is turned into the picture as seen straight on."""

    matrix: np.ndarray  #: (3, 3), from pixels of the photograph to those of the picture
    shape: tuple[int, int]  #: height and width of the picture

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The picture (H, W, C) of a photograph (h, w, C); black where the photograph shows nothing."""
        return cv2.warpPerspective(image, self.matrix, self.shape[::-1], flags=cv2.INTER_CUBIC)

    def valid(self, valid: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray:
        """(H, W) bool, where the photograph of ``shape`` (h, w) shows something that counts, by ``valid`` (h, w)."""
        shown = np.ones(shape, np.uint8) if valid is None else valid.astype(np.uint8)
        return cv2.warpPerspective(shown, self.matrix, self.shape[::-1], flags=cv2.INTER_NEAREST) > 0


@dataclass(frozen=True)
class Scale:
    """The scale of one photograph.

    Attributes:
        sampling: millimetres to a pixel, with half of the 90 % interval; None without a scale.
        source: where it is from, for people; empty without a scale.
        refused: of sources that are there and were not used, why.
        rectify: to the picture as seen straight on, to whose pixels ``sampling`` then belongs; None where the
            photograph is used as it is.
        geo: where the photograph, as its file has it, lies; None of one that is not georeferenced.
    """

    sampling: GroundSampling | None = None
    source: str = ""
    refused: tuple[str, ...] = ()
    rectify: Rectification | None = None
    geo: GeoReference | None = None

    @property
    def shown(self) -> GeoReference | None:
        """Where the picture lies that is measured; None too of a rectified one."""
        return None if self.rectify is not None else self.geo


def sampling(value: float, relative: float) -> GroundSampling:
    """``value`` millimetres to a pixel, known within a share ``relative`` of it; at most 90 % of it."""
    return GroundSampling(value, value * min(relative, 0.9))
