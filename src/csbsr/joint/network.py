"""The serial system: super-resolve, normalise, segment."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from csbsr.contracts import JointOutput
from csbsr.segmentor.base import Segmentor
from csbsr.sr.base import SRNetwork

#: Per-channel statistics of the published training set (RGB), for ``normalization="dataset"``.
DATASET_MEAN = (0.4741, 0.4937, 0.5048)
DATASET_STD = (0.1621, 0.1532, 0.1523)
NORMALIZATIONS = ("instance", "dataset", "none")


class JointNetwork(nn.Module):
    """``lr -> sr -> normalise -> segmentation``, trained end to end (Kondo & Ukita 2024, figure 2).

    Args:
        sr: super-resolution network.
        segmentor: crack segmentor, fed with the normalised super-resolved image.
        normalization: ``instance`` (per image and channel to zero mean and unit variance, as published), ``dataset``
            (fixed statistics of the published training set) or ``none``.
    """

    def __init__(self, sr: SRNetwork, segmentor: Segmentor, normalization: str = "instance") -> None:
        super().__init__()
        if normalization not in NORMALIZATIONS:
            raise ValueError(f"normalization: expected one of {', '.join(NORMALIZATIONS)}, got {normalization!r}")
        if segmentor.uses_kernel and not sr.estimates_kernel:
            raise ValueError(
                f"segmentor: {type(segmentor).__name__} with blur skip needs a blur kernel, but {type(sr).__name__} "
                "estimates none; use sr=kbpn or a segmentor without blur skip"
            )
        self.sr = sr
        self.segmentor = segmentor
        self.normalization = normalization

    @property
    def scale(self) -> int:
        """Integer factor between the low- and the high-resolution image."""
        return self.sr.scale

    def forward(self, lr: Tensor, kernel: Tensor | None = None, segment: bool = True) -> JointOutput:
        """Run the system on ``lr`` (B, 3, h, w).

        Args:
            lr: low-resolution images, nearly in [0, 1].
            kernel: (B, 1, k, k), summing to 1: used instead of the estimate (SR-module pre-training).
            segment: False skips the segmentor; ``segmentation`` is then None.

        Returns:
            `JointOutput`; in eval mode ``sr`` is clamped to [0, 1] before it is segmented.
        """
        sr, estimate = self.sr(lr, kernel)
        if not self.training:
            sr = sr.clamp(0, 1)
        if not segment:
            return JointOutput(sr, None, estimate)
        segmentation, auxiliaries = self.segmentor(self.normalize(sr), estimate)
        return JointOutput(sr, segmentation, estimate, auxiliaries)

    def normalize(self, sr: Tensor) -> Tensor:
        """The segmentor's input for ``sr`` (B, 3, H, W)."""
        if self.normalization == "instance":
            return nn.functional.instance_norm(sr, eps=1e-5)
        if self.normalization == "dataset":
            mean, std = (torch.tensor(v, dtype=sr.dtype, device=sr.device) for v in (DATASET_MEAN, DATASET_STD))
            return (sr - mean[:, None, None]) / std[:, None, None]
        return sr
