"""HRNet with an object-contextual representation head for one class (Yuan et al. 2020, "Object-contextual
representations for semantic segmentation").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csbsr.contracts import SegmentorOutput
from csbsr.segmentor.base import Segmentor, probability
from csbsr.segmentor.hrnet import HRNet, resize
from csbsr.segmentor.pretrained import load_pretrained
from csbsr.sr.width import scaled


class HRNetOCR(Segmentor):
    """HRNet-W48 + OCR as in Kondo & Ukita 2024.

    The auxiliary logits say where the crack is; the features there, averaged, describe the crack (its *context*), and
    every position is classified from its own features beside that description.

    In general OCR compares every position with the description of every class, and a softmax over the classes weighs
    them.  Crack segmentation has one class, for which that weight is always 1: the two branches that would compute it
    (``f_pixel``, ``f_object``) cannot change the output and do not exist here.

    Args:
        width: fraction of the published channel counts.
        modules: number of exchange modules in the backbone's stages 2, 3 and 4.
        blocks: number of blocks of every branch of the backbone.
        dropout: rate as a fraction of the published one (0.05, of the channels before the last convolution).
        pretrained: None or the path of a file with the backbone's ImageNet weights, as its authors publish them for
            HRNet-W48-C (their classification head is left out); see `load_pretrained`.

    Returns:
        From ``forward``: the probability and, in training, one auxiliary.

    Raises:
        ValueError: in training with one image (the context is one vector per image and its BatchNorm needs two); an
            impossible width or depth; a ``pretrained`` file that does not exist or does not fit.
    """

    minimum_size = 32

    def __init__(
        self,
        width: float = 1.0,
        modules: Sequence[int] = (1, 4, 3),
        blocks: int = 4,
        dropout: float = 1.0,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        self.backbone = HRNet(width, modules, blocks)
        inputs, channels = sum(self.backbone.channels), scaled(512, width)
        self.auxiliary_head = nn.Sequential(*_block(inputs, inputs, 3), nn.Conv2d(inputs, 1, 1))
        self.features = nn.Sequential(*_block(inputs, channels, 3))
        self.context = ObjectContext(channels, scaled(256, width))
        self.merge = nn.Sequential(*_block(2 * channels, channels, 1))
        self.dropout = nn.Dropout2d(0.05 * dropout)
        self.head = nn.Conv2d(channels, 1, 1)
        load_pretrained(self.backbone, pretrained, "hrnet_w48")

    def segment(self, image: Tensor, kernel: Tensor | None) -> SegmentorOutput:
        """Segment ``image`` (B, 3, H, W), at least 32 pixels high and wide; ``kernel`` is not used."""
        if self.context.reduce[1].training and image.shape[0] < 2:
            raise ValueError(
                f"image: HRNetOCR needs a batch of at least 2 in training (BatchNorm of one vector per image), got "
                f"{image.shape[0]}; raise the batch size, drop an incomplete last batch, or freeze the BatchNorms"
            )
        maps = self.backbone(image)
        maps = torch.cat([resize(x, maps[0].shape[-2:]) for x in maps], 1)
        auxiliary = self.auxiliary_head(maps)
        features = self.features(maps)
        logits = self.head(self.dropout(self._merge(self.context(features, auxiliary), features)))
        size = image.shape[-2:]
        segmentation = probability(resize(logits, size))
        return SegmentorOutput(segmentation, (probability(resize(auxiliary, size)),) if self.training else ())

    def _merge(self, context: Tensor, features: Tensor) -> Tensor:
        """ReLU(BN(conv1(cat(context, features)))), the context's share computed once: it is the same everywhere."""
        convolution, norm, relu = cast("tuple[nn.Conv2d, nn.BatchNorm2d, nn.ReLU]", tuple(self.merge))
        for_context, for_features = convolution.weight.chunk(2, dim=1)
        return relu(norm(F.conv2d(features, for_features, convolution.bias) + F.conv2d(context, for_context)))


class ObjectContext(nn.Module):
    """Describes the crack of each image by one vector: ``expand(reduce(Σ_n softmax_n(logits) · features_n))``.

    Both steps are conv1, BN, ReLU; they are the value and output transforms of the object attention.
    """

    def __init__(self, channels: int, keys: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential(*_block(channels, keys, 1))
        self.expand = nn.Sequential(*_block(keys, channels, 1))

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """``features`` (B, C, h, w) and ``logits`` (B, 1, h, w) to (B, C, 1, 1)."""
        height, width = features.shape[-2:]
        attention = logits.flatten(2).softmax(-1)
        context = (features.flatten(2) @ attention.mT.to(features.dtype))[..., None]
        convolution, norm, relu = self.expand
        everywhere = convolution(self.reduce(context)).expand(-1, -1, height, width)
        # Normalised as a map: B values instead of B·h·w would give the running variance another Bessel correction.
        return relu(norm(everywhere)[..., :1, :1])


def _block(inputs: int, outputs: int, kernel_size: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel_size, padding=kernel_size // 2)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
