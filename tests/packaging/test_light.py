"""What a command imports before there is work for it: no torch and no Lightning where nobody needs them."""

import os
import subprocess
import sys

import pytest

from tests.report.invented import evaluation

LOADED = """
import sys
sys.argv = {words!r}
import csbsr.cli.door as door
code = 0
try:
    door.{command}()
except SystemExit as stop:
    code = stop.code or 0
print([name for name in ("torch", "pytorch_lightning", "albumentations") if name in sys.modules], code, file=sys.stderr)
"""


def loaded(command, *words, **environment):
    """The heavy packages that a command loaded, and its exit code."""
    script = LOADED.format(words=["csbsr", *map(str, words)], command=command)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, **environment}
    )
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_questions_are_answered_without_torch(word):
    for command in ("train", "evaluate", "degrade", "measure", "predict", "report", "check", "export"):
        assert loaded(command, word) == "[] 0", command


def test_a_mask_is_measured_without_torch(tmp_path):
    import numpy as np
    from PIL import Image

    mask = np.zeros((60, 80), np.uint8)
    mask[20:26, 10:70] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    assert loaded("measure", f"input={tmp_path / 'm.png'}", f"output={tmp_path / 'out'}") == "[] 0"
    assert (tmp_path / "out" / "report.html").is_file()


def test_evaluations_are_compared_without_torch(tmp_path):
    folder = evaluation(tmp_path / "e", count=1)
    assert loaded("report", folder, f"--out={tmp_path / 'out'}") == "[] 0"
    assert "data:image/webp" in (tmp_path / "out" / "comparison.html").read_text()  # pictures were read and enlarged


def test_networks_are_run_without_lightning():
    names = "csbsr.inspection.predicting, csbsr.predict.predictor, csbsr.weights, csbsr.cli.degrade, csbsr.cli.predict"
    script = f"import sys, {names}; print([n for n in sys.modules if n in ('pytorch_lightning', 'lightning')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
