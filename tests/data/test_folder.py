"""Folder data sets: pairing, sorting, and errors that say what to do."""

import numpy as np
import pytest
from PIL import Image

from csbsr.data import DataError, FolderPairs
from tests.data.helpers import write_pairs


def test_pairs_by_stem_in_any_case_and_below_folders(tmp_path):
    write_pairs(tmp_path, "train", ["b", "A"], image_suffix=".JPG", mask_suffix=".png")
    write_pairs(tmp_path, "train", ["c.d"], image_suffix=".tif", mask_suffix=".bmp")
    (tmp_path / "train" / "images" / "wall").mkdir()
    (tmp_path / "train" / "masks" / "wall").mkdir()
    for kind in ("images", "masks"):
        (tmp_path / "train" / kind / "A.JPG" if kind == "images" else tmp_path / "train" / kind / "A.png").rename(
            tmp_path / "train" / kind / "wall" / ("A.JPG" if kind == "images" else "A.png")
        )
        (tmp_path / "train" / kind / "._b.jpg").write_bytes(b"left by a Mac")
        (tmp_path / "train" / kind / "notes.txt").write_text("no image")
    pairs = FolderPairs(tmp_path, "train")
    assert [pairs.name(index) for index in range(len(pairs))] == ["b.JPG", "c.d.tif", "wall/A.JPG"]
    image, mask = pairs.read(2)
    assert image.shape == (20, 30, 3)
    assert mask.sum() == 30


def test_missing_root_says_how_to_get_the_data(tmp_path):
    with pytest.raises(DataError) as caught:
        len(FolderPairs(tmp_path / "nowhere", "train", "Download it from example.org."))
    text = str(caught.value)
    for part in ("nowhere", "no such folder", "example.org", "data.root", "data=synthetic"):
        assert part in text
    assert "Download it from example.org. Then set data.root=" in text
    with pytest.raises(DataError, match=r"/test: found no such folder.*same name up to the suffix\. Set data\.root="):
        len(FolderPairs(write_pairs(tmp_path, "train"), "test"))


def test_making_the_source_reads_nothing(tmp_path):
    FolderPairs(tmp_path / "nowhere", "train")


def test_empty_folder(tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "train" / kind).mkdir(parents=True)
    with pytest.raises(DataError, match=r"images: found no image file; expected files ending in .*\.jpg"):
        len(FolderPairs(tmp_path, "train"))


def test_images_without_masks_are_counted_and_named(tmp_path):
    write_pairs(tmp_path, "train", "abcdefgh")
    for name in "acdefgh":
        (tmp_path / "train" / "masks" / f"{name}.png").unlink()
    with pytest.raises(DataError, match=r"7 of 8 images without a mask \(a.jpg, c.jpg, d.jpg, e.jpg, f.jpg, ...\)"):
        len(FolderPairs(tmp_path, "train"))


def test_masks_without_images_only_warn(tmp_path, caplog):
    write_pairs(tmp_path, "train")
    (tmp_path / "train" / "images" / "b.jpg").unlink()
    assert len(FolderPairs(tmp_path, "train")) == 2
    assert "b.png" in caplog.text


def test_a_stem_that_occurs_twice(tmp_path):
    write_pairs(tmp_path, "train")
    write_pairs(tmp_path, "train", ["b"], image_suffix=".png")
    with pytest.raises(DataError, match=r"b.png: found the same name as b.jpg"):
        len(FolderPairs(tmp_path, "train"))


def test_sizes_that_differ_name_both_files(tmp_path):
    write_pairs(tmp_path, "train")
    Image.fromarray(np.zeros((20, 31), np.uint8)).save(tmp_path / "train" / "masks" / "b.png")
    pairs = FolderPairs(tmp_path, "train")
    pairs.read(0)
    with pytest.raises(DataError, match=r"b\.jpg: found 30 x 20 pixels, but its mask .*b\.png has 31 x 20"):
        pairs.read(1)


def test_fingerprint_follows_names_and_sizes(tmp_path):
    first = FolderPairs(write_pairs(tmp_path / "x", "train"), "train").fingerprint()
    assert FolderPairs(write_pairs(tmp_path / "y", "train"), "train").fingerprint() == first
    assert FolderPairs(write_pairs(tmp_path / "z", "train", "abd"), "train").fingerprint() != first
    with open(tmp_path / "y" / "train" / "images" / "a.jpg", "ab") as file:
        file.write(b"\0")
    assert FolderPairs(tmp_path / "y", "train").fingerprint() != first


def test_real_data_sets(photographs):
    for name, train, test in (("crackforest", 72, 24), ("masonry", 156, 44)):
        assert len(FolderPairs(photographs / name, "train")) == train
        pairs = FolderPairs(photographs / name, "test")
        assert len(pairs) == test
        image, mask = pairs.read(0)
        assert image.shape[:2] == mask.shape
        assert 0 < mask.mean() < 0.3
