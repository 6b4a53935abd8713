"""Which of a crack's two widths is reported: from the mask, from the light, or neither."""

from __future__ import annotations

from typing import NamedTuple

from csbsr.measure.intervals import Width, WidthSet
from csbsr.measure.results import Crack

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
