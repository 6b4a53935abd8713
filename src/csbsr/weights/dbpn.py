"""Released names of DBPN, the super-resolution network of CSSR."""

from __future__ import annotations

import re
from typing import Any

from csbsr.sr.dbpn import MAX_STAGES
from csbsr.sr.projection import RESAMPLING
from csbsr.weights.part import ReleasedPart, Shapes

CHANNELS = 64


def matches(shapes: Shapes) -> bool:
    """DBPN alone has a first feature convolution *and* numbered projections without a list around them."""
    return "feat0.conv.weight" in shapes and "up1.up_conv1.deconv.weight" in shapes


def spec(shapes: Shapes) -> dict[str, Any]:
    """The stages by the number of up-projections, the scale by their kernel's side."""
    stages = {int(found[1]) for name in shapes if (found := re.match(r"up(\d+)\.", name))}
    channels, _, side, _ = shapes["up1.up_conv1.deconv.weight"]
    scales = {kernel: scale for scale, (kernel, _, _) in RESAMPLING.items()}
    if side not in scales:
        raise ValueError(
            f"up1.up_conv1.deconv.weight: expected a side of {', '.join(map(str, scales))} (scale 2, 4, 8), got {side}"
        )
    return {
        "_target_": "csbsr.sr.DBPN",
        "scale": scales[side],
        "stages": max(stages),
        "width": channels / CHANNELS,
    }


PART = ReleasedPart(
    matches=matches,
    spec=spec,
    renames=(
        (r"^feat0\.", "extract."),
        (r"^feat1\.", "reduce."),
        (r"^output_conv\.conv\.", "reconstruct."),
        (r"^(up|down)(\d+)\.conv\.", r"\1\2.mix."),
        (r"\.(up|down)_conv1\.", ".project."),
        (r"\.(up|down)_conv2\.", ".back_project."),
        (r"\.(up|down)_conv3\.", ".project_error."),
        (r"\.deconv\.", ".conv."),
        *((rf"^(up|down){stage}\.", rf"\1.{stage - 1}.") for stage in range(1, MAX_STAGES + 1)),
    ),
)
