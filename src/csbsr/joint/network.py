"""The serial system: super-resolve, normalise, segment."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from csbsr.contracts import JointOutput, SROutput
from csbsr.joint.system import SerialSystem
from csbsr.segmentor.base import Segmentor
from csbsr.sr.base import SRNetwork
from csbsr.sr.bicubic import Bicubic

#: Per-channel statistics of the published training set (RGB), for ``normalization="dataset"``.
DATASET_MEAN = (0.4741, 0.4937, 0.5048)
DATASET_STD = (0.1621, 0.1532, 0.1523)
NORMALIZATIONS = ("instance", "dataset", "none")
_EPSILON = 1e-5  # of the published instance normalisation


class JointNetwork(SerialSystem):
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
        self.scale = sr.scale
        self.size_multiple = segmentor.size_multiple
        self.plain_enlargement = sr.scale == 1 or isinstance(sr, Bicubic)

    @property
    def estimates_kernel(self) -> bool:
        """Whether the super-resolution network estimates the blur kernel."""
        return self.sr.estimates_kernel

    def parts(self) -> tuple[SRNetwork, Segmentor]:
        """Super-resolution network and segmentor."""
        return self.sr, self.segmentor

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

    def upscale(self, lr: Tensor, kernels: Tensor | None = None) -> SROutput:
        """See `SerialSystem.upscale`."""
        output = self.sr.with_kernels(lr, kernels)
        return output._replace(sr=output.sr.clamp(0, 1))

    def segment(self, sr: Tensor, mean: Tensor, variance: Tensor, kernel: Tensor | None = None) -> Tensor:
        """See `SerialSystem.segment`."""
        probability: Tensor = self.segmentor(self.normalize(sr, (mean, variance)), kernel).segmentation
        return probability

    def normalize(self, sr: Tensor, statistics: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """The segmentor's input for ``sr`` (B, 3, H, W).

        Args:
            sr: super-resolved images in [0, 1].
            statistics: mean and variance of each channel, (3,) each, of the whole of which ``sr`` is a part; None for
                its own.  Only instance normalisation reads them.
        """
        if self.normalization == "instance":
            if statistics is None:
                return nn.functional.instance_norm(sr, eps=_EPSILON)
            mean, variance = (value[:, None, None] for value in statistics)
            return (sr - mean) / (variance + _EPSILON).sqrt()
        if self.normalization == "dataset":
            mean, std = (torch.tensor(v, dtype=sr.dtype, device=sr.device) for v in (DATASET_MEAN, DATASET_STD))
            return (sr - mean[:, None, None]) / std[:, None, None]
        return sr
