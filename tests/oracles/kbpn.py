"""KBPN as published: every constant map made at full size, every concatenation carried out, every convolution run."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csbsr.contracts import SROutput
from csbsr.sr.base import SRNetwork
from csbsr.sr.kbpn import KBPN


class PlainKBPN(SRNetwork):
    """The published forward pass over the parameters of a `KBPN` (shared, not copied); differentiable, trainable.

    Names of parameters are those of the fast network, so state dicts and gradients compare entry by entry.
    """

    estimates_kernel = True

    def __init__(self, fast: KBPN) -> None:
        super().__init__()
        for name, child in fast.named_children():
            self.add_module(name, child)
        self.scale = fast.scale

    @classmethod
    def from_fast(cls, fast: KBPN) -> PlainKBPN:
        return cls(fast)

    def kernel_predictors(self):
        yield self.kernel_predictor
        for stage in self.stages:
            yield stage.blur.updater

    def forward(self, lr: Tensor, kernel: Tensor | None = None) -> SROutput:
        low = lr
        for layer in self.features:
            low = F.relu(conv(low, layer)) if isinstance(layer, nn.Conv2d) else low
        vector = self.first_kernel(low) if kernel is None else kernel.flatten(1)
        highs: list[Tensor] = []
        lows: list[Tensor] = []
        for stage in self.stages:
            h = up_projection(low, stage.up)
            t = conv(torch.cat((*highs, h), 1), stage.blur.reconstruct)
            if kernel is None:
                vector = vector + kernel_update(t, vector, stage.blur.updater)
            vector = vector / vector.sum(1, keepdim=True)
            h = h + act_deconv(pseudo_lr(t, vector, self.scale) - lr, stage.blur.project_error)
            highs.append(h)
            if stage.down is not None:
                lows.append(down_projection(torch.cat(highs, 1), stage.down))
                low = sft(torch.cat(lows, 1), vector, stage.sft)
        sr = conv(torch.cat(highs, 1), self.reconstruct)
        sr = sr + F.interpolate(lr, scale_factor=self.scale, mode="bicubic", align_corners=False)
        side = int(vector.shape[1] ** 0.5)
        return SROutput(sr, vector.reshape(-1, 1, side, side))

    def first_kernel(self, x: Tensor) -> Tensor:
        predictor = self.kernel_predictor
        for layer in predictor.layers:
            x = act_conv(x, layer)
        vector = to_full_size(F.adaptive_avg_pool2d(x, 1).flatten(1), predictor.kernel_size)
        return vector / vector.sum(1, keepdim=True)


def conv(x: Tensor, layer: nn.Conv2d) -> Tensor:
    return F.conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding)


def act_conv(x: Tensor, layer: nn.Module) -> Tensor:
    return F.prelu(conv(x, layer.conv), layer.act.weight)


def act_deconv(x: Tensor, layer: nn.Module) -> Tensor:
    x = F.conv_transpose2d(x, layer.conv.weight, layer.conv.bias, layer.conv.stride, layer.conv.padding)
    return F.prelu(x, layer.act.weight)


def up_projection(low: Tensor, unit: nn.Module) -> Tensor:
    x = act_conv(low, unit.mix)
    h0 = act_deconv(x, unit.project)
    l0 = act_conv(h0, unit.back_project)
    return act_deconv(l0 - x, unit.project_error) + h0


def down_projection(high: Tensor, unit: nn.Module) -> Tensor:
    x = act_conv(high, unit.mix)
    l0 = act_conv(x, unit.project)
    h0 = act_deconv(l0, unit.back_project)
    return act_conv(h0 - x, unit.project_error) + l0


def kernel_map(vector: Tensor, like: Tensor) -> Tensor:
    return vector[:, :, None, None].expand(-1, -1, *like.shape[-2:])


def kernel_update(t: Tensor, vector: Tensor, updater: nn.Module) -> Tensor:
    x = F.relu(conv(t, updater.image[0]))
    for layer in updater.image[1:]:
        x = F.leaky_relu(conv(x, layer))
    y = kernel_map(vector, t)
    for layer in updater.kernel:
        y = F.leaky_relu(conv(y, layer))
    z = torch.cat((x, y), 1)
    z = F.leaky_relu(conv(z, updater.joint[0]))
    z = F.leaky_relu(conv(z, updater.joint[1]))
    z = conv(z, updater.joint[2])
    return to_full_size(F.adaptive_avg_pool2d(z, 1).flatten(1), updater.kernel_size)


def to_full_size(coarse: Tensor, size: int) -> Tensor:
    side = int(coarse.shape[1] ** 0.5)
    coarse = coarse.reshape(-1, 1, side, side)
    return F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False).flatten(1)


def pseudo_lr(t: Tensor, vector: Tensor, scale: int) -> Tensor:
    batch, channels, height, width = t.shape
    side = int(vector.shape[1] ** 0.5)
    weight = vector.reshape(batch, 1, side, side).repeat_interleave(channels, 0)
    image = t.reshape(1, batch * channels, height, width)
    blurred = F.conv2d(image, weight, stride=scale, padding=(side - 1) // 2, groups=batch * channels)
    return blurred.reshape(batch, channels, *blurred.shape[-2:])


def sft(f: Tensor, vector: Tensor, layer: nn.Module) -> Tensor:
    z = torch.cat((f, kernel_map(vector, f)), 1)
    scale = torch.sigmoid(conv(F.leaky_relu(conv(z, layer.scale_hidden), 0.1), layer.scale))
    shift = conv(F.leaky_relu(conv(z, layer.shift_hidden), 0.1), layer.shift)
    return f * scale + shift
