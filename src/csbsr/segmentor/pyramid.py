"""Pyramid pooling (Zhao et al. 2017) without its full-size pooled maps.

The published module concatenates the feature map ``x`` with its bilinearly enlarged, convolved averages over 1×1, 2×2,
3×3 and 6×6 bins, and mixes the result by a 1×1 convolution:

    y = W · cat(up(S₁·pool₁(x)), …, up(S₆·pool₆(x)), x) + b

A 1×1 convolution acts on channels, enlarging acts on positions; both are linear, so their order is free:

    y = up(W₁·S₁·pool₁(x)) + … + up(W₆·S₆·pool₆(x)) + W_x·x + b

and only the last product needs the full size.  Averaging over bins and enlarging are products with small matrices, one
for rows and one for columns.  The bins of all levels are the rows of one pooling matrix, so one product serves all:

    height -> 1 + 2 + 3 + 6 = 12 rows of bins -> height
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PyramidPooling(nn.Module):
    """``ReLU(conv1(cat(up(conv1(pool(x))) for each level, x)))``; see the head of this file.

    Args:
        inputs: channels of ``x``.
        outputs: channels of the result.
        levels: number of bins along each side, per level.
    """

    def __init__(self, inputs: int, outputs: int, levels: Sequence[int] = (1, 2, 3, 6)) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.stages = nn.ModuleList(nn.Conv2d(inputs, inputs, 1, bias=False) for _ in self.levels)
        self.bottleneck = nn.Conv2d(inputs * (len(self.levels) + 1), outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        height, width = x.shape[-2:]
        weights = self.bottleneck.weight.split(x.shape[1], dim=1)
        pool_rows, pool_columns = (pooling_matrix(size, self.levels, x) for size in (height, width))
        up_rows, up_columns = (enlarging_matrix(size, self.levels, x) for size in (height, width))

        rows = (pool_rows @ x).split(self.levels, dim=-2)
        columns = pool_columns.split(self.levels)
        enlarge = up_columns.split(self.levels, dim=1)
        strips = []
        for i, stage in enumerate(self.stages):
            bins = F.conv2d(stage(rows[i] @ columns[i].mT), weights[i])  # (B, outputs, n, n)
            strips.append(bins @ enlarge[i].mT)  # (B, outputs, n, W)
        pooled = up_rows @ torch.cat(strips, dim=-2)
        return F.relu(F.conv2d(x, weights[-1], self.bottleneck.bias) + pooled)


def pooling_matrix(size: int, levels: Sequence[int], like: Tensor) -> Tensor:
    """Rows that average ``size`` positions over bins, (sum(levels), size): 1 bin, then 2 bins, …

    Bin i of n covers positions ⌊i·size/n⌋ to ⌈(i+1)·size/n⌉, the last excluded, as in adaptive average pooling; bins
    may overlap and, where ``size`` < n, repeat.  Dtype and device are those of ``like``.
    """
    position = torch.arange(size, device=like.device)
    blocks = []
    for n in levels:
        bin_ = torch.arange(n, device=like.device)[:, None]
        start, end = bin_ * size // n, ((bin_ + 1) * size + n - 1) // n
        inside = (position >= start) & (position < end)
        blocks.append(inside.to(like.dtype) / (end - start))
    return torch.cat(blocks)


def enlarging_matrix(size: int, levels: Sequence[int], like: Tensor) -> Tensor:
    """Columns that enlarge n positions bilinearly to ``size``, side by side for all levels: (size, sum(levels)).

    Position p reads at (p + ½)·n/size − ½, clamped to the outermost positions (``align_corners=False``).
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    position = torch.arange(size, device=like.device, dtype=dtype)[:, None]
    blocks = []
    for n in levels:
        source = ((position + 0.5) * n / size - 0.5).clamp(0, n - 1)
        distance = (source - torch.arange(n, device=like.device, dtype=dtype)).abs()
        blocks.append((1 - distance).clamp(min=0))
    return torch.cat(blocks, dim=1).to(like.dtype)
