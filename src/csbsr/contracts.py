"""What crosses a folder: every tensor and record that one part of the package hands to another.

Shapes: ``B`` batch, ``s`` scale, ``(H, W)`` high resolution, ``(h, w) = (H/s, W/s)`` low resolution, ``k`` side of the
blur kernel.  One word per thing, everywhere: ``hr``, ``lr``, ``sr``, ``kernel``, ``mask``, ``segmentation``.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypedDict, runtime_checkable

import numpy as np
import torch
from torch import Tensor


class Sample(TypedDict, total=False):
    """One crack image with its mask, as the data set hands it over (before degradation)."""

    hr: Tensor  #: (3, H, W) float32 in [0, 1], RGB
    mask: Tensor  #: (1, H, W) float32 in {0, 1}
    valid: Tensor  #: (1, H, W) float32 in {0, 1}: 0 where a pixel counts nowhere; missing if all count
    distance: Tensor  #: (1, H, W) float32, the boundary loss's signed distance map of ``mask``
    crack_distance: Tensor  #: (1, H, W) float32, pixels to the nearest crack pixel; only if asked for
    blur: Tensor  #: (n,) float32: sigma_1, sigma_2 in HR pixels, theta in degrees, and what else the degradation draws
    lr: Tensor  #: (3, h, w), only where the low-resolution image comes from a file
    kernel: Tensor  #: (1, k, k) summing to 1, only where the kernel comes from a file
    tone: Tensor  #: (6,) float32, numbers of `csbsr.data.photometric.Photometric`; only if asked for
    name: str  #: path within its split, with forward slashes; unique there
    index: int  #: position in the data set


class Batch(TypedDict, total=False):
    """Samples of one size, stacked, after degradation: what a network and a loss see."""

    hr: Tensor  #: (B, 3, H, W) in [0, 1]
    lr: Tensor  #: (B, 3, h, w); nearly [0, 1]: bicubic down-scaling may overshoot and is not clamped
    kernel: Tensor  #: (B, 1, k, k), each summing to 1
    mask: Tensor  #: (B, 1, H, W) in {0, 1}
    valid: Tensor  #: (B, 1, H, W) in {0, 1}: 0 where a pixel counts in no loss and no metric; missing if all count
    distance: Tensor  #: (B, 1, H, W)
    crack_distance: Tensor  #: (B, 1, H, W)
    blur: Tensor  #: (B, n)
    tone: Tensor  #: (B, 6)
    name: list[str]
    index: Tensor  #: (B,) int64


class SROutput(NamedTuple):
    """What a super-resolution network returns."""

    sr: Tensor  #: (B, 3, s·h, s·w), not clamped
    kernel: Tensor | None  #: (B, 1, k, k) summing to 1; None from a network that estimates none


class SegmentorOutput(NamedTuple):
    """What a segmentor returns."""

    segmentation: Tensor  #: (B, 1, H, W) probability of crack
    auxiliaries: tuple[Tensor, ...]  #: further probabilities (B, 1, H, W) for the loss; empty in eval mode


class JointOutput(NamedTuple):
    """What a joint network returns."""

    sr: Tensor  #: (B, 3, H, W); in eval mode clamped to [0, 1], in training not
    segmentation: Tensor | None  #: (B, 1, H, W) probability; None if the segmentor was told not to run
    kernel: Tensor | None  #: (B, 1, k, k) summing to 1; None from a network that estimates none
    auxiliaries: tuple[Tensor, ...] = ()  #: further probabilities (B, 1, H, W); empty in eval mode
    affinity_features: tuple[Tensor, Tensor] | None = None  #: DSRL in training: (segmentation, SR) feature maps


class BlurSampler(Protocol):
    """Draws the numbers of one blur kernel."""

    def __call__(self, generator: torch.Generator) -> Tensor:
        """Three numbers, float32 (3,): sigma_1, sigma_2 in HR pixels, theta in degrees."""


class Degradation(Protocol):
    """Turns a high-resolution batch into a low-resolution one, on the device of the batch."""

    scale: int

    def draw(self, generator: torch.Generator) -> Tensor:
        """The numbers of one image, float32 (n,), of which the first three are as `BlurSampler` gives them."""

    def __call__(self, hr: Tensor, blur: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) and (B, n) to lr (B, 3, H/s, W/s) and kernel (B, 1, k, k)."""


class PairSource(Protocol):
    """An ordered set of crack images with masks."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Path of the pair within its split, with forward slashes; unique there."""

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 or float32 in [0, 1], RGB, and mask (H, W) uint8: 0, 1, or 255 for ignored."""


@runtime_checkable
class DegradedSource(PairSource, Protocol):
    """A `PairSource` that also holds low-resolution images and kernels."""

    def read_degraded(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Low-resolution image (h, w, 3) uint8 or float32 in [0, 1], RGB, and kernel (k, k) summing to 1."""
