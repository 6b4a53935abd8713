"""The first stages of EfficientNet-lite0, whose published weights have seen ImageNet."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_EPSILON = 1e-3  # of the published weights' BatchNorms


class Stage(NamedTuple):
    """A row of EfficientNet's table: ``blocks`` inverted bottlenecks, the first of them with the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


#: The stages up to a sixteenth of the input; the two after them see too much to be computed in tiles.
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
)
STEM = 32


def folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one convolution that ``norm(convolution(x))`` is in eval mode."""
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("norm: expected a BatchNorm with running statistics; it cannot be folded without")
    gain = norm.weight * torch.rsqrt(variance + norm.eps)
    return convolution.weight * gain[:, None, None, None], norm.bias - mean * gain


def convolved(x: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """``norm(convolution(x))``; in eval mode as one convolution, which spares a pass over memory."""
    if norm.training:
        return norm(convolution(x))
    weight, bias = folded(convolution, norm)
    return F.conv2d(x, weight, bias, convolution.stride, convolution.padding, groups=convolution.groups)


class ConvNorm(nn.Sequential):
    """Convolution without bias, BatchNorm, and ReLU6 unless ``linear``; "same" size divided by the stride."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=_EPSILON),
            nn.Identity() if linear else nn.ReLU6(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h/stride, w/stride)."""
        y: Tensor = self[2](convolved(x, cast(nn.Conv2d, self[0]), cast(nn.BatchNorm2d, self[1])))
        return y


class InvertedBottleneck(nn.Module):
    """Expand, filter each channel, project; plus the input where the shapes agree (Sandler et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = ConvNorm(inputs, inner) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(inner, inner, kernel, stride, groups=inner)
        self.project = ConvNorm(inner, outputs, linear=True)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h/stride, w/stride)."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class LiteEncoder(nn.Module):
    """EfficientNet-lite0 down to a sixteenth of its input (Tan & Le 2019; lite0 is without squeeze-and-excitation).

    Attributes:
        channels: of the four maps that `forward` returns.
    """

    channels = (16, 24, 40, 112)

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, STEM, 3, 2)
        inputs, stages = STEM, []
        for stage in STAGES:
            blocks = []
            for i in range(stage.blocks):
                stride = stage.stride if i == 0 else 1
                blocks.append(InvertedBottleneck(inputs, stage.channels, stage.kernel, stride, stage.expansion))
                inputs = stage.channels
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Maps at 1/2, 1/4, 1/8 and 1/16 of ``image`` (B, 3, H, W), H and W multiples of 16.

        The published weights expect values of about ±1, mean 0.
        """
        x = self.stem(image)
        maps = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i != 3:  # the fourth stage's map has the size of the fifth's
                maps.append(x)
        return maps
