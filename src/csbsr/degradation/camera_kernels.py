"""Blur kernels of cameras from given numbers: motion, defocus through a round or polygonal aperture, one after another.

Numbers may be single or (B,); every function computes a whole batch without a loop.  Angles follow
`anisotropic_gaussian_kernel`: degrees, 0 along X to the right, positive counter-clockwise as seen (Y points down).
A kernel is applied as a correlation, so a single bright pixel shows it turned by half a turn.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from csbsr.degradation.kernels import aligned, check_kernel_size

STEPS = 8  # points per pixel of kernel side on a path of motion


def motion_kernel(
    length: float | Tensor, angle_degrees: float | Tensor, turn_degrees: float | Tensor = 0.0, size: int = 21
) -> Tensor:
    """Motion during the exposure along a straight or evenly curved path, at constant speed.

    The path's direction turns from ``angle - turn/2`` to ``angle + turn/2``; the kernel is the time spent on each
    pixel, every point of the path spread bilinearly over the four pixels around it, with its mean in the centre.

    Args:
        length: of the path in HR pixels, >= 0 and below ``size``; 0 is no motion.
        angle_degrees: direction in the middle of the path.
        turn_degrees: by how much the direction turns along the path; 0 is a straight line.
        size: odd side k of the kernel.

    Returns:
        (B, 1, k, k), each summing to 1.

    Raises:
        ValueError: ``size`` is even, shapes do not match, or a length does not fit (looked at on the CPU only).
    """
    check_kernel_size(size)
    length, angle, turn = aligned(length=length, angle_degrees=angle_degrees, turn_degrees=turn_degrees)
    _check_reach("length", length, size - 1)
    count = STEPS * size
    at = (torch.arange(count, device=length.device, dtype=length.dtype) + 0.5) / count - 0.5
    heading = torch.deg2rad(angle[:, None] + turn[:, None] * at)
    step = (length / count)[:, None]
    x, y = step * heading.cos(), -step * heading.sin()
    x, y = x.cumsum(1) - x / 2, y.cumsum(1) - y / 2  # middles of the steps
    return _splat(x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True), size)


def disc_kernel(radius: float | Tensor, size: int = 21) -> Tensor:
    """Defocus through a round aperture: a disc whose border pixels count by how far the border lies outside them.

    Args:
        radius: in HR pixels, >= 0; 0 is in focus.
        size: odd side k of the kernel; the disc has to fit.

    Returns:
        (B, 1, k, k), each summing to 1.
    """
    check_kernel_size(size)
    (radius,) = aligned(radius=radius)
    _check_reach("radius", radius, size / 2)
    x, y = _grid(radius, size)
    return _filled(torch.hypot(x, y) - radius[:, None, None])


def polygon_kernel(
    radius: float | Tensor, blades: float | Tensor, rotation_degrees: float | Tensor = 0.0, size: int = 21
) -> Tensor:
    """Defocus through an aperture of straight blades: a regular polygon.

    Args:
        radius: from the centre to a corner in HR pixels, >= 0.
        blades: number of sides, at least 3; a number below 3 is a round aperture.
        rotation_degrees: direction of one corner.
        size: odd side k of the kernel.

    Returns:
        (B, 1, k, k), each summing to 1.
    """
    check_kernel_size(size)
    radius, blades, rotation = aligned(radius=radius, blades=blades, rotation_degrees=rotation_degrees)
    _check_reach("radius", radius, size / 2)
    x, y = _grid(radius, size)
    distance = torch.hypot(x, y)
    sector = 2 * torch.pi / blades.clamp_min(3)[:, None, None]
    # the angle to the middle of the nearest side; y points down
    away = torch.remainder(torch.atan2(-y, x) - torch.deg2rad(rotation)[:, None, None], sector) - sector / 2
    outside = distance * away.cos() - radius[:, None, None] * (sector / 2).cos()
    return _filled(torch.where(blades[:, None, None] < 3, distance - radius[:, None, None], outside))


def one_after_another(first: Tensor, second: Tensor) -> Tensor:
    """The kernel that does what ``first`` and then ``second`` do, cut to their size.

    Args:
        first: (B, 1, k, k).
        second: (B, 1, k, k).

    Returns:
        (B, 1, k, k), each summing to 1; what reaches beyond the size is left out.
    """
    if first.shape != second.shape:
        raise ValueError(f"second: expected the shape of first {tuple(first.shape)}, got {tuple(second.shape)}")
    size = first.shape[-1]
    both = F.conv2d(first.transpose(0, 1), second.flip(2, 3), padding=size // 2, groups=first.shape[0]).transpose(0, 1)
    return both / both.sum((2, 3), keepdim=True)


def _grid(like: Tensor, size: int) -> tuple[Tensor, Tensor]:
    offset = torch.arange(size, device=like.device, dtype=like.dtype) - size // 2
    return offset[None, None, :], offset[None, :, None]


def _filled(outside: Tensor) -> Tensor:
    """Kernels (B, 1, k, k) from signed distances (B, k, k) to a border, negative inside."""
    kernel = (0.5 - outside).clamp(0, 1)
    return (kernel / kernel.sum((1, 2), keepdim=True))[:, None]


def _splat(x: Tensor, y: Tensor, size: int) -> Tensor:
    """Points (B, n), pixels from the centre, spread over the four pixels around each: kernels (B, 1, k, k)."""
    x, y = (x + size // 2).clamp(0, size - 1), (y + size // 2).clamp(0, size - 1)
    left, top = x.floor().clamp_max(max(size - 2, 0)), y.floor().clamp_max(max(size - 2, 0))
    right, below = x - left, y - top
    kernel = x.new_zeros(len(x), size * size)
    near = (left + top * size).long()
    for along, weight_x in ((0, 1 - right), (1, right)):
        for down, weight_y in ((0, 1 - below), (1, below)):
            where = (near + along + down * size).clamp_max(size * size - 1)
            kernel = kernel.scatter_add(1, where, weight_x * weight_y)
    kernel = kernel.unflatten(1, (1, size, size))
    return kernel / kernel.sum((2, 3), keepdim=True)


def _check_reach(name: str, value: Tensor, most: float) -> None:
    if value.device.type == "cpu" and not bool(((value >= 0) & (value <= most)).all()):
        raise ValueError(
            f"{name}: expected pixels from 0 to {most:g}, got {value.flatten().tolist()}; "
            "a larger degradation.size holds more"
        )
