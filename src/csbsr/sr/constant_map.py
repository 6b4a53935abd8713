"""Convolutions that need not be carried out: over spatially constant maps, before a mean, over a concatenation.

The blur kernel enters KBPN and BlurSkip as a map with one channel per kernel entry and the same value at every pixel.
All convolutions here have odd size, stride 1 and "same" zero padding.

**Constant maps.**  A convolution of radius r over a constant map gives one value wherever its window lies inside the
image, and other values only in a border of width r, where part of the window reads padding.  A second such convolution
(with any pointwise function between the two) widens the border to 2r.  A border pixel's value depends on its distances
to the edges alone, so a *small* map, just large enough for every border value and one inner pixel, holds all of them:

    r = 1, small map 3×3        the same values at 4×6             border 2, small map 5×5 (two convolutions)

        a b c                     a b b b b c                          a b c d e     rows and columns a, b and d, e
        d e f       stretch       d e e e e f                          f g h i j     occur once, the middle ones
        g h i      -------->      d e e e e f                          k l m n o     as often as needed
                                  g h h h h i                          p q r s t
                                                                       u v w x y

An image smaller than the small map (height below 3, say) has no inner row; the small map then takes the image's own
height, and stretching repeats nothing.  Gradients follow by the transposed operation, a sum over each stretched block.

**Means.**  The mean of a linear convolution over all output pixels needs, for every tap, the sum of the input pixels
which that tap reads, not the convolution.  A 3×3 window slid over an H×W image reads with its

    left column   all pixels but those of the last image column      x x x .     (the last one would need a window
    middle column all pixels                                         x x x x      centred outside the image)
    right column  all pixels but those of the first image column     . x x x

and likewise for rows: nine sums per channel.

**Concatenations.**  A convolution over a concatenation is the sum of the convolutions over its parts, each with its own
slice of the weight: the concatenated map is never made.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def constant_map(vector: Tensor, size: Sequence[int], border: int) -> Tensor:
    """The small map that stands for a constant map of ``size`` in convolutions of total radius ``border``.

    Args:
        vector: (B, C), the value of each channel.
        size: (H, W) of the map it stands for.
        border: sum of the radii of the convolutions that will be applied, each with "same" zero padding.

    Returns:
        (B, C, min(H, 2·border + 1), min(W, 2·border + 1), not copied); `add_stretched` leads back to full size.
    """
    height, width = (torch.sym_min(side, 2 * border + 1) for side in size)
    return vector[:, :, None, None].expand(-1, -1, height, width)


def add_stretched(image: Tensor, small: Tensor) -> Tensor:
    """``image + stretch(small)``, where stretching repeats the middle row and column of ``small``.

    Args:
        image: (B, C, H, W), a fresh result that no backward pass needs: overwritten.
        small: (B, C, n, m) with n ≤ H, m ≤ W; n and m odd unless they equal H, W.

    Returns:
        (B, C, H, W) in the dtype and memory format of ``image``.
    """
    (height, width), (small_height, small_width) = image.shape[-2:], small.shape[-2:]
    rows = _stretching(small_height, height, image)
    columns = _stretching(small_width, width, image)
    small = small.to(image.dtype)
    if _channels_last(image):
        small = small.contiguous(memory_format=torch.channels_last)
    return image.add_(_separable(small, rows, columns))


def mean_of_convolution(image: Tensor, weight: Tensor) -> Tensor:
    """Mean over all pixels of ``conv2d(image, weight)`` with "same" zero padding, without the convolution.

    Args:
        image: (B, C, H, W).
        weight: (O, C, n, n), n odd.

    Returns:
        (B, O), at least float32.
    """
    height, width = image.shape[-2:]
    taps = weight.shape[-1]
    rows = _reading(taps, height, image)
    columns = _reading(taps, width, image)
    # Means rather than sums: nothing overflows or loses digits in half precision.
    means = _separable(image, rows / height, columns / width)
    means = means.to(torch.promote_types(torch.float32, image.dtype))
    # A product of small tensors, written so that autocast leaves it in full precision.
    return (means.flatten(1)[:, None] * weight.flatten(1)).sum(-1)


def convolve_parts(parts: Sequence[Tensor], weight: Tensor, bias: Tensor | None = None, padding: int = 0) -> Tensor:
    """``conv2d(cat(parts, 1), weight, bias)``, without the concatenation.

    Args:
        parts: tensors (B, C_j, H, W), in the order of their concatenation.
        weight: (O, ΣC_j, n, n).
        bias: (O,) or None.
        padding: zero padding on every side.

    Returns:
        (B, O, H, W) with "same" padding.
    """
    first, *others = weight.split([part.shape[1] for part in parts], 1)
    total = F.conv2d(parts[0], first, bias, padding=padding)
    for part, part_weight in zip(parts[1:], others, strict=True):
        total.add_(F.conv2d(part, part_weight, padding=padding))  # one addend at a time: two full-size maps, never more
    return total


def _stretching(small: int, size: int, like: Tensor) -> Tensor:
    """0/1 matrix (size, small): which row of the small map each row of the image shows."""
    position = torch.arange(size, device=like.device)
    # Counted from the near edge up to the middle, then from the far edge.
    shown = torch.maximum(position.clamp(max=small // 2), position - (size - small))
    return (shown[:, None] == torch.arange(small, device=like.device)).to(like.dtype)


def _reading(taps: int, size: int, like: Tensor) -> Tensor:
    """0/1 matrix (taps, size): which input rows each row of a sliding window reads."""
    position = torch.arange(size, device=like.device)
    centre = position - (torch.arange(taps, device=like.device) - taps // 2)[:, None]
    return ((centre >= 0) & (centre < size)).to(like.dtype)


def _separable(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``rows · image · columnsᵀ`` over the two spatial dimensions, in the memory format of ``image``.

    (B, C, h, w), (n, h), (m, w) to (B, C, n, m).  Matrix products keep the transposed operation of the backward pass as
    cheap as the forward one; indexing would scatter there, slicing would fill full-size zeros.
    """
    batch, channels, height, width = image.shape
    n, m = rows.shape[0], columns.shape[0]  # not len(): it would fix the size in torch.export
    if _channels_last(image):
        strips = image.permute(0, 2, 3, 1).reshape(batch * height, width, channels)
        strips = torch.bmm(columns.expand(batch * height, -1, -1), strips).reshape(batch, height, m * channels)
        return torch.bmm(rows.expand(batch, -1, -1), strips).reshape(batch, n, m, channels).permute(0, 3, 1, 2)
    strips = (image @ columns.T).reshape(batch * channels, height, m)
    return torch.bmm(rows.expand(batch * channels, -1, -1), strips).reshape(batch, channels, n, m)


def _channels_last(image: Tensor) -> bool:
    return image.stride(1) == 1 and image.shape[1] > 1
