"""The grid of scripts/benchmark_predict.py: which runs it makes, and what it says of those it leaves out."""

import argparse
import importlib
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("benchmark_predict")


def options(**changed):
    return argparse.Namespace(**{"megapixels": [1, 24], "seconds": 1e9, "ckpt": "lite", "rest": ["flips=2"], **changed})


def test_sizes_are_three_to_two(script):
    found = [script.size_of(megapixels) for megapixels in (1, 4, 12, 24)]
    assert found == ["1224x816", "2448x1632", "4240x2832", "6000x4000"]


def test_every_backend_and_every_way_to_cut_runs_beside_the_plain_network(script, monkeypatch):
    monkeypatch.setattr(script, "BACKENDS", {"torch": (), "other": ("backend=other",)})
    monkeypatch.setattr(script, "network_seconds", lambda ckpt: 5.0)
    asked = []

    def run(size, settings, options):
        asked.append((size, *settings))
        return {"CPU s": 240.0}

    monkeypatch.setattr(script, "one_run", run)
    rows = list(script.grid(options()))
    assert len(asked) == 8
    assert asked[0] == ("1224x816", "save=mask,probability", "flips=2")
    assert asked[7] == ("6000x4000", "save=mask,probability", "backend=other", "grow=true", "flips=2")
    assert (rows[7]["network alone, CPU s"], rows[7]["times the network"]) == (120.0, 2.0)


def test_what_was_not_run_is_said(script):
    rows = list(script.grid(options(seconds=-1.0)))
    assert [row["megapixels"] for row in rows] == [1] * 6 + [24] * 6  # three backends, two ways: lite skips nothing
    rows = list(script.grid(options(seconds=-1.0, megapixels=[1], ckpt="compact.ckpt")))
    assert [row["way"] for row in rows] == ["default", "grow", "skip"] * 3
    assert all("nothing is started" in row["not run"] for row in rows)


def test_the_plain_network_is_timed(script, monkeypatch):
    monkeypatch.setattr(script, "SIDE", 32)
    assert 0 < script.network_seconds("lite", repeats=1) < 1000
