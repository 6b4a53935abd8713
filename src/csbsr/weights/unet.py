"""The authors' released U-Net as ours."""

from __future__ import annotations

from typing import Any

from csbsr.weights.part import ReleasedPart, Shapes

_FIRST = "conv1.0.weight"
#: Published position of each convolution of VGG16, by group and position within the group.
_POSITIONS = {
    1: {0: 0, 2: 2},
    2: {0: 5, 2: 7},
    3: {0: 10, 2: 12, 4: 14},
    4: {0: 17, 2: 19, 4: 21},
    5: {0: 24, 2: 26, 4: 28},
}


def _spec(shapes: Shapes) -> dict[str, Any]:
    width = shapes[_FIRST][0] / 64
    return {"_target_": "csbsr.segmentor.UNet"} | ({} if width == 1 else {"width": width})


PART = ReleasedPart(
    matches=lambda shapes: _FIRST in shapes and "center.block.0.conv.weight" in shapes,
    spec=_spec,
    renames=(
        *(
            (rf"^conv{group}\.{ours}\.", f"encoder.features.{published}.")
            for group, positions in _POSITIONS.items()
            for ours, published in positions.items()
        ),
        (r"^center\.block\.0\.conv\.", "center.0."),
        (r"^dec([234])\.block\.0\.conv\.", r"decoder\1.0."),
        (r"^dec1\.conv\.", "decoder1."),
        (r"^final\.", "head."),
    ),
    # The release stores the encoder twice and reads the convN entries last, so that these have no effect.
    unused=(r"encoder\.\d+\.(weight|bias)",),
)
