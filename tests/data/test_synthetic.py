"""Generated images: deterministic, varied, and their masks lie where the picture is dark."""

import cv2
import numpy as np
import pytest

from csbsr.data import SyntheticPairs
from csbsr.data.synthetic.crack import CrackPath, coverage


def test_a_function_of_seed_split_and_index():
    pairs = SyntheticPairs("train", 5, (96, 128), seed=3)
    image, mask = pairs.read(4)
    assert image.shape == (96, 128, 3)
    assert image.dtype == mask.dtype == np.uint8
    assert mask.shape == (96, 128)
    again = SyntheticPairs("train", 9, (96, 128), seed=3).read(4)  # whatever else there is and was read before
    np.testing.assert_array_equal(again[0], image)
    np.testing.assert_array_equal(again[1], mask)
    for other in (SyntheticPairs("test", 5, (96, 128), 3), SyntheticPairs("train", 5, (96, 128), 4)):
        assert (other.read(4)[0] != image).mean() > 0.5
    assert (pairs.read(3)[0] != image).mean() > 0.5


def test_statistics_of_many_images():
    pairs = SyntheticPairs("train", 60, (160, 160))
    masks, darker = [], []
    for index in range(60):
        image, mask = pairs.read(index)
        assert set(np.unique(mask)) <= {0, 1}
        assert 15 < image.mean() < 240
        assert image.std() > 3
        masks.append(mask)
        if mask.sum() > 40:
            near = cv2.dilate(mask, np.ones((15, 15), np.uint8)).astype(bool) & (cv2.dilate(mask, np.ones((5, 5))) == 0)
            darker.append(image[mask.astype(bool)].mean() < image[near].mean())
    shares = np.array([mask.mean() for mask in masks])
    assert 0.05 < (shares == 0).mean() < 0.35  # some show no crack
    assert 0.004 < shares.mean() < 0.05
    assert shares.max() < 0.2
    assert np.mean(darker) > 0.95


def test_widths_are_one_to_eight_pixels():
    widest = []
    for index in range(30):
        _, mask = SyntheticPairs("test", 30, (192, 192)).read(index)
        if mask.any():
            widest.append(2 * cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max())
    assert max(widest) < 14  # where branches meet it may be wider than 8
    assert np.median(widest) > 2
    assert min(widest) <= 5


def test_coverage_is_the_covered_area():
    """A straight crack of width 3 centred on row 8 covers rows 7 to 9; half a pixel lower, two are half covered."""
    x = np.linspace(-4, 44, 25)
    for shift, rows in ((0.0, (0, 1, 1, 1, 0)), (0.5, (0, 0.5, 1, 1, 0.5))):
        points = np.stack([x, np.full_like(x, 8 + shift)], 1)
        covered = coverage([CrackPath(points, np.full(25, 3.0))], (16, 40))
        np.testing.assert_allclose(covered[6:11, 20], rows, atol=0.26)  # to a quarter of a pixel
        assert covered[:5].max() == 0
        assert abs(covered[:, 20].sum() - 3) <= 0.26


@pytest.mark.parametrize("size", [(32, 32), (40, 150), (130, 33)])
def test_any_size(size):
    pairs = SyntheticPairs("train", 40, size)
    for index in range(40):
        image, mask = pairs.read(index)
        assert image.shape == (*size, 3)
        assert mask.shape == size


def test_bad_arguments():
    with pytest.raises(ValueError, match="count"):
        SyntheticPairs("train", 0)
    with pytest.raises(ValueError, match="size"):
        SyntheticPairs("train", 1, (16, 64))
    with pytest.raises(IndexError):
        SyntheticPairs("train", 1).read(1)
    names = {SyntheticPairs("train", 20).name(index) for index in range(20)}
    assert len(names) == 20


def test_fingerprint():
    prints = [SyntheticPairs(*args).fingerprint() for args in (("a", 3), ("b", 3), ("a", 4), ("a", 3, (64, 64)))]
    assert len(set(prints)) == 4
    assert SyntheticPairs("a", 3).fingerprint() == prints[0]
