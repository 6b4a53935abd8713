"""VGG16's convolutions (Simonyan & Zisserman 2015), parameter names as in torchvision's published ImageNet file."""

from __future__ import annotations

from torch import Tensor, nn

from csbsr.sr.width import scaled

#: Channels of the convolutions of each group.
GROUPS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class VGG16(nn.Module):
    """Five groups of conv3 and ReLU, a 2×2 max-pool before each but the first; the last group is not pooled.

    Args:
        width: fraction of the published channel counts.

    Attributes:
        channels: number of channels of the five returned maps.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.channels: tuple[int, ...] = ()
        inputs = 3
        for group in GROUPS:
            if layers:
                layers.append(nn.MaxPool2d(2))
            for published in group:
                outputs = scaled(published, width)
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]
                inputs = outputs
            self.channels += (inputs,)
        self.features = nn.Sequential(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, image: Tensor) -> list[Tensor]:
        """The five groups' outputs for ``image`` (B, 3, H, W), at sizes H, H/2, H/4, H/8, H/16."""
        maps = []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                maps.append(image)
            image = layer(image)
        return [*maps, image]
