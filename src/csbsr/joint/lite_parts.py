"""The pieces of the lite system: blocks that the blur modulates, the error of re-degradation, the context below LR."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csbsr.degradation.degrade import at_least_float32, degrade
from csbsr.joint.lite_encoder import LiteEncoder, convolved, folded

_CUBIC = -0.75  # torch's cubic


def conv3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """3×3 convolution with bias, "same" size."""
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


def enlarged(image: Tensor, scale: int) -> Tensor:
    """The bicubic enlargement of ``image`` (B, C, h, w) before its pixels are shuffled, (B, C·s², h, w), float32.

    ``F.pixel_shuffle(enlarged(x, s), s)`` is ``F.interpolate(x, scale_factor=s, mode="bicubic")``: every phase of the
    enlargement is one 5 × 5 filter, borders repeated, and a convolution with many outputs is faster than sampling.
    """
    image = at_least_float32(image)
    channels = image.shape[1]
    with torch.autocast(image.device.type, enabled=False):
        phases = (torch.arange(scale, dtype=image.dtype, device=image.device) + 0.5) / scale - 0.5
        d = (phases[:, None] - torch.arange(-2, 3, dtype=image.dtype, device=image.device)).abs()
        near, far = ((_CUBIC + 2) * d - (_CUBIC + 3)) * d * d + 1, _CUBIC * (((d - 5) * d + 8) * d - 4)
        line = torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))
        filters = (line[:, None, :, None] * line[None, :, None, :]).reshape(scale**2, 1, 1, 5, 5)
        one = torch.eye(channels, dtype=image.dtype, device=image.device)[:, None, :, None, None]
        weight = (one * filters[None, :, 0]).reshape(channels * scale**2, channels, 5, 5)
        return F.conv2d(F.pad(image, (2, 2, 2, 2), mode="replicate"), weight)


class ModulatedBlock(nn.Module):
    """``x + conv(relu((1 + g)·conv(x) + b))`` with g, b per channel from a condition (FiLM, Perez et al. 2018).

    Args:
        channels: of x.
        condition: length of the condition; 0 for none.
    """

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.first, self.second = conv3(channels, channels), conv3(channels, channels)
        self.modulation = nn.Linear(condition, 2 * channels) if condition else None
        if self.modulation is not None:
            nn.init.zeros_(self.modulation.weight)
            nn.init.zeros_(self.modulation.bias)
        with torch.no_grad():
            self.second.weight.mul_(0.3)  # a residual block starts near the identity

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """(B, channels, h, w), condition (B, n)."""
        y: Tensor = self.second(F.relu_(self._modulated(x, condition)))
        return y.add_(x)  # in place, here and below: a fresh map at low resolution costs as much as adding

    def _modulated(self, x: Tensor, condition: Tensor | None) -> Tensor:
        if self.modulation is None or condition is None:
            filtered: Tensor = self.first(x)
            return filtered
        gain, bias = self.modulation(condition).chunk(2, 1)
        if len(x) == 1 and not self.training:  # into the convolution, which spares a pass over memory
            gain, weight = 1 + gain[0], self.first.weight
            return F.conv2d(x, weight * gain[:, None, None, None], self.first.bias * gain + bias[0], padding=1)
        y = self.first(x)
        gain, bias = gain.to(y.dtype)[..., None, None], bias.to(y.dtype)[..., None, None]
        return torch.addcmul(bias, y, 1 + gain)


class Redegradation(nn.Module):
    """What the bicubic enlargement, blurred and down-scaled again, differs from the image; twice in a row.

    ``e₁ = x - D U x`` and ``e₂ = e₁ - D U e₁``, with U bicubic enlargement and D blur and bicubic reduction.  Both are
    linear and the same at every pixel, so D U is one small correlation at low resolution.  KBPN feeds such errors
    back at high resolution; here ``x + e₁ + e₂`` is the start of van Cittert's deconvolution.

    Args:
        scale: s.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, image: Tensor, kernel: Tensor) -> Tensor:
        """(B, 3, h, w) and kernels (B, 1, k, k) to both errors (B, 6, h, w)."""
        response, exact = self.response(kernel), at_least_float32(image)
        with torch.autocast(image.device.type, enabled=False):  # small differences of large numbers
            first = exact - self._correlated(exact, response)
            return torch.cat((first, first - self._correlated(first, response)), 1).to(image.dtype)

    def response(self, kernel: Tensor) -> Tensor:
        """D U as a correlation at low resolution: (B, 1, r, r), r odd."""
        kernel = at_least_float32(kernel)
        radius = -(-(kernel.shape[-1] // 2 + 2 * self.scale + 2) // self.scale)
        side = 4 * radius + 1
        pulse = kernel.new_zeros(kernel.shape[0], 1, side, side)
        pulse[..., 2 * radius, 2 * radius] = 1
        with torch.autocast(kernel.device.type, enabled=False):
            large = F.interpolate(pulse, scale_factor=self.scale, mode="bicubic", align_corners=False)
            answer = degrade(large, kernel, self.scale)[..., radius:-radius, radius:-radius]
        return answer.flip((2, 3))  # an answer to a pulse convolves; the rest of the project correlates

    @staticmethod
    def _correlated(image: Tensor, response: Tensor) -> Tensor:
        batch, channels, height, width = image.shape
        border = response.shape[-1] // 2
        weight = response.expand(batch, channels, *response.shape[-2:]).reshape(-1, 1, *response.shape[-2:])
        padded = F.pad(image, (border,) * 4, mode="replicate").reshape(1, batch * channels, height + 2 * border, -1)
        return F.conv2d(padded, weight, groups=batch * channels).reshape(batch, channels, height, width)


class ConvNormReLU(nn.Sequential):
    """3×3 convolution without bias, BatchNorm, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h/stride, w/stride)."""
        y: Tensor = self[2](convolved(x, cast(nn.Conv2d, self[0]), cast(nn.BatchNorm2d, self[1])))
        return y


class Context(nn.Module):
    """A U-Net below low resolution whose levels also see an encoder that knows ImageNet.

    Level i (1, 2, 3) lies at 1/2ⁱ of LR: ``t_i = conv(relu(bn(stridedconv(t_{i-1}) + conv1(encoder map))))``; on the
    way up ``y_{i-1} = conv(enlarge(conv1(y_i)) + t_{i-1})``.  The encoder looks at the bicubic doubling of LR, so its
    maps at 1/2 … 1/16 are those at 1/1 … 1/8 of LR.

    Args:
        channels: of the maps at LR.
        widths: of the three levels.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        every = (channels, *widths)
        self.encoder = LiteEncoder()
        self.enter = nn.Conv2d(self.encoder.channels[0], channels, 1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1, bias=False) for a, b in pairwise(every))
        self.join = nn.ModuleList(
            nn.Conv2d(c, w, 1, bias=False) for c, w in zip(self.encoder.channels[1:], widths, strict=True)
        )
        self.norm = nn.ModuleList(nn.BatchNorm2d(w) for w in widths)
        self.mix = nn.ModuleList(ConvNormReLU(w, w) for w in widths)
        self.lateral = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(every))
        self.up = nn.ModuleList([nn.Identity(), *(ConvNormReLU(w, w) for w in widths[:-1])])

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """Features (B, channels, h, w) and the standardised image (B, 3, h, w), h and w multiples of 8."""
        doubled = F.interpolate(0.5 * image, _doubled(image), mode="bicubic", align_corners=False)
        first, *maps = self.encoder(doubled.contiguous(memory_format=torch.channels_last))
        levels = [self.enter(first).add_(x)]
        for down, join, norm, mix, seen in zip(self.down, self.join, self.norm, self.mix, maps, strict=True):
            layers = cast(nn.Conv2d, down), cast(nn.Conv2d, join), cast(nn.BatchNorm2d, norm)
            levels.append(mix(F.relu_(_joined(levels[-1], seen, *layers))))
        y = levels.pop()
        for lateral, up in zip(reversed(self.lateral), reversed(self.up), strict=True):
            large = F.interpolate(lateral(y), _doubled(y), mode="bilinear", align_corners=False)
            y = up(large.add_(levels.pop()))
        return y


def _doubled(image: Tensor) -> tuple[int, int]:
    """Twice the size: whole numbers, where a factor would make a size that an exported graph cannot reason about."""
    return 2 * image.shape[-2], 2 * image.shape[-1]


def _joined(x: Tensor, seen: Tensor, down: nn.Conv2d, join: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """``norm(down(x) + join(seen))``."""
    if norm.training:
        return norm(down(x) + join(seen))
    weight, bias = folded(down, norm)
    other, _ = folded(join, norm)
    return F.conv2d(x, weight, bias, down.stride, down.padding).add_(F.conv2d(seen, other))
