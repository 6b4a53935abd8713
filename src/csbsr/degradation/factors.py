"""Cameras of which one thing is wrong at a time: what a robustness table goes through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from csbsr.degradation.camera import Camera
from csbsr.degradation.ranges import DefocusRanges, LensRanges, MotionRanges, SensorRanges


class Factor(NamedTuple):
    """One row of a robustness table."""

    group: str  #: clean, motion, defocus, noise, jpeg, gaussian, mixed, varying
    value: float  #: in the group's unit; NaN where there is none
    label: str  #: with its unit
    camera: Camera


def robustness_factors(
    scale: int,
    motion: Sequence[float] = (5, 9, 15),
    defocus: Sequence[float] = (2, 4),
    gaussian: Sequence[float] = (1, 2, 3),
    noise: Sequence[float] = (0.01, 0.03),
    jpeg: Sequence[float] = (90, 60, 30),
    size: int = 21,
    padding: str = "reflect",
) -> list[Factor]:
    """The cameras to go through: clean first, everything mixed and a blur that varies across the image last.

    Args:
        scale: integer factor between high- and low-resolution image.
        motion: lengths in HR pixels of straight motion, in a random direction per image.
        defocus: radii in HR pixels of a round aperture.
        gaussian: standard deviations in HR pixels of a round Gaussian.
        noise: standard deviations of white noise on the low-resolution image, as fractions of full scale.
        jpeg: qualities of the low-resolution image.
        size: odd side of the kernels.
        padding: see `Camera`.
    """

    def camera(
        lens: LensRanges | None = None,
        motion: MotionRanges | None = None,
        defocus: DefocusRanges | None = None,
        sensor: SensorRanges | None = None,
        varying: float = 0.0,
    ) -> Camera:
        return Camera(scale, lens, motion, defocus, sensor, size, padding, varying=varying)

    nan = float("nan")
    factors = [Factor("clean", nan, "clean", camera())]
    for sigma in gaussian:
        lens = LensRanges(sigma=(sigma, sigma))
        factors.append(Factor("gaussian", sigma, f"Gaussian blur, σ {sigma:g} px", camera(lens=lens)))
    for length in motion:
        moved = MotionRanges(length=(length, length), turn=(0, 0))
        factors.append(Factor("motion", length, f"motion, {length:g} px", camera(motion=moved)))
    for radius in defocus:
        wide = DefocusRanges(radius=(radius, radius), blades=(0,))
        factors.append(Factor("defocus", radius, f"defocus, radius {radius:g} px", camera(defocus=wide)))
    for sigma in noise:
        grain = SensorRanges(shot=(0, 0), read=(sigma, sigma), jpeg=0.0)
        factors.append(Factor("noise", sigma, f"noise, σ {sigma:g}", camera(sensor=grain)))
    for quality in jpeg:
        coded = SensorRanges(shot=(0, 0), read=(0, 0), quality=(quality, quality), jpeg=1.0)
        factors.append(Factor("jpeg", quality, f"JPEG, quality {quality:g}", camera(sensor=coded)))
    parts = (LensRanges(chance=0.8), MotionRanges(chance=0.35), DefocusRanges(chance=0.35))
    factors.append(Factor("mixed", nan, "mixed: blurs, noise, JPEG", camera(*parts, SensorRanges())))
    factors.append(
        Factor("varying", nan, "motion 9 px that grows from left to right", camera(
            motion=MotionRanges(length=(9, 9), turn=(0, 0)), varying=1.0))
    )  # fmt: skip
    return factors
