"""A segmentor of one's own behind a super-resolution network, trained and evaluated in plain PyTorch.

    python examples/own_segmentor.py 200

takes 200 training steps on generated walls, blurred and four times smaller, and prints the metrics. On the command line
the same network is trained with ``segmentor=custom``: see "Bring your own segmentor" in the documentation.
"""

import sys

import torch
from torch import Tensor, nn

from csbsr.contracts import Batch, SegmentorOutput
from csbsr.data import SyntheticPairs, degrade_batch
from csbsr.degradation import Degradation
from csbsr.joint import JointNetwork
from csbsr.loss import JointLoss, SegmentationLoss, SuperResolutionLoss
from csbsr.metrics import CrackMetrics
from csbsr.segmentor import Segmentor
from csbsr.segmentor.base import probability
from csbsr.sr import DBPN


class Small(Segmentor):
    """Three convolutions; images of any size."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(width, width, 5, padding=4, dilation=2),
            nn.ReLU(),
            nn.Conv2d(width, 1, 3, padding=1),
        )

    def segment(self, image: Tensor, kernel: Tensor | None) -> SegmentorOutput:
        """Normalised image (B, 3, H, W) to probabilities (B, 1, H, W)."""
        return SegmentorOutput(probability(self.layers(image)), ())


def batch_of(pairs: SyntheticPairs, indices: range, degradation: Degradation, generator: torch.Generator) -> Batch:
    """Whole images as a network sees them: hr, mask, and what the degradation makes of hr."""
    images, masks = zip(*(pairs.read(index) for index in indices), strict=True)
    return degrade_batch(
        degradation,
        {
            "hr": torch.stack([torch.from_numpy(image).permute(2, 0, 1) / 255 for image in images]),
            "mask": torch.stack([torch.from_numpy(mask)[None].float() for mask in masks]),
            "blur": torch.stack([degradation.draw(generator) for _ in indices]),
            "name": [pairs.name(index) for index in indices],
        },
    )


def main(steps: int = 200, size: int = 96) -> dict[str, float]:
    """Train for ``steps`` steps on images of ``size`` pixels a side; the metrics on images that were not seen."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    degradation = Degradation(scale=4, sigma=(0.2, 2.0))
    network = JointNetwork(DBPN(scale=4, stages=2, width=0.125), Small())
    loss = JointLoss(
        SuperResolutionLoss(), SegmentationLoss({"weighted_bce": 1.0, "dice": 1.0}, boundary=False), beta=0.5
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)

    training, batch_size = SyntheticPairs("train", 64, (size, size)), 4
    network.train()
    for step in range(steps):
        first = step * batch_size % len(training)
        batch = batch_of(training, range(first, first + batch_size), degradation, generator)
        terms = loss(network(batch["lr"]), batch, alpha=1.0, joint=True)
        optimizer.zero_grad()
        terms.total.mean().backward()
        optimizer.step()

    metrics = CrackMetrics(groups=("iou", "image"))
    network.eval()
    with torch.no_grad():
        batch = batch_of(SyntheticPairs("test", 4, (size, size)), range(4), degradation, generator)
        metrics.update(network(batch["lr"]), batch)
    values = metrics.compute()
    for name, meaning in metrics.definitions().items():
        print(f"{name:18} {values[name]:7.3f}  {meaning}")
    return values


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
