"""DBPN: deep back-projection network (Haris et al. 2018), the non-blind super-resolution network of CSSR."""

from __future__ import annotations

from torch import Tensor, nn

from csbsr.contracts import SROutput
from csbsr.sr.base import SRNetwork
from csbsr.sr.constant_map import convolve_parts
from csbsr.sr.projection import RESAMPLING, ConvPReLU, ProjectionUnit
from csbsr.sr.width import scaled

MIN_STAGES, MAX_STAGES = 2, 10


class DBPN(SRNetwork):
    """Dense DBPN: alternating up- and down-projections, each fed with all earlier maps of its resolution.

    Stage t projects up; all stages but the last then project down.  Maps are concatenated newest first, and the image
    is one 3×3 convolution of the high-resolution maps of all stages.  Convolutions start from Kaiming's normal
    distribution with zero biases.

    Args:
        scale: 2, 4 or 8.
        stages: number of up-projections, 2 to 10; 4 as published (Kondo & Ukita 2024, CSSR), other members of the
            family have 2, 6, 7, 8 or 10.
        width: fraction of the published channel counts (256 and 64).

    Raises:
        ValueError: ``scale`` or ``stages`` is none of these.
    """

    def __init__(self, scale: int = 4, stages: int = 4, width: float = 1.0) -> None:
        super().__init__()
        if scale not in RESAMPLING:
            raise ValueError(f"scale: expected one of {', '.join(map(str, RESAMPLING))} for DBPN, got {scale}")
        if not MIN_STAGES <= stages <= MAX_STAGES:
            raise ValueError(f"stages: expected {MIN_STAGES} to {MAX_STAGES}, got {stages}")
        self.scale = scale
        extracted, channels = scaled(256, width), scaled(64, width)
        self.extract = ConvPReLU(nn.Conv2d(3, extracted, 3, padding=1))
        self.reduce = ConvPReLU(nn.Conv2d(extracted, channels, 1))
        # Before the second down-projection there is one map of each resolution at most: nothing to mix.
        self.up = nn.ModuleList(_unit(max(t, 1), channels, scale, up=True) for t in range(stages))
        self.down = nn.ModuleList(_unit(t + 1, channels, scale, up=False) for t in range(stages - 1))
        self.reconstruct = nn.Conv2d(stages * channels, 3, 3, padding=1)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, lr: Tensor, kernel: Tensor | None = None) -> SROutput:
        """Super-resolve ``lr`` (B, 3, h, w) to (B, 3, s·h, s·w), not clamped; ``kernel`` is ignored."""
        highs: list[Tensor] = [self.up[0](self.reduce(self.extract(lr)))]
        lows: list[Tensor] = []
        for down, up in zip(self.down, self.up[1:], strict=True):
            lows = [down(*highs), *lows]
            highs = [up(*lows), *highs]
        return SROutput(convolve_parts(highs, self.reconstruct.weight, self.reconstruct.bias, padding=1), None)


def _unit(maps: int, channels: int, scale: int, up: bool) -> ProjectionUnit:
    """A projection of ``maps`` concatenated maps; a single one is taken as it is."""
    unit = ProjectionUnit(maps * channels, channels, scale, up, bias=True)
    if maps == 1:
        unit.mix = nn.Identity()
    return unit
