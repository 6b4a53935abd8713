"""Projection units: from low to high resolution or back, with a correction by what the change of size lost."""

from __future__ import annotations

from torch import Tensor, nn

from csbsr.sr.constant_map import convolve_parts

#: Scale to (kernel, stride, padding) of the convolutions that change the size.
RESAMPLING = {2: (6, 2, 2), 4: (8, 4, 2), 8: (12, 8, 2)}


class ConvPReLU(nn.Module):
    """A convolution, plain or transposed, followed by a PReLU with one slope."""

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.conv = conv
        self.act = nn.PReLU()

    def forward(self, *parts: Tensor) -> Tensor:
        """Of several feature maps, the convolution of their concatenation (1×1 convolutions only)."""
        if len(parts) == 1:
            return self.act(self.conv(parts[0]))
        return self.act(convolve_parts(parts, self.conv.weight, self.conv.bias))


def upward(inputs: int, outputs: int, scale: int, bias: bool = False) -> ConvPReLU:
    """(B, inputs, h, w) to (B, outputs, s·h, s·w) by a transposed convolution."""
    return ConvPReLU(nn.ConvTranspose2d(inputs, outputs, *RESAMPLING[scale], bias=bias))


def downward(inputs: int, outputs: int, scale: int, bias: bool = False) -> ConvPReLU:
    """(B, inputs, s·h, s·w) to (B, outputs, h, w) by a strided convolution."""
    return ConvPReLU(nn.Conv2d(inputs, outputs, *RESAMPLING[scale], bias=bias))


class ProjectionUnit(nn.Module):
    """One up- or down-projection (Haris et al. 2018, section 3.2): change the size, change it back, correct the error.

    With ``P`` the change of size and ``Q`` the change back, each with its own weights and a PReLU:
    ``x = mix(cat(parts)); y = P(x); y + P'(Q(y) − x)``.

    Args:
        inputs: channels of all parts together, mixed to ``channels`` by a 1×1 convolution with bias.
        channels: channels of the result.
        scale: 2, 4 or 8.
        up: from low to high resolution, else the other way.
        bias: whether the convolutions that change the size have one.
    """

    def __init__(self, inputs: int, channels: int, scale: int, up: bool, bias: bool = False) -> None:
        super().__init__()
        there, back = (upward, downward) if up else (downward, upward)
        self.mix: nn.Module = ConvPReLU(nn.Conv2d(inputs, channels, 1))
        self.project = there(channels, channels, scale, bias)
        self.back_project = back(channels, channels, scale, bias)
        self.project_error = there(channels, channels, scale, bias)

    def forward(self, *parts: Tensor) -> Tensor:
        """Maps (B, C_j, h, w), ΣC_j = inputs, to (B, channels, s·h, s·w), or (B, channels, h/s, w/s) downward."""
        x = self.mix(*parts)
        y = self.project(x)
        # Sums overwrite the result of a PReLU, which no backward pass reads: fewer full-size maps at a time.
        return self.project_error(self.back_project(y).sub_(x)).add_(y)
