"""Measure what a step, an inference, the input side and the metrics cost; the fast form beside the plain one.

    python scripts/benchmark.py [step|infer|flops|memory|data|metrics|all] [--device cpu|cuda] [--batch 1] [--json out.json]

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
        "hr": hr, "mask": mask, "kernel": kernel, "lr": degrade(hr, kernel), "distance": normalized_signed_distance(mask),
    }  # fmt: skip
    return {key: value.float().to(device) for key, value in made.items()}


def training_step(network: JointNetwork, batch: dict, autocast: str | None = None) -> Callable[[], None]:
    """One joint step of the published recipe."""
    loss = JointLoss(
        SuperResolutionLoss(weights=(0.4, 0.4, 0.2)),
        SegmentationLoss(region={"weighted_bce": 1.0, "dice": 1.0}, boundary=True),
        beta=0.3,
    )
    device = batch["lr"].device.type
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-5)
    network.train()

    def step() -> None:
        with torch.autocast(device, dtype=torch.bfloat16) if autocast else contextlib.nullcontext():
            total = loss(network(batch["lr"]), batch, alpha=0.9, joint=True).total.mean()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()

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
            system(form).to(options.device).train()(batch_of(224, 1, options.device)["lr"].repeat(2, 1, 1, 1)[:1])
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
        {"what": "training step, batch 3", "form": form, "peak GiB": peaks[form], "of plain": peaks[form] / peaks["plain"]}
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
    from csbsr.data import SyntheticPairs
    from csbsr.data.augment import Augmentation
    from csbsr.data.dataset import TrainingSet
    from csbsr.data.folder import FolderPairs
    from csbsr.degradation import Degradation
    from PIL import Image

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


def bench_metrics(options: argparse.Namespace) -> list[Row]:
    """Both surface distances at 99 thresholds of a 448×448 image, against one threshold after the other."""
    from csbsr.metrics.functional import surface_distance_by_threshold
    from tests.oracles.surface_distance import plain_surface_distances, thin_cracks

    segmentation, mask = thin_cracks(448)
    actions = {
        "fast": lambda: surface_distance_by_threshold(segmentation, mask, percentile=95),
        "plain": lambda: plain_surface_distances(segmentation, mask, percentile=95),
    }
    return compared("surface distances, 448×448, 99 thresholds", in_turns(actions, min(3, options.repeats), 1, "cpu"))


BENCHMARKS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "flops": bench_flops,
    "step": bench_step,
    "infer": bench_infer,
    "memory": bench_memory,
    "data": bench_data,
    "metrics": bench_metrics,
}


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
    parser.add_argument("--form", default="fast", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the rows and the machine to this file")
    options = parser.parse_args()
    if options.what == "_peak":
        peak_of(options)
        return
    chosen = list(BENCHMARKS) if options.what == "all" else [options.what]
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
