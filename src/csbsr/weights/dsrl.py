"""Released names of DSRL, both variants."""

from __future__ import annotations

import re
from typing import Any

from csbsr.weights.part import ReleasedPart, Shapes

CHANNELS = 64


def matches(shapes: Shapes) -> bool:
    """Only DSRL has a second decoder for the image."""
    return "sr_decoder.conv1.weight" in shapes and "aspp.aspp1.atrous_conv.weight" in shapes


def spec(shapes: Shapes) -> dict[str, Any]:
    """Variant ``dsrl_x4`` has one enlarging step more; the encoder's blocks are counted."""
    found = [re.match(r"backbone\.layer([123])\.(\d+)\.", name) for name in shapes]
    blocks = [1 + max(int(match[2]) for match in found if match and match[1] == layer) for layer in "123"]
    return {
        "_target_": "csbsr.joint.DSRL",
        "variant": "dsrl_x4" if "up_sr_0.weight" in shapes else "dsrl",
        "width": shapes["backbone.conv1.weight"][0] / CHANNELS,
        "blocks": blocks,
    }


def _renames() -> tuple[tuple[str, str], ...]:
    table = [
        (r"^backbone\.", "encoder."),
        (r"^pointwise\.", "affinity."),
        (r"^up_conv_last\.", "reconstruct."),
        (r"^aspp\.global_avg_pool\.1\.", "aspp.image_pooling.conv."),
        (r"^aspp\.global_avg_pool\.2\.", "aspp.image_pooling.bn."),
        (r"^aspp\.conv1\.", "aspp.mix.conv."),
        (r"^aspp\.bn1\.", "aspp.mix.bn."),
        (r"\.atrous_conv\.", ".conv."),
        (r"^decoder\.", "segmentation_decoder."),
        (r"decoder\.conv1\.", "decoder.reduce.conv."),
        (r"decoder\.bn1\.", "decoder.reduce.bn."),
    ]
    table += [(rf"^aspp\.aspp{branch}\.", f"aspp.branches.{branch - 1}.") for branch in (1, 2, 3, 4)]
    # Released: convolution, BatchNorm, ReLU, dropout as neighbours in one list; ours: blocks with named members.
    fused = {0: "0.conv", 1: "0.bn", 4: "2.conv", 5: "2.bn", 8: "4"}
    table += [(rf"\.last_conv\.{released}\.", f".fuse.{ours}.") for released, ours in fused.items()]
    for released, ours in enumerate(("enlarge_first", "enlarge.0", "enlarge.1", "enlarge.2")):
        table.append((rf"^up_sr_{released}\.", f"{ours}.upsample."))
        table.append((rf"^up_edsr_{released}\.conv\.", f"{ours}.residual."))
        table.append((rf"^up_edsr_{released}\.residual_upsampler\.0\.", f"{ours}.shortcut."))
    return tuple(table)


PART = ReleasedPart(matches=matches, spec=spec, renames=_renames())
