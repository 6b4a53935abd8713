"""What JPEG compression does to an image, in torch: differentiable, per-image quality, on the batch's device.

The losses of baseline JPEG are those of its colour transform, halved chroma resolution, 8×8 cosine transform and
quantisation; the entropy coding loses nothing and is left out.  No file is written.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from csbsr.degradation.degrade import at_least_float32

#: Annex K of ITU-T T.81, rows of 8.
LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
    99, 99, 99, *([99] * 32),
)  # fmt: skip
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def jpeg(image: Tensor, quality: Tensor) -> Tensor:
    """The image as a JPEG file of that quality would give it back (4:2:0, the usual tables).

    Args:
        image: (B, 3, H, W) in [0, 1], any size; values outside are clamped.
        quality: (B,) from 1 to 100, as libjpeg counts it; 0 leaves the image as it is.

    Returns:
        (B, 3, H, W) in [0, 1], multiples of 1/255.  Rounding passes gradients on unchanged.

    Source:
        ITU-T T.81 (1992); quality as in libjpeg: tables times ``50/q`` below 50, ``2 - q/50`` above.
    """
    image = at_least_float32(image)
    height, width = image.shape[-2:]
    quality = quality.to(image)
    with torch.autocast(image.device.type, enabled=False):
        levels = _rounded(image.clamp(0, 1) * 255)
        padded = F.pad(levels, (0, -width % 16, 0, -height % 16), mode="replicate")
        y, blue, red = (_mixed(padded, TO_YCC)).unbind(1)
        q = quality.clamp(1, 100)
        factor = torch.where(q < 50, 50 / q, 2 - q / 50)
        y = _coded(y - 128, factor, LUMINANCE) + 128
        chroma = [
            F.interpolate(_coded(F.avg_pool2d(part[:, None], 2)[:, 0], factor, CHROMINANCE)[:, None], scale_factor=2,
                          mode="bilinear", align_corners=False)[:, 0]
            for part in (blue, red)
        ]  # fmt: skip
        back = _rounded(_mixed(torch.stack((y, *chroma), 1), TO_RGB)[..., :height, :width].clamp(0, 255)) / 255
        return torch.where(quality[:, None, None, None] > 0, back, image)


def _mixed(planes: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.einsum("ij,bjhw->bihw", _constant(matrix, planes.device, planes.dtype), planes)


def _coded(plane: Tensor, factor: Tensor, table: tuple[int, ...]) -> Tensor:
    """A plane (B, H, W), sides multiples of 8, after cosine transform, quantisation and back."""
    steps = (
        (_constant(table, plane.device, plane.dtype) * factor[:, None])
        .add(0.5)
        .floor()
        .clamp(1, 255)
        .reshape(-1, 1, 1, 8, 8)
    )
    frequency = torch.arange(8, device=plane.device, dtype=plane.dtype)
    basis = (math.pi / 16 * frequency[:, None] * (2 * frequency[None] + 1)).cos() / 2
    basis = basis * torch.where(frequency > 0, 1.0, 0.5**0.5).to(plane)[:, None]
    blocks = plane.unflatten(1, (-1, 8)).unflatten(3, (-1, 8)).transpose(2, 3)  # (B, H/8, W/8, 8, 8)
    coefficients = basis @ blocks @ basis.T
    blocks = basis.T @ (_rounded(coefficients / steps) * steps) @ basis
    return blocks.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def _rounded(value: Tensor) -> Tensor:
    return value + (value.round() - value).detach()


@lru_cache(maxsize=16)
def _constant(
    values: tuple[float, ...] | tuple[tuple[float, ...], ...], device: torch.device, dtype: torch.dtype
) -> Tensor:
    """``values`` on the device, copied there once: a copy would wait for an accelerator each time."""
    return torch.tensor(values, device=device, dtype=dtype)
