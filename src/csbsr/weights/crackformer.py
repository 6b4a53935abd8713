"""Released names of CrackFormer-II."""

from __future__ import annotations

from typing import Any

from csbsr.weights.part import ReleasedPart, Shapes


def _matches(shapes: Shapes) -> bool:
    return "LABlock_1.psi.0.weight" in shapes


def _spec(shapes: Shapes) -> dict[str, Any]:
    return {"_target_": "csbsr.segmentor.CrackFormer", "width": shapes["LABlock_5.W_1.0.weight"][1] / 512}


LEVELS = range(1, 6)

PART = ReleasedPart(
    matches=_matches,
    spec=_spec,
    renames=(
        (r"^down1\.nn1\.conv\.", "down1.nn1.0."),
        (r"\.(nn\d)\.conv\.conv2\.0\.attn\.", r".\1.attention.attention."),
        (r"\.(nn\d)\.conv\.conv2\.0\.mlp\.", r".\1.attention.perceptron."),
        (r"\.perceptron\.fc1\.", ".perceptron.0."),
        (r"\.perceptron\.gn1\.", ".perceptron.1."),
        (r"\.perceptron\.dwconv\.dwconv\.", ".perceptron.2."),
        (r"\.perceptron\.gn2\.", ".perceptron.3."),
        (r"\.perceptron\.fc2\.", ".perceptron.6."),
        (r"\.perceptron\.gn3\.", ".perceptron.7."),
        (r"\.(nn\d)\.conv\.conv1\.", r".\1.reduce.0."),
        (r"\.(nn\d)\.conv\.bn1\.", r".\1.reduce.1."),
        (r"\.(nn\d)\.conv\.conv3\.", r".\1.expand.0."),
        (r"\.(nn\d)\.conv\.bn3\.", r".\1.expand.1."),
        (r"\.(nn\d)\.conv\.shortcut\.", r".\1.shortcut."),
        # Levels count from 1 in the release, entries of a module list from 0.
        *((rf"^down{level}\.nn1\.", f"encoder.{level - 1}.first.") for level in LEVELS),
        *((rf"^down{level}\.nn2\.", f"encoder.{level - 1}.second.") for level in LEVELS),
        *((rf"^up{level}\.nn{i}\.", f"decoder.{level - 1}.blocks.{i - 1}.") for level in LEVELS for i in (1, 2, 3)),
        *((rf"^fuse{level}\.nn\.conv\.", f"sides.{level - 1}.merge.") for level in LEVELS),
        *((rf"^fuse{level}\.conv\.", f"sides.{level - 1}.predict.") for level in LEVELS),
        *((rf"^LABlock_{level}\.W_1\.0\.", f"sides.{level - 1}.mask.1.") for level in LEVELS),
        *((rf"^LABlock_{level}\.W_1\.1\.", f"sides.{level - 1}.mask.2.") for level in LEVELS),
        *((rf"^LABlock_{level}\.psi\.0\.", f"sides.{level - 1}.mask.3.") for level in LEVELS),
        *((rf"^LABlock_{level}\.psi\.1\.", f"sides.{level - 1}.mask.4.") for level in LEVELS),
        (r"^final\.", "merge."),
    ),
    unused=(
        r"(down|up)\d\.nn\d\.conv\.bn2\..*",  # a normalisation at hidden width that is never applied
        r"down[345]\.nn3\..*",  # the release repeats nn2 instead
    ),
)
