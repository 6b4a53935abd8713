"""Which blur kernels a system can express at all, whatever it estimates."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from csbsr.contracts import Degradation
from csbsr.metrics.image import kernel_psnr

ENOUGH = 45.0  # dB: a kernel whose nearest one is farther away cannot be represented


def nearest_kernel(network: nn.Module, kernel: Tensor) -> Tensor | None:
    """The kernel nearest to ``kernel`` (B, 1, k, k) that a system can express, None if it does not say."""
    for part in (network, getattr(network, "sr", None)):
        says: Callable[[Tensor], Tensor] | None = getattr(part, "nearest_kernel", None)
        if says is not None:
            return says(kernel)
    return None


def beyond_reach(network: nn.Module, degradation: Degradation, draws: int = 64, seed: int = 0) -> float | None:
    """Fraction of the blurs of ``degradation`` that ``network`` cannot represent to `ENOUGH` dB.

    Args:
        network: a system; None is returned if it does not say which kernel is nearest.
        degradation: its numbers are drawn, no image is degraded but a grey one.
        draws: how many blurs are looked at.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    blur = torch.stack([degradation.draw(generator) for _ in range(draws)])
    side = -(-64 // degradation.scale) * degradation.scale
    grey = torch.full((draws, 3, side, side), 0.5)
    _, kernel = degradation(grey, blur)
    nearest = nearest_kernel(network, kernel) if kernel.shape[-1] > 1 else None
    return None if nearest is None else float((kernel_psnr(nearest, kernel) < ENOUGH).double().mean())
