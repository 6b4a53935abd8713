"""SrcNet-SR: the residual-in-residual super-resolution network of the SrcNet baseline (Bae et al. 2021)."""

from __future__ import annotations

from torch import Tensor, nn

from csbsr.contracts import SROutput
from csbsr.sr.base import SRNetwork
from csbsr.sr.projection import RESAMPLING
from csbsr.sr.width import scaled


class AttentionBlock(nn.Module):
    """``a · m`` with ``m = conv3(ReLU(conv3(x)))`` and a gain ``a`` per channel computed from the mean of ``m``.

    ``a = ReLU(conv1(sigmoid(conv1(mean(m)))))``: the ReLU outside and the sigmoid inside, as published, so a gain may
    exceed 1 or be 0.  The block has no skip connection.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )
        self.gain = nn.Sequential(
            nn.Conv2d(channels, channels // 2, 1), nn.Sigmoid(), nn.Conv2d(channels // 2, channels, 1), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) to the same shape."""
        features = self.features(x)
        return self.gain(features.mean((2, 3), keepdim=True)) * features


class ResidualGroup(nn.Module):
    """``x + conv3(parts(x))``: a skip around ``parts`` applied one after the other."""

    def __init__(self, parts: list[nn.Module], channels: int) -> None:
        super().__init__()
        self.parts = nn.Sequential(*parts)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) to the same shape."""
        return x + self.conv(self.parts(x))


class SrcNet(SRNetwork):
    """Residual groups of attention blocks at low resolution, then one transposed convolution.

    ``conv3 → group of groups of blocks → deconv → conv3``; every convolution has a bias.

    Args:
        scale: 2, 4 or 8; published for 4, the others enlarge as in DBPN.
        groups: number of residual groups.
        blocks: attention blocks in each group.
        width: fraction of the published channel counts (64 and 256).

    Raises:
        ValueError: ``scale`` is none of these, or ``groups`` or ``blocks`` below 1.
    """

    def __init__(self, scale: int = 4, groups: int = 10, blocks: int = 20, width: float = 1.0) -> None:
        super().__init__()
        if scale not in RESAMPLING:
            raise ValueError(f"scale: expected one of {', '.join(map(str, RESAMPLING))} for SrcNet, got {scale}")
        for name, count in (("groups", groups), ("blocks", blocks)):
            if count < 1:
                raise ValueError(f"{name}: expected at least 1, got {count}")
        self.scale = scale
        channels, enlarged = scaled(64, width), scaled(256, width)
        self.extract = nn.Conv2d(3, channels, 3, padding=1)
        self.trunk = ResidualGroup(
            [ResidualGroup([AttentionBlock(channels) for _ in range(blocks)], channels) for _ in range(groups)],
            channels,
        )
        self.enlarge = nn.ConvTranspose2d(channels, enlarged, *RESAMPLING[scale])
        self.reconstruct = nn.Conv2d(enlarged, 3, 3, padding=1)

    def forward(self, lr: Tensor, kernel: Tensor | None = None) -> SROutput:
        """Super-resolve ``lr`` (B, 3, h, w) to (B, 3, s·h, s·w), not clamped; ``kernel`` is ignored."""
        return SROutput(self.reconstruct(self.enlarge(self.trunk(self.extract(lr)))), None)
