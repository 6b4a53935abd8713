"""What the sinks of csbsr-predict keep of a super-resolved image, whole or already shrunken."""

import numpy as np
import pytest

from csbsr.inspection import writing
from csbsr.inspection.store import GrowingFiles, PicturePlaces
from csbsr.inspection.writing import KeptRows, ResultFiles, View


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(writing, "LARGEST", 10)


def files(tmp_path, *kinds):
    return GrowingFiles({kind: tmp_path / kind for kind in kinds}, PicturePlaces.of(tmp_path, "a"), tmp_path)


def test_a_view_of_means_is_that_of_the_whole():
    image = np.random.default_rng(0).integers(0, 64, (18, 56, 3)).astype(np.uint8).repeat(2, 0).repeat(2, 1)
    whole, halved = View(36, 112), View(36, 112)
    assert whole.factor == 12  # of 112 to at most 10
    for start in range(0, 36, 4):
        whole.add(image[start : start + 4])
        halved.add(image[start : start + 4 : 2, ::2])
    assert whole.result().shape == (3, 10, 3)
    np.testing.assert_allclose(halved.result(), whole.result(), atol=1e-4)
    np.testing.assert_allclose(whole.result()[0, 0], image[:12, :12].mean((0, 1)), rtol=1e-5)


@pytest.mark.parametrize(
    ("kinds", "alone", "kept"),
    [(("mask",), 0, 12), (("overlay", "mask"), 12, 12), (("sr",), 1, 1), (("sr", "overlay"), 1, 1)],
)
def test_sinks_tell_by_how_much_they_shrink(tmp_path, kinds, alone, kept):
    rows = ResultFiles(files(tmp_path, *kinds))
    both = KeptRows(rows, 64)
    both.begin(36, 112)
    rows.abandon()
    assert (rows.shrinks, both.shrinks, KeptRows(None, 64).shrinks) == (alone, kept, 0)
