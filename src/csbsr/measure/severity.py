"""Classes of severity from crack width in millimetres, by a guide that the user chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from csbsr.measure.intervals import Width, WidthSet
from csbsr.measure.reported import reported
from csbsr.measure.results import Crack, Measurement

_WIDTHS = WidthSet._fields


@dataclass(frozen=True)
class Severity:
    """Where a width stands among the limits of a guide.

    Attributes:
        level: number of different limits that the width exceeds, from 0.
        label: the same in words, in millimetres.
        exceeded: the exposures whose limit the width exceeds, the strictest first.
        uncertain: within the uncertainty of the width the level is another.
        between: the classes from the lower to the upper end of the width's interval, in words; empty if it is one.
        exceeds: whether the limit of the guide's chosen exposure is exceeded; None if none was chosen.
    """

    level: int
    label: str
    exceeded: tuple[str, ...]
    uncertain: bool
    exceeds: bool | None
    between: str = ""


class WidthGuide:
    """Guide values for the width of cracks, one for each exposure of the structure.

    They guide an engineer's judgement; exceeding one is no finding of damage, staying within one none of safety.

    Args:
        name: of the guide, with its table.
        source: where the values are published.
        limits: mappings with ``exposure`` (text) and ``width_mm`` (above 0).
        width: which width of a crack is held against the limits: "mean", "maximum" or "percentile".
        exposure: that of the structure at hand, one of the ``limits``; None to go without.
        note: what a reader of the classes should know.

    Raises:
        ValueError: no limits, a limit without its two entries or not above 0, an unknown ``width`` or ``exposure``.
    """

    def __init__(
        self,
        name: str,
        source: str,
        limits: Sequence[Mapping[str, object]],
        width: str = "percentile",
        exposure: str | None = None,
        note: str = "",
    ) -> None:
        if width not in _WIDTHS:
            raise ValueError(f"width: expected one of {', '.join(_WIDTHS)}, got {width!r}")
        if not limits:
            raise ValueError(f"limits: expected at least one exposure with its width_mm, got {limits!r}")
        widths: dict[str, float] = {}
        for limit in limits:
            width_mm = limit.get("width_mm")
            if set(limit) != {"exposure", "width_mm"} or not isinstance(width_mm, (int, float)) or not width_mm > 0:
                raise ValueError(f"limits: expected exposure and width_mm above 0 in each, got {dict(limit)!r}")
            widths[str(limit["exposure"])] = float(width_mm)
        self.name, self.source, self.note, self.width, self.exposure = name, source, note, width, exposure
        self.limits = dict(sorted(widths.items(), key=lambda limit: limit[1]))
        if exposure is not None and exposure not in self.limits:
            raise ValueError(f"exposure: expected one of {'; '.join(self.limits)}, got {exposure!r}")
        #: the different limits in millimetres, rising
        self.steps = sorted(set(self.limits.values()))

    def classify(
        self, width_mm: float, uncertainty_mm: float = 0.0, interval_mm: tuple[float, float] | None = None
    ) -> Severity:
        """The class of a width; a width equal to a limit stays within it.

        Args:
            width_mm: the width.
            uncertainty_mm: either way, unless there is an interval.
            interval_mm: its lower and upper end.
        """
        low, high = (width_mm - uncertainty_mm, width_mm + uncertainty_mm) if interval_mm is None else interval_mm
        lowest, level, highest = self._level(low), self._level(width_mm), self._level(high)
        between = "" if lowest == highest else f"between classes: {self._label(lowest)} and {self._label(highest)}"
        return Severity(
            level=level,
            label=self._label(level),
            exceeded=tuple(exposure for exposure, limit in self.limits.items() if _exceeds(width_mm, limit)),
            uncertain=lowest != highest,
            exceeds=None if self.exposure is None else _exceeds(width_mm, self.limits[self.exposure]),
            between=between,
        )

    def of_crack(self, crack: Crack, measurement: Measurement) -> Severity | None:
        """The class of a crack by its reported width; None where the measurement has no millimetres."""
        width = measurement.width_mm(self._reported(crack))
        return None if width is None else self.classify(width.value, interval_mm=(width.low, width.high))

    def of_image(self, measurement: Measurement) -> Severity | None:
        """The class of the image's severest crack, its widest; None without millimetres or without cracks."""
        if measurement.mm_per_pixel is None or not measurement.cracks:
            return None
        return self.of_crack(max(measurement.cracks, key=lambda crack: self._reported(crack).value), measurement)

    def _reported(self, crack: Crack) -> Width:
        width: Width = getattr(reported(crack).widths, self.width)
        return width

    def _label(self, level: int) -> str:
        if level == 0:
            return f"up to {self.steps[0]:.2f} mm"
        if level == len(self.steps):
            return f"over {self.steps[-1]:.2f} mm"
        return f"over {self.steps[level - 1]:.2f} up to {self.steps[level]:.2f} mm"

    def _level(self, width_mm: float) -> int:
        return sum(_exceeds(width_mm, step) for step in self.steps)


def _exceeds(width_mm: float, limit: float) -> bool:
    return width_mm > limit * (1 + 1e-9)  # 6 pixels of 0.05 mm are 0.30000000000000004 mm
