"""Crops stay inside, prefer cracks when asked, treat image and mask alike, and follow their seed."""

import numpy as np
import pytest

from csbsr.data.augment import Augmentation


def numbered(height, width):
    """Image whose channels hold its own coordinates, and a mask with one crack pixel."""
    y, x = np.mgrid[:height, :width]
    mask = np.zeros((height, width), np.uint8)
    mask[height // 3, width // 4] = 1
    return np.stack([y, x, np.zeros_like(x)], 2).astype(np.uint8), mask


def test_equal_seeds_give_equal_crops_whatever_came_before():
    image, mask = numbered(60, 90)
    augmentation = Augmentation(32, 0.5)
    first = augmentation(image, mask, 11)
    others = [augmentation(image, mask, seed) for seed in range(12, 30)]
    again = augmentation(image, mask, 11)
    fresh = Augmentation(32, 0.5)(image, mask, 11)
    for result in (again, fresh):
        np.testing.assert_array_equal(result[0], first[0])
        np.testing.assert_array_equal(result[1], first[1])
    assert len({other[0].tobytes() for other in others}) > 15


def test_image_and_mask_move_together_and_every_place_is_reached():
    image, mask = numbered(40, 50)
    augmentation = Augmentation(16, 0.0)
    corners, flips = set(), []
    for seed in range(400):
        crop, cut = augmentation(image, mask, seed)
        assert crop.shape == (16, 16, 3)
        assert cut.shape == (16, 16)
        ys, xs = crop[..., 0].astype(int), crop[..., 1].astype(int)
        np.testing.assert_array_equal(cut, mask[ys, xs])
        assert np.abs(np.diff(ys, axis=0)).max() == 1
        flips.append((xs[0, 1] < xs[0, 0], ys[1, 0] < ys[0, 0]))
        corners.add((ys.min(), xs.min()))
    assert {corner[0] for corner in corners} == set(range(25))
    assert {corner[1] for corner in corners} == set(range(35))
    mirrored, flipped = np.mean(flips, 0)
    assert abs(mirrored - 0.5) < 0.08
    assert abs(flipped - 0.3) < 0.08


@pytest.mark.parametrize(("mirror", "vertical_flip"), [(0.0, 1.0), (1.0, 0.0)])
def test_probabilities_of_the_flips(mirror, vertical_flip):
    image, mask = numbered(16, 16)
    expected = image[:, ::-1] if mirror else image[::-1]
    for seed in range(5):
        np.testing.assert_array_equal(Augmentation(16, 0, mirror, vertical_flip)(image, mask, seed)[0], expected)


def test_crack_preference():
    image = np.zeros((100, 100, 3), np.uint8)
    mask = np.zeros((100, 100), np.uint8)
    mask[70, 40] = 1
    for preference, low, high in ((1.0, 1.0, 1.0), (0.5, 0.4, 0.65), (0.0, 0.0, 0.12)):
        hits = [Augmentation(20, preference)(image, mask, seed)[1].any() for seed in range(200)]
        assert low <= np.mean(hits) <= high
    places = {tuple(np.argwhere(Augmentation(20, 1.0, 0, 0)(image, mask, seed)[1])[0]) for seed in range(300)}
    assert {place[0] for place in places} == {place[1] for place in places} == set(range(5, 15))  # the middle half
    empty = np.zeros_like(mask)
    assert Augmentation(20, 1.0)(image, empty, 0)[0].shape == (20, 20, 3)


@pytest.mark.parametrize("size", [(10, 40), (40, 10), (10, 10), (1, 3), (16, 15)])
def test_small_images_are_padded_by_reflection(size):
    image, mask = numbered(*size)
    crop, cut = Augmentation(16, 0, 0, 0)(image, mask, 0)
    assert crop.shape == (16, 16, 3)
    np.testing.assert_array_equal(cut, mask[crop[..., 0], crop[..., 1]])
    above = max(0, 16 - size[0]) // 2
    if size[0] == 10:
        np.testing.assert_array_equal(crop[: above + 1, 0, 0], range(above, -1, -1))


def test_float_images_stay_float():
    crop, _ = Augmentation(8)(np.random.RandomState(0).rand(20, 20, 3).astype(np.float32), np.zeros((20, 20), "u1"), 0)
    assert crop.dtype == np.float32


def test_bad_arguments():
    with pytest.raises(ValueError, match="crop"):
        Augmentation(0)
    for name in ("crack_preference", "mirror", "vertical_flip"):
        with pytest.raises(ValueError, match=name):
            Augmentation(8, **{name: 1.5})


def test_importing_asks_nobody_for_updates():
    import os

    import csbsr.data  # noqa: F401

    assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"
