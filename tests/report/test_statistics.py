"""Spread over seeds, intervals over images, paired tests: by hand, and that they hold what they promise."""

import json
import math

import numpy as np
import pytest

from csbsr.report.collect import collect
from csbsr.report.seeds import grouped, statistics
from csbsr.report.statistics import over_images, over_seeds, paired
from tests.report.invented import evaluation


def test_by_hand():
    found = over_seeds(np.array([0.2, 0.4, 0.6]))
    assert (found.mean, found.spread) == (pytest.approx(0.4), pytest.approx(0.2))
    assert math.isnan(over_seeds(np.array([0.2])).spread)
    values = np.array([[0.1, 0.5, np.nan, 0.9], [0.3, 0.7, 0.2, 0.5]])
    found = over_images(values)
    assert found.mean == pytest.approx(0.5)  # the image with a gap is left out
    assert found.spread == pytest.approx(0.0)
    assert 0.2 <= found.low < 0.5 < found.high <= 0.7
    empty = over_images(np.full((2, 3), np.nan))
    assert math.isnan(empty.mean)
    same = over_images(np.full((2, 3), 0.5))
    assert same.mean == 0.5
    assert math.isnan(same.low)


def test_an_exact_paired_test():
    # of 2**5 assignments of signs only the two of one sign all over reach the mean difference
    one = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    found = paired(one, one + np.array([0.1, 0.2, 0.1, 0.3, 0.2]))
    assert found.mean == pytest.approx(0.18)
    assert found.p == pytest.approx(2 / 32)
    assert found.images == 5
    assert paired(one, one).p == 1.0
    assert paired(one, np.full(5, np.nan)).images == 0
    with pytest.raises(ValueError, match=r"got shapes \(5,\) and \(4,\)"):
        paired(one, one[:4])


def test_the_interval_holds_the_mean_as_often_as_it_says():
    draw = np.random.default_rng(3)
    held = 0
    for _ in range(60):
        found = over_images(draw.beta(2, 5, (3, 40)))
        held += found.low <= 2 / 7 <= found.high
    assert held >= 52  # 95 % of 60 are 57; the chance of fewer than 52 is below one in a hundred


def changed(folder, seed, words):
    path = folder / "run_card.json"
    card = json.loads(path.read_text())
    card["training"] = {"overrides": [*words, f"seed={seed}", f"output=/runs/{seed}"]}
    card["seed"], card["config"] = 0, {"degradation": "anisotropic"}
    path.write_text(json.dumps(card))


def test_seeds_are_taken_together_and_systems_compared(tmp_path):
    for system, words in (("a", ["loss.beta=0.3", "steps=5"]), ("b", ["steps=5", "loss.beta=0.7"])):
        for seed in range(3):
            folder = tmp_path / system / str(seed)
            evaluation(folder, count=6, seed=seed + (10 if system == "b" else 0))
            changed(folder, seed, words)
    evaluations = collect([tmp_path])
    one, other = grouped(evaluations)
    assert [len(group.evaluations) for group in (one, other)] == [3, 3]
    assert one.name.endswith("loss.beta=0.3")
    assert other.name.endswith("loss.beta=0.7")
    values = [e.metrics["aiu"] for e in one.evaluations]
    assert one.estimate("aiu").mean == pytest.approx(np.mean(values))
    assert one.estimate("aiu").spread == pytest.approx(np.std(values, ddof=1))
    text = statistics(evaluations)
    table, tests = text.split("\n\n")[1], text.split("\n\n")[3]
    assert table.count("\n| ") == 2
    assert " ± " in table
    assert tests.splitlines()[0].startswith("| first | second | metric | images")
    assert len({line.count("|") for line in table.splitlines()}) == 1
    (single,) = grouped(evaluations[:1])
    assert single.name == one.evaluations[0].system
