"""The program of docs/export.md runs as it stands, on an exported system, with ONNX Runtime and no csbsr."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from csbsr.export.write import ExportOptions, export
from tests.docs import ROOT, blocks
from tests.export.systems import system

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def test_the_program_for_others(tmp_path):
    (program,) = blocks(ROOT / "docs" / "export.md", "python")
    assert len([line for line in program.splitlines() if line and not line.startswith(("import", "from"))]) <= 10
    export(system("bicubic_unet"), tmp_path / "cracks", ExportOptions(form="whole"))
    image = np.random.default_rng(0).integers(0, 256, (37, 52, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "bridge.png")
    forbid = "import sys; sys.modules['csbsr'] = sys.modules['torch'] = None\n"
    subprocess.run([sys.executable, "-c", forbid + program], cwd=tmp_path, check=True)
    mask = np.asarray(Image.open(tmp_path / "mask.png"))
    assert mask.shape == (148, 208)
    assert set(np.unique(mask)) <= {0, 255}
