"""PSPNet (Zhao et al. 2017) as Kondo & Ukita (2024) use it, with or without their blur skip."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from csbsr.contracts import SegmentorOutput
from csbsr.segmentor.base import Segmentor, probability
from csbsr.segmentor.blur_skip import BlurSkip
from csbsr.segmentor.enlarge import EnlargingConv2d
from csbsr.segmentor.pretrained import load_pretrained
from csbsr.segmentor.pyramid import PyramidPooling
from csbsr.segmentor.resnet import resnet34
from csbsr.sr.width import scaled


class PSPNet(Segmentor):
    """Dilated ResNet-34, pyramid pooling over 1, 2, 3, 6 bins, three bilinear up-samplings with convolutions.

    28.1 M parameters at width 1, its auxiliary head on the third layer included.

    Args:
        width: fraction of the published channel counts.
        blocks: number of residual blocks of each layer of the encoder.
        blur_skip: None, or the variant of the branch that sees the estimated kernel: ``modified`` (as released),
            ``origin`` or ``reduced``; see `BlurSkip`.
        kernel_size: side of that kernel.
        auxiliary: whether the auxiliary head exists; its probability is returned in training only.
        dropout: rates as a fraction of the published ones (0.3 after the pyramid, 0.15 after each enlargement, 0.1 in
            the auxiliary head).
        pretrained: None, ``imagenet`` or a file with the encoder's weights; see `load_pretrained`.
    """

    size_multiple = 8

    def __init__(
        self,
        width: float = 1.0,
        blocks: Sequence[int] = (3, 4, 6, 3),
        blur_skip: str | None = None,
        kernel_size: int = 21,
        auxiliary: bool = True,
        dropout: float = 1.0,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        self.uses_kernel = blur_skip is not None
        self.encoder = resnet34(width, blocks)
        middle, deep = self.encoder.channels[2:]
        channels = [scaled(n, width) for n in (1024, 256, 64, 64)]
        self.pyramid = PyramidPooling(deep, channels[0])
        self.pyramid_dropout = nn.Dropout2d(0.3 * dropout)
        self.up1, self.up2, self.up3 = (UpSampling(channels[i], channels[i + 1], 0.15 * dropout) for i in range(3))
        self.blur_skip = BlurSkip(channels[3], kernel_size, blur_skip) if blur_skip is not None else None
        self.head = nn.Conv2d(channels[3], 1, 1)
        self.auxiliary_head = AuxiliaryHead(middle, 0.1 * dropout) if auxiliary else None
        load_pretrained(self.encoder, pretrained, "resnet34")

    def segment(self, image: Tensor, kernel: Tensor | None) -> SegmentorOutput:
        """Segment ``image`` (B, 3, H, W), H and W multiples of 8; ``kernel`` (B, 1, k, k) for the blur skip only."""
        *_, middle, deep = self.encoder(image)
        x = self.pyramid_dropout(self.pyramid(deep))
        x = self.up3(self.up2(self.up1(x)))
        if self.blur_skip is not None:
            x = x + self.blur_skip(x, kernel)
        segmentation = probability(self.head(x))
        if self.auxiliary_head is None or not self.training:
            return SegmentorOutput(segmentation, ())
        auxiliary = probability(self.auxiliary_head(middle))
        auxiliary = F.interpolate(auxiliary, image.shape[-2:], mode="bilinear", align_corners=True)
        return SegmentorOutput(segmentation, (auxiliary,))


class UpSampling(nn.Sequential):
    """Bilinear ×2, conv3, BatchNorm, PReLU, dropout of whole channels: (B, C, H, W) to (B, D, 2H, 2W)."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.conv = EnlargingConv2d(inputs, outputs)
        self.norm = nn.BatchNorm2d(outputs)
        self.activation = nn.PReLU()
        self.dropout = nn.Dropout2d(dropout)


class AuxiliaryHead(nn.Sequential):
    """conv3, BatchNorm, ReLU, dropout of whole channels, conv1: (B, C, H, W) to logits (B, 1, H, W)."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(channels, 1, 1)
