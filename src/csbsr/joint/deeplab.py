"""The parts of DeepLabV3+ (Chen et al. 2018) that DSRL is made of: pyramid pooling and the decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from csbsr.sr.width import scaled

#: Dilations of the pyramid's convolutions; the first is a 1×1 convolution.
RATES = (1, 6, 12, 18)


class ConvBNReLU(nn.Sequential):
    """``ReLU(BN(conv(x)))``, size kept; the convolution has no bias."""

    def __init__(self, inputs: int, outputs: int, kernel_size: int, dilation: int = 1) -> None:
        super().__init__()
        padding = dilation * (kernel_size // 2)
        self.conv = nn.Conv2d(inputs, outputs, kernel_size, padding=padding, dilation=dilation, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: parallel dilated convolutions and the image's mean, concatenated and mixed.

    Args:
        inputs: channels of the encoder's last map.
        width: fraction of the published 256 channels.
    """

    def __init__(self, inputs: int, width: float = 1.0) -> None:
        super().__init__()
        channels = scaled(256, width)
        self.branches = nn.ModuleList(ConvBNReLU(inputs, channels, 1 if rate == 1 else 3, rate) for rate in RATES)
        self.image_pooling = ConvBNReLU(inputs, channels, 1)
        self.mix = ConvBNReLU((len(RATES) + 1) * channels, channels, 1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, channels, h, w).

        Raises:
            ValueError: one image while the BatchNorm of the image's mean trains: one value has no variance.
        """
        if self.image_pooling.bn.training and x.shape[0] < 2:
            raise ValueError(
                "batch size: expected at least 2 to train DSRL (the BatchNorm of its image pooling needs two values "
                f"per channel), got {x.shape[0]}; raise the batch size and drop a last batch of one image"
            )
        mean = self.image_pooling(x.mean((2, 3), keepdim=True))
        # Bilinear interpolation of a 1×1 map, as published, is the constant map.
        maps = [*(branch(x) for branch in self.branches), mean.expand(-1, -1, *x.shape[2:])]
        return self.dropout(self.mix(torch.cat(maps, dim=1)))


class Decoder(nn.Module):
    """Joins the pyramid's map with the encoder's first one: bilinear to its size, concatenation, three convolutions.

    Args:
        low_level: channels of the encoder's first map.
        pyramid: channels of the pyramid's map.
        hidden: output channels of the two 3×3 convolutions.
        outputs: output channels of the last, 1×1 convolution.
        width: fraction of the published 48 channels the first map is reduced to.
    """

    def __init__(self, low_level: int, pyramid: int, hidden: tuple[int, int], outputs: int, width: float = 1.0) -> None:
        super().__init__()
        reduced = scaled(48, width)
        self.reduce = ConvBNReLU(low_level, reduced, 1)
        self.fuse = nn.Sequential(
            ConvBNReLU(pyramid + reduced, hidden[0], 3),
            nn.Dropout(0.5),
            ConvBNReLU(hidden[0], hidden[1], 3),
            nn.Dropout(0.1),
            nn.Conv2d(hidden[1], outputs, 1),
        )

    def forward(self, pyramid: Tensor, low_level: Tensor) -> Tensor:
        """(B, pyramid, h/16, w/16) and (B, low_level, h/4, w/4) to (B, outputs, h/4, w/4)."""
        pyramid = resize(pyramid, low_level.shape[-2:])
        return self.fuse(torch.cat((pyramid, self.reduce(low_level)), dim=1))


def resize(x: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Bilinear resizing with aligned corners, as everywhere in DSRL."""
    return nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=True)
