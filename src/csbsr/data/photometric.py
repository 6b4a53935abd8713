"""Light, tone and colour of a training image, changed at random: on the batch, in torch, before it is degraded.

Geometry (crop, flips, turns) happens to each image in the workers; this happens to all of them at once on their device.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

#: Grey of an RGB image (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
NUMBERS = 6


class Photometric:
    """Random brightness, contrast, gamma, saturation and tint.

    ``c = mean + contrast·(x^gamma - mean)``, then saturation against its grey, then a gain for each channel; cut to
    [0, 1].  Draw and use are apart, as of a degradation: six numbers an image in, from a generator handed in.

    Args:
        brightness: b; the gain of all channels lies in [e^-b, e^b].
        contrast: c; in [1 - c, 1 + c].
        gamma: g; in [e^-g, e^g].
        saturation: s; in [1 - s, 1 + s].
        tint: t; red against blue in [e^-t, e^t], green half of that.

    Raises:
        ValueError: a strength below 0, or a contrast or saturation above 1.
    """

    def __init__(
        self,
        brightness: float = 0.3,
        contrast: float = 0.4,
        gamma: float = 0.3,
        saturation: float = 0.8,
        tint: float = 0.1,
    ) -> None:
        self.strengths = (brightness, contrast, gamma, saturation, tint, tint / 2)
        names = ("brightness", "contrast", "gamma", "saturation", "tint")
        for name, value in zip(names, self.strengths, strict=False):
            most = 1 if name in ("contrast", "saturation") else 2
            if not 0 <= value <= most:
                raise ValueError(f"{name}: expected a strength from 0 to {most}, got {value}")

    @classmethod
    def of_strength(cls, strength: float) -> Photometric:
        """All strengths times ``strength``, from 0 to 2; contrast and saturation at most 1."""
        if not 0 <= strength <= 2:
            raise ValueError(f"photometric: expected a strength from 0 to 2, got {strength}; 1 is usual")
        return cls(0.3 * strength, min(1.0, 0.4 * strength), 0.3 * strength, min(1.0, 0.8 * strength), 0.1 * strength)

    def draw(self, generator: torch.Generator) -> Tensor:
        """The numbers of one image, float32 (6,), uniform in [-strength, strength]."""
        draw = torch.rand(NUMBERS, generator=generator, device=generator.device)
        return (2 * draw - 1) * torch.tensor(self.strengths, device=draw.device)

    def __call__(self, hr: Tensor, tone: Tensor) -> Tensor:
        """``hr`` (B, 3, H, W) in [0, 1] with the numbers ``tone`` (B, 6): the same shape, in [0, 1]."""
        return toned(hr, tone)


def toned(hr: Tensor, tone: Tensor) -> Tensor:
    """`Photometric` with given numbers, each 0 for no change.

    Args:
        hr: (B, 3, H, W) in [0, 1].
        tone: (B, 6): logarithm of the gain, contrast - 1, logarithm of gamma, saturation - 1, tints red against blue
            and green against both.
    """
    gain, contrast, gamma, saturation, warm, green = (number[:, None, None, None] for number in tone.to(hr).unbind(1))
    x = hr.clamp(1e-4, 1) ** gamma.exp()
    centre = x.mean((1, 2, 3), keepdim=True)
    x = centre + (1 + contrast) * (x - centre)
    red, middle, blue = x.split(1, 1)
    grey = _weighted((red, middle, blue), LUMA)
    x = grey + (1 + saturation) * (x - grey)
    gains = torch.cat(((gain + warm).exp(), (gain + green).exp(), (gain - warm).exp()), 1)
    return (x * gains).clamp(0, 1)


def _weighted(planes: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    first, *rest = (plane * weight for plane, weight in zip(planes, weights, strict=True))
    return first + rest[0] + rest[1]
