"""What a GPU makes of a training step and of a large photograph: the check that fits a machine lent for minutes.

    python scripts/benchmark_gpu.py [--seconds 150] [--megapixels 24] [--full-megapixels 4] [--json out.json]

Steps: full size (KBPN + PSPNet) and lite, crops of 224 pixels, in float32, bf16 and compiled bf16, at batch 6 and 32.
Inference: `Predictor` on a generated photograph, results thrown away, in float32 and bf16; the full-size network on a
smaller one, whose time grows with the pixels.  What compiles comes last; each row is written as it comes, and what
starts after ``--seconds`` is left out and said, so a machine that goes back early leaves what was measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmark import Row, batch_of, in_turns, show, synchronize, system, training_step
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from csbsr.joint import JointSystem, LiteNetwork
from csbsr.predict import Predictor
from scripts.train_lite import lite_loss

CROP = 224
MODES = {"float32": (None, False), "bf16": ("bf16", False), "bf16 + compile": ("bf16", True)}
Task = tuple[str, Callable[[], Row]]


def network(name: str) -> JointSystem:
    """An untrained network of that name."""
    torch.manual_seed(0)
    return system("fast") if name == "full size" else LiteNetwork()


def lite_step(net: LiteNetwork, batch: dict[str, torch.Tensor], autocast: str | None) -> Callable[[], None]:
    """One step of recipe=lite."""
    loss, device = lite_loss(), batch["lr"].device.type
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=device == "cuda")
    net.train()

    def step() -> None:
        with torch.autocast(device, dtype=torch.bfloat16) if autocast else contextlib.nullcontext():
            total = loss(net(batch["lr"]), batch, alpha=0.0, joint=True).total.mean()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()

    return step


def compile_parts(net: nn.Module) -> None:
    """As compile=true of csbsr-train does for a serial system; the lite one as a whole."""
    for part in (net,) if isinstance(net, LiteNetwork) else net.children():
        part.compile()


def step_row(name: str, mode: str, size: int, options: argparse.Namespace) -> Row:
    """Steps per second, images per second and peak memory; of a compiled one also the time to the first step."""
    device, (autocast, compiled) = options.device, MODES[mode]
    batch, net = batch_of(CROP, size, device), network(name).to(device)
    net.to(memory_format=torch.channels_last)
    if compiled:
        torch._dynamo.reset()
        compile_parts(net)
    step = training_step(net, batch, autocast) if name == "full size" else lite_step(net, batch, autocast)
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    step()
    synchronize(device)
    first = time.perf_counter() - start
    seconds = in_turns({"step": step}, options.repeats, options.warmup, device)["step"]
    return {
        "what": f"training step, {name}, crop {CROP}", "batch": size, "mode": mode,
        "milliseconds": 1e3 * seconds,
        "images per second": size / seconds, "peak GiB": peak(device), "first step, seconds": first,
    }  # fmt: skip


@contextlib.contextmanager
def at_most(seconds: float | None) -> Iterator[None]:
    """Ends what takes longer with a TimeoutError; None: no limit."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"not ready after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds or 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Discarded:
    """Takes results and keeps nothing."""

    shrinks = 1

    def begin(self, height: int, width: int) -> None: ...

    def sr(self, rows: np.ndarray) -> None: ...

    def segmentation(self, levels: np.ndarray, mask: np.ndarray, variance: np.ndarray | None) -> None: ...


def infer_row(name: str, precision: str, megapixels: float, options: argparse.Namespace) -> Row:
    """Seconds for one photograph, reading and writing left out."""
    side = round(math.sqrt(megapixels * 1e6 / 1.5))
    noise = np.random.default_rng(0).integers(60, 200, (side // 8 + 1, side * 3 // 16 + 1, 3), np.uint8)
    photograph = noise.repeat(8, 0).repeat(8, 1)[:side, : side * 3 // 2]
    predictor = Predictor(network(name), device=options.device, precision=precision)
    predictor.predict(photograph[:256, :256])  # what is set up once
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    outcome = predictor.run(photograph, Discarded())
    synchronize(options.device)
    seconds = time.perf_counter() - start
    pixels = photograph.shape[0] * photograph.shape[1] / 1e6
    return {
        "what": f"inference, {name}", "megapixels": pixels, "tile": outcome.tile, "precision": precision,
        "seconds": seconds, "seconds for 24 MP": seconds * 24 / pixels, "peak GiB": peak(options.device),
    }  # fmt: skip


def peak(device: str) -> float | None:
    return torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None


def tasks(options: argparse.Namespace) -> Iterator[Task]:
    """What is measured, the dearest last."""
    plain = [mode for mode in MODES if not MODES[mode][1]]
    for name in ("lite", "full size"):
        for mode in plain:
            for size in options.batches:
                yield f"{name}, {mode}, batch {size}", lambda a=(name, mode, size): step_row(*a, options)
    for name, megapixels in (("lite", options.megapixels), ("full size", options.full_megapixels)):
        for precision in ("float32",) if name == "lite" else ("bfloat16",):
            yield f"{name}, {precision}", lambda a=(name, precision, megapixels): infer_row(*a, options)
    for size in options.batches:
        for name in ("lite", "full size"):
            mode = "bf16 + compile"
            yield f"{name}, {mode}, batch {size}", lambda a=(name, mode, size): step_row(*a, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=["cpu", "cuda"])
    parser.add_argument("--batches", type=int, nargs="+", default=[6, 32])
    parser.add_argument("--megapixels", type=float, default=24, help="of the photograph for lite")
    parser.add_argument("--full-megapixels", type=float, default=4, help="of the one for the full-size network")
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=150, help="after which nothing new is started")
    parser.add_argument("--compile-seconds", type=float, default=60, help="that a compiled row may take")
    parser.add_argument("--only", default="", help="words that the name of what is measured holds")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    machine: dict[str, Any] = {
        "torch": torch.__version__, "device": options.device, "arguments": sys.argv[1:],
        "gpu": torch.cuda.get_device_name() if options.device == "cuda" else None,
    }  # fmt: skip
    start, rows, left_out = time.perf_counter(), [], []
    for name, measure in tasks(options):
        if options.only not in name:
            continue
        if time.perf_counter() - start > options.seconds:
            left_out.append(name)
            continue
        try:
            with at_most(options.compile_seconds if "compile" in name else None):
                rows.append(measure())
        except Exception as error:  # one that does not compile must not take the others' time along
            rows.append({"what": name, "error": f"{type(error).__name__}: {error}".splitlines()[0][:200]})
        print(f"{time.perf_counter() - start:6.1f} s  {json.dumps(rows[-1])}", flush=True)
        if options.json:
            text = json.dumps({"machine": machine, "rows": rows, "left out": left_out}, indent=1)
            options.json.write_text(text)
    show(rows)
    if left_out:
        print("left out:", "; ".join(left_out))


if __name__ == "__main__":
    main()
