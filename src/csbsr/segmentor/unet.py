"""U-Net with a VGG16 encoder and a choice of three decoders (Kondo & Ukita 2024, comparison of segmentors)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csbsr.contracts import SegmentorOutput
from csbsr.segmentor.base import Segmentor, probability
from csbsr.segmentor.pretrained import load_pretrained
from csbsr.segmentor.vgg import VGG16
from csbsr.sr.width import scaled


class UNet(Segmentor):
    """VGG16's five maps, enlarged step by step and joined with the next finer one.

    Args:
        decoder: how a block doubles the size: ``pixel_shuffle`` (as published), ``deconvolution`` or ``bilinear``.
        width: fraction of the published channel counts.
        pretrained: None, ``imagenet`` or a file with the encoder's weights; see `load_pretrained`.
    """

    size_multiple = 16

    def __init__(self, decoder: str = "pixel_shuffle", width: float = 1.0, pretrained: str | None = None) -> None:
        super().__init__()
        if decoder not in DECODERS:
            raise ValueError(f"decoder: expected one of {', '.join(DECODERS)}, got {decoder!r}")
        self.encoder = VGG16(width)
        skips = self.encoder.channels
        outputs = [scaled(n, width) for n in (256, 256, 128, 64, 32)]
        block = DECODERS[decoder]
        self.center = block(skips[4], outputs[0])
        self.decoder4 = block(outputs[0] + skips[3], outputs[1])
        self.decoder3 = block(outputs[1] + skips[2], outputs[2])
        self.decoder2 = block(outputs[2] + skips[1], outputs[3])
        self.decoder1 = nn.Conv2d(outputs[3] + skips[0], outputs[4], 3, padding=1)
        self.head = nn.Conv2d(outputs[4], 1, 1)
        load_pretrained(self.encoder, pretrained, "vgg16")

    def segment(self, image: Tensor, kernel: Tensor | None) -> SegmentorOutput:
        """Segment ``image`` (B, 3, H, W), H and W multiples of 16; ``kernel`` is not used."""
        *skips, x = self.encoder(image)
        x = self.center(x)
        for block in (self.decoder4, self.decoder3, self.decoder2, self.decoder1):
            x = block(torch.cat([x, skips.pop()], dim=1))
        return SegmentorOutput(probability(self.head(F.relu(x))), ())


def pixel_shuffle_block(inputs: int, outputs: int) -> nn.Sequential:
    """conv3 to 4·outputs, ReLU, pixel shuffle: (B, inputs, H, W) to (B, outputs, 2H, 2W).

    The published block has a second ReLU after the shuffle, which changes nothing: a shuffle only moves values.
    """
    return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 3, padding=1), nn.ReLU(), nn.PixelShuffle(2))


def deconvolution_block(inputs: int, outputs: int) -> nn.Sequential:
    """conv3 to 2·outputs, ReLU, transposed convolution 4/2, ReLU: (B, inputs, H, W) to (B, outputs, 2H, 2W)."""
    return nn.Sequential(
        nn.Conv2d(inputs, 2 * outputs, 3, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * outputs, outputs, 4, stride=2, padding=1),
        nn.ReLU(),
    )


def bilinear_block(inputs: int, outputs: int) -> nn.Sequential:
    """Bilinear ×2, conv3 to 2·outputs, ReLU, conv3, ReLU: (B, inputs, H, W) to (B, outputs, 2H, 2W)."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        nn.Conv2d(inputs, 2 * outputs, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(2 * outputs, outputs, 3, padding=1),
        nn.ReLU(),
    )


DECODERS: dict[str, Callable[[int, int], nn.Sequential]] = {
    "pixel_shuffle": pixel_shuffle_block,
    "deconvolution": deconvolution_block,
    "bilinear": bilinear_block,
}
