"""A mask that is noise is told from cracks before every branch of it is measured."""

import time

import cv2
import numpy as np
import pytest

from csbsr.measure import TooNoisyError, measure_cracks
from csbsr.measure.noise import REFERENCE, count_branches
from csbsr.measure.thinning import thin


def star(points=5):
    """As many lines that meet in the middle."""
    mask = np.zeros((101, 101), np.uint8)
    for angle in 2 * np.pi * np.arange(points) / points:
        end = (50 + 40 * np.array([np.cos(angle), np.sin(angle)])).astype(int)
        cv2.line(mask, (50, 50), end.tolist(), 1)
    return mask.view(bool)


@pytest.mark.parametrize("points", [3, 4, 5])
def test_branches_of_a_star(points):
    assert count_branches(thin(star(points))) == points


def test_a_ring_a_line_and_a_speck_are_a_branch_each():
    mask = np.zeros((60, 120), np.uint8)
    cv2.circle(mask, (30, 30), 20, 1)
    cv2.line(mask, (60, 30), (90, 40), 1)
    mask[5, 110] = 1
    assert count_branches(thin(mask.view(bool))) == 3


def test_the_limit_is_of_all_that_would_be_measured():
    mask = star()
    mask[5, ::2] = True  # 51 specks
    with pytest.raises(TooNoisyError, match=r"^too noisy to measure, 56 branches, expected at most 55; .*max_branches"):
        measure_cracks(mask, max_branches=55)
    assert len(measure_cracks(mask, max_branches=56).cracks) == 52
    assert measure_cracks(mask, max_branches=5, min_pixels=2).branches == 5
    assert len(measure_cracks(mask).cracks) == 52


def test_a_larger_image_may_hold_more():
    mask = np.zeros((2 * REFERENCE // 4000, 4000), bool)
    mask[10, 10:400:2] = True  # 195 specks
    with pytest.raises(TooNoisyError, match="195 branches, expected at most 194"):
        measure_cracks(mask, max_branches=97)
    assert len(measure_cracks(mask, max_branches=98).cracks) == 195


@pytest.mark.parametrize("density", [0.05, 0.5])
def test_four_megapixels_of_noise_are_refused_at_once(density):
    mask = np.random.default_rng(0).random((2000, 2000)) < density
    start = time.perf_counter()
    with pytest.raises(TooNoisyError):
        measure_cracks(mask, max_branches=5000)
    assert time.perf_counter() - start < 20  # 1 second on one core
