"""The programs in examples/ and the Python of the texts run."""

import importlib.util

import numpy as np
import pytest
from PIL import Image

from tests.cli.inprocess import checkpoint
from tests.docs import ROOT, blocks


def example(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_measure_a_crack(tmp_path, capsys):
    example("measure_a_crack").main(tmp_path / "measured")
    assert {path.name for path in (tmp_path / "measured").iterdir()} == {"wall.png", "widths.png", "cracks.csv"}
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("crack 1:  174.4 px =  43.6 mm long")


def test_own_segmentor(capsys):
    values = example("own_segmentor").main(steps=4, size=64)
    assert 0 < values["iou_max"] < 1
    assert "iou_max" in capsys.readouterr().out


@pytest.mark.parametrize("page", ["README.md", "docs/inspectors.md", "docs/researchers.md"])
def test_the_python_of_a_page(page, tmp_path, monkeypatch):
    checkpoint(tmp_path / "best.ckpt")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)).save(tmp_path / "bridge.jpg")
    monkeypatch.chdir(tmp_path)
    shapes = set()
    for block in blocks(ROOT / page, "python"):
        names = {}
        exec(compile(block, page, "exec"), names)
        shapes |= {names[key].sr.shape for key in ("result", "output") if key in names}
    assert shapes
    assert shapes <= {(80, 120, 3), (1, 3, 224, 224)}
