"""Likeness of images and of kernels: PSNR and SSIM, one value per image.

Everything is float64 arithmetic of one image at a time on the CPU, so that a value depends neither on the other images
of its batch nor on the number of threads.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

#: Width of the frame that `interior_psnr` leaves out, pixels: zero padding darkens some 20 pixels at ×4.
FRAME = 24

_C1, _C2 = 0.01**2, 0.03**2
_OFFSETS = np.arange(-5, 6)
_GAUSSIAN = np.exp(-(_OFFSETS**2) / (2 * 1.5**2))
_GAUSSIAN /= _GAUSSIAN.sum()


def psnr(sr: Tensor, hr: Tensor, valid: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio in dB: 10·log10(1 / MSE) per image, for images in [0, 1].

    Args:
        sr: (B, C, H, W).
        hr: (B, C, H, W).
        valid: (B, 1, H, W) in {0, 1}, which pixels count; None for all.

    Returns:
        (B,) float64 on the CPU; infinite for equal images.

    Raises:
        ValueError: the shapes differ or do not have four axes.
    """
    first, second = _pair(sr, hr, "sr", "hr")
    with np.errstate(divide="ignore"):
        values = [
            -10 * np.log10(_mean(np.square(a - b), counts))
            for a, b, counts in zip(first, second, _maps(valid, len(first)), strict=True)
        ]
    return torch.tensor(values, dtype=torch.float64)


def interior_psnr(sr: Tensor, hr: Tensor, valid: Tensor | None = None, frame: int = FRAME) -> Tensor:
    """`psnr` of what lies inside a frame: blur with zero padding darkens the border, and repairing that is no detail.

    Args:
        sr: (B, C, H, W).
        hr: (B, C, H, W).
        valid: (B, 1, H, W) in {0, 1}, which pixels count; None for all.
        frame: pixels left out on each side.

    Returns:
        (B,) float64 on the CPU; not a number where nothing lies inside.

    Raises:
        ValueError: the shapes differ or do not have four axes, or a frame below 0.
    """
    if frame < 0:
        raise ValueError(f"frame: expected a number of pixels >= 0, got {frame}")
    _pair(sr, hr, "sr", "hr")
    height, width = sr.shape[-2:]
    if min(height, width) <= 2 * frame:
        return torch.full((len(sr),), float("nan"), dtype=torch.float64)
    inside = (..., slice(frame, height - frame), slice(frame, width - frame))
    return psnr(sr[inside], hr[inside], None if valid is None else valid[inside])


def kernel_psnr(kernel: Tensor, true: Tensor) -> Tensor:
    """PSNR of an estimated blur kernel in dB: 10·log10(1 / MSE) over its k² entries, with data range 1.

    Args:
        kernel: (B, 1, k, k), summing to 1.
        true: (B, 1, k, k), summing to 1.

    Returns:
        (B,) float64 on the CPU; infinite for equal kernels.

    Raises:
        ValueError: the shapes differ or do not have four axes.
    """
    _pair(kernel, true, "kernel", "true")
    return psnr(kernel, true)


def ssim(sr: Tensor, hr: Tensor, valid: Tensor | None = None) -> Tensor:
    """Structural similarity, for images in [0, 1].

    11×11 Gaussian window of σ = 1.5 summing to 1, zeros outside the image, C1 = 0.01², C2 = 0.03², variances as
    E[x²] − μ²; the mean over channels and pixels.

    Args:
        sr: (B, C, H, W).
        hr: (B, C, H, W).
        valid: (B, 1, H, W) in {0, 1}, windows around which pixels count; None for all.

    Returns:
        (B,) float64 on the CPU.

    Raises:
        ValueError: the shapes differ or do not have four axes.

    Source: Wang et al. 2004, with the zero padding of the authors' release of Kondo & Ukita 2024.
    """
    first, second = _pair(sr, hr, "sr", "hr")
    values = [
        np.mean([_mean(_ssim(x, y), counts) for x, y in zip(a, b, strict=True)])
        for a, b, counts in zip(first, second, _maps(valid, len(first)), strict=True)
    ]
    return torch.tensor(values, dtype=torch.float64)


def _maps(valid: Tensor | None, count: int) -> list[np.ndarray | None]:
    """(H, W) bool for each image, or None for each."""
    return [None] * count if valid is None else list(valid[:, 0].cpu().numpy() > 0.5)


def _mean(values: np.ndarray, counts: np.ndarray | None) -> np.floating:
    """Mean of values (…, H, W) over the pixels that count; not a number where none does."""
    if counts is None:
        return values.mean()
    return values[..., counts].mean() if counts.any() else np.float64("nan")


def _ssim(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    moments = np.stack([x, y, x * x, y * y, x * y], -1)
    moments = cv2.sepFilter2D(moments, -1, _GAUSSIAN, _GAUSSIAN, borderType=cv2.BORDER_CONSTANT)
    mean_x, mean_y, square_x, square_y, product = np.moveaxis(moments, -1, 0)
    likeness = (2 * mean_x * mean_y + _C1) * (2 * (product - mean_x * mean_y) + _C2)
    energy = mean_x**2 + mean_y**2
    return np.asarray(likeness / ((energy + _C1) * (square_x + square_y - energy + _C2)))


def _pair(first: Tensor, second: Tensor, *names: str) -> tuple[np.ndarray, np.ndarray]:
    if first.shape != second.shape or first.ndim != 4:
        raise ValueError(
            f"{names[0]} and {names[1]}: expected two tensors of one shape (B, C, H, W), got {tuple(first.shape)} and "
            f"{tuple(second.shape)}; crop or pad one of them first"
        )
    # Moved before it is widened: not every device has float64.
    return first.detach().cpu().double().numpy(), second.detach().cpu().double().numpy()
