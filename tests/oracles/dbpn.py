"""Plain form of DBPN on a state dict with the released names: one line a layer, any number of stages."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor


def dbpn(weights: Mapping[str, Tensor], lr: Tensor, scale: int, stages: int) -> Tensor:
    """``sr`` of ``lr`` (B, 3, h, w)."""
    stride, padding = scale, 2

    def layer(name: str, x: Tensor) -> Tensor:
        kind = "deconv" if f"{name}.deconv.weight" in weights else "conv"
        weight, bias = weights[f"{name}.{kind}.weight"], weights[f"{name}.{kind}.bias"]
        if weight.shape[-1] <= 3:
            x = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
        elif kind == "deconv":
            x = F.conv_transpose2d(x, weight, bias, stride, padding)
        else:
            x = F.conv2d(x, weight, bias, stride, padding)
        slope = weights.get(f"{name}.act.weight")
        return x if slope is None else torch.where(x > 0, x, slope * x)

    def unit(direction: str, number: int, maps: list[Tensor]) -> Tensor:
        name = f"{direction}{number}"
        x = torch.cat(maps, 1)
        if len(maps) > 1:
            x = layer(f"{name}.conv", x)
        y0 = layer(f"{name}.{direction}_conv1", x)
        x0 = layer(f"{name}.{direction}_conv2", y0)
        return layer(f"{name}.{direction}_conv3", x0 - x) + y0

    x = layer("feat1", layer("feat0", lr))
    highs, lows = [unit("up", 1, [x])], []
    for number in range(1, stages):
        lows = [unit("down", number, highs), *lows]
        highs = [unit("up", number + 1, lows), *highs]
    return layer("output_conv", torch.cat(highs, 1))


def shapes(scale: int, stages: int, channels: int, extracted: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the released state dict of a member of the family."""
    side = {2: 6, 4: 8, 8: 12}[scale]
    table: dict[str, tuple[int, ...]] = {}

    def layer(name: str, kind: str, *shape: int, act: bool = True) -> None:
        outputs = shape[1] if kind == "deconv" else shape[0]
        table[f"{name}.{kind}.weight"], table[f"{name}.{kind}.bias"] = shape, (outputs,)
        if act:
            table[f"{name}.act.weight"] = (1,)

    layer("feat0", "conv", extracted, 3, 3, 3)
    layer("feat1", "conv", channels, extracted, 1, 1)
    for number in range(1, stages + 1):
        for direction, maps in (("up", number - 1), ("down", number)):
            if direction == "down" and number == stages:
                continue
            if maps > 1:
                layer(f"{direction}{number}.conv", "conv", channels, maps * channels, 1, 1)
            for place in (1, 2, 3):
                upward = (direction == "up") == (place != 2)
                kind = "deconv" if upward else "conv"
                layer(f"{direction}{number}.{direction}_conv{place}", kind, channels, channels, side, side)
    layer("output_conv", "conv", 3, stages * channels, 3, 3, act=False)
    return table
