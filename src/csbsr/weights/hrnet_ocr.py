"""Released names of HRNet-W48 + OCR."""

from __future__ import annotations

import re
from typing import Any

from csbsr.weights.part import ReleasedPart, Shapes


def _matches(shapes: Shapes) -> bool:
    return "ocr_distri_head.conv_bn_dropout.0.weight" in shapes


def _spec(shapes: Shapes) -> dict[str, Any]:
    return {
        "_target_": "csbsr.segmentor.HRNetOCR",
        "width": shapes["cls_head.weight"][1] / 512,
        "modules": [_count(shapes, rf"backbone\.stage{stage}\.(\d+)\..*") for stage in (2, 3, 4)],
        "blocks": _count(shapes, r"backbone\.layer1\.(\d+)\..*"),
    }


def _count(shapes: Shapes, pattern: str) -> int:
    return len({match[1] for match in (re.fullmatch(pattern, name) for name in shapes) if match})


PART = ReleasedPart(
    matches=_matches,
    spec=_spec,
    renames=(
        (r"^aux_head\.(\d)", r"auxiliary_head.\1"),
        (r"^conv3x3\.", "features."),
        (r"^ocr_distri_head\.object_context_block\.f_down\.", "context.reduce."),
        (r"^ocr_distri_head\.object_context_block\.f_up\.", "context.expand."),
        (r"^ocr_distri_head\.conv_bn_dropout\.", "merge."),
        (r"^cls_head\.", "head."),
        (r"^(auxiliary_head|features|context\.reduce|context\.expand|merge)\.1\.0\.", r"\1.1."),
        (r"^auxiliary_head\.2\.", "auxiliary_head.3."),
    ),
    # The object attention is a softmax over the classes; with one class it is 1 whatever these compute.
    unused=(r"ocr_distri_head\.object_context_block\.f_(pixel|object)\..*",),
)
