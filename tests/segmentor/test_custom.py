import pytest
import torch
from monai.networks.nets import BasicUNet, SegResNet
from torch import nn

from csbsr.build import build
from csbsr.segmentor import Custom
from tests.segmentor.contract import SegmentorContract


class TestBasicUNet(SegmentorContract):
    def make(self):
        network = BasicUNet(spatial_dims=2, in_channels=3, out_channels=1, features=(8, 8, 8, 8, 8, 8))
        return Custom(network, size_multiple=16, minimum_size=32)


class TestSegResNet(SegmentorContract):
    def make(self):
        network = SegResNet(spatial_dims=2, in_channels=3, out_channels=1, init_filters=8, blocks_down=(1, 1, 1, 1))
        return Custom(network, size_multiple=8)


def test_by_description():
    spec = {
        "_target_": "csbsr.segmentor.Custom",
        "network": {"_target_": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 1, "kernel_size": 1},
    }
    with pytest.raises(ValueError, match="trusted"):
        build(spec)
    assert build(spec, ["csbsr", "torch"])(torch.rand(1, 3, 5, 6)).segmentation.shape == (1, 1, 5, 6)


def test_logits_or_probability():
    image = torch.full((1, 3, 2, 2), 0.25)
    first_channel = nn.Conv2d(3, 1, 1, bias=False)
    nn.init.constant_(first_channel.weight, 1 / 3)
    for logits, expected in ((True, 0.5621765), (False, 0.25)):
        segmentation = Custom(first_channel, logits=logits)(image).segmentation
        torch.testing.assert_close(segmentation, torch.full((1, 1, 2, 2), expected))


def test_probability_under_autocast_is_float32():
    network = Custom(nn.Sequential(nn.Conv2d(3, 1, 1), nn.Sigmoid()), logits=False)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.rand(1, 3, 4, 4)).segmentation.dtype == torch.float32


def test_size_multiple_and_minimum_size_reach_the_network():
    seen = []
    network = nn.Conv2d(3, 1, 1)
    network.register_forward_hook(lambda module, arguments, output: seen.append(tuple(output.shape[-2:])))
    Custom(network, size_multiple=4, minimum_size=10)(torch.rand(1, 3, 5, 13))
    assert seen == [(12, 16)]


@pytest.mark.parametrize(
    ("network", "got"),
    [(nn.Conv2d(3, 2, 1), r"\(1, 2, 8, 8\)"), (nn.Conv2d(3, 1, 3), r"\(1, 1, 6, 6\)")],
)
def test_wrong_output_is_named(network, got):
    with pytest.raises(ValueError, match=rf"Conv2d should return .* got {got}"):
        Custom(network)(torch.rand(1, 3, 8, 8))


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"network: expected a torch\.nn\.Module, got dict"):
        Custom({"in_channels": 3})
    with pytest.raises(ValueError, match=r"size_multiple: .* got 0"):
        Custom(nn.Identity(), size_multiple=0)
    with pytest.raises(ValueError, match=r"minimum_size: .* got -1"):
        Custom(nn.Identity(), minimum_size=-1)
