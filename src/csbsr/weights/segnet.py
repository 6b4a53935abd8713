"""Released names of SegNet."""

from __future__ import annotations

from typing import Any

from csbsr.segmentor.segnet import CHANNELS, CONVOLUTIONS
from csbsr.weights.part import ReleasedPart, Shapes


def matches(shapes: Shapes) -> bool:
    """Only SegNet numbers its encoder convolutions by level and place."""
    return "ConvEn11.weight" in shapes and "ConvDe11.weight" in shapes


def spec(shapes: Shapes) -> dict[str, Any]:
    """The width by the first level's channels."""
    return {"_target_": "csbsr.segmentor.SegNet", "width": shapes["ConvEn11.weight"][0] / CHANNELS[0]}


def _renames() -> tuple[tuple[str, str], ...]:
    table = [(r"^ConvDe11\.", "head.")]
    for level, count in enumerate(CONVOLUTIONS, start=1):
        for place in range(1, count + 1):
            # Decoder levels run from 5 to 1, and within a level the places run downwards too.
            decoder = f"decoder.{len(CONVOLUTIONS) - level}.{count - place}"
            for released, ours in (("Conv", "conv"), ("BN", "bn")):
                table.append((rf"^{released}En{level}{place}\.", f"encoder.{level - 1}.{place - 1}.{ours}."))
                table.append((rf"^{released}De{level}{place}\.", f"{decoder}.{ours}."))
    return tuple(table)


#: ``BNDe11`` would follow the last convolution but is never applied.
PART = ReleasedPart(matches=matches, spec=spec, renames=_renames(), unused=(r"BNDe11\..*",))
