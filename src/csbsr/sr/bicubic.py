"""Bicubic up-sampling: the super-resolution network that learns nothing."""

from __future__ import annotations

from torch import Tensor, nn

from csbsr.contracts import SROutput
from csbsr.sr.base import SRNetwork


class Bicubic(SRNetwork):
    """Bicubic interpolation by ``scale``, without parameters; the result may leave [0, 1] by a few hundredths.

    Pixel centres are aligned (``align_corners=False``) and nothing is low-pass filtered, as in the published baseline
    (Kondo & Ukita 2024, section IV): the cubic's parameter is -0.75, that of an antialiased one would be -0.5.

    Args:
        scale: integer factor between the low- and the super-resolved image.

    Raises:
        ValueError: ``scale`` is below 1.
    """

    def __init__(self, scale: int = 4) -> None:
        super().__init__()
        if scale < 1:
            raise ValueError(f"scale: expected a positive integer, got {scale}")
        self.scale = scale

    def forward(self, lr: Tensor, kernel: Tensor | None = None) -> SROutput:
        """Interpolate ``lr`` (B, 3, h, w) to (B, 3, s·h, s·w); ``kernel`` is ignored."""
        size = [side * self.scale for side in lr.shape[-2:]]
        return SROutput(nn.functional.interpolate(lr, size=size, mode="bicubic"), None)
