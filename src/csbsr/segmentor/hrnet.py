"""HRNet backbone (Wang et al. 2020, "Deep high-resolution representation learning"), version 2.

Parallel branches of halving resolution exchange their maps after every module.  Parameter names are those of the
published ImageNet files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from csbsr.segmentor.resnet import BasicBlock, Bottleneck
from csbsr.sr.width import scaled


class HRNet(nn.Module):
    """Image (B, 3, H, W) to four maps at 1/4, 1/8, 1/16, 1/32 of its size (each halving rounds up).

    Args:
        width: fraction of the published channel counts (48, 96, 192, 384 for the four maps).
        modules: number of exchange modules in stages 2, 3 and 4, which have 2, 3 and 4 branches.
        blocks: number of basic blocks of every branch, and of bottlenecks in ``layer1``.

    Attributes:
        channels: number of channels of the four maps.
    """

    def __init__(self, width: float = 1.0, modules: Sequence[int] = (1, 4, 3), blocks: int = 4) -> None:
        super().__init__()
        if len(modules) != 3 or min(modules) < 1:
            raise ValueError(f"modules: expected three positive numbers, for stages 2, 3 and 4, got {list(modules)}")
        if blocks < 1:
            raise ValueError(f"blocks: expected a positive number of blocks per branch, got {blocks}")
        stem = scaled(64, width)
        self.channels = tuple(scaled(48, width) * 2**i for i in range(4))
        self.conv1 = nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.conv2 = nn.Conv2d(stem, stem, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU(inplace=True)
        wide = Bottleneck.expansion * stem
        self.layer1 = nn.Sequential(Bottleneck(stem, stem), *(Bottleneck(wide, stem) for _ in range(blocks - 1)))
        # A transition keeps every branch and derives one more from the last.
        self.transition1 = nn.ModuleList(
            [nn.Sequential(*_convolution(wide, self.channels[0])), _halvings([wide, self.channels[1]])]
        )
        self.stage2 = _stage(self.channels[:2], modules[0], blocks)
        self.transition2 = nn.ModuleList([*_identities(2), _halvings(self.channels[1:3])])
        self.stage3 = _stage(self.channels[:3], modules[1], blocks)
        self.transition3 = nn.ModuleList([*_identities(3), _halvings(self.channels[2:4])])
        self.stage4 = _stage(self.channels, modules[2], blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> list[Tensor]:
        """The four branches after the last exchange, finest first."""
        x = self.relu(self.bn1(self.conv1(image)))
        x = self.relu(self.bn2(self.conv2(x)))
        maps = [self.layer1(x)]
        for transition, stage in (
            (self.transition1, self.stage2),
            (self.transition2, self.stage3),
            (self.transition3, self.stage4),
        ):
            maps = stage([step(x) for step, x in zip(transition, [*maps, maps[-1]], strict=True)])
        return maps


class ExchangeModule(nn.Module):
    """Basic blocks on every branch, then each branch becomes ``ReLU`` of the sum over all of them.

    A coarser branch joins a finer one by BN(conv1), enlarged bilinearly (``align_corners=True``); a finer one joins a
    coarser one by one conv3 of stride 2 with BN for each halving, with ReLU between them.
    """

    def __init__(self, channels: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(n, n) for _ in range(blocks))) for n in channels)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_exchange(channels, source, target) for source in range(len(channels)))
            for target in range(len(channels))
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """As many maps of the same shapes, finest first."""
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        fused = []
        for layers, like in zip(cast("Iterable[nn.ModuleList]", self.fuse_layers), maps, strict=True):
            joining = [resize(layer(x), like.shape[-2:]) for layer, x in zip(layers, maps, strict=True)]
            fused.append(self.relu(sum(joining[1:], joining[0])))
        return fused


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """``x`` (B, C, h, w) bilinearly to (B, C, *size) with ``align_corners=True``, as everywhere in this network."""
    if x.shape[-2:] == tuple(size):
        return x
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)


def _stage(channels: Sequence[int], modules: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(ExchangeModule(channels, blocks) for _ in range(modules)))


def _exchange(channels: Sequence[int], source: int, target: int) -> nn.Module:
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(
            nn.Conv2d(channels[source], channels[target], 1, bias=False), nn.BatchNorm2d(channels[target])
        )
    return _halvings([channels[source]] * (target - source) + [channels[target]], last_relu=False)


def _halvings(channels: Sequence[int], last_relu: bool = True) -> nn.Sequential:
    """A conv3 of stride 2 with BN and ReLU from each entry of ``channels`` to the next."""
    steps = [_convolution(a, b, stride=2) for a, b in pairwise(channels)]
    if not last_relu:
        steps[-1].pop()
    return nn.Sequential(*(nn.Sequential(*step) for step in steps))


def _convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


def _identities(count: int) -> list[nn.Module]:
    return [nn.Identity() for _ in range(count)]
