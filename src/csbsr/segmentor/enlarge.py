"""Bilinear enlargement by 2 followed by a conv3, with the channels mixed before the enlargement.

Written as one convolution of the enlarged map, ``y = conv3(up(x))`` mixes all channels at nine taps of every large
pixel.  Enlarging acts on positions and mixing on channels; both are linear, so each tap can be mixed at the small size:

    y = Σ over taps (dy, dx) of shift_(dy, dx)(up(W_(dy, dx)·x))

Enlarging and shifting along rows is one matrix per dy (zeros enter where the shifted map ends), along columns one per
dx.  With the nine mixed maps laid out as 3×3 blocks of one image, the sum over the taps is part of the two products:

                                      | W_00·x  W_01·x  W_02·x |   | columnsᵀ₀ |
    y = | rows₀   rows₁   rows₂ |  ·  | W_10·x  W_11·x  W_12·x | · | columnsᵀ₁ |
                                      | W_20·x  W_21·x  W_22·x |   | columnsᵀ₂ |
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class EnlargingConv2d(nn.Conv2d):
    """``conv3(up(x))``, up the bilinear enlargement by 2 (``align_corners=False``), padding with zeros.

    Per output value, mixing at the small size takes 4.5 operations per input channel instead of 18, and the products
    with matrices 15·n at size n of ``x``.  The reordered form runs where that pays clearly and the nine maps take about
    the memory that the enlarged ``x`` would; otherwise the form as written.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, 2H, 2W)."""
        # An exported graph is for every size, so it gets the form that is right for all of them.
        if (
            not torch.compiler.is_exporting()
            and 4 * self.out_channels <= self.in_channels
            and 2 * max(x.shape[-2:]) <= self.in_channels
        ):
            return self._mixed_first(x)
        size = (2 * x.shape[-2], 2 * x.shape[-1])
        return super().forward(F.interpolate(x, size, mode="bilinear", align_corners=False))

    def _mixed_first(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        channels = self.out_channels
        mixed = F.conv2d(x, self.weight.permute(0, 2, 3, 1).reshape(9 * channels, -1, 1, 1))
        blocks = mixed.unflatten(1, (channels, 3, 3)).transpose(3, 4)  # (B, C, dy, H, dx, W)
        blocks = blocks.reshape(batch * channels, 3 * height, 3 * width)
        rows, columns = (_shifted_enlargements(size, blocks) for size in (height, width))
        enlarged = torch.bmm(rows.expand(batch * channels, -1, -1), blocks @ columns.mT)
        enlarged = enlarged.unflatten(0, (batch, channels))
        if self.bias is not None:
            enlarged = enlarged + self.bias[:, None, None]
        if x.stride(1) == 1 and x.shape[1] > 1:
            return enlarged.contiguous(memory_format=torch.channels_last)
        return enlarged


def _shifted_enlargements(size: int, like: Tensor) -> Tensor:
    """Bilinear enlargement of ``size`` positions by 2, read at −1, 0, +1, side by side: (2·size, 3·size)."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    small = torch.arange(size, device=like.device, dtype=dtype)
    large = torch.arange(2 * size, device=like.device, dtype=dtype)[:, None]
    shifted = []
    for offset in (-1, 0, 1):
        read = large + offset
        weights = (1 - (((read + 0.5) / 2 - 0.5).clamp(0, size - 1) - small).abs()).clamp(min=0)
        shifted.append(weights * ((read >= 0) & (read < 2 * size)))
    return torch.cat(shifted, dim=1).to(like.dtype)
