"""What a training step of one published system costs at full size: a process of its own for `benchmark.py systems`.

    python scripts/benchmark_systems.py <experiment> [override …] [--batch 1] [--device cpu|cuda] [--repeats 3]

Prints one row as JSON: the system of ``conf/experiment/<experiment>.yaml`` in the last phase of its schedule, crops of
224×224.  The peak memory is that of the whole process, weights, gradients and Adam's state included.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import hydra
import torch
from benchmark import batch_of, synchronize
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from torch import nn

from csbsr.cli.config import config_folder
from csbsr.joint import build
from csbsr.report.runcard import system_name
from csbsr.training.phases import freeze_all_but

#: Columns of the published rows, and how a file of conf/experiment names them.
PUBLISHED = {
    "IoU_max": "IoU_max",
    "AIU": "AIU",
    "HD95_min*": "HD95_min",
    "AHD95*": "AHD95",
    "PSNR": "PSNR",
    "SSIM": "SSIM",
}


def published(experiment: str) -> dict[str, str]:
    """The published numbers, as the experiment's file states them; "–" where it states none."""
    text = (config_folder() / "experiment" / f"{experiment}.yaml").read_text()
    line = re.search(r"^# Published.*$", text, re.M)
    found = {key: re.search(rf"\b{name} (\d*\.\d+)", line[0] if line else "") for key, name in PUBLISHED.items()}
    return {key: match[1] if match else "–" for key, match in found.items()}


def training_step(config: DictConfig, network: nn.Module, images: int, device: str) -> Callable[[], None]:
    """One update of the last phase of the experiment's schedule."""
    loss, phases, degradation = (build(OmegaConf.to_container(config[key], resolve=True))
                                 for key in ("loss", "phases", "degradation"))  # fmt: skip
    batch = batch_of(config.data.crop, images, device)
    batch["lr"], batch["kernel"] = degradation(batch["hr"], torch.tensor([[2.0, 1.0, 30.0]] * images, device=device))
    optimizer = hydra.utils.instantiate(config.optimizer)(network.parameters())
    network.train()
    freeze_all_but(network, phases.phases[-1].trains)

    def step() -> None:
        total = loss(network(batch["lr"]), batch, alpha=0.9, joint=True).total.mean()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("train", overrides=[f"experiment={options.experiment}", *options.overrides])
    torch.manual_seed(0)
    spec = OmegaConf.to_container(config.model, resolve=True)
    network = build(spec).to(options.device)
    step = training_step(config, network, options.batch, options.device)
    wall, processor = seconds(step, options.repeats, options.device)
    on_card = options.device == "cuda"
    row = {
        "experiment=": " ".join([options.experiment, *options.overrides]),
        "system": system_name(spec),
        "M parameters": f"{sum(parameter.numel() for parameter in network.parameters()) / 1e6:.1f}",
        **published(options.experiment),
        "batch": options.batch,
        "step, s": f"{wall:.2f}",
        "CPU s": f"{processor:.2f}",
        "peak GiB": f"{torch.cuda.max_memory_allocated() / 2**30 if on_card else peak_resident() / 2**30:.1f}",
    }
    print(json.dumps(row, ensure_ascii=False))


def seconds(step: Callable[[], None], repeats: int, device: str) -> tuple[float, float]:
    """Medians of a step after a warm-up: by the clock, and of processor time over all cores (what other work on the
    machine changes least).
    """
    marks = []
    for _ in range(1 + repeats):
        step()
        synchronize(device)
        marks.append((time.perf_counter(), time.process_time()))
    return tuple(statistics.median(later[i] - earlier[i] for earlier, later in pairwise(marks)) for i in range(2))


def peak_resident() -> int:
    """Bytes that this process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
