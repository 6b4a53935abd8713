"""DSRL (Wang et al. 2020): super-resolution and segmentation side by side on one encoder, not one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from csbsr.contracts import JointOutput
from csbsr.joint.deeplab import ASPP, Decoder, resize
from csbsr.joint.system import JointSystem
from csbsr.segmentor.base import pad_to, probability
from csbsr.segmentor.pretrained import load_pretrained
from csbsr.segmentor.resnet import resnet101
from csbsr.sr.width import scaled

#: Variants, and the factor between the input and what both branches compute before the last resizing.
NATIVE_SCALES = {"dsrl": 2, "dsrl_x4": 4}
#: Published channels of the SR branch before and after its three enlarging steps, each by 2.
ENLARGING = (64, 64, 32, 16)


class Enlarge(nn.Module):
    """Twice the size by a transposed convolution, then an EDSR unit ``conv3(ReLU(conv3(y))) + conv1(y)``."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.residual = nn.Sequential(
            nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU(), nn.Conv2d(outputs, outputs, 3, padding=1)
        )
        self.shortcut = nn.Conv2d(outputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, 2h, 2w)."""
        x = self.upsample(x)
        return self.residual(x) + self.shortcut(x)


class DSRL(JointSystem):
    """Dual super-resolution learning: DeepLabV3+ on ``lr`` with one decoder for the mask and one for the image.

    Both branches work at ``native_scale`` times the input: 2 in variant ``dsrl``, whose outputs are then resized
    bilinearly to 4 times, and 4 in ``dsrl_x4``.  ``lr`` is not normalised and ``sr`` never clamped.  The affinity
    features that tie the branches together in training are ``ReLU(BN(conv1(segmentation)))`` with three channels and
    the image, both at the native scale; pooling and comparing them is the loss's part.

    Args:
        variant: ``dsrl`` or ``dsrl_x4``.
        width: fraction of the published channel counts.
        blocks: number of blocks of the first three layers of the encoder; 3, 4, 23 is ResNet-101.
        pretrained: None, ``imagenet`` or a file with the encoder's weights; see `load_pretrained`.

    Attributes:
        scale: 4, the factor between ``lr`` and the outputs.
        native_scale: 2 or 4, the factor before the last resizing.

    Raises:
        ValueError: unknown ``variant``, or weights that are not there or do not fit.
    """

    scale = 4

    def __init__(
        self,
        variant: str = "dsrl",
        width: float = 1.0,
        blocks: Sequence[int] = (3, 4, 23),
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        if variant not in NATIVE_SCALES:
            raise ValueError(f"variant: expected one of {', '.join(NATIVE_SCALES)}, got {variant!r}")
        self.native_scale = NATIVE_SCALES[variant]
        steps = [scaled(channels, width) for channels in ENLARGING]
        self.encoder = resnet101(width, blocks)
        low_level, *_, last = self.encoder.channels
        pyramid = scaled(256, width)
        self.aspp = ASPP(last, width)
        self.segmentation_decoder = Decoder(low_level, pyramid, (pyramid, pyramid), 1, width)
        self.sr_decoder = Decoder(low_level, pyramid, (pyramid, scaled(128, width)), steps[0], width)
        # From a quarter of the input size three steps lead to twice its size, four to four times.
        self.enlarge_first = Enlarge(steps[0], steps[0]) if variant == "dsrl_x4" else nn.Identity()
        self.enlarge = nn.Sequential(*(Enlarge(a, b) for a, b in pairwise(steps)))
        self.reconstruct = nn.Conv2d(steps[-1], 3, 1)
        self.affinity = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3), nn.ReLU())
        load_pretrained(self.encoder, pretrained, "resnet101")

    def forward(self, lr: Tensor, kernel: Tensor | None = None, segment: bool = True) -> JointOutput:
        """Super-resolve and segment ``lr`` (B, 3, h, w), any size, in training at least two images.

        Args:
            lr: low-resolution images, nearly in [0, 1].
            kernel: ignored; DSRL knows no blur.
            segment: False skips the segmentation branch; ``segmentation`` is then None.

        Returns:
            `JointOutput` with ``sr`` (B, 3, 4h, 4w), not clamped, and no kernel; in training also the affinity
            features, (B, 3, n·h, n·w) each with n the native scale.

        Raises:
            ValueError: one image in training.
        """
        # The decoders return to a quarter of the input size rounded up, which only multiples of 4 undo.
        padded = pad_to(lr, 4)
        low_level, *_, last = self.encoder(padded)
        pyramid = self.aspp(last)
        sr = self._crop(self.reconstruct(self.enlarge(self.enlarge_first(self.sr_decoder(pyramid, low_level)))), lr)
        if not segment:
            return JointOutput(self._finish(sr, lr), None, None)
        segmentation = probability(self.segmentation_decoder(pyramid, low_level))
        height, width = padded.shape[-2:]
        # Two steps, as published: with aligned corners they are not the same as one.
        segmentation = resize(segmentation, (height, width))
        segmentation = resize(segmentation, (self.native_scale * height, self.native_scale * width))
        segmentation = self._crop(segmentation, lr)
        features = (self.affinity(segmentation), sr) if self.training else None
        return JointOutput(self._finish(sr, lr), self._finish(segmentation, lr), None, (), features)

    def _crop(self, x: Tensor, lr: Tensor) -> Tensor:
        """``x`` without what belongs to the padding of ``lr``."""
        height, width = lr.shape[-2:]
        return x[..., : self.native_scale * height, : self.native_scale * width]

    def _finish(self, x: Tensor, lr: Tensor) -> Tensor:
        """``x`` at 4 times the size of ``lr``."""
        height, width = lr.shape[-2:]
        return x if self.native_scale == self.scale else resize(x, (self.scale * height, self.scale * width))
