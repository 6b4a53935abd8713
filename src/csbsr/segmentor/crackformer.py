"""CrackFormer-II (Liu et al. 2023): an encoder and decoder of transformer blocks with one side output per level."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csbsr.contracts import SegmentorOutput
from csbsr.segmentor.base import Segmentor, probability
from csbsr.segmentor.crackformer_attention import TransformerBlock, group_norm
from csbsr.segmentor.segnet import unpool
from csbsr.sr.width import scaled

CHANNELS = (64, 128, 256, 512, 512)  #: of the five levels, at 1, 1/2, 1/4, 1/8 and 1/16 of the image's size
DEEP = 3  #: from this level on, the encoder repeats its second block and the decoder has three blocks


class CrackFormer(Segmentor):
    """CrackFormer-II as in Kondo & Ukita 2024.

    Five encoder levels, each followed by a 2×2 max-pool; five decoder levels, each after putting its input back where
    the pool of that level found its maxima.  Every level predicts the crack (`SideOutput`); the main prediction is a
    weighted sum of the five.

    Sensitive to rounding, because the attention multiplies features with features and pooling picks one of them: with
    random weights, bfloat16 autocast moves the median probability by 0.003 and single ones by 0.2.

    Args:
        width: fraction of the published channel counts (64 to 512); the 16 key channels of the attention stay.
        dropout: rate as a fraction of the published one (0.3, in the perceptrons of the transformer blocks).

    Returns:
        From ``forward``: the probability and, in training, five auxiliaries, of levels 5, 4, 3, 2, 1.
    """

    size_multiple = 32

    def __init__(self, width: float = 1.0, dropout: float = 1.0) -> None:
        super().__init__()
        dropout = 0.3 * dropout
        side = scaled(CHANNELS[0], width)
        channels = [scaled(n, width) for n in CHANNELS]
        narrower = [channels[0], *channels[:-1]]
        self.encoder = nn.ModuleList(
            EncoderLevel(3 if level == 1 else channels[level - 2], channels[level - 1], level, dropout)
            for level in range(1, 6)
        )
        self.decoder = nn.ModuleList(
            DecoderLevel(channels[level - 1], narrower[level - 1], level, dropout) for level in range(1, 6)
        )
        self.sides = nn.ModuleList(
            SideOutput(inner, outer, side) for inner, outer in zip(channels, narrower, strict=True)
        )
        self.merge = nn.Conv2d(5, 1, 1)

    def segment(self, image: Tensor, kernel: Tensor | None) -> SegmentorOutput:
        """Segment ``image`` (B, 3, H, W), sides multiples of 32; ``kernel`` is not used."""
        size = image.shape[-2:]
        encoded, indices = [], []
        x = image
        for level in self.encoder:
            encoded.append(level(x))
            x, index = F.max_pool2d(encoded[-1][-1], 2, return_indices=True)
            indices.append(index)
        logits = []
        for level, side, maps, index in reversed(list(zip(self.decoder, self.sides, encoded, indices, strict=True))):
            decoded = level(unpool(x, index, maps[-1].shape[-2:]))
            x = decoded[-1]
            logits.append(F.interpolate(side(maps, decoded), size=size, mode="bilinear", align_corners=False))
        segmentation = probability(self.merge(torch.cat(logits, 1)))
        return SegmentorOutput(segmentation, tuple(probability(x) for x in logits) if self.training else ())


class EncoderLevel(nn.Module):
    """Blocks that widen to ``outputs``; from level 3 on the second block is applied twice.

    ``forward`` returns the map after every application: two at levels 1 and 2, else three.
    """

    def __init__(self, inputs: int, outputs: int, level: int, dropout: float) -> None:
        super().__init__()
        if level == 1:
            self.first: nn.Module = nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU())
        else:
            self.first = TransformerBlock(inputs, outputs, dropout)
        self.second = TransformerBlock(outputs, outputs, dropout)
        self.repeats = 2 if level >= DEEP else 1

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, inputs, H, W) to maps (B, outputs, H, W)."""
        maps = [self.first(x)]
        for _ in range(self.repeats):
            maps.append(self.second(maps[-1]))
        return maps


class DecoderLevel(nn.Module):
    """Two blocks, or three from level 3 on, of which the last narrows to ``outputs``.

    ``forward`` returns the map after every block.
    """

    def __init__(self, inputs: int, outputs: int, level: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(TransformerBlock(inputs, inputs, dropout) for _ in range(2 if level >= DEEP else 1))
        self.blocks.append(TransformerBlock(inputs, outputs, dropout))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, inputs, H, W) to maps (B, inputs, H, W), the last (B, outputs, H, W)."""
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps


class SideOutput(nn.Module):
    """Crack logits of one level: ``conv3(m · ReLU(conv3(cat(e, d))))`` with e, d the level's last maps.

    The attention mask is ``m = sigmoid(GN(conv3(GN(conv3(GELU(Σ maps))))))``; the sum takes every map of the level but
    the last of the encoder and the last of the decoder.
    """

    def __init__(self, inner: int, outer: int, channels: int) -> None:
        super().__init__()
        self.merge = nn.Conv2d(inner + outer, channels, 3, padding=1)
        self.mask = nn.Sequential(
            nn.GELU(),
            nn.Conv2d(inner, channels, 3, padding=1),
            group_norm(channels),
            nn.Conv2d(channels, channels, 3, padding=1),
            group_norm(channels),
            nn.Sigmoid(),
        )
        self.predict = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, encoded: list[Tensor], decoded: list[Tensor]) -> Tensor:
        """The level's encoder and decoder maps (B, ·, h, w) to logits (B, 1, h, w)."""
        merged = F.relu(self.merge(torch.cat([encoded[-1], decoded[-1]], 1)))
        others = [*encoded[:-1], *decoded[:-1]]
        return self.predict(merged * self.mask(sum(others[1:], others[0])))
