"""What a sensor and its file format add to a low-resolution batch: noise, 8 bits, JPEG; from given numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from csbsr.degradation.degrade import at_least_float32

_WORD = 0xFFFFFFFF


def sensor_noise(image: Tensor, shot: Tensor, read: Tensor, seed: Tensor) -> Tensor:
    """Poisson-Gaussian noise: Gaussian with the variance ``shot·x + read²`` of light x.

    The noise is a function of ``seed`` and the place in the image alone: the same on every device, in any batch.

    Args:
        image: (B, C, H, W), nearly in [0, 1].
        shot: (B,) variance per unit of light, >= 0: 1 / (photons at full scale).
        read: (B,) standard deviation in the dark, >= 0.
        seed: (B,) whole numbers >= 0.

    Returns:
        (B, C, H, W), not clamped.

    Source:
        Foi et al. 2008, "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data".
    """
    image = at_least_float32(image)
    variance = shot[:, None, None, None] * image.clamp(0, 1) + read.square()[:, None, None, None]
    return image + variance.clamp_min(1e-20).sqrt() * standard_normal(seed, image)


def standard_normal(seed: Tensor, like: Tensor) -> Tensor:
    """Independent standard normal numbers of the shape, device and dtype of ``like`` (B, ...), from seeds (B,).

    Counters and seeds are mixed by 32-bit integer hashing and turned into normal numbers by Box and Muller.
    """
    count = like[0].numel()
    place = torch.arange(count, device=like.device, dtype=torch.int64)
    start = _mixed(seed.to(like.device, torch.int64)[:, None] + 0x9E3779B9)
    first, second = (_mixed(start ^ _mixed(2 * place[None] + part)) for part in (1, 2))
    radius = (-2 * ((first.double() + 1) / (_WORD + 2)).log()).sqrt()
    return (radius * (2 * torch.pi * second.double() / (_WORD + 1)).cos()).to(like.dtype).reshape(like.shape)


def eight_bit(image: Tensor) -> Tensor:
    """``image`` clamped to [0, 1] and rounded to multiples of 1/255; gradients pass inside the range."""
    clamped = image.clamp(0, 1)
    return clamped + ((clamped * 255).round() / 255 - clamped).detach()


def _mixed(value: Tensor) -> Tensor:
    """32-bit integers whose every bit depends on every bit of the 32-bit integers ``value`` (int64)."""
    value = value & _WORD
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        value = ((value ^ (value >> shift)) * factor) & _WORD
    return value ^ (value >> 16)
