"""Rows of different lengths in one array: each function as numpy and scipy do it row by row."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from csbsr.measure.patches import Patches
from csbsr.measure.ragged import along, arcs, even, filtered, medians, place_of, row_of, starts_of, taken
from csbsr.measure.width import sample

COUNTS = np.array([1, 5, 2, 9])
STARTS = starts_of(COUNTS)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=COUNTS.sum())


def rows(flat, starts=STARTS):
    return np.split(flat, starts[1:-1])


def test_numbers_of_rows_and_places():
    assert STARTS.tolist() == [0, 1, 6, 8, 17]
    assert row_of(STARTS).tolist() == [0] + [1] * 5 + [2] * 2 + [3] * 9
    assert place_of(STARTS).tolist() == [0, *range(5), 0, 1, *range(9)]
    entries, starts = taken(STARTS, np.array([3, 0]))
    assert entries.tolist() == [*range(8, 17), 0]
    assert starts.tolist() == [0, 9, 10]


def test_medians(values):
    assert medians(values, STARTS).tolist() == [np.median(row) for row in rows(values)]


def test_arcs_are_sums_of_steps_from_zero():
    points = np.array([[0, 0], [3, 4], [3, 5], [9, 9], [9, 9], [10, 9.0]])
    assert arcs(points, np.array([0, 3, 6])).tolist() == [0, 5, 6, 0, 0, 1]


def test_along_is_interpolation_within_each_row(values):
    at = np.concatenate([np.sort(np.random.default_rng(1).uniform(0, 8, count)) for count in COUNTS])
    wanted = np.tile(np.linspace(0, 9, 13), 4)
    row = np.repeat(np.arange(4), 13)
    expected = [np.interp(np.linspace(0, 9, 13), x, y) for x, y in zip(rows(at), rows(values), strict=True)]
    assert along(values, at, STARTS, wanted, row) == pytest.approx(np.concatenate(expected))
    both = along(np.stack([values, -values], axis=1), at, STARTS, wanted, row)
    assert both[:, 1] == pytest.approx(-np.concatenate(expected))


def test_even_places_reach_both_ends():
    at, starts = even(np.array([10.0, 0.3]), np.array([2.5, 1.0]))
    assert rows(at, starts)[0].tolist() == [0, 2.5, 5, 7.5, 10]
    assert rows(at, starts)[1] == pytest.approx(np.linspace(0, 0.3, 5))


def test_filters_of_several_settings(values):
    sigma = np.array([1.0, 2.0, 1.0, 0.7])
    found = filtered(values, STARTS, sigma, lambda s: int(4 * s + 0.5), lambda v, s: gaussian_filter1d(v, s))
    expected = [gaussian_filter1d(row, s, mode="nearest") for row, s in zip(rows(values), sigma, strict=True)]
    assert found == pytest.approx(np.concatenate(expected), abs=1e-12)


def test_closed_rows_go_on_at_their_other_end(values):
    size, closed = np.array([3, 3, 4, 5]), np.array([False, True, False, True])
    found = filtered(values, STARTS, size, int, lambda v, s: uniform_filter1d(v, int(s)), closed)
    modes = np.where(closed, "wrap", "nearest")
    expected = [
        uniform_filter1d(row, s, mode=mode)
        for row, s, mode in zip(rows(values), size.tolist(), modes.tolist(), strict=True)
    ]
    assert found == pytest.approx(np.concatenate(expected), abs=1e-12)


@pytest.mark.parametrize("count", [1, 3])
def test_patches_are_sampled_as_each_alone_is(count):
    rng = np.random.default_rng(2)
    images = [rng.random((5 + k, 9 - k)).astype(np.float32) for k in range(count)]
    number = rng.integers(0, count, 400)
    places = rng.uniform(-9, 15, (400, 2, 2))
    expected = [sample(images[n], place) for n, place in zip(number, places, strict=True)]
    assert Patches(images).sample(number, places) == pytest.approx(np.array(expected), abs=1e-6)
