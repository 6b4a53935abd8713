"""Measure what a step, an inference, the input side and the metrics cost; the fast form beside the plain one.

    python scripts/benchmark.py [flops|step|infer|memory|data|metrics|systems|fits|curves|all]
                                [--device cpu|cuda] [--batch 1] [--json out.json]

Times are medians after a warm-up, taken in turns (A B A B …) so that a drifting machine treats both alike: read the
ratios.  Operation counts (torch.utils.flop_counter) and peak memory (each form in its own process) hold on any machine.
The plain forms, every constant map and concatenation carried out as published, are the tests' oracles.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the oracles live in tests/

from csbsr.degradation import anisotropic_gaussian_kernel, degrade  # noqa: E402
from csbsr.joint import JointNetwork  # noqa: E402
from csbsr.loss import JointLoss, SegmentationLoss, SuperResolutionLoss  # noqa: E402
from csbsr.loss.functional import normalized_signed_distance  # noqa: E402
from csbsr.segmentor import PSPNet  # noqa: E402
from csbsr.sr import KBPN  # noqa: E402
from tests.oracles.kbpn import PlainKBPN  # noqa: E402

Row = dict[str, Any]


def system(form: str) -> JointNetwork:
    """KBPN + PSPNet at full size; ``form``: fast, plain or checkpoint (activation checkpointing)."""
    torch.manual_seed(0)
    sr = KBPN(scale=4, checkpoint=form == "checkpoint")
    return JointNetwork(PlainKBPN(sr) if form == "plain" else sr, PSPNet())


def batch_of(size: int, batch: int, device: str) -> dict[str, torch.Tensor]:
    """Random images with a drawn line as their crack."""
    draw = torch.Generator().manual_seed(0)
    hr = torch.rand(batch, 3, size, size, generator=draw)
    mask = torch.zeros(batch, 1, size, size)
    mask[:, :, size // 3 : size // 3 + 3] = 1
    kernel = anisotropic_gaussian_kernel(torch.full((batch,), 2.0), 1.0, 30.0)
    made = {
        "hr": hr, "mask": mask, "kernel": kernel, "lr": degrade(hr, kernel),
        "distance": normalized_signed_distance(mask),
    }  # fmt: skip
    return {key: value.float().to(device) for key, value in made.items()}


def training_step(
    network: JointNetwork, first: dict, autocast: str | None = None, losses: list | None = None
) -> Callable[..., None]:
    """One joint step of the published recipe, on ``first`` or the batch given to the call."""
    loss = JointLoss(
        SuperResolutionLoss(weights=(0.4, 0.4, 0.2)),
        SegmentationLoss(region={"weighted_bce": 1.0, "dice": 1.0}, boundary=True),
        beta=0.3,
    )
    device = first["lr"].device.type
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-5)
    network.train()

    def step(batch: dict = first) -> None:
        with torch.autocast(device, dtype=torch.bfloat16) if autocast else contextlib.nullcontext():
            total = loss(network(batch["lr"]), batch, alpha=0.9, joint=True).total.mean()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        if losses is not None:
            losses.append(total.detach())

    return step


def in_turns(actions: dict[str, Callable[[], Any]], repeats: int, warmup: int, device: str) -> dict[str, float]:
    """Median seconds of each action, run in turns."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(warmup + repeats):
        for name, action in actions.items():
            synchronize(device)
            start = time.perf_counter()
            action()
            synchronize(device)
            if turn >= warmup:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def compared(what: str, seconds: dict[str, float]) -> list[Row]:
    """Rows of fast against plain."""
    return [
        {"what": what, "form": form, "seconds": value, "times faster than plain": seconds["plain"] / value}
        for form, value in seconds.items()
    ]


def bench_step(options: argparse.Namespace) -> list[Row]:
    """A training step, LR 56×56; on a GPU also bf16 and bf16 + compile, and the share of the measured peak."""
    batch = batch_of(224, options.batch, options.device)
    forms = {form: system(form).to(options.device) for form in ("fast", "plain")}
    actions = {form: training_step(network, batch) for form, network in forms.items()}
    rows = compared(
        f"training step, batch {options.batch}", in_turns(actions, options.repeats, options.warmup, options.device)
    )
    if options.device == "cuda":
        del forms, actions
        rows += gpu_modes(options, batch)
    return rows


def gpu_modes(options: argparse.Namespace, batch: dict) -> list[Row]:
    """Steps per second of float32, bf16 and compiled bf16 on the GPU, with peak memory."""
    rows = []
    with FlopCounterMode(display=False) as counter:
        training_step(system("fast").to("cuda"), batch)()
    for precision, compiled in (("float32", False), ("bf16", False), ("bf16", True)):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        network = system("fast").to("cuda")
        if compiled:
            network.sr.compile()
            network.segmentor.compile()
        step = training_step(network, batch, autocast=precision if precision == "bf16" else None)
        seconds = in_turns({"step": step}, options.repeats, max(options.warmup, 5), "cuda")["step"]
        rows.append(
            {
                "what": f"training step, batch {options.batch}", "form": precision + (" + compile" if compiled else ""),
                "steps per second": 1 / seconds, "TFLOP/s": counter.get_total_flops() / seconds / 1e12,
                "share of the matrix peak": counter.get_total_flops() / seconds / peak_rate(precision),
                "peak GiB": torch.cuda.max_memory_allocated() / 2**30,
            }
        )  # fmt: skip
        del network, step
    return rows


def peak_rate(precision: str) -> float:
    """Measured rate of a large matrix product on random data, operations a second."""
    dtype, n = (torch.bfloat16 if precision == "bf16" else torch.float32), 8192
    a, b = (torch.randn(n, n, device="cuda", dtype=dtype) for _ in range(2))
    return 2 * n**3 / in_turns({"product": lambda: a @ b}, 10, 3, "cuda")["product"]


def bench_infer(options: argparse.Namespace) -> list[Row]:
    """One image 112×112 to 448×448 in eval mode."""
    lr = batch_of(448, 1, options.device)["lr"]
    forms = {form: system(form).to(options.device).eval() for form in ("fast", "plain")}

    @torch.inference_mode()
    def infer(network: nn.Module) -> None:
        network(lr)

    actions = {form: (lambda network=network: infer(network)) for form, network in forms.items()}
    return compared("inference 112×112 to 448×448", in_turns(actions, options.repeats, options.warmup, options.device))


def bench_flops(options: argparse.Namespace) -> list[Row]:
    """Operations of one forward pass in training mode, LR 1×3×56×56."""
    rows = []
    for form in ("fast", "plain"):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            system(form).to(options.device).train()(batch_of(224, 1, options.device)["lr"])
        rows.append({"what": "forward pass, LR 56×56", "form": form, "GFLOP": counter.get_total_flops() / 1e9})
    return rows


def bench_memory(options: argparse.Namespace) -> list[Row]:
    """Peak memory of a training step at batch 3, each form in its own process."""
    forms = ("plain", "fast", "checkpoint")
    peaks = {}
    for form in forms:
        command = [sys.executable, __file__, "_peak", "--form", form, "--batch", "3", "--device", options.device]
        peaks[form] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
    return [
        {
            "what": "training step, batch 3", "form": form, "peak GiB": peaks[form],
            "of plain": peaks[form] / peaks["plain"],
        }
        for form in forms
    ]  # fmt: skip


def peak_of(options: argparse.Namespace) -> None:
    """Print the peak memory (GiB) of this process after two steps."""
    step = training_step(system(options.form).to(options.device), batch_of(224, options.batch, options.device))
    step()
    step()
    if options.device == "cuda":
        print(torch.cuda.max_memory_allocated() / 2**30)
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def bench_data(options: argparse.Namespace) -> list[Row]:
    """Training items a second in one process, from 480×320 JPEG photographs: decode, crop 224, flips, distance map."""
    from PIL import Image

    from csbsr.data import SyntheticPairs
    from csbsr.data.augment import Augmentation
    from csbsr.data.dataset import TrainingSet
    from csbsr.data.folder import FolderPairs
    from csbsr.degradation import Degradation

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        pictures = SyntheticPairs("train", 32, (320, 480), 0)
        for part in ("images", "masks"):
            (root / "train" / part).mkdir(parents=True)
        for i in range(len(pictures)):
            image, mask = pictures.read(i)
            image = image if image.dtype == np.uint8 else np.rint(image * 255).astype(np.uint8)
            Image.fromarray(image).save(root / "train" / "images" / f"{i}.jpg", quality=90)
            Image.fromarray(mask * 255).save(root / "train" / "masks" / f"{i}.png")
        degradation = Degradation(scale=4)
        items = TrainingSet(FolderPairs(root, "train"), 0, Augmentation(224), degradation.draw)
        seconds = in_turns(
            {"items": lambda: [items[(0, i)] for i in range(len(items))]}, options.repeats, options.warmup, "cpu"
        )["items"]
    batch = batch_of(224, 6, options.device)
    blur = torch.tensor([[2.0, 1.0, 30.0]], device=options.device).repeat(6, 1)
    device = in_turns({"blur": lambda: degradation(batch["hr"], blur)}, options.repeats, options.warmup, options.device)
    return [
        {"what": "input side, one worker", "form": "JPEG 480×320, crop 224", "items per second": len(items) / seconds},
        {"what": "degradation, batch 6", "form": options.device, "seconds": device["blur"]},
    ]


def bench_fits(options: argparse.Namespace) -> list[Row]:
    """The largest batch whose training step stays within a memory (GPU), by doubling and halving."""
    rows = []
    for form in ("fast", "checkpoint"):
        for precision in ("float32", "bf16"):
            fitting, step = 0, 8
            while step:
                if peak_bytes(form, precision, fitting + step) <= options.memory * 2**30:
                    fitting += step
                else:
                    step //= 2
            rows.append(
                {
                    "what": f"largest batch within {options.memory} GiB",
                    "form": f"{form}, {precision}",
                    "images": fitting,
                }
            )
    return rows


def peak_bytes(form: str, precision: str, batch: int) -> float:
    """Peak GPU memory of two steps; infinite if the card has too little."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    try:
        step = training_step(
            system(form).to("cuda"), batch_of(224, batch, "cuda"), "bf16" if precision == "bf16" else None
        )
        step()
        step()
    except torch.OutOfMemoryError:
        return float("inf")
    return torch.cuda.max_memory_allocated()


def bench_curves(options: argparse.Namespace) -> list[Row]:
    """Losses of 300 steps from the same weights on the same generated images, in float32 and in bf16."""
    from csbsr.data import SyntheticPairs

    pictures = SyntheticPairs("train", 96, (224, 224), 0)
    pairs = [pictures.read(i) for i in range(len(pictures))]
    hr = torch.stack([torch.from_numpy(np.asarray(image, "float32") / (255 if image.dtype == np.uint8 else 1))
                      for image, _ in pairs]).permute(0, 3, 1, 2)  # fmt: skip
    mask = torch.stack([torch.from_numpy(mask.astype("float32"))[None] for _, mask in pairs])
    distance = normalized_signed_distance(mask).float()
    curves = {}
    for precision in ("float32", "bf16"):
        network, losses = system("fast").to(options.device), []
        for step in range(300):
            draw = torch.Generator().manual_seed(step)
            chosen = torch.randperm(len(hr), generator=draw)[: options.batch]
            numbers = torch.rand(3, len(chosen), generator=draw)
            kernel = anisotropic_gaussian_kernel(0.2 + 3.8 * numbers[0], 0.2 + 3.8 * numbers[1], 180 * numbers[2])
            batch = {"hr": hr[chosen], "mask": mask[chosen], "distance": distance[chosen], "kernel": kernel}
            batch = {key: value.to(options.device) for key, value in batch.items()}
            batch["lr"] = degrade(batch["hr"], batch["kernel"])
            torch.manual_seed(step)
            if step == 0:
                take = training_step(network, batch, "bf16" if precision == "bf16" else None, losses)
            take(batch)
        curves[precision] = np.array([float(loss) for loss in losses]).reshape(10, -1).mean(1)
    return [
        {"what": "loss, mean of 30 steps", "steps": f"{30 * i}-{30 * i + 29}", "float32": float(a), "bf16": float(b),
         "difference": float(b / a - 1)}
        for i, (a, b) in enumerate(zip(curves["float32"], curves["bf16"], strict=True))
    ]  # fmt: skip


def bench_metrics(options: argparse.Namespace) -> list[Row]:
    """Both surface distances at 99 thresholds of a 448×448 image, against one threshold after the other."""
    from csbsr.metrics.functional import surface_distance_by_threshold
    from tests.oracles.surface_distance import PACKAGE, plain_surface_distances

    mask, segmentation = thin_cracks(448)
    plain_mask, plain_segmentation = mask[0, 0].numpy() > 0, segmentation[0, 0].numpy()
    actions = {
        "fast": lambda: surface_distance_by_threshold(segmentation, mask, percentile=(95, 50)),
        "plain": lambda: plain_surface_distances(plain_segmentation, plain_mask, (95, 50)),
    }
    name = "DeepMind's package" if PACKAGE else "the definition"
    what = f"surface distances, 448×448, 99 thresholds; plain: {name} per threshold"
    return compared(what, in_turns(actions, min(3, options.repeats), 1, "cpu"))


def thin_cracks(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A mask (1, 1, size, size) of generated cracks, and probabilities that fall off smoothly around them."""
    from scipy import ndimage

    from csbsr.data import SyntheticPairs

    _, mask = SyntheticPairs("test", 1, (size, size), 0).read(0)
    noise = np.random.default_rng(0).normal(0, 0.05, mask.shape)
    smooth = ndimage.gaussian_filter(mask.astype("float64"), 1.5) / 0.8 + ndimage.gaussian_filter(noise, 1)
    return tuple(torch.from_numpy(a.astype("float32"))[None, None] for a in (mask, smooth.clip(0, 1)))


def bench_systems(options: argparse.Namespace) -> list[Row]:
    """A training step of every published system at full size, each in its own process."""
    systems = {
        "csbsr_pspnet": 1, "csbsr_hrnet_ocr": 2, "csbsr_crackformer": 1, "csbsr_unet": 1, "cssr_pspnet": 1,
        "csbsr_fail_weight": 1, "csbsr_fail_weight_blur_skip": 1, "hr_upper_bound": 1, "srcnet_segnet": 1, "dsrl": 2,
        "dsrl model.variant=dsrl_x4": 2, "independent_kbpn_pspnet": 1, "bicubic_pspnet": 1,
    }  # fmt: skip
    rows = []
    for words, least in systems.items():  # two images where a BatchNorm sees maps of one pixel
        command = [
            sys.executable, ROOT / "scripts" / "benchmark_systems.py", *words.split(), "--device", options.device,
            "--batch", str(max(least, options.batch)), "--repeats", str(min(3, options.repeats)),
        ]  # fmt: skip
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append(json.loads(output.splitlines()[-1]))
    return rows


BENCHMARKS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "flops": bench_flops,
    "step": bench_step,
    "infer": bench_infer,
    "memory": bench_memory,
    "data": bench_data,
    "metrics": bench_metrics,
    "systems": bench_systems,
    "fits": bench_fits,
    "curves": bench_curves,
}
GPU_ONLY = ("fits", "curves")


def show(rows: list[Row]) -> None:
    """A Markdown table per set of columns."""
    columns: tuple[str, ...] = ()
    for row in rows:
        if tuple(row) != columns:
            columns = tuple(row)
            print("\n| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
        print("| " + " | ".join(f"{row[c]:.4g}" if isinstance(row[c], float) else str(row[c]) for c in columns) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="all", choices=[*BENCHMARKS, "all", "_peak"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=["cpu", "cuda"])
    parser.add_argument("--batch", type=int, default=1, help="images of a training step")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--memory", type=float, default=24, help="GiB, for `fits`")
    parser.add_argument("--form", default="fast", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the rows and the machine to this file")
    options = parser.parse_args()
    if options.what == "_peak":
        peak_of(options)
        return
    everything = [name for name in BENCHMARKS if options.device == "cuda" or name not in GPU_ONLY]
    chosen = everything if options.what == "all" else [options.what]
    rows = [row for name in chosen for row in BENCHMARKS[name](options)]
    show(rows)
    if options.json:
        machine = {
            "torch": torch.__version__, "threads": torch.get_num_threads(), "device": options.device,
            "gpu": torch.cuda.get_device_name() if options.device == "cuda" else None, "arguments": sys.argv[1:],
        }  # fmt: skip
        options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
