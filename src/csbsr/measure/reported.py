"""Which of a crack's two widths is reported: from the mask, from the light, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from csbsr.measure.intervals import Width, WidthSet
from csbsr.measure.results import Crack, Measurement, weighted_percentile, width_samples

#: Pixels of the photograph below which the light decides: there the mask is a guess of the segmentor.
LIGHT_BELOW = 5.0
MASK, LIGHT, NEITHER = "mask", "light", "neither"


class Reported(NamedTuple):
    """The widths that stand for a crack, in pixels of the measured image.

    Attributes:
        source: `MASK`, `LIGHT` or `NEITHER`.
        flag: why, where there is something to look at: "filled" or "disagree"; else empty.
        widths: with `NEITHER` from the lower to the upper end of both; the value is then the larger of the two.
    """

    source: str
    flag: str
    widths: WidthSet


def reported(crack: Crack) -> Reported:
    """The rule.

    1. Without a photograph, and where no part of the crack is clear of tips and junctions, the mask.
    2. A wide crack whose inside is brighter than half of the background is no open gap: the mask ("filled").
    3. Where the intervals of both mean widths lie apart, neither ("disagree").
    4. The light where it finds less than 5 pixels of the photograph, else the mask.
    """
    mask, light = crack.mask_widths, crack.light
    if light is None:
        return Reported(MASK, "", mask)
    if light.filled:
        return Reported(MASK, "filled", mask)
    if _apart(mask.mean, light.widths.mean):
        return Reported(NEITHER, "disagree", WidthSet(*map(_both, mask, light.widths)))
    narrow = light.widths.mean.value < LIGHT_BELOW * crack.scale
    return Reported(LIGHT, "", light.widths) if narrow else Reported(MASK, "", mask)


def _apart(first: Width, second: Width) -> bool:
    return first.low > second.high or second.low > first.high


def _both(first: Width, second: Width) -> Width:
    return Width(max(first.value, second.value), min(first.low, second.low), max(first.high, second.high))


def drawn_factor(crack: Crack) -> float:
    """By what the mask's widths along a crack are multiplied to be those that are reported; 1 where neither is."""
    found = reported(crack)
    if found.source != LIGHT or crack.width_mean <= 0:
        return 1.0
    return found.widths.mean.value / crack.width_mean


def reported_of_image(measurement: Measurement) -> WidthSet | None:
    """The reported widths of all cracks of an image together; None without cracks.

    The mean is weighted by length; the percentile is of the widths along all centrelines, each crack's brought to its
    reported mean.  Cracks of which neither width is reported count in the intervals alone, unless there are no others.
    """
    found = [(crack, reported(crack)) for crack in measurement.cracks]
    known = [(crack, one) for crack, one in found if one.source != NEITHER] or found
    if not found:
        return None

    samples = {crack.number: width_samples(crack.centrelines) for crack in measurement.cracks}

    def mean(cracks: Sequence[tuple[Crack, Reported]], end: str) -> float:
        total = sum(crack.length for crack, _ in cracks)
        return sum(crack.length * float(getattr(one.widths.mean, end)) for crack, one in cracks) / total

    def percentile(cracks: Sequence[tuple[Crack, Reported]], end: str) -> float:
        factors = [getattr(one.widths.mean, end) / max(crack.width_mean, 1e-9) for crack, one in cracks]
        own = [samples[crack.number] for crack, _ in cracks]
        widths = np.concatenate([factor * widths for factor, (widths, _) in zip(factors, own, strict=True)])
        return weighted_percentile(widths, np.concatenate([lengths for _, lengths in own]), measurement.percentile)

    widest = max((one.widths.maximum for _, one in known), key=lambda width: width.value)
    maximum = Width(widest.value, widest.low, max(one.widths.maximum.high for _, one in found))
    return WidthSet(
        _around(mean(known, "value"), mean(found, "low"), mean(found, "high")),
        maximum,
        _around(percentile(known, "value"), percentile(found, "low"), percentile(found, "high")),
    )


def _around(value: float, low: float, high: float) -> Width:
    return Width(value, min(low, value), max(high, value))
