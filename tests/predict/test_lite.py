"""Prediction with the lite system: one look at the photograph, then tiles that equal the whole."""

import numpy as np
import pytest
import torch

import csbsr
from csbsr.joint import LiteNetwork
from csbsr.joint.lite_appearance import appearance_of, flipped
from csbsr.predict import Predictor
from csbsr.predict.options import suggested


@pytest.fixture(scope="module")
def network():
    return csbsr.load("lite")


def photograph(height, width):
    generator = np.random.default_rng(height)
    coarse = generator.uniform(0, 120, (-(-height // 6), -(-width // 6), 3)).repeat(6, 0).repeat(6, 1)[:height, :width]
    image = coarse + generator.uniform(0, 100, (height, width, 3))
    image[np.abs(np.arange(height) - height // 3) < 2] *= 0.3
    return image.astype(np.uint8)


def test_strips_see_what_the_whole_is(network):
    image = torch.from_numpy(photograph(600, 40)).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        whole = network.appearance(image)
        read = appearance_of(network, lambda start, stop: image[:, :, start:stop], 600)
        tiny = appearance_of(network, lambda start, stop: image[:, :, start:stop, :9], 7)
        bare = appearance_of(network, lambda start, stop: image[:, :, start:stop], 600, one_kernel=False)
        expected = network.appearance(image[:, :, :7, :9])
    for found, value in zip(read, whole, strict=True):
        torch.testing.assert_close(found, value, atol=1e-5, rtol=0)
    torch.testing.assert_close(tiny.shape, expected.shape, atol=1e-5, rtol=0)
    assert bare.shape is None


def test_the_blur_of_a_flipped_photograph_is_flipped(network):
    image = torch.from_numpy(photograph(90, 120)).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        plain = network.appearance(image)
        for axes in ((), (-1,), (-2,), (-2, -1)):
            turned = network.appearance(image.flip(axes) if axes else image).shape
            flip = flipped(plain, axes).shape
            assert (flip[0, 2] < 0) == ((plain.shape[0, 2] < 0) == (len(axes) != 1))
            torch.testing.assert_close(turned[:, 0], flip[:, 0], atol=0.15, rtol=0)


def test_tiles_equal_the_whole(network):
    image = photograph(248, 236)
    lr = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        whole = network(lr)
    options = suggested(network)
    result = Predictor(network, tile=256, blend=16).predict(image)
    assert options.kernel == "photograph"
    assert result.kernels.shape == (1, 1, 21, 21)
    np.testing.assert_allclose(result.kernel, whole.kernel[0, 0], atol=1e-6)
    np.testing.assert_allclose(result.probability, whole.segmentation[0, 0], atol=1e-4)
    np.testing.assert_allclose(result.sr, whole.sr[0].permute(1, 2, 0), atol=1e-4)


def test_a_kernel_for_each_tile_is_possible(network):
    result = Predictor(network, tile=128, margin_sr=32, margin_segmentation=32, kernel="tile").predict(
        photograph(96, 94)
    )
    assert result.kernels.shape[:2] == (3, 3)
    assert np.ptp(result.kernels[..., 10, 10]) > 0


def test_what_the_system_suggests_gives_way_to_what_is_asked(network):
    assert Predictor(network).options.tile == 2560
    assert Predictor(network, tile=512, margin_sr=None).options.tile == 512
    assert Predictor(network, margin_sr=None).options.margin_sr == 320
    assert Predictor(LiteNetwork(channels=8, widths=(8, 8, 8), blind=False), kernel="tile").options.kernel == "tile"


class Rows:
    """A sink that keeps what it gets."""

    def __init__(self, shrinks):
        self.shrinks, self.image, self.levels = shrinks, [], []

    def begin(self, height, width): ...

    def sr(self, rows):
        self.image.append(rows.copy())

    def segmentation(self, levels, mask, variance):
        self.levels.append(levels.copy())


@pytest.mark.parametrize(("shrinks", "k"), [(6, 2), (9, 1), (0, 4), (8, 4)])
def test_super_resolved_rows_that_are_shrunken_anyway_come_shrunken(network, shrinks, k):
    image, valid = photograph(72, 60), np.ones((72, 60), bool)
    valid[20:33, 7:30] = False
    predictor = Predictor(network, tile=128, margin_sr=32, margin_segmentation=32, flips=2)
    whole, less = Rows(1), Rows(shrinks)
    for sink in (whole, less):
        predictor.run(image, sink, valid=valid)
    expected = np.concatenate(whole.image, 1)
    assert expected.shape == (3, 288, 240)
    expected = expected.reshape(3, 288 // k, k, 240 // k, k).mean((2, 4))
    # An eighth of a level of 8 bits: where tiles of so small a margin differ, they fade by the mean of their weights.
    np.testing.assert_allclose(np.concatenate(less.image, 1), expected, atol=5e-4)
    np.testing.assert_array_equal(np.concatenate(less.levels), np.concatenate(whole.levels))
