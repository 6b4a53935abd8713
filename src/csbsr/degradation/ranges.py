"""From which ranges a camera's numbers are drawn: lens, motion, defocus, sensor; each with how often it occurs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from csbsr.degradation.sampling import ordered

SEEDS = 2**24  # seeds of the noise: whole numbers that float32 holds exactly


@dataclass(frozen=True)
class LensRanges:
    """Rotated Gaussian blur.

    Args:
        sigma: range of both standard deviations in HR pixels, > 0.
        theta: range of the rotation in degrees.
        chance: probability that there is such a blur.
    """

    sigma: Sequence[float] = (0.2, 4.0)
    theta: Sequence[float] = (0.0, 180.0)
    chance: float = 1.0

    def __post_init__(self) -> None:
        if ordered("sigma", self.sigma)[0] <= 0:
            raise ValueError(f"sigma: expected standard deviations > 0 in pixels, got {list(self.sigma)}")
        ordered("theta", self.theta)
        _check_chance(self.chance)

    def __call__(self, draw: Tensor) -> Tensor:
        """Four numbers in [0, 1) to σ₁, σ₂ (pixels) and θ (degrees); zeros without."""
        sigma_1, sigma_2 = (_between(self.sigma, draw[i]) for i in (0, 1))
        return _happens(self.chance, draw[3], torch.stack((sigma_1, sigma_2, _between(self.theta, draw[2]))))


@dataclass(frozen=True)
class MotionRanges:
    """Motion during the exposure.

    Args:
        length: range of the path's length in HR pixels.
        angle: range of its direction in degrees.
        turn: range of how much it turns along the path in degrees.
        chance: probability that there is motion.
    """

    length: Sequence[float] = (1.0, 15.0)
    angle: Sequence[float] = (0.0, 180.0)
    turn: Sequence[float] = (-60.0, 60.0)
    chance: float = 1.0

    def __post_init__(self) -> None:
        if ordered("length", self.length)[0] < 0:
            raise ValueError(f"length: expected pixels >= 0, got {list(self.length)}")
        ordered("angle", self.angle)
        ordered("turn", self.turn)
        _check_chance(self.chance)

    def __call__(self, draw: Tensor) -> Tensor:
        """Four numbers in [0, 1) to length (pixels), angle, turn (degrees); zeros without."""
        numbers = [_between(limits, draw[i]) for i, limits in enumerate((self.length, self.angle, self.turn))]
        return _happens(self.chance, draw[3], torch.stack(numbers))


@dataclass(frozen=True)
class DefocusRanges:
    """Out of focus.

    Args:
        radius: range of the blur circle's radius in HR pixels.
        blades: numbers of straight blades to choose from; 0 is a round aperture.
        rotation: range of the polygon's rotation in degrees.
        chance: probability that it is out of focus.
    """

    radius: Sequence[float] = (0.5, 4.0)
    blades: Sequence[int] = (0, 0, 5, 6, 8)
    rotation: Sequence[float] = (0.0, 90.0)
    chance: float = 1.0

    def __post_init__(self) -> None:
        if ordered("radius", self.radius)[0] < 0:
            raise ValueError(f"radius: expected pixels >= 0, got {list(self.radius)}")
        if not self.blades or any(number != 0 and number < 3 for number in self.blades):
            raise ValueError(f"blades: expected numbers from 3, or 0 for a round aperture, got {list(self.blades)}")
        ordered("rotation", self.rotation)
        _check_chance(self.chance)

    def __call__(self, draw: Tensor) -> Tensor:
        """Four numbers in [0, 1) to radius (pixels), blades, rotation (degrees); zeros without."""
        choices = torch.tensor([float(number) for number in self.blades], device=draw.device)
        blades = choices[(draw[1] * len(choices)).long().clamp_max(len(choices) - 1)]
        numbers = torch.stack((_between(self.radius, draw[0]), blades, _between(self.rotation, draw[2])))
        return _happens(self.chance, draw[3], numbers)


@dataclass(frozen=True)
class SensorRanges:
    """Noise and file format.

    Args:
        shot: range of the noise's variance per unit of light; drawn evenly in its root.
        read: range of its standard deviation in the dark, as a fraction of full scale.
        quality: range of the JPEG quality, 1 to 100.
        jpeg: probability of JPEG.
        eight_bit: round to 8 bits.
    """

    shot: Sequence[float] = (0.0, 0.0008)
    read: Sequence[float] = (0.0, 0.02)
    quality: Sequence[float] = (30.0, 95.0)
    jpeg: float = 0.5
    eight_bit: bool = True

    def __post_init__(self) -> None:
        for name, limits in (("shot", self.shot), ("read", self.read)):
            if ordered(name, limits)[0] < 0:
                raise ValueError(f"{name}: expected numbers >= 0, got {list(limits)}")
        low, high = ordered("quality", self.quality)
        if low < 1 or high > 100:
            raise ValueError(f"quality: expected numbers from 1 to 100, got {list(self.quality)}")
        _check_chance(self.jpeg)

    def __call__(self, draw: Tensor) -> Tensor:
        """Five numbers in [0, 1) to shot, read, quality (0: no JPEG), seed."""
        shot = _between([math.sqrt(limit) for limit in self.shot], draw[0]).square()
        quality = _between(self.quality, draw[2]).round()
        quality = torch.where(draw[3] < self.jpeg, quality, torch.zeros_like(quality))
        return torch.stack((shot, _between(self.read, draw[1]), quality, (draw[4] * SEEDS).floor()))


def _between(limits: Sequence[float], draw: Tensor) -> Tensor:
    low, high = limits
    return low + (high - low) * draw


def _happens(chance: float, draw: Tensor, numbers: Tensor) -> Tensor:
    return torch.where(draw < chance, numbers, torch.zeros_like(numbers))


def _check_chance(chance: float) -> None:
    if not 0 <= chance <= 1:
        raise ValueError(f"chance: expected a probability from 0 to 1, got {chance}")
