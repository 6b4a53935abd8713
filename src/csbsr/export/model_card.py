"""The README.md that hubs of models show: what the weights are, in the words of their own card."""

from __future__ import annotations

import json
import re
import shlex

from csbsr.export.card import NO_LICENSE, license_of
from csbsr.joint import JointSystem, describe
from csbsr.predict.options import threshold_of
from csbsr.words import printable_lines


def model_card(network: JointSystem, file: str, sha256: str) -> str:
    """Text in Markdown with the YAML head that hubs read.

    Args:
        network: with the card of its checkpoint.
        file: name of the weights beside it.
        sha256: of that file.
    """
    card = network.card
    licence = license_of(network)
    head = ["---", "library_name: csbsr", "pipeline_tag: image-segmentation"]
    head += [f"license: {json.dumps(licence.lower())}"] if licence != NO_LICENSE else ["license: other"]
    head += ["tags:", "- crack-segmentation", "- super-resolution", "- pytorch-lightning", "---"]
    rows = {
        "network": describe(network),
        "scale": network.scale,
        "threshold": threshold_of(network),
        "blur kernel": "estimated" if network.estimates_kernel else "not estimated",
        "licence of the weights": licence,
        "file": f"`{file}`",
        "SHA-256": f"`{sha256}`",
        "trained with csbsr": card.get("version", "unknown"),
        "seed": card.get("seed", "unknown"),
    }
    words = [word for word in map(str, card.get("overrides", [])) if not re.search(r"=.*[/\\]", word)]  # no paths
    command = shlex.join(["csbsr-train", *words])
    text = [
        *head,
        "",
        "# Crack segmentation from blurred low-resolution photographs",
        "",
        "A network of [csbsr](https://arxiv.org/abs/2302.12491) (Kondo & Ukita, IEEE TIM 2024): a photograph in; a "
        f"sharp image at {network.scale} times its size, the blur kernel where it is estimated, and cracks out.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {_cell(value)} |" for key, value in rows.items()),
        "",
        "```bash",
        "pip install csbsr",
        f"csbsr-predict ckpt={file} input=photos output=results",
        "```",
        "",
        "```python",
        "import csbsr",
        "",
        f'network = csbsr.load("{file}")  # lr (1, 3, h, w) in [0, 1] -> sr, segmentation, kernel',
        "```",
        "",
    ]
    if card.get("overrides"):
        text += ["Trained by", "", "```bash", _cell(command), "```", ""]
    text += [
        "What it was measured on, and where it fails, its makers have to say: nothing here was measured by the export.",
        "",
    ]
    return "\n".join(text)


def _cell(value: object) -> str:
    return printable_lines(str(value)).replace("|", "\\|").replace("\n", " ")
