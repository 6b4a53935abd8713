"""scripts/benchmark_skip.py: lengths of skeletons, and which pixels are in tiles that are kept."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from csbsr.predict.tiling import Axis


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    return importlib.import_module("benchmark_skip")


def test_a_line_is_as_long_as_its_steps(script):
    mask = np.zeros((20, 20), bool)
    mask[10, 3:10] = True  # six steps along, then five across the corners
    mask[np.arange(11, 16), np.arange(10, 15)] = True
    lengths = script.skeleton_lengths(mask)
    assert lengths.sum() == pytest.approx(6 + 5 * 2**0.5)
    assert lengths[10, 3] == pytest.approx(0.5)
    assert lengths[15, 14] == pytest.approx(2**0.5 / 2)
    assert not lengths[~mask].any()


def test_pixels_belong_to_the_cores_of_tiles(script):
    layout = SimpleNamespace(rows=Axis(80, 32, 16, 8), columns=Axis(50, 50, 0))
    found = script.pixels_of(np.array([[False], [True], [False]]), layout)
    assert found.shape == (80, 50)
    assert found[24:56].all()
    assert found.sum() == 32 * 50
