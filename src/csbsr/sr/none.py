"""No super-resolution: the photograph itself is what gets segmented."""

from __future__ import annotations

from torch import Tensor

from csbsr.contracts import SROutput
from csbsr.sr.base import SRNetwork


class NoSR(SRNetwork):
    """The identity, for systems without a change of size: ``sr`` is ``lr``.

    Fed with high-resolution images it gives the segmentor's upper bound (Kondo & Ukita 2024).

    Args:
        scale: must be 1; an argument only so that a configuration with another scale is refused.

    Raises:
        ValueError: ``scale`` is not 1.
    """

    def __init__(self, scale: int = 1) -> None:
        super().__init__()
        if scale != 1:
            raise ValueError(f"scale: expected 1 without super-resolution (sr=none), got {scale}; set scale=1")
        self.scale = scale

    def forward(self, lr: Tensor, kernel: Tensor | None = None) -> SROutput:
        """``lr`` (B, 3, h, w) as it is; ``kernel`` is ignored."""
        return SROutput(lr, None)
