"""Drawing the numbers of a blur kernel from ranges, with a generator handed in."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class GaussianBlurSampler:
    """Draws (σ₁, σ₂, θ) independently and uniformly; isotropic: σ₂ = σ₁ and θ = 0.

    Every call takes three numbers from the generator, whatever the settings, so switching to isotropic kernels changes
    no other draw.

    Args:
        sigma: lowest and highest standard deviation in HR pixels, 0 < lowest <= highest.
        theta: lowest and highest rotation in degrees; not read when isotropic.
        isotropic: draw round kernels.

    Raises:
        ValueError: a range is not two ordered numbers, or a standard deviation is not positive.
    """

    def __init__(
        self, sigma: Sequence[float] = (0.2, 4.0), theta: Sequence[float] = (0.0, 180.0), isotropic: bool = False
    ) -> None:
        self.sigma = ordered("sigma", sigma)
        self.theta = ordered("theta", theta)
        self.isotropic = isotropic
        if self.sigma[0] <= 0:
            raise ValueError(
                f"sigma: expected standard deviations > 0 in pixels, got {self.sigma}; for no blur use degradation=none"
            )

    def __call__(self, generator: torch.Generator) -> Tensor:
        """One kernel's numbers, float32 (3,): σ₁, σ₂ in HR pixels, θ in degrees."""
        draw = torch.rand(3, generator=generator, device=generator.device)
        sigma_1, sigma_2, theta = (
            low + (high - low) * number
            for (low, high), number in zip((self.sigma, self.sigma, self.theta), draw, strict=True)
        )
        if self.isotropic:
            sigma_2, theta = sigma_1, torch.zeros_like(theta)
        return torch.stack((sigma_1, sigma_2, theta))


def ordered(name: str, limits: Sequence[float]) -> tuple[float, float]:
    """``limits`` as (lowest, highest); ValueError unless they are two ordered finite numbers."""
    if len(limits) != 2 or not all(math.isfinite(limit) for limit in limits) or limits[0] > limits[1]:
        raise ValueError(
            f"{name}: expected [lowest, highest], got {list(limits)}; give the same number twice to fix it"
        )
    return float(limits[0]), float(limits[1])
