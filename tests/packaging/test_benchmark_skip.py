"""scripts/benchmark_skip.py: lengths of skeletons, which pixels are in tiles that are kept, and its rows."""

import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from csbsr.data.synthetic import photograph
from csbsr.predict.tiling import Axis
from tests.cli.inprocess import checkpoint


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


@pytest.fixture
def wall(tmp_path):
    """A set of one photograph: cracks at its left, nothing at its right, where a line is labelled all the same."""
    image = np.full((96, 400, 3), 150, np.uint8)
    image[:, :96] = photograph(np.random.default_rng(0), (96, 96))[0]
    mask = np.zeros((96, 400), np.uint8)
    mask[40, 10:51] = mask[40, 350:371] = 255
    for kind, picture in (("images", image), ("masks", mask)):
        (tmp_path / "test" / kind).mkdir(parents=True)
        Image.fromarray(picture).save(tmp_path / "test" / kind / "wall.png")
    checkpoint(tmp_path / "w.ckpt")
    return tmp_path


def test_what_is_labelled_in_skipped_tiles_is_lost(script, wall):
    written = wall / "rows.json"
    script.main(["kept", str(wall), "--ckpt", str(wall / "w.ckpt"), "--tiles", "256", "--json", str(written)])
    (row,) = json.loads(written.read_text())
    assert row["crack length kept, %"] == pytest.approx(100 * 40 / 60, abs=0.1)
    assert row["length, px"] == pytest.approx(60)
    assert 30 < row["area skipped, %"] < 60


def test_both_ways_are_timed_and_compared(script, wall):
    written, image = wall / "rows.json", wall / "test" / "images" / "wall.png"
    script.main(["time", str(image), "--ckpt", str(wall / "w.ckpt"), "--tiles", "256", "--json", str(written)])
    (row,) = json.loads(written.read_text())
    assert 30 < row["area skipped, %"] < 60
    assert 0 <= row["IoU of the masks"] <= 1
    assert 0 < row["full pass's length kept, %"] <= 100
    assert row["ratio"] == pytest.approx(row["off, CPU s"] / row["auto, CPU s"])
