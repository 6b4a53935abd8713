"""How photographs are predicted: the settings of a `Predictor`, checked."""

from __future__ import annotations

from dataclasses import dataclass

from csbsr.joint import JointSystem, LiteSystem
from csbsr.predict.skipping import SKIPS
from csbsr.predict.system import FLIPS

KERNELS = ("auto", "tile", "photograph")
#: Threshold of a checkpoint that recommends none, e.g. the authors' release.
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class PredictionOptions:
    """All lengths are in pixels of the result, which is the scale times as large as the photograph.

    Attributes:
        threshold: above which a probability is crack; None for the one that the checkpoint recommends, else 0.5.
        tile: side of what a tile contributes.  Networks that look at their whole input (KBPN's kernel, PSPNet's pools)
            see windows of about this size.
        grow: take tiles of up to twice the side where less is computed twice and memory is free.  A network that looks
            at its whole input then gives other results.
        skip: ``auto`` has the lite system look at the photograph first and runs the network only on tiles in or near
            which it answers, see `csbsr.predict.skipping`; ``off`` on all.  The lite system itself skips nothing.
        margin_sr: what is thrown away around a super-resolved tile.
        margin_segmentation: what is thrown away around a segmented one.
        blend: pixels over which neighbouring tiles fade into each other.
        kernel: ``tile`` estimates the blur anew in each tile, so it follows the photograph's depth; ``photograph``
            uses one everywhere, so that tiles differ less and nothing is estimated twice: the estimate on the whole
            photograph (lite), else the mean of those in some of its tiles; ``auto`` is ``photograph`` where these
            estimates are alike, see `csbsr.predict.passes`, else ``tile``.
        flips: 1, 2 or 4: average the results of the tile and its mirror images.
        precision: ``float32``, ``float16`` or ``bfloat16``.
        device: where it runs, e.g. ``cpu``; None for an accelerator if there is one.

    Raises:
        ValueError: a value is none of these.
    """

    threshold: float | None = None
    tile: int = 768
    margin_sr: int = 48
    margin_segmentation: int = 128
    blend: int = 32
    kernel: str = "auto"
    flips: int = 1
    precision: str = "float32"
    device: str | None = None
    grow: bool = False
    skip: str = "off"

    def __post_init__(self) -> None:
        if self.threshold is not None and (not isinstance(self.threshold, (int, float)) or not 0 < self.threshold < 1):
            raise ValueError(f"threshold: expected a number between 0 and 1, got {self.threshold!r}")
        if self.flips not in FLIPS:
            raise ValueError(f"flips: expected one of {', '.join(map(str, FLIPS))}, got {self.flips!r}")
        if self.kernel not in KERNELS:
            raise ValueError(f"kernel: expected one of {', '.join(KERNELS)}, got {self.kernel!r}")
        if self.skip not in SKIPS:
            raise ValueError(f"skip: expected one of {', '.join(SKIPS)}, got {self.skip!r}")
        if not isinstance(self.grow, bool):
            raise ValueError(f"grow: expected true or false, got {self.grow!r}")
        for name, least in (("tile", 1), ("margin_sr", 0), ("margin_segmentation", 0), ("blend", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name}: expected a whole number of pixels, at least {least}, got {value!r}")

    @property
    def margins(self) -> tuple[int, int]:
        """Pixels thrown away around a super-resolved and around a segmented tile."""
        return self.margin_sr, self.margin_segmentation


def threshold_of(network: JointSystem) -> float:
    """The threshold of the mask that a network's checkpoint recommends, else `DEFAULT_THRESHOLD`."""
    recommended = network.card.get("recommended_threshold")
    return DEFAULT_THRESHOLD if recommended is None else float(recommended)


def suggested(network: JointSystem) -> PredictionOptions:
    """What suits a network: the lite system works at low resolution, takes large tiles and one blur a photograph."""
    if isinstance(network, LiteSystem):
        return PredictionOptions(tile=2560, margin_sr=320, margin_segmentation=320, kernel="photograph")
    return PredictionOptions()
