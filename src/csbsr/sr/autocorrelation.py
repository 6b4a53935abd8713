"""A blur kernel's shape from how the pixels of a low-resolution photograph correlate with their neighbours.

Blur leaves its mark on the spectrum of a texture, and the spectrum is the autocorrelation: a few dozen lags of the
high-passed grey image, averaged over all of it, hold the width and the direction of the blur.  A small network reads
them.  The averages run over the photograph, so they can be gathered strip by strip, and one estimate serves all tiles.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csbsr.degradation.degrade import at_least_float32

REACH = 4  # largest lag down and to each side, pixels
#: Half of all lags (dy, dx): the autocorrelation is symmetric.
LAGS = [(dy, dx) for dy in range(REACH + 1) for dx in range(-REACH, REACH + 1) if (dy, dx) > (0, 0)]
#: Pixels left out at the photograph's border, where padding darkens the blurred image.
BORDER = 4
FILTER = 2  # radius of the high-pass filters


class Autocorrelation(nn.Module):
    """Estimates the shape (`csbsr.degradation.shape`) of the blur of a low-resolution photograph.

    Two high-pass filters of the grey image (Laplacian; pixel minus its 5×5 mean); of each the logarithm of its variance
    and of its mean magnitude, and its correlation at 40 lags; three layers of a perceptron.

    Args:
        hidden: width of the perceptron's first layer.

    Source:
        This project.  That the autocorrelation of a filtered image shows the blur is old (Yitzhaky & Kopeika 1997).
    """

    def __init__(self, hidden: int = 192) -> None:
        super().__init__()
        filters = torch.zeros(2, 1, 5, 5)
        filters[0, 0, 1:4, 1:4] = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
        filters[1, 0] = -1 / 25
        filters[1, 0, 2, 2] += 1
        self.filters: Tensor
        self.register_buffer("filters", filters, persistent=False)
        self.perceptron = nn.Sequential(
            nn.Linear(len(filters) * (len(LAGS) + 2), hidden), nn.SiLU(),
            nn.Linear(hidden, hidden // 2), nn.SiLU(),
            nn.Linear(hidden // 2, 3),
        )  # fmt: skip
        last = cast(nn.Linear, self.perceptron[-1])
        nn.init.zeros_(last.bias)
        with torch.no_grad():
            last.weight.mul_(0.1)

    def forward(self, image: Tensor) -> Tensor:
        """Shapes (B, 3) of standardised images (B, 3, h, w)."""
        sums, pixels = self.sums(self.filtered(image))
        return self.shape(torch.stack([total / count for total, count in zip(sums, pixels, strict=True)], 2))

    def filtered(self, image: Tensor) -> Tensor:
        """High-passed grey image (B, 2, h', w') of (B, 3, h, w), without `BORDER` pixels on each side where it is wide
        enough and without the filters' radius.
        """
        grey = at_least_float32(image).mean(1, keepdim=True)
        if min(grey.shape[-2:]) > 2 * (BORDER + FILTER + REACH):
            grey = grey[..., BORDER:-BORDER, BORDER:-BORDER]
        else:  # too small for an estimate worth the name; it must still be one
            grey = F.pad(grey, (FILTER + REACH,) * 4, mode="replicate")
        return self.high_passed(grey)

    def high_passed(self, image: Tensor) -> Tensor:
        """Grey of ``image`` (B, c, n, w) through both filters: (B, 2, n - 4, w - 4)."""
        grey = at_least_float32(image).mean(1, keepdim=True)
        with torch.autocast(grey.device.type, enabled=False):
            return F.conv2d(grey, self.filters.to(grey.dtype))

    def sums(self, filtered: Tensor, rows: int | None = None) -> tuple[list[Tensor], list[int]]:
        """Sums over pixels of what the estimate rests on, and how many pixels each sum has.

        Args:
            filtered: (B, 2, n, w'), a strip of rows of `filtered`.
            rows: the strip's own rows; those below them (up to 4) only serve as neighbours.  None: all.

        Returns:
            42 sums (B, 2) and their counts; those of strips add up to those of the image.
        """
        height, width = filtered.shape[-2:]
        rows = height if rows is None else rows
        own = filtered[..., :rows, :]
        terms = [own.square().sum((2, 3)), own.abs().sum((2, 3))]
        counts = [rows * width, rows * width]
        for dy, dx in LAGS:
            deep = min(rows, height - dy)
            first = filtered[..., :deep, max(0, -dx) : width - max(0, dx)]
            second = filtered[..., dy : dy + deep, max(0, dx) : width - max(0, -dx)]
            terms.append((first * second).sum((2, 3)))
            counts.append(deep * (width - abs(dx)))
        return terms, counts

    def shape(self, means: Tensor) -> Tensor:
        """Shapes (B, 3) from the means (B, 2, 42) of `sums`."""
        variance = means[..., :1] + 1e-8
        features = torch.cat(
            (
                0.25 * variance.log(),
                (means[..., 1:2] + 1e-4).log() - 0.5 * variance.log(),
                2 * means[..., 2:] / variance,
            ),
            2,
        )
        with torch.autocast(features.device.type, enabled=False):
            mean, p, q = self.perceptron(features.flatten(1).to(self.filters.dtype)).unbind(1)
        return torch.stack((F.softplus(mean + 1.5) + 0.2, p, q), 1)

    def shape_of_strips(self, strips: Iterable[tuple[Tensor, int]]) -> Tensor:
        """Shape (1, 3) of a photograph that is handed over as strips of `filtered`, each with its own rows."""
        totals: list[Tensor] = []
        counts = [0] * (len(LAGS) + 2)
        for strip, rows in strips:
            sums, pixels = self.sums(strip, rows)
            totals = [a + b for a, b in zip(totals, sums, strict=True)] if totals else sums
            counts = [a + b for a, b in zip(counts, pixels, strict=True)]
        if not totals:
            raise ValueError("strips: expected at least one strip of the photograph, got none")
        return self.shape(torch.stack([total / count for total, count in zip(totals, counts, strict=True)], 2))
