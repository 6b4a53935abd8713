"""The shape of a blur kernel as three numbers, and a kernel from them: both ways differentiable.

The shape is the symmetric square root ``S`` of the kernel's covariance (pixels), written as ``(m, p, q)``::

    S = | m + p   -q  |      m = (σ₁ + σ₂)/2,   p = (σ₁ - σ₂)/2·cos 2θ,   q = (σ₁ - σ₂)/2·sin 2θ
        |  -q   m - p |

with X to the right and Y down, and σ₁, σ₂, θ as in `csbsr.degradation.anisotropic_gaussian_kernel`.  Unlike an angle it
has no jump, and a round kernel is one point (p = q = 0), so it can be regressed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from csbsr.degradation.degrade import at_least_float32
from csbsr.degradation.kernels import check_kernel_size

#: Standard deviations below this (pixels) are not told from it: a sampled Gaussian is then a single pixel.
SMALLEST_SIGMA = 0.2
_TINY = 1e-8


def shape_of_blur(sigma_1: Tensor, sigma_2: Tensor, theta_degrees: Tensor) -> Tensor:
    """σ₁, σ₂ (pixels) and θ (degrees), each (B,), to shapes (B, 3)."""
    angle = torch.deg2rad(theta_degrees) * 2
    mean, half = (sigma_1 + sigma_2) / 2, (sigma_1 - sigma_2) / 2
    return torch.stack((mean, half * angle.cos(), half * angle.sin()), 1)


def blur_of_shape(shape: Tensor) -> Tensor:
    """Shapes (B, 3) to σ₁ >= σ₂ (pixels) and θ in [0, 180) degrees: (B, 3)."""
    mean, p, q = shape.unbind(1)
    half = torch.hypot(p, q)
    theta = torch.rad2deg(torch.atan2(q, p)) / 2 % 180
    return torch.stack((mean + half, mean - half, theta), 1)


def shape_of_kernel(kernel: Tensor) -> Tensor:
    """Shape of any kernel, from its second moments about its centre of mass.

    Args:
        kernel: (B, 1, k, k); divided by its sum here.

    Returns:
        (B, 3), at least float32; 0 for a kernel of one pixel.  Differentiable, also there.
    """
    kernel = at_least_float32(kernel)[:, 0]
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    offset = torch.arange(kernel.shape[-1], dtype=kernel.dtype, device=kernel.device) - kernel.shape[-1] // 2
    columns, rows = kernel.sum(1), kernel.sum(2)  # along X, along Y
    x, y = (columns * offset).sum(1), (rows * offset).sum(1)
    xx = (columns * offset.square()).sum(1) - x.square()
    yy = (rows * offset.square()).sum(1) - y.square()
    xy = (kernel * (offset[:, None] * offset[None])).sum((1, 2)) - x * y
    # S = (C + √det·1) / √(trace + 2√det), the square root of a 2×2 matrix.
    root = (xx * yy - xy.square()).clamp_min(_TINY**2).sqrt()
    total = (xx + yy + 2 * root).clamp_min(_TINY).sqrt()
    return torch.stack(((xx + yy + 2 * root) / 2, (xx - yy) / 2, -xy), 1) / total[:, None]


def kernel_of_shape(shape: Tensor, size: int = 21) -> Tensor:
    """The Gaussian kernel of a shape: `csbsr.degradation.anisotropic_gaussian_kernel` of its σ₁, σ₂, θ.

    Args:
        shape: (B, 3); standard deviations below 0.2 px count as 0.2 px.
        size: odd side k.

    Returns:
        (B, 1, k, k), each summing to 1, at least float32; differentiable in ``shape``.
    """
    check_kernel_size(size)
    mean, p, q = at_least_float32(shape).unbind(1)
    half = (p.square() + q.square() + _TINY).sqrt()
    first, second = ((mean + half).clamp_min(SMALLEST_SIGMA), (mean - half).clamp_min(SMALLEST_SIGMA))
    precise, other = first.reciprocal().square(), second.reciprocal().square()
    mid, swing = (precise + other) / 2, (precise - other) / 2
    of_xx, of_yy, of_xy = mid + swing * p / half, mid - swing * p / half, -2 * swing * q / half
    offset = torch.arange(size, dtype=mean.dtype, device=mean.device) - size // 2
    x, y = offset[None, None, :], offset[None, :, None]
    a, b, c = (value[:, None, None] for value in (of_xx, of_yy, of_xy))
    kernel = torch.exp(-0.5 * (a * x * x + b * y * y + c * x * y))
    return (kernel / kernel.sum((1, 2), keepdim=True))[:, None]
