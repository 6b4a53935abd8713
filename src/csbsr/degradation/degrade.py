"""One high-resolution batch and its kernels to one low-resolution batch: blur, then bicubic down-scaling."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PADDINGS = ("zeros", "reflect")
#: Weights (cubic, a = -0.75) of the two nearer and the two farther pixels around a point half-way between two pixels.
HALF_WAY = (0.59375, -0.09375)
_BLOCK = 4  # outputs a side that `degrade_large` computes together


def degrade(hr: Tensor, kernel: Tensor, scale: int = 4, padding: str = "zeros", antialias: bool = False) -> Tensor:
    """Blur and down-scale: ``lr = bicubic(hr * kernel, 1/s)``, not clamped.

    The blur is a correlation (the kernel is not flipped) of every channel with its image's kernel.  Differentiable in
    ``hr`` and in ``kernel``.  16-bit tensors are computed in float32, also under autocast.

    Args:
        hr: (B, C, H, W), nearly in [0, 1]; H and W multiples of ``scale``.
        kernel: (B, 1, k, k), or (1, 1, k, k) for all images; k odd.
        scale: integer factor s.
        padding: what lies beyond the border: ``zeros`` (as published: borders darken) or ``reflect``.
        antialias: widen the cubic by s before sampling; False as published.

    Returns:
        (B, C, H/s, W/s); bicubic interpolation may overshoot [0, 1].

    Raises:
        ValueError: shapes that do not fit, or an unknown padding.

    Source:
        Kondo & Ukita 2024 (training data).
    """
    _check_blur(hr, kernel, padding)
    _check_scale(hr, scale)
    border = kernel.shape[-1] // 2
    first = scale // 2 - 2
    if antialias or scale % 2 or not 0 <= first <= border:
        return downscale(blur(hr, kernel, padding), scale, antialias)
    # For an even scale >= 4, output i is a weighted sum of blurred[s*i + first], ..., blurred[s*i + first + 3]: pixels
    # inside the image, with the same four weights everywhere.  So blur and sampling are one correlation, of stride s,
    # with the kernel convolved by those weights: (k + 3)² products for every s² pixels instead of k² for each.
    hr = at_least_float32(hr)
    with torch.autocast(hr.device.type, enabled=False):
        return _correlate(hr, _with_cubic(kernel.to(hr.dtype)), padding, border - first, scale)


def degrade_large(
    hr: Tensor, kernel: Tensor, scale: int = 4, padding: str = "zeros", antialias: bool = False
) -> Tensor:
    """`degrade`, for large images on a CPU: the same to 1e-6, many times as fast and in a fraction of the memory.

    The correlation of `degrade` has one output channel, which leaves a convolution library most of a processor's width
    unused, or makes it copy every window.  Here blocks of 4 × 4 outputs are the channels, and blocks of 4s × 4s inputs
    those of the input, so it is one dense 3 × 3 convolution.

    Arguments, result and errors are those of `degrade`; ``kernel`` must be (1, 1, k, k) for this to make a difference.
    """
    side, first = kernel.shape[-1] + 3, scale // 2 - 2
    before = kernel.shape[-1] // 2 - first  # pixels that an output looks back
    block = _BLOCK * scale
    fits = 0 <= before <= block and (_BLOCK - 1) * scale - before + side <= 2 * block
    if antialias or scale % 2 or first < 0 or not fits or len(kernel) > 1 or padding != "zeros":
        return degrade(hr, kernel, scale, padding, antialias)
    _check_blur(hr, kernel, padding)
    _check_scale(hr, scale)
    hr = at_least_float32(hr)
    height, width = hr.shape[-2:]
    with torch.autocast(hr.device.type, enabled=False):
        taps = _with_cubic(kernel.to(hr.dtype))[0, 0]
        canvas = taps.new_zeros(_BLOCK, _BLOCK, 3 * block, 3 * block)
        for i in range(_BLOCK):
            for j in range(_BLOCK):
                top, left = (block + scale * k - before for k in (i, j))
                canvas[i, j, top : top + side, left : left + side] = taps
        weight = canvas.view(_BLOCK**2, 3, block, 3, block).permute(0, 2, 4, 1, 3).flatten(1, 2)
        channels = F.pad(hr, (0, -width % block, 0, -height % block)).flatten(0, 1)[:, None]
        blocks = F.conv2d(F.pixel_unshuffle(channels, block), weight, padding=1)
        lr = F.pixel_shuffle(blocks, _BLOCK)[..., : height // scale, : width // scale]
        return lr.reshape(*hr.shape[:2], *lr.shape[-2:])


def degrade_varying(
    hr: Tensor, left: Tensor, right: Tensor, scale: int = 4, padding: str = "reflect", antialias: bool = False
) -> Tensor:
    """`degrade` with a blur that changes evenly from ``left`` to ``right`` (B, 1, k, k) across the image.

    Exact where the weights are: a pixel is the mean of both blurred images, weighted by how near either border is.
    """
    first, last = blur(hr, left, padding), blur(hr, right, padding)
    weight = torch.linspace(0, 1, hr.shape[-1], device=first.device, dtype=first.dtype)
    return downscale(first + weight * (last - first), scale, antialias)


def blur(image: Tensor, kernel: Tensor, padding: str = "zeros") -> Tensor:
    """Correlate every channel of ``image`` (B, C, H, W) with its image's ``kernel`` (B or 1, 1, k, k), same size."""
    _check_blur(image, kernel, padding)
    image = at_least_float32(image)
    with torch.autocast(image.device.type, enabled=False):
        return _correlate(image, kernel.to(image.dtype), padding, kernel.shape[-1] // 2, stride=1)


def downscale(image: Tensor, scale: int, antialias: bool = False) -> Tensor:
    """Bicubic down-scaling of ``image`` (B, C, H, W) by the integer ``scale``, not clamped."""
    _check_scale(image, scale)
    image = at_least_float32(image)
    if scale == 1:
        return image
    size = (image.shape[-2] // scale, image.shape[-1] // scale)
    return F.interpolate(image, size, mode="bicubic", align_corners=False, antialias=antialias)


def at_least_float32(tensor: Tensor) -> Tensor:
    """``tensor`` as float32 if it is narrower (16-bit, or not floating point), else as it is."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def check_padding(padding: str) -> None:
    """Raise ValueError unless ``padding`` is known."""
    if padding not in PADDINGS:
        raise ValueError(f"padding: expected one of {', '.join(PADDINGS)}, got {padding!r}")


def _with_cubic(kernel: Tensor) -> Tensor:
    """Kernels (B, 1, k, k) convolved by the weights of bicubic sampling half-way: (B, 1, k + 3, k + 3)."""
    cubic = kernel.new_full((4,), HALF_WAY[0])
    cubic[::3] = HALF_WAY[1]  # filled in place: copying a list to an accelerator would wait for it
    return F.conv2d(kernel, torch.outer(cubic, cubic)[None, None], padding=3)


def _correlate(image: Tensor, kernel: Tensor, padding: str, border: int, stride: int) -> Tensor:
    """One convolution for the whole batch: its images and channels become groups."""
    batch, channels, height, width = image.shape
    weight = kernel.expand(batch, channels, *kernel.shape[-2:]).flatten(0, 1)[:, None]
    stacked = image.reshape(1, batch * channels, height, width)
    if padding == "reflect":
        stacked, border = F.pad(stacked, (border,) * 4, mode="reflect"), 0
    correlated = F.conv2d(stacked, weight, stride=stride, padding=border, groups=batch * channels)
    return correlated[0].unflatten(0, (batch, channels))


def _check_blur(image: Tensor, kernel: Tensor, padding: str) -> None:
    check_padding(padding)
    if image.ndim != 4 or not image.is_floating_point():
        raise ValueError(
            f"hr: expected a floating-point batch (B, C, H, W), got {tuple(image.shape)} {image.dtype}; "
            "add the batch dimension and scale to [0, 1]"
        )
    batch, _, height, width = image.shape
    size = kernel.shape[-1]
    if kernel.shape not in ((batch, 1, size, size), (1, 1, size, size)) or size % 2 == 0:
        raise ValueError(
            f"kernel: expected (B, 1, k, k) or (1, 1, k, k) with B = {batch} and odd k, got {tuple(kernel.shape)}; "
            "give one single-channel kernel per image"
        )
    if padding == "reflect" and size // 2 >= min(height, width):
        raise ValueError(
            f"hr: expected more than {size // 2} pixels a side to reflect for a {size} px kernel, "
            f"got {height} x {width}; use larger images or padding=zeros"
        )


def _check_scale(image: Tensor, scale: int) -> None:
    height, width = image.shape[-2:]
    if scale < 1:
        raise ValueError(f"scale: expected a whole number >= 1, got {scale}; the published scale is 4")
    if height % scale or width % scale:
        raise ValueError(
            f"hr: expected height and width to be multiples of scale = {scale}, got {height} x {width}; "
            f"crop to {height - height % scale} x {width - width % scale}"
        )
