"""An image by rows of tiles gives what it gives whole, goes on from every row, and is empty where there is no data."""

import numpy as np
import pytest
import torch

import csbsr
from csbsr.data.reading.by_rows import Looked
from csbsr.predict import Predictor, by_rows
from csbsr.predict.by_rows import ByRows, looked_windows
from csbsr.predict.rows import LEVELS, NO_DATA
from tests.predict.systems import parallel, serial

HEIGHT, WIDTH = 168, 136
SMALL = {"tile": 128, "margin_sr": 128, "margin_segmentation": 128, "blend": 16, "device": "cpu"}


class Image:
    """A source in memory."""

    def __init__(self, pixels, valid=None):
        self.pixels, self.shape = pixels, pixels.shape[:2]
        self.valid = np.ones(self.shape, bool) if valid is None else valid
        self.decoded = 0

    def rows(self, start, stop):
        self.decoded += stop - start
        return self.pixels[start:stop], self.valid[start:stop]

    def look(self):
        seen = self.pixels[self.valid] / 255
        return Looked(seen.mean(0), float(seen.var(0).mean()), float(self.valid.mean()), (), ())


class Kept:
    """A sink that keeps all."""

    def __init__(self):
        self.levels, self.variance, self.sr, self.states = [], [], [], []

    def add(self, rows):
        for name in ("levels", "variance", "sr"):
            value = getattr(rows, name)
            getattr(self, name).append(None if value is None else value.copy())

    def keep(self, row, state):
        self.states.append((len(self.levels), {name: np.array(value) for name, value in state.items()}))

    def all(self, name):
        return np.concatenate(getattr(self, name))


@pytest.fixture(scope="module")
def network():
    return csbsr.load("lite")


@pytest.fixture(scope="module")
def pixels():
    generator = np.random.default_rng(3)
    image = generator.uniform(90, 140, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    image[np.abs(np.arange(HEIGHT) - 40) < 2] //= 4
    return image


@pytest.mark.parametrize(("scale", "flips"), [(4, 1), (2, 1), (1, 2)])
def test_the_result_is_that_of_the_whole(network, pixels, scale, flips):
    predictor, sink = Predictor(network, flips=flips, **SMALL), Kept()
    whole = predictor.predict(pixels)
    run = ByRows(predictor, Image(pixels), scale, with_sr=True)
    assert run.rows_of_tiles > 2
    outcome = run.run(sink)
    k, shape = 4 // scale, (HEIGHT * scale, WIDTH * scale)
    assert run.shape == shape

    def shrunken(image):
        return image.reshape(shape[0], k, shape[1], k, *image.shape[2:]).mean((1, 3))

    np.testing.assert_allclose(sink.all("levels") / LEVELS, shrunken(whole.probability), atol=2e-3)
    np.testing.assert_allclose(sink.all("sr"), 255 * shrunken(whole.sr), atol=1.01)
    np.testing.assert_allclose(outcome.kernels[0, 0], whole.kernel, atol=1e-6)
    assert (outcome.skipped, outcome.tiles) == (0, run.rows_of_tiles * 3)
    if flips == 1:
        assert sink.variance[0] is None
    else:
        assert 0 < sink.all("variance").max() <= 0.25


def test_one_tile_gives_the_whole_to_the_level(network, pixels):
    predictor, sink = Predictor(network, **{**SMALL, "tile": 512}), Kept()
    ByRows(predictor, Image(pixels), 4).run(sink)
    expected = np.rint(predictor.predict(pixels).probability * LEVELS)
    expected[expected == NO_DATA] = 0
    assert np.abs(sink.all("levels") - expected).max() <= 1
    assert sink.sr[0] is None


@pytest.mark.parametrize("flips", [1, 2])
def test_every_row_of_tiles_can_be_gone_on_from(network, pixels, flips):
    valid = np.ones((HEIGHT, WIDTH), bool)
    valid[:, :70] = False
    predictor, sink = Predictor(network, flips=flips, **SMALL), Kept()
    outcome = ByRows(predictor, Image(pixels, valid), 2, with_sr=True).run(sink)
    assert outcome.skipped > 0
    for parts, state in sink.states:
        later, shares = Kept(), []
        again = ByRows(predictor, Image(pixels, valid), 2, with_sr=True).run(later, state, shares.append)
        assert sum(shares) == pytest.approx(1)
        assert again.skipped == outcome.skipped
        np.testing.assert_array_equal(again.kernels, outcome.kernels)
        for name in ("levels", "sr"):
            rows = getattr(later, name)
            assert len(rows) == len(getattr(sink, name)) - parts
            for one, other in zip(rows, getattr(sink, name)[parts:], strict=True):
                np.testing.assert_array_equal(one, other)


def test_there_is_no_result_where_there_is_no_data(network, pixels):
    valid = np.zeros((HEIGHT, WIDTH), bool)
    valid[130:, 100:] = True
    sink = Kept()
    outcome = ByRows(Predictor(network, **SMALL), Image(pixels, valid), 1).run(sink)
    levels = sink.all("levels")
    assert (levels[~valid] == NO_DATA).all()
    assert (levels[valid] != NO_DATA).all()
    assert outcome.skipped == outcome.tiles - 1


def test_of_another_system_of_one_pass(pixels):
    network, sink = parallel(), Kept()
    predictor = Predictor(network, **SMALL)
    outcome = ByRows(predictor, Image(pixels), network.scale).run(sink)
    assert outcome.kernels is None
    np.testing.assert_allclose(sink.all("levels") / LEVELS, predictor.predict(pixels).probability, atol=1e-4)


def test_what_cannot_go_by_rows_is_refused(network, pixels):
    with pytest.raises(ValueError, match="segments in one pass, such as lite; use windows=false"):
        ByRows(Predictor(serial(), device="cpu"), Image(pixels), 1)
    for scale in (0, 3, 8):
        with pytest.raises(ValueError, match=f"result_scale: expected a divisor of the system's scale 4, got {scale}"):
            ByRows(Predictor(network, device="cpu"), Image(pixels), scale)


def test_where_memory_is_short_tiles_are_smaller(network, pixels, monkeypatch):
    predictor = Predictor(network, **{**SMALL, "tile": 1024})
    tiles = []
    for free in (1 << 40, 40 << 20, 20 << 20):
        monkeypatch.setattr(by_rows, "available_memory", lambda free=free: free)
        tiles.append(ByRows(predictor, Image(pixels), 1).tile)
    assert tiles[0] == 1024 > tiles[1] > tiles[2] >= predictor.system.smallest_tile
    with monkeypatch.context() as patch:
        patch.setattr(by_rows, "_LARGEST_WINDOW", 16 << 20)
        patch.setattr(by_rows, "available_memory", lambda: None)
        small = ByRows(predictor, Image(pixels), 1).tile
        assert tiles[0] > small > predictor.system.smallest_tile
        patch.setattr(network, "memory", predictor.system.bytes_per_pixel())  # as of OpenVINO
        assert ByRows(predictor, Image(pixels), 1).tile < small
    monkeypatch.setattr(by_rows, "available_memory", lambda: 1 << 20)
    with pytest.raises(MemoryError, match=f"{WIDTH} pixels across takes about 0.0.* GB .* cut it into parts"):
        ByRows(predictor, Image(pixels), 1)
    assert ByRows(predictor, Image(pixels), 1, tile=512).tile == 512  # as it was begun


def test_the_blur_is_looked_at_where_all_is_data(monkeypatch):
    monkeypatch.setattr(by_rows, "_LOOKED_AT", 20)
    pixels = np.broadcast_to(np.arange(100, dtype=np.uint8)[None, :, None], (100, 100, 3))
    valid = np.zeros((100, 100), bool)
    valid[:, 40:60] = True
    found = list(looked_windows(Image(pixels, valid)))
    assert len(found) == 4
    assert all((window == pixels[:20, 40:60]).all() for window in found)
    valid[:] = False
    valid[50:90, 33:40] = True  # no window is all data: one, and its holes filled
    (found,) = looked_windows(Image(pixels, valid))
    assert found.shape == (20, 20, 3)
    assert 33 <= found.min() <= found.max() < 40


def test_a_result_that_is_not_finite_is_refused(network, pixels):
    predictor = Predictor(network, **SMALL)
    upscale = predictor.system.upscale

    def broken(*args, **more):
        found = upscale(*args, **more)
        return found._replace(segmentation=found.segmentation * np.nan)

    predictor.system.upscale = broken
    with pytest.raises(ValueError, match="not finite"), torch.inference_mode():
        ByRows(predictor, Image(pixels), 1).run(Kept())
