"""Widths with their 90 % intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

#: The intervals hold this share of the probability,
COVERAGE = 0.9
#: which is this many standard deviations either way.
NORMAL = 1.645
#: An inside brighter than this share of the background is no open crack: filled, or seen to its ground.
FILLED = 0.5


@dataclass(frozen=True)
class Width:
    """A width with its interval, in the unit of what it was measured in.

    Attributes:
        value: the best guess.
        low: below it lies a twentieth of the probability.
        high: above it lies a twentieth.
    """

    value: float
    low: float
    high: float

    def times(self, factor: float, relative: float = 0.0) -> Width:
        """In another unit, of which ``factor`` make one of this, known within a share of ``relative`` (90 %)."""
        below = ((self.value - self.low) ** 2 + (relative * self.value) ** 2) ** 0.5
        above = ((self.high - self.value) ** 2 + (relative * self.value) ** 2) ** 0.5
        low = max(self.value - below, 0.0)
        return Width(self.value * factor, low * factor, (self.value + above) * factor)


class WidthSet(NamedTuple):
    """Widths of a crack in pixels of the measured image, each with its 90 % interval."""

    mean: Width
    maximum: Width
    percentile: Width


@dataclass(frozen=True)
class Light:
    """What the photograph says of one crack.

    Attributes:
        widths: of its clear parts.
        profiles: number of averaged profiles.
        inside: brightness of its middle as a share of the background, where it is wide enough to be seen; else None.
    """

    widths: WidthSet
    profiles: int
    inside: float | None

    @property
    def filled(self) -> bool:
        """Whether it is wide and no open, dark gap."""
        return self.inside is not None and self.inside > FILLED
