"""What is measured of one image: its cracks with lengths and widths in pixels, and their millimetres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from csbsr.measure.centreline import Centreline
from csbsr.measure.intervals import Light, Width, WidthSet

LIMIT_OF_MEASUREMENT = 3.0  # pixels: narrower widths hang on single pixels
_NO_DIRECTION = 0.1  # of the length: what is left of the directions of a loop or a blob when they are summed


@dataclass(frozen=True)
class Crack:
    """One crack: pixels that hang together by sides or corners.  Lengths in pixels of the measured image.

    Attributes:
        number: from 1, by the upper then the left edge of the box.
        pixels: count at or above the threshold, small holes closed.
        area: square pixels, the sum of the sub-pixel coverage.
        length: along the centrelines from tip to tip, branches summed.
        width_mean: along the centrelines, away from tips and junctions; where that is less than half of the length, or
            the length less than five widths, area over length.
        width_max: along the same parts, of a mean over 5 pixels or the half-width of the line, whichever is longer;
            where those parts hold less than half of the area, as with a wide breach, the largest anywhere.
        width_percentile: of the same, the percentile the measurement was asked for.
        density: share of the image's area that the crack covers.
        orientation: degrees in [0, 180), from the image's x axis counter-clockwise as seen: 0 lies, 90 stands; None
            where no direction prevails, as on a ring.
        box: x0, y0, x1, y1 in pixels, x1 and y1 exclusive.
        branches: lines between junctions and free ends, spurs pruned.
        touches_border: a pixel lies on the border of the image, so the crack may go on outside.
        centrelines: one for each branch, in the pixels of the image.
        edge: pixels by which the mean width changes while the threshold moves by 0.1 of probability either way, and the
            probability by its spread, if that is known.
        light: what the photograph's intensities say of its width, if they were asked.
        scale: pixels of the measured image to one of the photograph that was asked.
    """

    number: int
    pixels: int
    area: float
    length: float
    width_mean: float
    width_max: float
    width_percentile: float
    density: float
    orientation: float | None
    box: tuple[int, int, int, int]
    branches: int
    touches_border: bool
    centrelines: tuple[Centreline, ...]
    edge: float = 0.0
    light: Light | None = None
    scale: float = 1.0

    @property
    def at_limit(self) -> bool:
        """Whether the mean width is at the limit of measurement, below three pixels."""
        return self.width_mean < LIMIT_OF_MEASUREMENT

    @property
    def length_uncertainty(self) -> float:
        """Pixels within which the length of a drawn crack is found again; says nothing on the segmentation."""
        return max(1.0, 0.03 * self.length)

    @property
    def width_uncertainty(self) -> float:
        """As `length_uncertainty`, of the mean width."""
        return width_uncertainty(self.width_mean)

    @property
    def mask_widths(self) -> WidthSet:
        """The widths from the mask, with intervals.

        They are of what is found again on drawn cracks, of the threshold and of the spread over flips; where a
        photograph was asked too, also of half of its pixels, by which a segmentor may place the edges.  Below two
        pixels of the photograph a segmentor marks any crack about as wide, so the interval then goes from 0 to them at
        least.
        """
        half_pixel = 0.0 if self.light is None else 0.5 * self.scale
        guess = 0.0 if self.light is None else 2 * self.scale
        slack = math.hypot(self.edge, half_pixel)
        widths = (self.width_mean, self.width_max, self.width_percentile)
        return WidthSet(*(_within(width, slack, guess if self.width_mean < guess else None) for width in widths))

    @property
    def length_interval(self) -> Width:
        """The length with its interval: what is found again on drawn cracks, and half of the edge at free ends."""
        half = math.hypot(self.length_uncertainty, self.edge)
        return Width(self.length, max(self.length - half, 0.0), self.length + half)


@dataclass(frozen=True)
class Measurement:
    """The cracks of one image.  Properties over all cracks are in pixels of the measured image.

    Attributes:
        cracks: by number.
        shape: H, W of the measured image.
        threshold: at and above which a probability is crack.
        percentile: of `Crack.width_percentile`.
        mm_per_pixel: millimetres to a pixel of the measured image; None if the photograph's was not given.
        mm_relative: share of it within which it is known, half of its 90 % interval.
        mm_source: where it is from, for people.
    """

    cracks: tuple[Crack, ...]
    shape: tuple[int, int]
    threshold: float
    percentile: float
    mm_per_pixel: float | None
    mm_relative: float = 0.0
    mm_source: str = ""

    def mm(self, pixels: float | None) -> float | None:
        """A length in millimetres; None without ground sampling distance."""
        return None if pixels is None or self.mm_per_pixel is None else pixels * self.mm_per_pixel

    def width_mm(self, pixels: Width) -> Width | None:
        """A width or length with its interval in millimetres; None without ground sampling distance."""
        return None if self.mm_per_pixel is None else pixels.times(self.mm_per_pixel, self.mm_relative)

    def mm2(self, square_pixels: float | None) -> float | None:
        """An area in square millimetres; None without ground sampling distance."""
        return None if square_pixels is None or self.mm_per_pixel is None else square_pixels * self.mm_per_pixel**2

    @property
    def length(self) -> float:
        """Sum of the cracks' lengths."""
        return sum(crack.length for crack in self.cracks)

    @property
    def area(self) -> float:
        """Sum of the cracks' areas."""
        return sum(crack.area for crack in self.cracks)

    @property
    def density(self) -> float:
        """Share of the image that cracks cover."""
        return sum(crack.density for crack in self.cracks)

    @property
    def branches(self) -> int:
        """Sum of the cracks' branches."""
        return sum(crack.branches for crack in self.cracks)

    @property
    def width_mean(self) -> float | None:
        """Mean of the cracks' mean widths, weighted by length; None without cracks."""
        return sum(crack.width_mean * crack.length for crack in self.cracks) / self.length if self.cracks else None

    @property
    def width_max(self) -> float | None:
        """The largest of the cracks' maximum widths; None without cracks."""
        return max((crack.width_max for crack in self.cracks), default=None)

    @cached_property
    def width_percentile(self) -> float | None:
        """Percentile of the width over all cracks' centrelines; None without cracks."""
        if not self.cracks:
            return None
        widths, weights = zip(*(width_samples(crack.centrelines) for crack in self.cracks), strict=True)
        return weighted_percentile(np.concatenate(widths), np.concatenate(weights), self.percentile)

    @cached_property
    def orientation(self) -> float | None:
        """As `Crack.orientation`, over all cracks; None without cracks."""
        return axial_mean([line for crack in self.cracks for line in crack.centrelines])

    @property
    def at_limit(self) -> bool:
        """Whether the mean width over all cracks is at the limit of measurement; False without cracks."""
        return self.width_mean is not None and self.width_mean < LIMIT_OF_MEASUREMENT

    @property
    def length_uncertainty(self) -> float:
        """Sum of the cracks'."""
        return sum(crack.length_uncertainty for crack in self.cracks)

    @property
    def width_uncertainty(self) -> float | None:
        """As `Crack.width_uncertainty`; None without cracks."""
        return None if self.width_mean is None else width_uncertainty(self.width_mean)


def width_uncertainty(width: float) -> float:
    """Pixels within which a mean width is found again on drawn cracks: 0.5 at the limit of measurement, else 0.3."""
    return 0.5 if width < LIMIT_OF_MEASUREMENT else 0.3


def _within(width: float, slack: float, guess: float | None) -> Width:
    half = math.hypot(width_uncertainty(width), slack)
    if guess is not None:
        return Width(width, 0.0, max(width + half, guess))
    return Width(width, max(width - half, 0.0), width + half)


def width_samples(lines: Sequence[Centreline]) -> tuple[np.ndarray, np.ndarray]:
    """Widths along one crack and the lengths they stand for: of the clear parts, or of everything if there is none."""
    anywhere = any(line.clear.any() for line in lines)
    chosen = [line.clear if anywhere else np.ones_like(line.clear) for line in lines]
    widths = np.concatenate([line.widths[part] for line, part in zip(lines, chosen, strict=True)])
    return widths, np.concatenate([np.full(part.sum(), line.spacing) for line, part in zip(lines, chosen, strict=True)])


def weighted_percentile(values: np.ndarray, weights: np.ndarray, percentile: float) -> float:
    """Smallest value with at least that share of the weight at or below it."""
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    place = np.searchsorted(share, percentile / 100 * share[-1] * (1 - 1e-12))
    return float(values[order][min(place, len(values) - 1)])


def axial_mean(lines: Sequence[Centreline]) -> float | None:
    """Axial mean of the directions of all steps: angles doubled, summed by length, halved."""
    if not lines:
        return None
    steps = np.concatenate([np.diff(line.points, axis=0) for line in lines])
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    total = (lengths * np.exp(2j * np.arctan2(-steps[:, 1], steps[:, 0]))).sum()
    if abs(total) < _NO_DIRECTION * lengths.sum():
        return None
    return float(np.degrees(np.angle(total)) / 2 % 180 % 180)  # twice: the first makes 180 of a negative next to 0
