"""Developer's tool: train the lite system on an accelerator, from a bank of generated cracks held in its memory.

``csbsr-train recipe=lite`` is the same network, loss and draws through the data module; this keeps an accelerator busy,
which no data loader does: images are generated once by all cores, and crops, flips, turns, light, blur and noise happen
on the device.  The shipped weights come from here; docs/lite.md has the command.

    python scripts/train_lite.py --surfaces <folder> --listed <list> --encoder encoder.safetensors --output lite.st
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from csbsr.contracts import Batch
from csbsr.data.photometric import Photometric
from csbsr.degradation import camera_kernel, degrade, eight_bit, jpeg
from csbsr.joint.lite import LiteNetwork
from csbsr.loss import JointLoss, SegmentationLoss, SuperResolutionLoss

ANCHORS = 24  # crack pixels of an image around which crops are laid


# -- the bank --------------------------------------------------------------------------------------------------------


@dataclass
class World:
    """What the generated images are made of."""

    surfaces: Path | None
    listed: Path | None
    size: int = 384
    seed: int = 0
    split: str = "train"
    thinnest: float = 3.0  # narrower cracks are marked so many pixels wide, as annotators do

    def pictures(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Images (n, S, S, 3) and masks (n, S, S), uint8, of ``first`` to ``last``."""
        source = self._source(last)
        pairs = [source.read(index) for index in range(first, last)]
        return np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs])

    def _source(self, count: int) -> Any:
        from csbsr.data import SurfaceFolder, WorldPairs

        folder = SurfaceFolder(self.surfaces, self.listed) if self.surfaces else None
        size = (self.size, self.size)
        return WorldPairs(self.split, count, size, self.seed, folder, thinnest=self.thinnest)


def _one_core() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _shard(world: World, first: int, last: int, target: Path) -> Path:
    if not target.exists():
        images, masks = world.pictures(first, last)
        partial = target.with_suffix(".partial")
        with partial.open("wb") as file:
            np.save(file, np.concatenate((images, masks[..., None]), 3))
        partial.replace(target)
    return target


def generate(world: World, count: int, workers: int, folder: Path, shard: int = 40) -> Iterator[np.ndarray]:
    """Shards (n, S, S, 4) of generated images with their masks, as they become ready; those in ``folder`` are used."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers, initializer=_one_core) as pool:
        jobs: list[Future[Path]] = [
            pool.submit(_shard, world, start, min(start + shard, count), folder / f"{start:06d}.npy")
            for start in range(0, count, shard)
        ]
        for job in jobs:
            yield np.load(job.result())


class Bank:
    """Images and masks of one size on the device; it may grow while a network trains on it.

    Args:
        capacity: number of images.
        size: (H, W) of each.
        device: where they go.
    """

    def __init__(self, capacity: int, size: tuple[int, int], device: torch.device) -> None:
        self.images = torch.zeros(capacity, *size, 3, dtype=torch.uint8, device=device)
        self.masks = torch.zeros(capacity, *size, dtype=torch.uint8, device=device)
        self.anchors = torch.zeros(capacity, ANCHORS, 2, dtype=torch.long, device=device)
        self.cracked = torch.zeros(capacity, dtype=torch.bool, device=device)
        self.filled = torch.zeros((), device=device)  # on the device: a graph of kernels reads it at every replay
        self.count, self._draw = 0, np.random.default_rng(0)

    @classmethod
    def of(cls, pictures: np.ndarray, device: torch.device) -> Bank:
        """A full bank of ``pictures`` (n, H, W, 4) uint8: RGB and the mask in {0, 1}."""
        bank = cls(len(pictures), pictures.shape[1:3], device)
        bank.add(pictures)
        return bank

    def add(self, pictures: np.ndarray) -> None:
        """Take in ``pictures`` (n, H, W, 4)."""
        anchors = np.zeros((len(pictures), ANCHORS, 2), np.int64)
        cracked = np.zeros(len(pictures), bool)
        for i, mask in enumerate(pictures[..., 3]):
            pixels = np.flatnonzero(mask)
            cracked[i] = len(pixels) > 0
            if cracked[i]:
                anchors[i] = np.stack(np.divmod(self._draw.choice(pixels, ANCHORS), mask.shape[1]), 1)
        place = slice(self.count, self.count + len(pictures))
        fresh = torch.from_numpy(pictures)
        for kept, new in (
            (self.images, fresh[..., :3]), (self.masks, fresh[..., 3]),
            (self.anchors, torch.from_numpy(anchors)), (self.cracked, torch.from_numpy(cracked)),
        ):  # fmt: skip
            kept[place] = new.to(kept.device)
        self.count += len(pictures)
        self.filled.fill_(self.count)

    def __len__(self) -> int:
        return self.count

    def crops(self, count: int, side: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random crops (count, 3, side, side) float32 and masks (count, 1, side, side), half of them at cracks."""
        device = self.images.device
        height, width = self.images.shape[1:3]

        def uniform(*shape: int) -> Tensor:
            return torch.rand(*shape, device=device, generator=generator)

        which = torch.minimum(uniform(count) * self.filled, self.filled - 1).long()
        anchor = self.anchors[which, (uniform(count) * ANCHORS).long().clamp_max(ANCHORS - 1)]
        near = self.cracked[which] & (uniform(count) < 0.5)
        lines = []
        for axis, extent in enumerate((height, width)):
            free = torch.full((count,), extent - side, device=device)
            anywhere = (uniform(count) * (free + 1)).long()
            around = anchor[:, axis] - (side * (0.25 + 0.5 * uniform(count))).long()
            start = torch.minimum(torch.where(near, around, anywhere).clamp_min(0), free)
            steps = torch.arange(side, device=device)[None].expand(count, side)
            steps = torch.where(uniform(count, 1) < 0.5, side - 1 - steps, steps)
            lines.append(start[:, None] + steps)
        rows, columns = lines[0][:, :, None], lines[1][:, None, :]
        hr = self.images[which[:, None, None], rows, columns].permute(0, 3, 1, 2).float() / 255
        mask = self.masks[which[:, None, None], rows, columns][:, None].float()
        turn = uniform(count, 1, 1, 1) < 0.5
        return torch.where(turn, hr.mT, hr), torch.where(turn, mask.mT, mask)


def rescaled(hr: Tensor, mask: Tensor, side: int, covered: float) -> tuple[Tensor, Tensor]:
    """Crops and masks at ``side`` pixels; a pixel is marked where a crack covers more than ``covered`` of it."""
    hr = F.interpolate(hr, (side, side), mode="bilinear", align_corners=False, antialias=True)
    mask = F.interpolate(mask, (side, side), mode="bilinear", align_corners=False, antialias=True)
    return hr, (mask > covered).float()


# -- blur, noise, compression ----------------------------------------------------------------------------------------


@dataclass
class Lens:
    """What lies between the high- and the low-resolution image in training; shares are of the images."""

    sigma: tuple[float, float] = (0.2, 4.0)
    motion: float = 0.12
    defocus: float = 0.12
    noisy: float = 0.3
    noise: float = 0.03
    compressed: float = 0.15
    dark_border: float = 0.25

    def kernels(self, count: int, device: torch.device, generator: torch.Generator) -> Tensor:
        """Random kernels (count, 1, k, k): Gaussian as published, some weaker with motion or defocus on top."""
        u = torch.rand(9, count, device=device, generator=generator)
        low, high = self.sigma
        moved, unsharp = u[0] < self.motion, (u[0] >= self.motion) & (u[0] < self.motion + self.defocus)
        spread = torch.where(moved | unsharp, 0.3 * (high - low), high - low)
        none = torch.zeros_like(u[0])
        return camera_kernel(
            torch.stack(
                (
                    low + spread * u[1], low + spread * u[2], 180 * u[3],
                    torch.where(moved, 1 + 14 * u[4], none), 180 * u[5], 120 * u[6] - 60,
                    torch.where(unsharp, 0.5 + 4 * u[7], none), (7 * u[8]).floor() + 2, 90 * u[3],
                ), 1,
            )
        )  # fmt: skip

    def __call__(self, hr: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """hr (B, 3, H, W) to lr (B, 3, H/4, W/4), 8-bit values in [0, 1], and the kernels."""
        count, device = len(hr), hr.device
        kernel = self.kernels(count, device, generator)
        dark = max(1, round(self.dark_border * count))  # crops are drawn at random: the first are any
        lr = torch.cat((degrade(hr[:dark], kernel[:dark], 4, "zeros"), degrade(hr[dark:], kernel[dark:], 4, "reflect")))
        u = torch.rand(4, count, device=device, generator=generator)
        noise = torch.randn(lr.shape, device=device, generator=generator)
        read = torch.where(u[0] < self.noisy, u[1] * self.noise, torch.zeros_like(u[1]))
        quality = torch.where(u[2] < self.compressed, 30 + 65 * u[3], torch.zeros_like(u[3]))
        return jpeg(eight_bit(lr + noise * read[:, None, None, None]), quality), kernel


# -- training --------------------------------------------------------------------------------------------------------


def lite_loss(
    kernel: float = 2000.0, shape: float = 1.0, beta: float = 0.5, thin: float = 0.5, dice: float = 1.0
) -> JointLoss:
    """The loss of conf/loss/lite.yaml."""
    region = {"weighted_bce": 2.0, "batch_dice": dice} | ({"soft_cl_dice": thin} if thin else {})
    return JointLoss(
        SuperResolutionLoss((3.0, 0.0, kernel), padding="reflect", shape=shape),
        SegmentationLoss(region, boundary=False), beta=beta,
    )  # fmt: skip


@dataclass
class Plan:
    """How a network is trained."""

    steps: int
    batch: int = 32
    crop: int = 256
    rate: float = 1e-3
    warmup: int = 300
    decay: float = 0.999
    clip: float = 2.0
    weight_decay: float = 0.01
    seed: int = 0
    half: bool = True
    far: float = 0.0  # share of crops 1.5 times as wide, scaled down: sharper, and more to see
    covered: float = 0.34  # of a pixel of those by a crack, from which on it is marked
    near: float = 0.0  # share of crops two thirds as wide, enlarged: as soft as many photographs are, and wider cracks
    close: float = 0.0  # share of crops two fifths as wide, enlarged: coarse grain, and gaps up to 150 pixels wide
    camera: Lens = field(default_factory=Lens)
    parts: Callable[[nn.Module], Sequence[nn.Parameter]] | None = None


class Training:
    """One training run; `step` makes an update, as one graph of kernels where the device can.

    Args:
        network: on the device.
        banks: what it sees, each with its share of the batch.
        plan: how.
        loss: of an output and a batch.
    """

    averaged_every = 8

    def __init__(self, network: nn.Module, banks: Sequence[tuple[Bank, float]], plan: Plan, loss: JointLoss) -> None:
        self.network, self.banks, self.plan, self.loss = network, banks, plan, loss
        self.device = next(network.parameters()).device
        self.graphed = self.device.type == "cuda"
        self.generator = torch.Generator(self.device).manual_seed(plan.seed)
        self.photometric = Photometric()
        self.strengths = torch.tensor(self.photometric.strengths, device=self.device)
        chosen = plan.parts(network) if plan.parts else list(network.parameters())
        kept = {id(parameter) for parameter in chosen}
        for parameter in network.parameters():
            parameter.requires_grad_(id(parameter) in kept)
        self.parameters = list(chosen)
        self.rate = torch.zeros((), device=self.device) if self.graphed else 0.0
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=self.rate if self.graphed else plan.rate, weight_decay=plan.weight_decay,
            capturable=self.graphed, foreach=True,
        )  # fmt: skip
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.seen = torch.zeros(2, device=self.device)
        self.done = 0
        self.stream = torch.cuda.Stream() if self.graphed else None
        self.graph: Any = None

    def batch(self) -> Batch:
        """Crops of all banks, degraded."""
        plan, parts, left = self.plan, [], self.plan.batch
        for i, (bank, share) in enumerate(self.banks):
            count = left if i == len(self.banks) - 1 else round(plan.batch * share)
            left -= count
            far, near, close = (round(share * count) for share in (plan.far, plan.near, plan.close))
            parts.append(bank.crops(count - far - near - close, plan.crop, self.generator))
            for number, side, covered in (
                (far, plan.crop * 3 // 2, plan.covered),
                (near, plan.crop * 2 // 3, 0.5),
                (close, plan.crop * 2 // 5, 0.5),
            ):
                if number:
                    parts.append(rescaled(*bank.crops(number, side, self.generator), plan.crop, covered))
        hr, mask = (torch.cat(same) for same in zip(*parts, strict=True))
        if len(parts) > 1:  # the camera treats the first of a batch differently
            order = torch.rand(len(hr), device=self.device, generator=self.generator).argsort()
            hr, mask = hr[order], mask[order]
        numbers = torch.rand(len(hr), len(self.strengths), device=self.device, generator=self.generator)
        hr = self.photometric(hr, (2 * numbers - 1) * self.strengths)
        lr, kernel = plan.camera(hr, self.generator)
        return {"hr": hr, "lr": lr, "kernel": kernel, "mask": mask}

    def _update(self) -> None:
        with torch.no_grad():
            batch = self.batch()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.half):
            output = self.network(batch["lr"])
        terms = self.loss(output, batch, 1.0, True)
        loss = terms.total.mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.plan.clip, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)
        self.seen.lerp_(torch.stack((loss.detach(), terms.terms["segmentation"].mean())), 0.02)

    def _train(self) -> None:
        """Training mode; what is frozen keeps its BatchNorm statistics."""
        self.network.train()
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
                module.eval()

    def _capture(self) -> None:
        self._train()
        assert self.stream is not None
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            for _ in range(3):  # at rate 0: allocations, algorithms
                self._update()
        torch.cuda.current_stream().wait_stream(self.stream)
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.generator)
        with torch.cuda.graph(self.graph, stream=self.stream):
            self._update()

    def factor(self) -> float:
        """Of the learning rate: linear warm-up, then half a cosine down to 0.5 %."""
        plan = self.plan
        if self.done < plan.warmup:
            return (self.done + 1) / plan.warmup
        progress = (self.done - plan.warmup) / max(1, plan.steps - plan.warmup)
        return 0.005 + 0.995 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    def step(self) -> None:
        """One update."""
        if self.graphed:
            if self.graph is None:
                self._capture()
            with torch.cuda.stream(self.stream):
                self.rate.fill_(self.plan.rate * self.factor())
                self.graph.replay()
                self._averaging()
        else:
            self._train()
            self.optimizer.param_groups[0]["lr"] = self.plan.rate * self.factor()
            self._update()
            self._averaging()
        self.done += 1

    @torch.no_grad()
    def _averaging(self) -> None:
        if (self.done + 1) % self.averaged_every == 0:
            weight = max(1 - self.plan.decay**self.averaged_every, self.averaged_every / (self.done + 10))
            torch._foreach_lerp_(self.average, self.parameters, weight)

    @torch.no_grad()
    def averaged(self, batches: int = 60) -> dict[str, Tensor]:
        """State dict with the averaged weights and BatchNorm statistics gathered anew for them; the run goes on."""
        if self.stream is not None:
            torch.cuda.current_stream().wait_stream(self.stream)
        live = {name: value.clone() for name, value in self.network.state_dict().items()}
        for parameter, mean in zip(self.parameters, self.average, strict=True):
            parameter.copy_(mean)
        norms = [m for m in self.network.modules() if isinstance(m, nn.BatchNorm2d) and m.weight.requires_grad]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        self._train()
        for _ in range(batches if norms else 0):
            self.network(self.batch()["lr"])
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        state = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(live)
        if self.stream is not None:
            self.stream.wait_stream(torch.cuda.current_stream())
        return state


def all_but_estimator(network: nn.Module) -> list[nn.Parameter]:
    """What is trained where the blur estimator stays as it is."""
    return [parameter for name, parameter in network.named_parameters() if not name.startswith("estimator.")]


def mean_of(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each tensor of networks that began with the same weights; counts are those of the first."""
    return {
        name: torch.stack([state[name].float() for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--surfaces", type=Path)
    parser.add_argument("--listed", type=Path)
    parser.add_argument("--encoder", type=Path, help="ImageNet weights of scripts/convert_encoder.py")
    parser.add_argument("--init", type=Path, help="weights to go on from")
    parser.add_argument("--bank", type=Path, default=Path("bank"), help="folder of the generated images")
    parser.add_argument("--images", type=int, default=16000)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--thinnest", type=float, default=3.0)
    parser.add_argument("--dice", type=float, default=1.0)
    parser.add_argument("--thin", type=float, default=0.5, help="weight of soft clDice")
    parser.add_argument("--far", type=float, default=0.25, help="share of crops seen from farther away")
    parser.add_argument("--near", type=float, default=0.0, help="share of crops seen from nearer")
    parser.add_argument("--close", type=float, default=0.0, help="share of crops seen from very near")
    parser.add_argument("--keep-estimator", action="store_true", help="of the blur: its weights stay as they are")
    parser.add_argument("--covered", type=float, default=0.34, help="of a pixel by a crack, where far crops mark it")
    parser.add_argument("--world", type=int, default=0, help="seed of the generated images")
    parser.add_argument("--mean", type=Path, nargs="+", help="train nothing: write the mean of these weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--output", type=Path, required=True)
    chosen = parser.parse_args()
    if chosen.mean:
        save_file(mean_of([load_file(file) for file in chosen.mean]), chosen.output)
        return
    device = torch.device(chosen.device)
    world = World(chosen.surfaces, chosen.listed, seed=chosen.world, thinnest=chosen.thinnest)
    bank = Bank(chosen.images, (world.size, world.size), device)
    for pictures in generate(world, chosen.images, chosen.workers, chosen.bank):
        bank.add(pictures)
    torch.manual_seed(chosen.seed)
    network = LiteNetwork(pretrained=chosen.encoder)
    if chosen.init:
        network.load_state_dict({name: value.float() for name, value in load_file(chosen.init).items()})
    network.to(device, memory_format=torch.channels_last)
    plan = Plan(
        chosen.steps, chosen.batch, chosen.crop, chosen.rate, seed=chosen.seed,
        far=chosen.far, near=chosen.near, close=chosen.close, covered=chosen.covered,
        parts=all_but_estimator if chosen.keep_estimator else None,
    )  # fmt: skip
    run = Training(network, [(bank, 1.0)], plan, lite_loss(thin=chosen.thin, dice=chosen.dice))
    start = time.perf_counter()
    while run.done < plan.steps:
        run.step()
        if run.done % 500 == 0:
            total, segmentation = run.seen.tolist()
            print(f"{run.done} {time.perf_counter() - start:.0f} s  loss {total:.4f}  segmentation {segmentation:.4f}")
    save_file(run.averaged(), chosen.output)


if __name__ == "__main__":
    main()
