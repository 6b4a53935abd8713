"""The degradations a run can choose: each draws one kernel's numbers per image and turns ``hr`` into ``lr``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from csbsr.degradation.degrade import at_least_float32, check_padding, degrade, downscale
from csbsr.degradation.kernels import anisotropic_gaussian_kernel, check_kernel_size, delta_kernel
from csbsr.degradation.sampling import GaussianBlurSampler


class Degradation:
    """Random Gaussian blur, then bicubic down-scaling: `csbsr.contracts.Degradation`.

    Args:
        scale: integer factor between high- and low-resolution image.
        sigma: range of the standard deviations in HR pixels.
        theta: range of the rotation in degrees; not read when isotropic.
        isotropic: round kernels.
        size: odd side k of the kernel.
        padding: ``zeros`` (as published: borders darken) or ``reflect``.
        antialias: see `csbsr.degradation.degrade`; False as published.

    Source:
        Kondo & Ukita 2024 (training data).
    """

    def __init__(
        self,
        scale: int,
        sigma: Sequence[float] = (0.2, 4.0),
        theta: Sequence[float] = (0.0, 180.0),
        isotropic: bool = False,
        size: int = 21,
        padding: str = "zeros",
        antialias: bool = False,
    ) -> None:
        check_kernel_size(size)
        check_padding(padding)
        self.scale = scale
        self.size = size
        self.padding = padding
        self.antialias = antialias
        self.sampler = GaussianBlurSampler(sigma, theta, isotropic)

    def draw(self, generator: torch.Generator) -> Tensor:
        """The numbers of one kernel, float32 (3,): σ₁, σ₂ in HR pixels, θ in degrees."""
        return self.sampler(generator)

    def __call__(self, hr: Tensor, blur: Tensor) -> tuple[Tensor, Tensor]:
        """Degrade a batch, on its device, without a loop.

        Args:
            hr: (B, 3, H, W) in [0, 1]; H and W multiples of ``scale``.
            blur: (B, 3) from `draw`.

        Returns:
            lr (B, 3, H/s, W/s), not clamped, and the kernels (B, 1, k, k), each summing to 1.
        """
        sigma_1, sigma_2, theta = blur.to(at_least_float32(hr)).unbind(1)
        kernel = anisotropic_gaussian_kernel(sigma_1, sigma_2, theta, self.size)
        return degrade(hr, kernel, self.scale, self.padding, self.antialias), kernel


class NoBlur:
    """Bicubic down-scaling alone; the kernel is 1 in its centre.

    Args:
        scale: integer factor between high- and low-resolution image.
        size: odd side k of the kernel.
        padding: not needed for the image, but L_SR blurs with the *estimated* kernel and follows this choice.
        antialias: see `csbsr.degradation.degrade`.
    """

    def __init__(self, scale: int, size: int = 21, padding: str = "zeros", antialias: bool = False) -> None:
        check_kernel_size(size)
        check_padding(padding)
        self.scale = scale
        self.size = size
        self.padding = padding
        self.antialias = antialias

    def draw(self, generator: torch.Generator) -> Tensor:
        """Three zeros: no blur.  The generator moves on as far as for a random blur."""
        return torch.zeros_like(torch.rand(3, generator=generator, device=generator.device))

    def __call__(self, hr: Tensor, blur: Tensor) -> tuple[Tensor, Tensor]:
        """Down-scale ``hr`` (B, 3, H, W); ``blur`` (B, 3) is part of the contract and has nothing to say here."""
        return downscale(hr, self.scale, self.antialias), delta_kernel(at_least_float32(hr), self.size)
