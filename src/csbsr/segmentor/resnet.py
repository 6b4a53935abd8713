"""ResNet encoders (He et al. 2016) with dilation, parameter names as in torchvision's published ImageNet files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from csbsr.sr.width import scaled


class BasicBlock(nn.Module):
    """``ReLU(x' + BN(conv3(ReLU(BN(conv3(x))))))``: the block of ResNet-18 and ResNet-34.

    ``x'`` is ``x``, or its BN(conv1) where the number of channels or the size changes.  Only the first convolution has
    the stride; both have the dilation.
    """

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        conv3 = partial(nn.Conv2d, kernel_size=3, padding=dilation, dilation=dilation, bias=False)
        self.conv1 = conv3(inputs, planes, stride=stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = _shortcut(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, planes, H/stride, W/stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + shortcut)


class Bottleneck(nn.Module):
    """``ReLU(x' + BN(conv1(ReLU(BN(conv3(ReLU(BN(conv1(x)))))))))``: the block of ResNet-50 and larger.

    The last convolution widens ``planes`` fourfold.  The 3×3 convolution has the stride and the dilation.
    """

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        outputs = self.expansion * planes
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, 4·planes, H/stride, W/stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + shortcut)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    """Stem (conv7/2, BN, ReLU, maxpool3/2) and four layers of blocks.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        strides: stride of the first block of each layer.
        dilations: for each layer, the dilation of every block; its length is the number of blocks.
        width: fraction of the published channel counts.

    Attributes:
        channels: number of channels of the four returned maps.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        strides: Sequence[int],
        dilations: Sequence[Sequence[int]],
        width: float = 1.0,
    ) -> None:
        super().__init__()
        planes = [scaled(64 * 2**i, width) for i in range(4)]
        self.channels = tuple(block.expansion * n for n in planes)
        self.conv1 = nn.Conv2d(3, planes[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(planes[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs = (planes[0], *self.channels)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _layer(block, inputs[i], planes[i], strides[i], dilations[i]) for i in range(4)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The outputs of the four layers for ``image`` (B, 3, H, W), the first at a quarter of its size."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        layer1 = self.layer1(x)
        layer2 = self.layer2(layer1)
        layer3 = self.layer3(layer2)
        return layer1, layer2, layer3, self.layer4(layer3)


def _layer(
    block: type[BasicBlock] | type[Bottleneck], inputs: int, planes: int, stride: int, dilations: Sequence[int]
) -> nn.Sequential:
    first, *rest = dilations
    blocks = [block(inputs, planes, stride, first)]
    return nn.Sequential(*blocks, *(block(block.expansion * planes, planes, 1, dilation) for dilation in rest))


def resnet34(width: float = 1.0, blocks: Sequence[int] = (3, 4, 6, 3)) -> ResNet:
    """ResNet-34 at output stride 8, as PSPNet uses it (Kondo & Ukita 2024).

    The last two layers keep stride 1; their blocks after the first have dilation 2 and 4.  ``blocks``: number of blocks
    of each layer.  Returned maps: 64, 128, 256, 512 channels at ⌈H/4⌉, ⌈H/8⌉, ⌈H/8⌉, ⌈H/8⌉.
    """
    dilations = [[1] + [after] * (count - 1) for count, after in zip(blocks, (1, 1, 2, 4), strict=True)]
    return ResNet(BasicBlock, (1, 2, 1, 1), dilations, width)


def resnet101(width: float = 1.0, blocks: Sequence[int] = (3, 4, 23)) -> ResNet:
    """ResNet-101 at output stride 16, as DeepLabV3+ uses it in DSRL (Wang et al. 2020).

    The last layer keeps stride 1 and has three blocks with dilations 2, 4, 8.  ``blocks``: number of blocks of the
    first three layers.  Returned maps: 256, 512, 1024, 2048 channels at ⌈H/4⌉, ⌈H/8⌉, ⌈H/16⌉, ⌈H/16⌉.
    """
    dilations = [[1] * count for count in blocks] + [[2, 4, 8]]
    return ResNet(Bottleneck, (1, 2, 2, 1), dilations, width)
