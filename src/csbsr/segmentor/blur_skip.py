"""Blur skip: the branch that lets the segmentor see the estimated blur kernel (Kondo & Ukita 2024), without its maps.

The published branch spreads the k² numbers of the kernel over the image, as k² maps that are constant in space, and
convolves them at full resolution together with the features r:

    hidden = conv3(cat(r, map)) + bias = conv3_r(r) + conv3_map(map) + bias

Only the first term needs the full resolution.  The second is constant but for a border, so it is computed on a small
map that has every border case once, and stretched (the cases are drawn in `csbsr.sr.constant_map`).  In the variant
that sees the kernel alone, both convolutions of a branch are of that kind, with a border of two pixels: the whole
branch runs on a 5×5 map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csbsr.sr.constant_map import add_stretched, constant_map

VARIANTS = ("modified", "origin", "reduced")


class BlurSkip(nn.Module):
    """``r ← ReLU(BN(conv3(r·scale + shift)))`` twice, scale and shift depending on the blur kernel.

    Args:
        features: channels of r.
        kernel_size: side k of the kernel.
        variant: what decides scale and shift: ``modified`` (as released) r and the kernel, ``origin`` the kernel alone,
            ``reduced`` r and the kernel resized to ``reduced_size``.
        reduced_size: side of the kernel for ``reduced``.
    """

    def __init__(
        self, features: int = 64, kernel_size: int = 21, variant: str = "modified", reduced_size: int = 7
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"blur_skip: expected null or one of {', '.join(VARIANTS)}, got {variant!r}")
        self.kernel_size = kernel_size
        self.condition_size = reduced_size if variant == "reduced" else kernel_size
        transform = KernelTransform if variant == "origin" else FeatureTransform
        self.transform1 = transform(features, self.condition_size**2)
        self.conv1 = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(features)
        self.transform2 = transform(features, self.condition_size**2)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(features)

    def forward(self, features: Tensor, kernel: Tensor) -> Tensor:
        """What is added to the features: (B, C, H, W) and kernel (B, 1, k, k), summing to 1, to (B, C, H, W).

        Raises:
            ValueError: the kernel has another shape.
        """
        expected = (features.shape[0], 1, self.kernel_size, self.kernel_size)
        if kernel.shape != expected:
            raise ValueError(
                f"kernel: blur skip expects {expected}, got {tuple(kernel.shape)}; build it with the kernel_size of "
                "the SR network"
            )
        if self.condition_size != self.kernel_size:  # not normalised again, as published
            kernel = F.interpolate(kernel, (self.condition_size,) * 2, mode="bicubic", align_corners=True)
        condition = kernel.flatten(1)
        features = F.relu(self.norm1(self.conv1(self.transform1(features, condition))))
        return F.relu(self.norm2(self.conv2(self.transform2(features, condition))))


class FeatureTransform(nn.Module):
    """``r·sigmoid(scale(z)) + shift(z)``, z = cat(r, map): spatial feature transform by features and kernel.

    Args:
        features: channels of r.
        condition: how many numbers the constant map repeats.
    """

    def __init__(self, features: int, condition: int) -> None:
        super().__init__()
        self.scale = Branch(features + condition, features)
        self.shift = Branch(features + condition, features)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """(B, C, H, W) and (B, condition) to (B, C, H, W)."""
        scale, shift = (self._run(branch, features, condition) for branch in (self.scale, self.shift))
        return torch.addcmul(shift, features, scale.sigmoid())

    def _run(self, branch: Branch, features: Tensor, condition: Tensor) -> Tensor:
        for_features, for_map = branch.conv1.weight.split([features.shape[1], condition.shape[1]], dim=1)
        hidden = F.conv2d(features, for_features, branch.conv1.bias, padding=1)
        cases = F.conv2d(constant_map(condition, hidden.shape[-2:], border=1), for_map, padding=1)
        return branch.conv2(branch.activation(add_stretched(hidden, cases)))


class KernelTransform(nn.Module):
    """``r·sigmoid(scale(map)) + shift(map)``: spatial feature transform by the kernel alone.

    Args:
        features: channels of r.
        condition: how many numbers the constant map repeats.
    """

    def __init__(self, features: int, condition: int) -> None:
        super().__init__()
        self.scale = Branch(condition, features)
        self.shift = Branch(condition, features)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """(B, C, H, W) and (B, condition) to (B, C, H, W)."""
        small = constant_map(condition, features.shape[-2:], border=2)
        scale = add_stretched(torch.zeros_like(features), self.scale(small).sigmoid())
        return add_stretched(features * scale, self.shift(small))


class Branch(nn.Module):
    """``conv3(PReLU(conv3(z)))``, in between as wide as z."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 3, padding=1)
        self.activation = nn.PReLU()
        self.conv2 = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        return self.conv2(self.activation(self.conv1(z)))
