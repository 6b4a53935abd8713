"""Estimating the blur kernel in KBPN: a first guess from the low-resolution features, then one update per stage."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csbsr.sr.constant_map import add_stretched, constant_map, mean_of_convolution
from csbsr.sr.projection import ConvPReLU

#: Kernel sums below this are rounding noise: dividing by them would give infinite or meaningless kernels.
SMALLEST_SUM = 1e-6


def normalized(vector: Tensor) -> Tensor:
    """Kernel entries (B, k²) divided by their sum, at least float32.

    Entries may be negative, so a sum may vanish; one smaller than 1e-6 in magnitude counts as ±1e-6, any other is used
    as it is.
    """
    vector = vector.to(torch.promote_types(torch.float32, vector.dtype))
    total = vector.sum(1, keepdim=True)
    floor = torch.full_like(total, SMALLEST_SUM)
    return vector / torch.where(total.abs() < SMALLEST_SUM, torch.where(total < 0, -floor, floor), total)


def resized(coarse: Tensor, size: int) -> Tensor:
    """Coarse kernels (B, q²) to (B, size²), bicubically."""
    side = int(coarse.shape[1] ** 0.5 + 0.5)
    # Not in half precision: k² numbers per image cost nothing, and every later stage depends on them.
    coarse = coarse.to(torch.promote_types(torch.float32, coarse.dtype)).unflatten(1, (1, side, side))
    return F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False).flatten(1)


def nearest_on_grid(kernel: Tensor, coarse_size: int) -> Tensor:
    """The kernel nearest to ``kernel`` among those that a ``coarse_size``² grid, stretched bicubically, can make.

    Every estimate of `KernelPredictor` and every update of `KernelUpdater` is such a stretched grid, so nothing nearer
    can ever be estimated.  Nearest in the mean square, then divided by its sum.

    Args:
        kernel: (B, 1, k, k), summing to 1.
        coarse_size: side q of the grid, at most k.

    Returns:
        (B, 1, k, k), summing to 1, at least float32.
    """
    size = kernel.shape[-1]
    count = coarse_size**2
    basis = resized(torch.eye(count, device=kernel.device, dtype=torch.float64), size)  # (q², k²)
    entries = kernel.double().flatten(1)
    weights = torch.linalg.lstsq(basis.T, entries.T).solution
    nearest = normalized((basis.T @ weights).T)
    return nearest.unflatten(1, (1, size, size)).to(torch.promote_types(torch.float32, kernel.dtype))


class KernelPredictor(nn.Module):
    """First kernel: three 3×3 convolutions with PReLU, the mean over the image, bicubic to full size, normalised.

    Args:
        channels: of the low-resolution features.
        coarse_size: side q of the kernel as predicted.
        kernel_size: side k of the kernel.
    """

    def __init__(self, channels: int, coarse_size: int, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        widths = (channels, channels, channels, coarse_size**2)
        self.layers = nn.Sequential(
            *(ConvPReLU(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)) for inputs, outputs in pairwise(widths))
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels, h, w) to kernel entries (B, k²) with sum 1."""
        return normalized(resized(self.layers(features).mean((2, 3)), self.kernel_size))


class KernelUpdater(nn.Module):
    """What a stage adds to the kernel: ``d(t, kernel)`` from the intermediate image t and the kernel so far.

    As published, the kernel's k² numbers are a constant map at the size of t::

        image  = five convolutions of t            3 → q² → width → width → width → q²
        kernel = two 3×3 convolutions of the map   k² → q² → q²
        d      = resize(mean(three convolutions of cat(image, kernel)))   2q² → width → width → q²

    The kernel branch runs on a small map (its two convolutions make a border of 2, so 5×5 holds every value), is taken
    through its part of the 1×1 convolution there, and only then stretched and added; of the last convolution only the
    mean is formed.  All convolutions are bias-free; LeakyReLU 0.01 follows each but the first (ReLU) and the last.

    Args:
        width: of the inner convolutions, 32 as published.
        coarse_size: side q.
        kernel_size: side k.
    """

    def __init__(self, width: int, coarse_size: int, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        coarse = coarse_size**2
        self.image = nn.ModuleList(
            (_conv(3, coarse), _conv(coarse, width, 1), _conv(width, width), _conv(width, width), _conv(width, coarse))
        )
        self.kernel = nn.ModuleList((_conv(kernel_size**2, coarse), _conv(coarse, coarse)))
        self.joint = nn.ModuleList((_conv(2 * coarse, width, 1), _conv(width, width), _conv(width, coarse)))

    def forward(self, image: Tensor, vector: Tensor) -> Tensor:
        """Intermediate image (B, 3, H, W) and kernel entries (B, k²) to what is added to them (B, k²)."""
        # In place: backward passes of these activations need their results only, which the next layer keeps anyway.
        first, *others = self.image
        features = F.relu_(first(image))
        for layer in others:
            features = F.leaky_relu_(layer(features))

        small = constant_map(vector.to(image.dtype), image.shape[-2:], border=len(self.kernel))
        for layer in self.kernel:
            small = F.leaky_relu_(layer(small))

        mix, inner, last = cast("Iterable[nn.Conv2d]", self.joint)
        of_image, of_kernel = mix.weight.chunk(2, 1)
        features = F.leaky_relu_(add_stretched(F.conv2d(features, of_image), F.conv2d(small, of_kernel)))
        features = F.leaky_relu_(inner(features))
        return resized(mean_of_convolution(features, last.weight), self.kernel_size)


def _conv(inputs: int, outputs: int, size: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
