"""The authors' released PSPNet, with or without blur skip, as ours."""

from __future__ import annotations

import re
from typing import Any

from csbsr.weights.part import ReleasedPart, Shapes

_STEM = "feats.conv1.weight"
_BLUR_SKIP_OUT = "blur_skip.0.conv_scale.1.layer.weight"


def _spec(shapes: Shapes) -> dict[str, Any]:
    spec: dict[str, Any] = {"_target_": "csbsr.segmentor.PSPNet"}
    width = shapes[_STEM][0] / 64
    if width != 1:
        spec["width"] = width
    blocks = [
        len({name for name in shapes if re.fullmatch(rf"feats\.layer{i}\.\d+\.conv1\.weight", name)})
        for i in range(1, 5)
    ]
    if blocks != [3, 4, 6, 3]:
        spec["blocks"] = blocks
    if "aux.0.weight" not in shapes:
        spec["auxiliary"] = False
    if _BLUR_SKIP_OUT in shapes:
        spec["blur_skip"] = _blur_skip(shapes)
    return spec


def _blur_skip(shapes: Shapes) -> str:
    """The variant, from how many channels its first convolution reads: features, kernel entries or both."""
    features, hidden = shapes[_BLUR_SKIP_OUT][:2]
    variants = {features + 21**2: "modified", 21**2: "origin", features + 7**2: "reduced"}
    if hidden not in variants:
        raise ValueError(
            f"{_BLUR_SKIP_OUT}: expected {', '.join(map(str, variants))} input channels, got {hidden}; "
            "this is no released blur skip"
        )
    return variants[hidden]


PART = ReleasedPart(
    matches=lambda shapes: _STEM in shapes and "psp.bottleneck.weight" in shapes,
    spec=_spec,
    renames=(
        (r"^feats\.", "encoder."),
        (r"^psp\.stages\.(\d+)\.1\.", r"pyramid.stages.\1."),
        (r"^psp\.bottleneck\.", "pyramid.bottleneck."),
        (r"^up_(\d)\.conv\.0\.", r"up\1.conv."),
        (r"^up_(\d)\.conv\.1\.", r"up\1.norm."),
        (r"^up_(\d)\.conv\.2\.", r"up\1.activation."),
        (r"^final\.0\.", "head."),
        (r"^aux\.0\.", "auxiliary_head.conv."),
        (r"^aux\.1\.", "auxiliary_head.norm."),
        (r"^aux\.4\.", "auxiliary_head.head."),
        (r"^blur_skip\.0\.", "blur_skip.transform1."),
        (r"^blur_skip\.1\.layer\.", "blur_skip.conv1."),
        (r"^blur_skip\.1\.norm\.", "blur_skip.norm1."),
        (r"^blur_skip\.2\.", "blur_skip.transform2."),
        (r"^blur_skip\.3\.layer\.", "blur_skip.conv2."),
        (r"^blur_skip\.3\.norm\.", "blur_skip.norm2."),
        (r"\.conv_(scale|shift)\.0\.layer\.", r".\1.conv1."),
        (r"\.conv_(scale|shift)\.0\.act\.", r".\1.activation."),
        (r"\.conv_(scale|shift)\.1\.layer\.", r".\1.conv2."),
    ),
)
