"""SegNet (Badrinarayanan et al. 2017): the segmentor of the SrcNet + SegNet baseline."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from csbsr.contracts import SegmentorOutput
from csbsr.segmentor.base import Segmentor, probability
from csbsr.sr.width import scaled

#: Published output channels and number of convolutions of the five encoder levels.
CHANNELS = (64, 128, 256, 512, 512)
CONVOLUTIONS = (2, 2, 3, 3, 3)


class ConvBNReLU(nn.Sequential):
    """``ReLU(BN(conv3(x)))``; the convolution has a bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.bn = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)


class SegNet(Segmentor):
    """Convolutions as in VGG16 with BatchNorm, and their mirror image, joined by pooling indices.

    Every encoder level ends in a 2×2 max-pool whose winning positions are kept; every decoder level begins by putting
    its values back to these positions, zeros elsewhere.  Odd sides lose their last row or column in the pool and get
    it back as zeros, so any size from 32×32 works.  One convolution to one channel and a sigmoid give the probability.

    Args:
        width: fraction of the published channel counts.
    """

    minimum_size = 32  # five halvings leave one pixel

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        channels = [scaled(n, width) for n in CHANNELS]
        self.encoder = nn.ModuleList(
            _level([inputs] + [outputs] * count)
            for inputs, outputs, count in zip((3, *channels), channels, CONVOLUTIONS, strict=False)
        )
        # Decoder levels in the order they run, deepest first; the last convolution of a level changes the width.
        self.decoder = nn.ModuleList(
            _level([channels[i]] * CONVOLUTIONS[i] + [channels[i - 1]]) for i in range(len(channels) - 1, 0, -1)
        )
        self.decoder.append(_level([channels[0]] * CONVOLUTIONS[0]))
        self.head = nn.Conv2d(channels[0], 1, 3, padding=1)

    def segment(self, image: Tensor, kernel: Tensor | None) -> SegmentorOutput:
        """Segment ``image`` (B, 3, H, W), H and W at least 32; no auxiliaries."""
        x = image
        pooled: list[tuple[Tensor, torch.Size]] = []
        for level in self.encoder:
            x = level(x)
            size = x.shape[-2:]
            x, positions = nn.functional.max_pool2d(x, 2, return_indices=True)
            pooled.append((positions, size))
        for level, (positions, size) in zip(self.decoder, reversed(pooled), strict=True):
            x = level(unpool(x, positions, size))
        return SegmentorOutput(probability(self.head(x)), ())


def _level(channels: Sequence[int]) -> nn.Sequential:
    return nn.Sequential(*(ConvBNReLU(a, b) for a, b in pairwise(channels)))


def unpool(x: Tensor, positions: Tensor, size: Sequence[int]) -> Tensor:
    """Put the values of ``x`` (B, C, h, w) to ``positions`` of a zero map (B, C, H, W), ``size`` = (H, W).

    ``positions`` (B, C, h, w), row·W + column as `torch.nn.functional.max_pool2d` returns them, differ within a map.
    Unlike `torch.nn.functional.max_unpool2d` this also runs on a GPU with deterministic algorithms.
    """
    height, width = size
    zeros = x.new_zeros(*x.shape[:2], height * width)
    return zeros.scatter(2, positions.flatten(2), x.flatten(2)).unflatten(2, (height, width))
