"""Released names of KBPN, the blind super-resolution network of CSBSR."""

from __future__ import annotations

import math
import re
from typing import Any

from csbsr.sr.projection import RESAMPLING
from csbsr.weights.part import ReleasedPart, Shapes

CHANNELS = 128


def matches(shapes: Shapes) -> bool:
    """KBPN alone has a first kernel predictor and back-projection stages."""
    return (
        "predictor.feat_ext.0.layer.weight" in shapes
        and "back_projection_stages.0.kb.sr_reconst.layer.weight" in shapes
    )


def spec(shapes: Shapes) -> dict[str, Any]:
    """Scale by the side of the first projection, stages by their number, kernel sizes by the kernel update's shapes."""
    name = "back_projection_stages.0.up.up_conv1.layer.weight"
    channels, _, side, _ = shapes[name]
    scales = {kernel: scale for scale, (kernel, _, _) in RESAMPLING.items()}
    if side not in scales:
        raise ValueError(f"{name}: expected a side of {', '.join(map(str, scales))} (scale 2, 4, 8), got {side}")
    coarse, entries = shapes["back_projection_stages.0.kb.kernel_predictor.fe_kernel.0.layer.weight"][:2]
    stages = {int(found[1]) for name in shapes if (found := re.match(r"back_projection_stages\.(\d+)\.", name))}
    return {
        "_target_": "csbsr.sr.KBPN",
        "scale": scales[side],
        "kernel_size": math.isqrt(entries),
        "coarse_size": math.isqrt(coarse),
        "stages": len(stages),
        "width": channels / CHANNELS,
    }


PART = ReleasedPart(
    matches=matches,
    spec=spec,
    renames=(
        (r"^feat\.", "features."),
        (r"^predictor\.feat_ext\.(\d)\.layer\.", r"kernel_predictor.layers.\1.conv."),
        (r"^predictor\.feat_ext\.(\d)\.act\.", r"kernel_predictor.layers.\1.act."),
        (r"^output_conv\.layer\.", "reconstruct."),
        (r"^back_projection_stages\.", "stages."),
        (r"\.kb\.kernel_predictor\.fe_(SR|kernel)\.(\d)\.layer\.", r".blur.updater.\1.\2."),
        (r"\.kb\.kernel_predictor\.fe_cat\.(\d)\.layer\.", r".blur.updater.joint.\1."),
        (r"\.updater\.SR\.", ".updater.image."),
        (r"\.kb\.sr_reconst\.layer\.", ".blur.reconstruct."),
        (r"\.kb\.up_conv1\.", ".blur.project_error."),
        (r"\.(up|down)\.conv\.", r".\1.mix."),
        (r"\.(up|down)_conv1\.", ".project."),
        (r"\.(up|down)_conv2\.", ".back_project."),
        (r"\.(up|down)_conv3\.", ".project_error."),
        (r"\.layer\.", ".conv."),
        (r"\.SFT_(scale|shift)_conv0\.", r".\1_hidden."),
        (r"\.SFT_(scale|shift)_conv1\.", r".\1."),
    ),
)
