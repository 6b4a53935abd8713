"""Distance maps against scipy, the golden numbers and pixels counted by hand."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, distance_transform_edt

from csbsr.data.distance import distance_to_crack, normalized_signed_distance
from tests import golden


def masks(count: int = 60) -> list[np.ndarray]:
    random = np.random.RandomState(3)
    shapes = [(24, 31), (1, 17), (40, 2), (64, 64)]
    return [
        (random.rand(*shapes[i % len(shapes)]) < random.choice([0.003, 0.1, 0.5, 0.97])).astype(np.uint8)
        for i in range(count)
    ]


def signed_by_scipy(mask: np.ndarray) -> np.ndarray:
    def scaled(distance):
        spread = distance.max() - distance.min()
        return (distance - distance.min()) / spread if spread else distance * 0

    crack = mask.astype(bool)
    outside = distance_transform_edt(~crack) if crack.any() else np.zeros(mask.shape)
    inside = distance_transform_edt(crack) if not crack.all() else np.zeros(mask.shape)
    signed = scaled(outside) - scaled(inside)
    signed[crack & binary_dilation(~crack)] = 0
    return signed


def test_distance_to_crack_equals_scipy_exactly():
    for mask in masks():
        expected = distance_transform_edt(mask == 0) if mask.any() else np.zeros(mask.shape)
        np.testing.assert_array_equal(distance_to_crack(mask, np.float64), expected)
        np.testing.assert_array_equal(distance_to_crack(mask), expected.astype(np.float32))


def test_distances_of_a_large_crop_are_exact():
    mask = np.zeros((1000, 900), np.uint8)
    mask[3, 5] = 1
    np.testing.assert_array_equal(distance_to_crack(mask, np.float64), distance_transform_edt(mask == 0))


def test_signed_distance_equals_scipy():
    for mask in masks():
        np.testing.assert_allclose(normalized_signed_distance(mask, np.float64), signed_by_scipy(mask), rtol=1e-15)


def test_signed_distance_is_the_released_one():
    numbers = golden.load("losses")
    for mask, expected in zip(numbers["target"][:3, 0], numbers["sdm_normalised"][:3, 0], strict=True):
        np.testing.assert_allclose(normalized_signed_distance(mask, np.float64), expected, rtol=1e-12)


def test_signed_distance_by_hand():
    # a block of three by three cracks: its rim touches background, its middle has the largest inner distance, 2
    mask = np.zeros((5, 6), np.uint8)
    mask[1:4, 1:4] = 1
    farthest = np.sqrt(5)  # corner (0, 5) to the crack pixel (1, 3)
    one, two, diagonal = 1 / farthest, 2 / farthest, np.sqrt(2) / farthest
    expected = [
        [diagonal, one, one, one, diagonal, 1],
        [one, 0, 0, 0, one, two],
        [one, 0, -1, 0, one, two],
        [one, 0, 0, 0, one, two],
        [diagonal, one, one, one, diagonal, 1],
    ]
    np.testing.assert_allclose(normalized_signed_distance(mask, np.float64), expected, rtol=1e-15)


def test_a_crack_pixel_at_the_image_border_touches_nothing_beyond_it():
    mask = np.ones((4, 4), np.uint8)
    mask[0, 0] = 0
    signed = normalized_signed_distance(mask)
    assert signed[0, 1] == signed[1, 0] == 0  # touch the background pixel
    assert signed[3, 3] == -1  # farthest, although on the border
    assert signed[1, 1] == pytest.approx(-np.sqrt(2) / np.sqrt(18))  # touches it with a corner only


@pytest.mark.parametrize("value", [0, 1])
def test_empty_and_full_masks_have_no_distance(value):
    mask = np.full((7, 9), value, np.uint8)
    np.testing.assert_array_equal(normalized_signed_distance(mask), np.zeros((7, 9)))
    np.testing.assert_array_equal(distance_to_crack(mask), np.zeros((7, 9)))


def test_one_crack_pixel():
    mask = np.zeros((3, 4), bool)
    mask[1, 1] = True
    signed = normalized_signed_distance(mask)
    assert signed.dtype == np.float32
    assert signed[1, 1] == 0
    assert signed.max() == 1


def test_mask_values_and_dtype_do_not_matter():
    mask = masks(1)[0]
    for other in (mask * 255, mask.astype(bool), mask.astype(np.float32)):
        np.testing.assert_array_equal(normalized_signed_distance(other), normalized_signed_distance(mask))


def test_a_batch_is_refused():
    with pytest.raises(ValueError, match=r"mask: expected two dimensions.*\(1, 4, 4\).*one mask at a time"):
        distance_to_crack(np.zeros((1, 4, 4)))
