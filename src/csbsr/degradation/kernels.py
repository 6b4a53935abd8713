"""Blur kernels from given numbers: no randomness, one batch at a time."""

from __future__ import annotations

import torch
from torch import Tensor


def anisotropic_gaussian_kernel(
    sigma_1: float | Tensor, sigma_2: float | Tensor, theta_degrees: float | Tensor, size: int = 21
) -> Tensor:
    """Rotated Gaussian blur kernels.

    With X to the right and Y down from the middle, sampled at pixel centres, ``u = X·cosθ - Y·sinθ`` and
    ``v = X·sinθ + Y·cosθ``, the kernel is ``exp(-½(u²/σ₁² + v²/σ₂²))`` divided by its sum.  ``σ₁`` lies along the
    horizontal at ``θ = 0``; positive ``θ`` turns counter-clockwise as seen.

    Args:
        sigma_1: standard deviation along the first axis, in HR pixels, > 0; a number or (B,).
        sigma_2: standard deviation along the second axis, in HR pixels, > 0; a number or (B,).
        theta_degrees: rotation in degrees; a number or (B,).
        size: odd side k of the kernel.

    Returns:
        (B, 1, k, k), each summing to 1; on the device and in the dtype of the given tensors (float32 for 16-bit ones,
        the default dtype for numbers and integers).

    Raises:
        ValueError: ``size`` is even or not positive, shapes do not match, or a standard deviation is not a positive
            number.  Values on an accelerator are not looked at: that would wait for it in every training step.

    Source:
        Kondo & Ukita 2024 (training data): k = 21, σ₁ and σ₂ in [0.2, 4.0], θ in [0°, 180°).
    """
    check_kernel_size(size)
    sigma_1, sigma_2, theta = aligned(sigma_1=sigma_1, sigma_2=sigma_2, theta_degrees=theta_degrees)
    for name, sigma in (("sigma_1", sigma_1), ("sigma_2", sigma_2)):
        if sigma.device.type == "cpu" and not bool(((sigma > 0) & sigma.isfinite()).all()):
            raise ValueError(
                f"{name}: expected standard deviations > 0 in pixels, got {sigma.flatten().tolist()}; "
                "for no blur use csbsr.degradation.delta_kernel or degradation=none"
            )
    theta = torch.deg2rad(theta)[:, None, None]
    offset = torch.arange(size, device=theta.device, dtype=theta.dtype) - size // 2
    x, y = offset[None, None, :], offset[None, :, None]
    u = (x * theta.cos() - y * theta.sin()) / sigma_1[:, None, None]  # divided before squaring: σ² may underflow
    v = (x * theta.sin() + y * theta.cos()) / sigma_2[:, None, None]
    kernel = torch.exp(-0.5 * (u.square() + v.square()))
    return (kernel / kernel.sum((1, 2), keepdim=True))[:, None]


def delta_kernel(like: Tensor, size: int = 21) -> Tensor:
    """The kernel that changes nothing: 1 in the centre.

    Args:
        like: a batch (B, ...) whose device, dtype and B are taken.
        size: odd side k of the kernel.

    Returns:
        (B, 1, k, k).
    """
    check_kernel_size(size)
    kernel = like.new_zeros(like.shape[0], 1, size, size)
    kernel[..., size // 2, size // 2] = 1
    return kernel


def check_kernel_size(size: int) -> None:
    """Raise ValueError unless ``size`` is odd and positive: an even kernel has no centre and would shift the image."""
    if size < 1 or size % 2 == 0:
        raise ValueError(f"size: expected an odd number of pixels >= 1, got {size}; use e.g. 21")


def aligned(**values: float | Tensor) -> list[Tensor]:
    """Every value as (B,), of one dtype (at least float32) and device."""
    given = [value for value in values.values() if isinstance(value, Tensor)]
    dtype = torch.float32 if given else torch.get_default_dtype()
    for value in given:
        dtype = torch.promote_types(dtype, value.dtype)
    device = given[0].device if given else None
    tensors = [torch.as_tensor(value, dtype=dtype, device=device).reshape(-1) for value in values.values()]
    lengths = {len(tensor) for tensor in tensors} - {1}
    if len(lengths) > 1 or any(value.ndim > 1 for value in given):
        shapes = ", ".join(f"{name} {tuple(torch.as_tensor(value).shape)}" for name, value in values.items())
        raise ValueError(f"expected numbers or tensors (B,) of one length, got {shapes}; flatten or repeat them")
    return list(torch.broadcast_tensors(*tensors))
