"""Developer's tool: weights of the lite system on three small sets of real cracks, one line for each.

The sets are frozen once by ``csbsr-degrade`` (x4, unknown blur, seed 2024, zero padding, as for all figures of
docs/lite.md) into a cache, the training photographs too, and are read from there.  Choose on the training split; the
test split is for the end.

    python -m scripts.evaluate_lite lite other.safetensors --split train --images 40 --json numbers.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from csbsr import load
from csbsr.contracts import Batch
from csbsr.data.degraded import DegradedPairs
from csbsr.joint import LiteNetwork
from csbsr.measure import comparison
from csbsr.metrics import CrackMetrics
from csbsr.metrics.functional import interior_psnr
from csbsr.metrics.summary import GROUPS as EVERY
from csbsr.sr import Bicubic

SETS = ("crackforest", "masonry", "khanhha")
SPECK = 16  # pixels of the low-resolution photograph: conf/predict.yaml's min_pixels
QUICK = ("iou", "overlap", "tolerance", "interior", "kernel")


def frozen(name: str, split: str, data: Path, cache: Path) -> DegradedPairs:
    """A split of a set, degraded; made if the cache lacks it."""
    out = cache / f"{name}-{split}"
    if not out.exists():
        words = [f"data={name}", f"data.root={data / name}", f"data.test={split}", f"out={out}"]
        if split == "train":
            words.append("data.train=test")  # a folder is not both
        command = [sys.executable, "-m", "csbsr.cli.degrade", *words, "degradation.padding=zeros", "seed=2024"]
        subprocess.run(command, check=True, cwd=tempfile.gettempdir())
    return DegradedPairs(out)


def network_of(weights: str) -> nn.Module:
    """The network of ``lite``, of a checkpoint, or of a bare safetensors file of the lite system's weights."""
    if not weights.endswith(".safetensors"):
        return load(weights).eval()
    state = {name: value.float() if value.is_floating_point() else value for name, value in load_file(weights).items()}
    network = LiteNetwork(blind=any(name.startswith("estimator.") for name in state))
    network.load_state_dict(state)
    return network.eval()


class Seen(NamedTuple):
    """What one image gave beside its row of metrics."""

    name: str
    cracked: bool
    marked: int  #: pixels at or above the threshold
    specks: bool  #: one connected part of them is larger than a speck
    comparison: comparison.Comparison | None
    bicubic: float  #: PSNR of the bicubic enlargement without the frame


def batch_of(pairs: DegradedPairs, index: int) -> Batch:
    """One image as the metrics want it."""
    image, mask = pairs.read(index)
    lr, kernel = pairs.read_degraded(index)

    def planes(pixels: np.ndarray) -> Tensor:
        return torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255)[None]

    return {
        "name": [pairs.name(index)], "hr": planes(image), "lr": planes(lr),
        "mask": torch.from_numpy(mask.astype(np.float32))[None, None], "kernel": torch.from_numpy(kernel)[None, None],
    }  # fmt: skip


def seen(batch: Batch, segmentation: Tensor, threshold: float, scale: int) -> Seen:
    """Widths, specks and the bicubic enlargement of one image."""
    probability, mask = segmentation[0, 0].numpy(), batch["mask"][0, 0].numpy()
    marked = (probability > threshold).astype(np.uint8)
    areas = cv2.connectedComponentsWithStats(marked, connectivity=8)[2][1:, cv2.CC_STAT_AREA]
    with torch.no_grad():
        enlarged = Bicubic(scale=scale).eval()(batch["lr"]).sr
    return Seen(
        batch["name"][0], bool(mask.any()), int(marked.sum()), bool((areas >= SPECK * scale**2).any()),
        comparison.compare_masks(probability, mask, threshold), float(interior_psnr(enlarged, batch["hr"])[0]),
    )  # fmt: skip


def evaluate(
    network: nn.Module,
    pairs: DegradedPairs,
    images: int | None,
    threshold: float,
    left_out: Sequence[str] = (),
    groups: Sequence[str] = QUICK,
) -> dict[str, Any]:
    """All numbers of one set; ``images``: only so many, spread over the set; ``groups`` of `CrackMetrics`."""
    chosen = (
        range(len(pairs)) if images is None else np.unique(np.linspace(0, len(pairs) - 1, images).round().astype(int))
    )
    metrics, cracked = CrackMetrics(groups, threshold=threshold), CrackMetrics(("iou",), threshold=threshold)
    every = []
    for index in map(int, chosen):
        if Path(pairs.name(index)).stem in left_out:
            continue
        batch = batch_of(pairs, index)
        with torch.no_grad():
            output = network(batch["lr"])
        metrics.update(output, batch)
        every.append(seen(batch, output.segmentation, threshold, output.sr.shape[-1] // batch["lr"].shape[-1]))
        if every[-1].cracked:
            cracked.update(output, batch)
    sound = [image for image in every if not image.cracked]
    numbers = metrics.compute() | comparison.summary(image.comparison for image in every)
    return numbers | {
        "iou_max_cracked": cracked.compute()["iou_max"],
        "psnr_interior_bicubic": float(np.nanmean([image.bicubic for image in every])),
        "sound": len(sound),
        "sound_marked": sum(image.marked > 0 for image in sound),
        "sound_above_specks": sum(image.specks for image in sound),
        "iou_of_images": {str(row["name"]): round(float(row["iou"]), 4) for row in metrics.rows()},
    }


def line(name: str, n: Mapping[str, Any]) -> str:
    """The numbers in one line."""
    text = (
        f"{name:12}{n['images']:4d}  IoU_max {n['iou_max']:.4f} @{n['iou_max_threshold']:.2f}  .5 {n['iou']:.4f}"
        f"  2px ODS {n['ods_2px']:.4f} OIS {n['ois_2px']:.4f}  PSNR' {n['psnr_interior']:.2f}"
        f" ({n['psnr_interior'] - n['psnr_interior_bicubic']:+.2f})  kernel {n['kernel_psnr']:.1f}"
        f"  width x{n['width_ratio']:.3f}"
    )
    if n["sound"]:
        text += (
            f"  cracked {n['iou_max_cracked']:.4f}  sound {n['sound_marked']} marked, "
            f"{n['sound_above_specks']} above specks, of {n['sound']}"
        )
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="*", help="lite, *.safetensors or a checkpoint; none: only freeze")
    parser.add_argument("--split", choices=("train", "test"), default="train")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--images", type=int, help="of each set, spread over it; default: all")
    parser.add_argument("--all", action="store_true", help="every metric of csbsr-eval, for scripts/lite_card.py")
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--leave-out", nargs="+", default=(), metavar="STEM")
    parser.add_argument("--data", type=Path, default=os.environ.get("CSBSR_TEST_DATA"), help="$CSBSR_TEST_DATA")
    parser.add_argument("--cache", type=Path, default=Path("frozen"), help="folder of the frozen sets")
    parser.add_argument("--json", type=Path, help="file for all numbers")
    chosen = parser.parse_args()
    if chosen.data is None:
        parser.error("--data: expected the folder that holds crackforest, masonry and khanhha; or set CSBSR_TEST_DATA")
    torch.set_num_threads(1)
    sets = {name: frozen(name, chosen.split, Path(chosen.data), chosen.cache) for name in chosen.sets}
    results: dict[str, dict[str, Any]] = {}
    for weights in chosen.weights:
        network, results[weights] = network_of(weights), {}
        for name, pairs in sets.items():
            groups = EVERY if chosen.all else QUICK
            numbers = evaluate(network, pairs, chosen.images, chosen.threshold, chosen.leave_out, groups)
            results[weights][name] = numbers
            print(f"{Path(weights).stem[:20]:20} {line(name, numbers)}", flush=True)
            if chosen.json:
                chosen.json.write_text(json.dumps({"split": chosen.split, "weights": results}, indent=1))


if __name__ == "__main__":
    main()
