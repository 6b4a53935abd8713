"""Released names of SrcNet's super-resolution half."""

from __future__ import annotations

import re
from typing import Any

from csbsr.sr.projection import RESAMPLING
from csbsr.weights.part import ReleasedPart, Shapes

CHANNELS = 64


def matches(shapes: Shapes) -> bool:
    """Only SrcNet has a residual in residual."""
    return "sconv1.weight" in shapes and "rir.conv.weight" in shapes


def spec(shapes: Shapes) -> dict[str, Any]:
    """Groups and blocks counted, the scale by the side of the enlarging convolution."""
    found = [re.match(r"rir\.res_groups\.(\d+)\.res_blocks\.(\d+)\.", name) for name in shapes]
    numbers = [(int(match[1]), int(match[2])) for match in found if match]
    channels, _, side, _ = shapes["upscaling.weight"]
    scales = {kernel: scale for scale, (kernel, _, _) in RESAMPLING.items()}
    if side not in scales:
        raise ValueError(
            f"upscaling.weight: expected a side of {', '.join(map(str, scales))} (scale 2, 4, 8), got {side}"
        )
    return {
        "_target_": "csbsr.sr.SrcNet",
        "scale": scales[side],
        "groups": 1 + max(group for group, _ in numbers),
        "blocks": 1 + max(block for _, block in numbers),
        "width": channels / CHANNELS,
    }


PART = ReleasedPart(
    matches=matches,
    spec=spec,
    renames=(
        (r"^sconv1\.", "extract."),
        (r"^sconv2\.", "reconstruct."),
        (r"^upscaling\.", "enlarge."),
        (r"^rir\.", "trunk."),
        (r"\.res_(groups|blocks)\.", ".parts."),
        (r"\.fe1\.", ".features."),
        # The released gain starts with the pooling, which has no weights.
        (r"\.attention\.1\.", ".gain.0."),
        (r"\.attention\.3\.", ".gain.2."),
    ),
)
