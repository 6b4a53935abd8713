"""Images kept, measured and shrunk by rows."""

import numpy as np
import pytest

from csbsr.predict import rows as rows_module
from csbsr.predict.rows import RowStore, Shrinker, Statistics, as_float


@pytest.mark.parametrize("in_memory", [1 << 20, 100])
def test_a_store_gives_back_what_it_got(in_memory, tmp_path, monkeypatch):
    monkeypatch.setattr(rows_module, "IN_MEMORY", in_memory)
    image = np.random.default_rng(0).random((4, 23, 11), np.float32)
    image[0, 0, :2] = -0.2, 1.2
    with RowStore(4, 11, tmp_path) as store:
        for start in range(0, 23, 5):
            store.append(image[:, start : start + 5])
            np.testing.assert_allclose(as_float(store.read(start, start + 3)), image.clip(0, 1)[:, start : start + 3],
                                       atol=7.7e-6)  # fmt: skip
        np.testing.assert_allclose(as_float(store.read(0, 23)), image.clip(0, 1), atol=7.7e-6)
    assert not list(tmp_path.iterdir())


def test_statistics_are_those_of_the_whole():
    image = np.random.default_rng(0).random((3, 40, 30), np.float32) * 0.1 + 0.8
    numbers = Statistics(3)
    for start in range(0, 40, 7):
        numbers.add(image[:, start : start + 7])
    mean, variance = numbers.result()
    np.testing.assert_allclose(mean, image.mean((1, 2), dtype=np.float64), atol=1e-7)
    np.testing.assert_allclose(variance, image.var((1, 2), dtype=np.float64), rtol=1e-5)


@pytest.mark.parametrize("step", [1, 3, 50])
@pytest.mark.parametrize("factor", [1, 4, 7, 60])
def test_shrinking(factor, step):
    image = np.random.default_rng(0).integers(0, 255, (26, 33, 3), np.uint8)
    mean, largest = Shrinker(26, 33, factor), Shrinker(26, 33, factor, largest=True)
    half = Shrinker(26, 33, factor, dtype=np.float16)
    for start in range(0, 26, step):
        mean.add(image[start : start + step])
        half.add(image[start : start + step])
        largest.add(image[start : start + step, :, 0] > 240)
    for y in range(-(-26 // factor)):
        for x in range(-(-33 // factor)):
            block = image[y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
            np.testing.assert_allclose(mean.result()[y, x], block.mean((0, 1)), rtol=1e-5)
            assert largest.result()[y, x] == (block[..., 0] > 240).any()
    assert largest.result().dtype == bool
    assert mean.result().dtype == np.float32
    np.testing.assert_array_equal(half.result(), mean.result().astype(np.float16), strict=True)
