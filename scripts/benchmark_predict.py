"""What csbsr-predict costs on a very large photograph, how far its tiles disagree, and what its consistency tells.

    python scripts/benchmark_predict.py large --ckpt <checkpoint> [--size 6000x4000] [csbsr-predict's settings …]
    python scripts/benchmark_predict.py grid [--megapixels 1 4 12 24] [--seconds 1500] [--json out.json] [settings …]
    python scripts/benchmark_predict.py seams --ckpt <checkpoint> <photograph> …
    python scripts/benchmark_predict.py consistency --ckpt <checkpoint> <photograph> …

``large`` generates a photograph, runs csbsr-predict on it in a process of its own and prints the time and the peak
resident memory of that process, as the system counts it (wait4: ru_maxrss).  ``grid`` does that for photographs of
several sizes with every one of `BACKENDS` and `WAYS`, beside the CPU time of the plain network on as many pixels,
measured in the same minutes; what would start after ``--seconds`` is left out and said.  ``seams`` compares tiles with
one tile for the whole of the photographs' middle, 448 × 448 pixels: a network that sees its whole input (KBPN's kernel,
PSPNet's pools) sees less of it in a tile.  ``consistency`` shows what its limit tells apart: super-resolved photographs
as they are, and with a straight dark crack drawn into them, whose pixels are then looked at.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from benchmark import show

from csbsr.data.reading import read_image
from csbsr.memory import keep_freed_memory
from csbsr.names import SHIPPED
from csbsr.predict import Predictor
from csbsr.predict.consistency import LIMIT, LIMIT_AT_CRACKS, difference, summarised

MIDDLE = 448  # pixels of the photograph
#: Ways to cut a photograph into tiles, and without what they have for seams: margins and blend.
FORMS: dict[str, dict[str, Any]] = {
    "tile=768": {},
    "tile=768 kernel=photograph": {"kernel": "photograph"},
    "tile=384": {"tile": 384},
    "tile=768, no margins, no blend": {"margin_sr": 0, "margin_segmentation": 0, "blend": 0},
}
#: Settings of csbsr-predict for each of what ``grid`` compares.
BACKENDS: dict[str, tuple[str, ...]] = {
    "torch": ("backend=torch",), "openvino": ("backend=openvino",), "onnxruntime": ("backend=onnxruntime",)
}  # fmt: skip
WAYS: dict[str, tuple[str, ...]] = {"default": (), "grow": ("grow=true",), "skip": ("skip=auto",)}
SAVED = "save=mask,probability"
SIDE = 512  # pixels of the photograph that the plain network is timed on
#: An invented crack: its width in pixels of the result, and by how much it darkens them.
INVENTED, DARKENED = 6, (0.2, 0.4)


def large(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Time and peak memory of one run of the command line."""
    yield one_run(options.size, options.rest, options)


def grid(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A run for each size, backend and way; the row of what was left out says so."""
    start = time.perf_counter()
    ways = {name: chosen for name, chosen in WAYS.items() if name != "skip" or options.ckpt not in SHIPPED}
    for megapixels in options.megapixels:
        size = size_of(megapixels)
        for backend, chosen in BACKENDS.items():
            for way, chosen_too in ways.items():
                row = {"megapixels": megapixels, "backend": backend, "way": way}
                if time.perf_counter() - start > options.seconds:
                    yield {**row, "not run": f"after {options.seconds:g} s nothing is started"}
                    continue
                alone = network_seconds(options.ckpt) * megapixels
                found = one_run(size, [SAVED, *chosen, *chosen_too, *options.rest], options)
                yield {**row, **found, "network alone, CPU s": alone, "times the network": found["CPU s"] / alone}


def size_of(megapixels: float) -> str:
    """Width x height, 3 to 2, in multiples of 8."""
    height = 8 * round(math.sqrt(megapixels * 1e6 / 1.5) / 8)
    return f"{8 * round(megapixels * 1e6 / height / 8)}x{height}"


def network_seconds(ckpt: str, repeats: int = 3) -> float:
    """CPU seconds of the plain network for a megapixel of a photograph, the fastest of some runs."""
    predictor = Predictor.load(ckpt)
    system = predictor.system
    lr = system.tensor(np.random.default_rng(0).uniform(0.2, 0.8, (3, SIDE, SIDE)).astype(np.float32))
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        upscaled = system.upscale(lr)
        if system.serial is not None:
            system.segment(upscaled.sr, np.full(3, 0.5), np.full(3, 0.1), upscaled.kernel)
        seconds.append(time.process_time() - start)
    return min(seconds) * 1e6 / SIDE**2


def one_run(size: str, settings: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Time and peak memory of the command line on a generated photograph of ``size``, width x height."""
    width, height = (int(side) for side in size.split("x"))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        source, output = Path(folder, "photograph.jpg"), Path(folder, "results")
        # Elsewhere, because the system counts what this process holds when it starts another one to the other's peak.
        code = (
            "import sys; from PIL import Image; import numpy as np; from csbsr.data.synthetic import photograph; "
            f"Image.fromarray(photograph(np.random.default_rng(3), ({height}, {width}))[0]).save(sys.argv[1])"
        )
        subprocess.run([sys.executable, "-c", code, str(source)], check=True)
        command = [
            sys.executable, "-m", "csbsr.cli.predict", f"ckpt={options.ckpt}", f"input={source}", f"output={output}",
            *settings,
        ]  # fmt: skip
        start = time.perf_counter()
        status, used = os.wait4(subprocess.Popen(command).pid, 0)[1:]
        wall = time.perf_counter() - start
        if status:
            raise SystemExit(f"csbsr-predict ended with status {status}")
        written = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
        return {
            "photograph": size, "settings": " ".join(settings) or "default",
            "minutes": wall / 60,
            "CPU s": used.ru_utime + used.ru_stime, "peak GB": used.ru_maxrss * 1024 / 1e9,
            "results, MB": written / 1e6,
        }  # fmt: skip


def seams(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Differences between tiles and the whole, over everything and as a step across the borders of tiles."""
    for path in options.rest:
        image = read_image(path)
        top, left = (max(0, (side - MIDDLE) // 2) for side in image.shape[:2])
        image = image[top : top + MIDDLE, left : left + MIDDLE]
        whole = Predictor.load(options.ckpt, tile=10**6).predict(image)
        for name, form in FORMS.items():
            predictor = Predictor.load(options.ckpt, **form)
            tiled = predictor.predict(image)
            layout = predictor._layout(image.shape[:2], predictor.options.tile)
            difference = tiled.probability - whole.probability
            borders = [axis.bounds[1:-1] for axis in (layout.rows, layout.columns)]
            steps = [
                np.abs(np.diff(difference, axis=axis).take(border * predictor.scale - 1, axis))
                for axis, found in enumerate(borders)
                for border in found
            ]
            either = np.count_nonzero(tiled.mask | whole.mask)
            yield {
                "photograph": Path(path).name, "form": name, "tiles": f"{len(layout.rows)}×{len(layout.columns)}",
                "SR, mean": float(np.abs(tiled.sr - whole.sr).mean()),
                "probability, mean": float(np.abs(difference).mean()),
                "step at a border, mean": float(np.mean(np.concatenate(steps))),
                "step, 99.9 %": float(np.percentile(np.concatenate(steps), 99.9)),
                "IoU of the masks": np.count_nonzero(tiled.mask & whole.mask) / either if either else 1.0,
            }  # fmt: skip


def consistency(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Consistency as it is, and over a line's pixels after a crack is drawn there into the super-resolved image."""
    predictor = Predictor.load(options.ckpt, tile=10**6)
    system, scale = predictor.system, predictor.scale
    invented = {share: f"at a line of {INVENTED} px, darkened by {share:.0%}" for share in DARKENED}
    whole, marked = "whole image", "where cracks are marked"
    found: dict[str, list[float]] = {key: [] for key in (whole, marked, *invented.values())}
    for path in options.rest:
        image = read_image(path)
        top, left = (max(0, (side - MIDDLE // 2) // 2) for side in image.shape[:2])
        image = image[top : top + MIDDLE // 2, left : left + MIDDLE // 2]
        as_it_is = predictor.predict(image).consistency
        found[whole].append(as_it_is.whole)
        if as_it_is.cracks is not None:
            found[marked].append(as_it_is.cracks)
        lr = system.tensor(np.float32(image.transpose(2, 0, 1)) / np.float32(255 if image.dtype == np.uint8 else 1))
        upscaled = system.upscale(lr)
        height, width = upscaled.sr.shape[1:]
        line = np.zeros((height, width), np.uint8)
        cv2.line(line, (width // 10, height // 3), (width * 9 // 10, height * 2 // 3), 1, INVENTED)
        touched = line.reshape(height // scale, scale, width // scale, scale).any((1, 3))
        for share, key in invented.items():
            sr = upscaled.sr_tensor * (1 - share * torch.from_numpy(line).to(upscaled.sr_tensor))
            map_ = difference(lr, sr, upscaled.kernel, scale, predictor._passes.antialias)[0]
            found[key].append(summarised(map_, touched).cracks)
    for key, values in found.items():
        shares = dict(zip(("least", "median", "largest"), np.percentile(values, (0, 50, 100)), strict=True))
        yield {
            "consistency": key, "photographs": len(values), **{k: float(v) for k, v in shares.items()},
            "above its limit": f"{np.mean(np.array(values) > (LIMIT if key == whole else LIMIT_AT_CRACKS)):.0%}",
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["large", "grid", "seams", "consistency"])
    parser.add_argument("--ckpt", default=SHIPPED[0])
    parser.add_argument("--size", default="6000x4000", help="width x height of the generated photograph")
    parser.add_argument(
        "--megapixels", type=float, nargs="+", default=[1, 4, 12, 24], help="of the photographs of grid"
    )
    parser.add_argument("--seconds", type=float, default=math.inf, help="after which grid starts no other run")
    parser.add_argument("--json", type=Path, help="write the rows and the machine to this file")
    parser.add_argument("--folder", help="for its files; the system's folder for temporary files otherwise")
    parser.add_argument("rest", nargs="*", help="photographs, or settings of csbsr-predict")
    options = parser.parse_intermixed_args()
    keep_freed_memory()  # as csbsr-predict does, for the plain network here
    what = {"large": large, "grid": grid, "seams": seams, "consistency": consistency}[options.what]
    rows = []
    for row in what(options):
        rows.append(row)
        if options.json:  # as they come: what was measured stays if this is stopped
            machine = {"torch": torch.__version__, "cores": os.cpu_count(), "processor": platform.processor()}
            options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1))
    show(rows)


if __name__ == "__main__":
    main()
