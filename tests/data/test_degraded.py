"""Degraded test sets in the published layout, the release's spelling and 8-bit kernels included."""

import numpy as np
import pytest
import torch
from PIL import Image

from csbsr.data import DataError, DegradedPairs, degraded_data
from tests.data.helpers import Halving


def write_set(root, name="blur", size=(12, 16), names=("b", "a"), hr_images=True):
    draw = np.random.RandomState(0)
    contents = {}
    folders = ["gt/images", "gt/masks", f"{name}/kernels", f"{name}/lr_images"] + [f"{name}/hr_images"] * hr_images
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for stem in names:
        hr = draw.randint(0, 256, (*size, 3)).astype(np.uint8)
        mask = np.zeros((size[0] + 1, size[1] + 1), np.uint8)  # the original was not a multiple of the scale
        mask[4, :] = 255
        kernel = draw.rand(5, 5)
        Image.fromarray(np.pad(hr, ((0, 1), (0, 1), (0, 0)))).save(root / "gt" / "images" / f"{stem}.jpg")
        Image.fromarray(mask).save(root / "gt" / "masks" / f"{stem}.jpg", quality=95)
        Image.fromarray(hr[::2, ::2]).save(root / name / "lr_images" / f"{stem}.png")
        Image.fromarray(np.rint(255 * kernel / kernel.max()).astype(np.uint8)).save(
            root / name / "kernels" / f"{stem}.png"
        )
        if hr_images:
            Image.fromarray(hr).save(root / name / "hr_images" / f"{stem}.png")
        contents[stem] = hr, kernel / kernel.sum()
    return contents


@pytest.mark.parametrize("inside", ["", "test_blurred", "test_blured"])
def test_samples_come_from_the_files(tmp_path, inside):
    contents = write_set(tmp_path / inside)
    data = degraded_data(str(tmp_path), Halving(), crop=8, num_workers=0, eval_batch_size=2)
    data.setup("test")
    (batch,) = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert batch["name"] == ["a.png", "b.png"]
    assert "blur" not in batch
    hr, kernel = contents["a"]
    np.testing.assert_array_equal(batch["hr"][0].permute(1, 2, 0) * 255, hr)
    np.testing.assert_array_equal(batch["lr"][0].permute(1, 2, 0) * 255, hr[::2, ::2])
    np.testing.assert_allclose(batch["kernel"][0, 0], kernel, atol=1 / 255 / kernel.sum() * kernel.max())
    torch.testing.assert_close(batch["kernel"].sum((2, 3)), torch.ones(2, 1))
    assert batch["mask"].shape == (2, 1, 12, 16)
    assert batch["mask"].sum() == 2 * 16


def test_limit_keeps_the_low_resolution_images(tmp_path):
    write_set(tmp_path)
    data = degraded_data(str(tmp_path), Halving(), crop=8, num_workers=0, test_limit=1)
    data.setup("test")
    assert "lr" in data.test[0]
    assert len(data.test) == 1


def test_without_kept_high_resolution_images_those_in_gt_are_used(tmp_path):
    write_set(tmp_path, size=(12, 16), hr_images=False)
    pairs = DegradedPairs(tmp_path)
    assert pairs.name(0) == "a.jpg"
    assert pairs.read(0)[0].shape == (13, 17, 3)


def test_one_of_several_degradations_must_be_named(tmp_path):
    write_set(tmp_path, "mild")
    write_set(tmp_path, "strong")
    assert len(DegradedPairs(tmp_path, "mild")) == 2
    with pytest.raises(DataError, match=r"the degradations mild, strong; expected exactly one.*data.name="):
        len(DegradedPairs(tmp_path))
    with pytest.raises(DataError, match="expected one called odd"):
        len(DegradedPairs(tmp_path, "odd"))
    assert DegradedPairs(tmp_path, "mild").fingerprint() == DegradedPairs(tmp_path, "mild").fingerprint()


def test_refusals(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        len(DegradedPairs(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="no folder gt/masks"):
        len(DegradedPairs(tmp_path))
    write_set(tmp_path)
    data = degraded_data(str(tmp_path), Halving(), crop=8, num_workers=0)
    with pytest.raises(DataError, match="no train part"):
        data.setup("fit")
    Image.fromarray(np.zeros((5, 8, 3), np.uint8)).save(tmp_path / "blur" / "lr_images" / "a.png")
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "blur" / "kernels" / "b.png")
    data.setup("test")
    with pytest.raises(DataError, match=r"a low-resolution image of 8 x 5 pixels for one of 16 x 12"):
        data.test[0]
    with pytest.raises(DataError, match=r"b.png: found 5 x 5 pixels with the sum 0"):
        data.test[1]
    (tmp_path / "blur" / "kernels" / "a.png").unlink()
    with pytest.raises(DataError, match="no kernel file"):
        len(DegradedPairs(tmp_path))
