"""The checks find every kind of problem and say where it is."""

import shutil

import numpy as np
from PIL import Image

from csbsr.data import FolderPairs, check
from tests.data.helpers import Numbered, write_pairs


def test_clean_data_have_no_problems(tmp_path):
    write_pairs(tmp_path, "train")
    write_pairs(tmp_path, "test")
    assert check({"train": FolderPairs(tmp_path, "train"), "test": FolderPairs(tmp_path, "test")}) == []


def test_every_kind(tmp_path):
    write_pairs(tmp_path, "train", "abcdef", mask_suffix=".png")
    write_pairs(tmp_path, "test", "xy")
    images, masks = tmp_path / "train" / "images", tmp_path / "train" / "masks"
    (images / "a.jpg").write_bytes((images / "a.jpg").read_bytes()[:300])
    shutil.copy(images / "b.jpg", images / "c.jpg")
    Image.fromarray(np.full((20, 30), 255, np.uint8)).save(masks / "d.png")
    Image.fromarray(np.full((20, 30), 1, np.uint8)).save(masks / "e.png")
    shutil.copy(images / "f.jpg", tmp_path / "test" / "images" / "x.jpg")
    for name in "xy":
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "test" / "masks" / f"{name}.png")
    sources = {split: FolderPairs(tmp_path, split) for split in ("train", "test")}
    found = check({**sources, "missing": FolderPairs(tmp_path, "missing")})
    assert [(problem.split, problem.name, problem.kind) for problem in found] == [
        ("train", "a.jpg", "unreadable"),
        ("train", "c.jpg", "duplicate"),
        ("train", "d.jpg", "warning"),
        ("train", "e.jpg", "unreadable"),
        ("test", "x.jpg", "leak"),
        ("test", "", "no cracks"),
        ("missing", "", "unreadable"),
    ]
    assert "largest value is 1" in found[3].message
    assert "f.jpg in train" in found[4].message


def test_any_source():
    assert check({"train": Numbered(3)}) == []
