"""Masks and probability maps from files of 16 and 32 bits."""

import numpy as np
import pytest
from PIL import Image

from csbsr.data.errors import DataError
from csbsr.measure import read_segmentation

LABELS = np.zeros((6, 8), np.int32)
LABELS[2, 3:6] = 1


@pytest.mark.parametrize("kind", ["auto", "probability", "mask"])
@pytest.mark.parametrize("value", [1, 255])
@pytest.mark.parametrize(("name", "dtype"), [("a.png", np.uint16), ("a.tif", np.int32)])
def test_labels_of_many_bits_are_refused(tmp_path, kind, value, name, dtype):
    Image.fromarray((LABELS * value).astype(dtype)).save(tmp_path / name)
    with pytest.raises(DataError, match=rf"{name}: found 16 bits but values up to {value};.*Save it as 8 bits"):
        read_segmentation(tmp_path / name, kind)


def test_faint_probabilities_are_read_where_they_are_expected(tmp_path):
    Image.fromarray((LABELS * 255).astype(np.uint16)).save(tmp_path / "a.png")
    assert read_segmentation(tmp_path / "a.png", faint=True)[0].max() == pytest.approx(255 / 65535, rel=1e-3)
    Image.fromarray(np.zeros((6, 8), np.uint16)).save(tmp_path / "empty.png")
    assert not read_segmentation(tmp_path / "empty.png")[0].any()


def test_values_beyond_16_bits_are_refused(tmp_path):
    Image.fromarray(LABELS * 70000).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="values from 0 to 70000"):
        read_segmentation(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_the_orientation_is_applied(tmp_path, name):
    levels = np.zeros((6, 8), np.uint16)
    levels[0, 0] = 65535
    picture = Image.fromarray(levels)
    exif = Image.Exif()
    exif[274] = 6  # to be turned by a quarter, clockwise
    picture.save(tmp_path / name, **({"tiffinfo": {274: 6}} if name.endswith("tif") else {"exif": exif}))
    found = read_segmentation(tmp_path / name)[0]
    assert found.shape == (8, 6)
    assert np.argwhere(found > 0.5).tolist() == [[0, 5]]
