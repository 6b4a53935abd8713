import torch
from torch import nn
from torch.nn import functional as F

from csbsr.segmentor.resnet import BasicBlock, Bottleneck, resnet34, resnet101
from csbsr.sr.width import scaled


def test_sizes_and_channels():
    image = torch.rand(1, 3, 41, 64)
    shapes = [tuple(x.shape[1:]) for x in resnet34(0.125)(image)]
    assert shapes == [(8, 11, 16), (16, 6, 8), (32, 6, 8), (64, 6, 8)]
    shapes = [tuple(x.shape[1:]) for x in resnet101(0.125, blocks=(1, 1, 1))(image)]
    assert shapes == [(32, 11, 16), (64, 6, 8), (128, 3, 4), (256, 3, 4)]


def test_published_parameter_counts():
    """torchvision's counts without the classifier: 21 797 672 - 513 000 and 44 549 160 - 2 049 000."""
    with torch.device("meta"):
        assert sum(p.numel() for p in resnet34().parameters()) == 21_284_672
        assert sum(p.numel() for p in resnet101().parameters()) == 42_500_160


def dilations(layer: nn.Sequential) -> list[int]:
    return [block.conv2.dilation[0] for block in layer]


def test_dilations_as_published():
    with torch.device("meta"):
        pspnet, deeplab = resnet34(), resnet101()
    assert dilations(pspnet.layer2) == [1, 1, 1, 1]
    assert dilations(pspnet.layer3) == [1, 2, 2, 2, 2, 2]
    assert dilations(pspnet.layer4) == [1, 4, 4]
    assert dilations(deeplab.layer3) == [1] * 23
    assert dilations(deeplab.layer4) == [2, 4, 8]


def test_basic_block_by_plain_functions():
    block = BasicBlock(2, 4, stride=2, dilation=2).eval()
    x = torch.randn(1, 2, 9, 7)
    y = F.relu(normalised(block.bn1, F.conv2d(x, block.conv1.weight, stride=2, padding=2, dilation=2)))
    y = normalised(block.bn2, F.conv2d(y, block.conv2.weight, padding=2, dilation=2))
    shortcut = normalised(block.downsample[1], F.conv2d(x, block.downsample[0].weight, stride=2))
    torch.testing.assert_close(block(x), F.relu(y + shortcut))


def test_bottleneck_by_plain_functions():
    block = Bottleneck(8, 2, dilation=4).eval()
    assert block.downsample is None
    x = torch.randn(1, 8, 9, 7)
    y = F.relu(normalised(block.bn1, F.conv2d(x, block.conv1.weight)))
    y = F.relu(normalised(block.bn2, F.conv2d(y, block.conv2.weight, padding=4, dilation=4)))
    y = normalised(block.bn3, F.conv2d(y, block.conv3.weight))
    torch.testing.assert_close(block(x), F.relu(y + x))


def normalised(norm: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-5)


def test_scaled():
    assert scaled(441, 1.0) == 441
    assert [scaled(64, width) for width in (0.01, 0.125, 0.3, 0.5, 2)] == [8, 8, 16, 32, 128]
    assert scaled(64, 0.3, multiple=4) == 20
