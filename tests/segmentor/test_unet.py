import pytest
import torch
from torch import nn
from torch.nn import functional as F

from csbsr.segmentor import UNet
from csbsr.segmentor.unet import bilinear_block, deconvolution_block, pixel_shuffle_block
from csbsr.segmentor.vgg import VGG16
from csbsr.weights.unet import PART
from tests import golden
from tests.segmentor.contract import SegmentorContract
from tests.segmentor.released import segment_golden


class TestPixelShuffle(SegmentorContract):
    def make(self):
        return UNet(width=0.125)


class TestDeconvolution(SegmentorContract):
    def make(self):
        return UNet("deconvolution", width=0.125)


class TestBilinear(SegmentorContract):
    def make(self):
        return UNet("bilinear", width=0.125)


def test_golden():
    ours, golden_segmentation = segment_golden(PART, "csbsr_unet")
    torch.testing.assert_close(ours, golden_segmentation, rtol=0, atol=1e-6)


def test_the_duplicate_encoder_is_known_to_be_unused():
    prefix = "segmentation_model."
    names = [name.removeprefix(prefix) for name in golden.keys("csbsr_unet") if name.startswith(prefix)]
    unused = {name for name in names if PART.rename(name) is None}
    assert unused == {name for name in names if name.startswith("encoder.")}
    assert len(unused) == 26
    assert PART.rename("conv5.4.bias") == "encoder.features.28.bias"


def test_unknown_decoder_lists_the_choices():
    with pytest.raises(ValueError, match="pixel_shuffle, deconvolution, bilinear, got 'nearest'"):
        UNet("nearest")


@pytest.mark.parametrize("block", [pixel_shuffle_block, deconvolution_block, bilinear_block])
def test_a_block_doubles_the_size(block):
    assert block(6, 4)(torch.rand(1, 6, 3, 5)).shape == (1, 4, 6, 10)


def test_pixel_shuffle_block_by_hand():
    block = pixel_shuffle_block(1, 1)
    with torch.no_grad():
        block[0].weight.zero_()
        block[0].bias.copy_(torch.tensor([1.0, 2.0, -3.0, 4.0]))
    assert block(torch.rand(1, 1, 1, 2)).tolist() == [[[[1, 2, 1, 2], [0, 4, 0, 4]]]]


def test_vgg_pools_before_every_group_but_the_first_and_never_last():
    encoder = VGG16(width=0.125)
    image = torch.rand(1, 3, 32, 48)
    maps = encoder(image)
    assert [tuple(x.shape) for x in maps] == [
        (1, 8, 32, 48),
        (1, 16, 16, 24),
        (1, 32, 8, 12),
        (1, 64, 4, 6),
        (1, 64, 2, 3),
    ]
    # the second map, recomputed from the first with plain functions
    x = F.max_pool2d(maps[0], 2)
    for index in (5, 7):
        convolution = encoder.features[index]
        assert isinstance(convolution, nn.Conv2d)
        x = F.relu(F.conv2d(x, convolution.weight, convolution.bias, padding=1))
    torch.testing.assert_close(maps[1], x)
