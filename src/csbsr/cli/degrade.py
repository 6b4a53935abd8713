"""``csbsr-degrade``: a test set's low-resolution images and kernels as files, in the published layout.

    out/gt/images/*.png  out/gt/masks/*.png
    out/<name>/hr_images/*.png  out/<name>/lr_images/*.png  out/<name>/kernels/*.png
    out/manifest.json

The draws are those of an evaluation on the fly, functions of (seed, path of the image within its split).  What is lost
is rounding: the low-resolution image to 8 bits (after clamping it to [0, 1]) and the kernel to 8 bits of its maximum.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from PIL import Image
from rich.progress import track

import csbsr
from csbsr.build import build
from csbsr.cli.command import DATA, plain, reports_errors, require
from csbsr.cli.config import literal_paths, run, show_version, unquoted
from csbsr.data.collate import stack
from csbsr.data.crack_data import CrackData, degrade_batch, found
from csbsr.data.degraded import DegradedPairs, written_mask
from csbsr.data.reading import eight_bit
from csbsr.degradation import NUMBERS
from csbsr.report.runcard import versions

log = logging.getLogger("csbsr")

MANIFEST = "manifest.json"


def main() -> None:
    """Entry point of ``csbsr-degrade``."""
    arguments = sys.argv[1:]
    show_version(arguments)
    run(degrade, "degrade", literal_paths(arguments))


@reports_errors
def degrade(config: DictConfig) -> None:
    """Write the set beside its place and move it there when it is complete."""
    require(config, {"out": "a folder to write, got nothing"}, "csbsr-degrade data=… out=<folder>")
    name = str(config.name)
    if name in ("", ".", "..", "gt") or Path(name).name != name:
        raise ValueError(f"name: expected the name of a folder other than gt, got {name!r}")
    out = Path(config.out)
    check_free(out, config.overwrite)
    data: CrackData = build({**plain(config.data), "lightning": False}, DATA)
    data.setup("test")
    test = found(data.test)
    if isinstance(data.test_source, DegradedPairs):
        raise ValueError("data: expected high-resolution images, got a set that is degraded already; choose another")
    log.info("data     %s: %d images", HydraConfig.get().runtime.choices["data"], len(test))
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        images = write_set(partial, name, data)
        text = json.dumps(manifest(config, name, data, images), indent=1, ensure_ascii=False)
        (partial / MANIFEST).write_text(text, encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    log.info("output   %s", out)


def check_free(out: Path, overwrite: bool) -> None:
    """Refuse to write into a folder that holds anything but, with ``overwrite``, an earlier set.

    Raises:
        ValueError: ``out`` is a file or holds something.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not out.is_dir():
        raise ValueError(f"out: expected a folder, got the file {out}; choose another name")
    ours = (out / MANIFEST).is_file() and (out / "gt").is_dir()
    if not overwrite or not ours:
        remedy = "add overwrite=true or choose another" if ours else "choose another (csbsr-degrade did not write this)"
        raise ValueError(f"out: expected a new or empty folder, got {out}, which is not empty; {remedy}")


def write_set(root: Path, name: str, data: CrackData) -> list[dict[str, Any]]:
    """Write every test image; returns what the manifest says of each.

    Raises:
        ValueError: two images would have the same file name.
    """
    folders = {
        "gt_image": root / "gt" / "images",
        "gt_mask": root / "gt" / "masks",
        "hr": root / name / "hr_images",
        "lr": root / name / "lr_images",
        "kernel": root / name / "kernels",
    }
    for folder in folders.values():
        folder.mkdir(parents=True)
    test = found(data.test)
    images: dict[str, dict[str, Any]] = {}
    for index in track(range(len(test)), description="degrading"):
        sample = test[index]
        file = Path(sample["name"]).with_suffix("").as_posix().replace("/", "__") + ".png"
        if file in images:
            raise ValueError(f"{sample['name']} and {images[file]['name']} would both be written as {file}; rename one")
        batch = degrade_batch(data.degradation, stack([sample]))
        whole, mask = test.source.read(index)
        pixels = {
            "gt_image": eight_bit(whole),
            "gt_mask": written_mask(mask),
            "hr": eight_bit(batch["hr"][0].numpy().transpose(1, 2, 0)),
            "lr": eight_bit(batch["lr"][0].numpy().transpose(1, 2, 0)),
            "kernel": eight_bit(batch["kernel"][0, 0].numpy() / batch["kernel"].max().item()),
        }
        hashes = {}
        for part, array in pixels.items():
            path = folders[part] / file
            Image.fromarray(array).save(path)
            hashes[path.relative_to(root).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
        images[file] = {"name": sample["name"], "file": file, "blur": sample["blur"].tolist(), "sha256": hashes}
    return list(images.values())


def manifest(config: DictConfig, name: str, data: CrackData, images: list[dict[str, Any]]) -> dict[str, Any]:
    """What has to be known to make the same set again, and to notice a changed file."""
    choices = HydraConfig.get().runtime.choices
    return {
        "format": 1,
        "version": csbsr.__version__,
        "versions": versions(),
        "overrides": unquoted(HydraConfig.get().overrides.task),
        "seed": config.seed,
        "scale": config.scale,
        "name": name,
        "degradation": {"choice": choices["degradation"], **plain(config.degradation)},
        "blur": f"{', '.join(NUMBERS)}: the first of them that an image has; high-resolution pixels, degrees",
        "source": {"data": choices["data"], "fingerprint": data.fingerprint()["test"]},
        "images": images,
    }


if __name__ == "__main__":
    main()
