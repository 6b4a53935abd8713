"""Classes of severity from crack width in millimetres, by a guide that the user chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from csbsr.measure.results import Crack, Measurement, width_uncertainty

_WIDTHS = {"mean": "width_mean", "maximum": "width_max", "percentile": "width_percentile"}


@dataclass(frozen=True)
class Severity:
    """Where a width stands among the limits of a guide.

    Attributes:
        level: number of different limits that the width exceeds, from 0.
        label: the same in words, in millimetres.
        exceeded: the exposures whose limit the width exceeds, the strictest first.
        uncertain: within the uncertainty of the width the level is another.
        exceeds: whether the limit of the guide's chosen exposure is exceeded; None if none was chosen.
    """

    level: int
    label: str
    exceeded: tuple[str, ...]
    uncertain: bool
    exceeds: bool | None


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

    def classify(self, width_mm: float, uncertainty_mm: float = 0.0) -> Severity:
        """The class of a width; a width equal to a limit stays within it."""
        level = self._level(width_mm)
        if level == 0:
            label = f"up to {self.steps[0]:.2f} mm"
        elif level == len(self.steps):
            label = f"over {self.steps[-1]:.2f} mm"
        else:
            label = f"over {self.steps[level - 1]:.2f} up to {self.steps[level]:.2f} mm"
        return Severity(
            level=level,
            label=label,
            exceeded=tuple(exposure for exposure, limit in self.limits.items() if _exceeds(width_mm, limit)),
            uncertain=self._level(width_mm - uncertainty_mm) != self._level(width_mm + uncertainty_mm),
            exceeds=None if self.exposure is None else _exceeds(width_mm, self.limits[self.exposure]),
        )

    def of_crack(self, crack: Crack, measurement: Measurement) -> Severity | None:
        """The class of a crack; None where the measurement has no millimetres."""
        width: float = getattr(crack, _WIDTHS[self.width])
        width_mm, uncertainty_mm = measurement.mm(width), measurement.mm(width_uncertainty(width))
        return None if width_mm is None or uncertainty_mm is None else self.classify(width_mm, uncertainty_mm)

    def of_image(self, measurement: Measurement) -> Severity | None:
        """The class of the image's severest crack, its widest; None without millimetres or without cracks."""
        if measurement.mm_per_pixel is None or not measurement.cracks:
            return None
        widest = max(measurement.cracks, key=lambda crack: getattr(crack, _WIDTHS[self.width]))
        return self.of_crack(widest, measurement)

    def _level(self, width_mm: float) -> int:
        return sum(_exceeds(width_mm, step) for step in self.steps)


def _exceeds(width_mm: float, limit: float) -> bool:
    return width_mm > limit * (1 + 1e-9)  # 6 pixels of 0.05 mm are 0.30000000000000004 mm
