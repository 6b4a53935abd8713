"""Developer's tool: train the mask's last two layers of the lite system again, on cached features of generated crops.

Everything before them stays as it is, so a minute or two of one core is enough.  Most crops are scaled down, which
makes cracks and their marks thinner, and cross entropy counts more than Dice, which draws too wide: see docs/lite.md.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from csbsr.data.photometric import Photometric
from csbsr.joint import LiteNetwork
from scripts.train_lite import Bank, Lens, World, generate

SIDE, BATCH, FAR = 192, 16, 10  # pixels of a crop, crops of a step, and how many of these are scaled down


def features(network: LiteNetwork, bank: Bank, crops: int) -> tuple[Tensor, Tensor]:
    """What the last layers see of random crops, 16 bits, and the masks."""
    generator, photometric, lens = torch.Generator().manual_seed(1), Photometric(), Lens()
    seen: list[Tensor] = []
    masks: list[Tensor] = []
    hook = network.segment.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].half()))
    with torch.no_grad():
        for _ in range(crops // BATCH):
            near, wide = (
                bank.crops(BATCH - FAR, SIDE, generator), bank.crops(FAR, SIDE * 3 // 2, generator)
            )  # fmt: skip
            small = [F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True) for x in wide]
            hr, mask = torch.cat((near[0], small[0])), torch.cat((near[1], (small[1] > 0.5).float()))
            order = torch.randperm(BATCH, generator=generator)
            tone = torch.stack([photometric.draw(generator) for _ in range(BATCH)])
            lr, _ = lens(photometric(hr[order], tone), generator)
            network(lr)
            masks.append(mask[order].bool())
    hook.remove()
    return torch.cat(seen), torch.cat(masks)


def polish(network: LiteNetwork, seen: Tensor, masks: Tensor, passes: int, dice: float, rate: float) -> None:
    """Train ``network.segment`` in place; it ends with the average of its last weights."""
    head, generator = network.segment, torch.Generator().manual_seed(2)
    optimizer = torch.optim.AdamW(head.parameters(), lr=rate, weight_decay=0.01)
    average = [parameter.detach().clone() for parameter in head.parameters()]
    steps, done = passes * (len(seen) // BATCH), 0
    for _ in range(passes):
        for batch in torch.randperm(len(seen), generator=generator).split(BATCH):
            if len(batch) < BATCH:
                continue
            p = F.pixel_shuffle(head(seen[batch].float()), network.scale).sigmoid()
            y = masks[batch].float()
            overlap = 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)
            loss = F.binary_cross_entropy(p.clamp(1e-6, 1 - 1e-6), y) + dice * overlap
            optimizer.zero_grad()
            loss.backward()
            optimizer.param_groups[0]["lr"] = rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done / steps)))
            optimizer.step()
            done += 1
            with torch.no_grad():
                for mean, parameter in zip(average, head.parameters(), strict=True):
                    mean.lerp_(parameter, 0.02)
    with torch.no_grad():
        for mean, parameter in zip(average, head.parameters(), strict=True):
            parameter.copy_(mean)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--surfaces", type=Path)
    parser.add_argument("--listed", type=Path)
    parser.add_argument("--init", type=Path, required=True)
    parser.add_argument("--bank", type=Path, default=Path("bank_polish"))
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--crops", type=int, default=2400)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--dice", type=float, default=0.2)
    parser.add_argument("--output", type=Path, required=True)
    chosen = parser.parse_args()
    network = LiteNetwork()
    network.load_state_dict(load_file(chosen.init))
    network.eval()
    world = World(chosen.surfaces, chosen.listed, size=320, seed=21, split="heads")
    pictures = np.concatenate(list(generate(world, chosen.images, 1, chosen.bank)))
    bank = Bank.of(pictures, torch.device("cpu"))
    polish(network, *features(network, bank, chosen.crops), chosen.passes, chosen.dice, 2e-3)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, chosen.output)


if __name__ == "__main__":
    main()
