"""A network as prediction uses it: one window after another, with the statistics of the whole photograph handed in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from csbsr.hardware import check_precision
from csbsr.joint import JointSystem, LiteSystem, SerialSystem
from csbsr.joint.lite_appearance import CONTEXT_STRIDE, Appearance
from csbsr.predict.memory import SCRATCH, PeakMemory
from csbsr.sr import Bicubic
from csbsr.sr.base import SRNetwork

PRECISIONS = {"float32": None, "float16": torch.float16, "bfloat16": torch.bfloat16}
#: Flips by their number: the axes (of an image ending in H, W) that each turns round.
FLIPS: dict[int, tuple[tuple[int, ...], ...]] = {1: ((),), 2: ((), (-1,)), 4: ((), (-1,), (-2,), (-2, -1))}
_STRIDE = 32  # largest stride inside any of the segmentors; windows at its multiples see the same grid as the image


class Upscaled(NamedTuple):
    """What the first pass computes for a window."""

    sr: np.ndarray  #: (3, s·h, s·w) float32 in [0, 1]
    segmentation: np.ndarray | None  #: (1, s·h, s·w), only from a system that computes both at once
    kernels: Tensor | None  #: (1, n, k, k) that it was made with; the last is the estimate
    sr_tensor: Tensor  #: ``sr`` as (1, 3, s·h, s·w) on the device

    @property
    def kernel(self) -> Tensor | None:
        """The estimate, (1, 1, k, k)."""
        return None if self.kernels is None else self.kernels[:, -1:]


class System:
    """Runs a network on windows of a photograph.

    A serial network (super-resolution, normalisation, segmentation) takes two passes, because its normalisation needs
    the mean and variance of the whole super-resolved photograph: those of a window differ, and tiles would not agree.
    A parallel one (DSRL, lite) takes one; lite is handed the appearance of the whole photograph instead.

    Args:
        network: of `csbsr.load`, in eval mode.
        device: where it runs; None for the accelerator that torch finds, else the CPU.
        precision: ``float32``, or ``float16``, ``bfloat16`` by autocast.
        sr: super-resolves in place of a serial network's own part; it estimates no kernel.

    Attributes:
        serial: the network, where segmentation is a second pass; else None.
        lite: the network, where it takes an `Appearance`; else None.
        estimates_kernel: whether the first pass estimates the blur kernel.
        align: windows start at multiples of this, in pixels of the photograph.
        comparable: whether the result can be compared with the photograph: it is not the photograph itself.
    """

    def __init__(
        self,
        network: JointSystem,
        device: str | torch.device | None = None,
        precision: str = "float32",
        sr: SRNetwork | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}")
        if network.runs_on is not None and precision != "float32":
            raise ValueError(f"precision: an exported file computes in float32, got {precision}; leave it out")
        self.device = chosen_device(device if network.runs_on is None else network.runs_on)
        check_precision(precision, self.device.type)
        self.precision = precision
        # A third less time on a CPU, and what half precision on a GPU wants.
        network.eval().to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network, self.sr = network, None if sr is None else sr.eval().to(self.device)
        self.scale = network.scale
        self.serial = network if isinstance(network, SerialSystem) else None
        self.lite = network if isinstance(network, LiteSystem) else None
        self.estimates_kernel = self.sr is None and network.estimates_kernel
        self.comparable = self.sr is None and (self.scale > 1 or self.estimates_kernel)
        if self.serial is not None:
            stride = math.lcm(_STRIDE, self.serial.size_multiple)
            self.align = stride // math.gcd(stride, self.scale)
        else:
            self.align = _STRIDE if self.lite is None else CONTEXT_STRIDE

    @property
    def smallest_tile(self) -> int:
        """Side of the smallest tile, in pixels of the result."""
        return max(32, self.align * self.scale)

    def upscale(self, lr: Tensor, kernels: Tensor | None = None, appearance: Appearance | None = None) -> Upscaled:
        """First pass on a window ``lr`` (1, 3, h, w), with the kernels (1, n, k, k) of other windows if any are given.

        Where another network super-resolves, ``kernels`` are only passed on.  ``appearance`` is of the photograph, for
        `lite`.
        """
        with torch.inference_mode(), self._autocast():
            segmentation: Tensor | None = None
            if self.sr is not None:
                sr = self.sr(lr).sr
            elif self.serial is not None:
                sr, kernels = self.serial.upscale(lr, kernels)
            elif self.lite is not None:
                sr, segmentation, kernels = self.lite(lr, appearance=appearance)[:3]
            else:
                sr, segmentation, kernels = self.network(lr)[:3]
            sr = sr.float().clamp(0, 1)
            return Upscaled(_to_array(sr), None if segmentation is None else _to_array(segmentation), kernels, sr)

    def enlarged(self, lr: Tensor) -> Upscaled:
        """In place of the first pass on a window ``lr`` (1, 3, h, w): its bicubic enlargement, nothing else."""
        with torch.inference_mode():
            sr = Bicubic(self.scale)(lr).sr.float().clamp(0, 1)
        return Upscaled(_to_array(sr), None, None, sr)

    def segment(self, sr: np.ndarray, mean: np.ndarray, variance: np.ndarray, kernel: Tensor | None) -> np.ndarray:
        """Second pass: probability (H, W) of a window ``sr`` (3, H, W), normalised by the photograph's statistics.

        Args:
            sr: super-resolved window, float32 in [0, 1].
            mean: (3,), of each channel over the photograph; not read by a network with another normalisation.
            variance: (3,).
            kernel: (1, 1, k, k) of this window, for a segmentor that sees it.
        """
        if self.serial is None:
            raise ValueError("network: expected one that segments in a second pass, got one that does both at once")
        with torch.inference_mode(), self._autocast():
            centre, spread = (torch.from_numpy(value).float().to(self.device) for value in (mean, variance))
            return _to_array(self.serial.segment(self.tensor(sr), centre, spread, kernel))[0]

    def tensor(self, image: np.ndarray) -> Tensor:
        """(3, H, W) float32 to (1, 3, H, W) on the device."""
        tensor = torch.from_numpy(np.ascontiguousarray(image))[None]
        return tensor.to(self.device).contiguous(memory_format=torch.channels_last)

    def bytes_per_pixel(self, kernels: Tensor | None = None, side: int = 192) -> tuple[float, float]:
        """Memory that the passes take for each pixel of their window's result, estimated on a small window.

        Args:
            kernels: as for `upscale`.
            side: of the window, about.

        Returns:
            Of the first and of the second pass; the second is 0 for a parallel system.
        """
        if self.network.memory is not None:
            return self.network.memory
        side = max(self.align, side // self.scale // self.align * self.align)
        lr = self.tensor(np.full((3, side, side), 0.5, np.float32))
        lr[..., ::2, :] = 0.4  # a constant image makes a network's own divisions by its contrast meaningless
        with PeakMemory() as first:
            upscaled = self.upscale(lr, kernels)
        with PeakMemory() as second:
            if self.serial is not None:
                self.segment(upscaled.sr, np.full(3, 0.5), np.ones(3), upscaled.kernel)
        pixels = upscaled.sr[0].size
        return first.peak * SCRATCH / pixels, second.peak * SCRATCH / pixels

    def _autocast(self) -> AbstractContextManager:
        dtype = PRECISIONS[self.precision]
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype)


def chosen_device(device: str | torch.device | None) -> torch.device:
    """The device asked for, else the accelerator that torch finds, else the CPU.

    Raises:
        ValueError: torch knows no such device, or it is not there.
    """
    if device is None:
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device: {device!r} cannot be used here ({str(error).splitlines()[0]}); use device=cpu"
        ) from error
    return chosen


def unit(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8, or float32 in [0, 1], as (3, h, w) float32 in [0, 1]."""
    image = image.transpose(2, 0, 1)
    return image / np.float32(255) if image.dtype == np.uint8 else image.astype(np.float32)


def pooled(image: Tensor, k: int) -> np.ndarray:
    """Means (C, H/k, W/k) over k × k pixels of ``image`` (1, C, H, W)."""
    return _to_array(image if k == 1 else F.avg_pool2d(image, k))


def require_finite(rows: np.ndarray) -> None:
    """Refuse results with a value that is not finite.

    Raises:
        ValueError: there is one.
    """
    if not np.isfinite(rows.sum()):  # of values around [0, 1]: one that is not finite shows in it
        raise ValueError("the network's results are not finite; use precision=float32, or another checkpoint")


def flipped(image: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """``image`` (…, H, W) turned round along ``axes``; doing it twice undoes it."""
    return np.flip(image, tuple(axes)) if axes else image


def _to_array(image: Tensor) -> np.ndarray:
    return image[0].float().cpu().numpy()
