"""How a system stands up to what a camera does to a photograph: one pass over some test images per factor."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from csbsr.contracts import Batch, JointOutput, Sample
from csbsr.data import evaluation_generator
from csbsr.degradation import degrade
from csbsr.degradation.factors import Factor, robustness_factors
from csbsr.metrics import CrackMetrics, functional
from csbsr.metrics.representable import nearest_kernel
from csbsr.report.robustness_table import COLUMNS

log = logging.getLogger("csbsr")


def robustness(
    network: nn.Module,
    samples: Sequence[Sample] | Any,
    factors: Sequence[Factor],
    images: int = 40,
    seed: int = 0,
    threshold: float | None = None,
) -> list[dict[str, Any]]:
    """One row of numbers per factor.

    Args:
        network: a joint network in evaluation mode, ``lr -> JointOutput``; it stays on its device.
        samples: test images with ``hr``, ``mask`` and ``name``; whatever else they hold is not read.
        factors: what to degrade them with, see `csbsr.degradation.factors.robustness_factors`.
        images: at most so many, evenly spread over the samples.
        seed: of the draws; an image's draws are a function of seed and name, the same for every system.
        threshold: the recommended threshold; None takes the best of the images.

    Returns:
        Rows with ``factor``, ``group``, ``value``, ``images`` and the keys of
        `csbsr.report.robustness_table.COLUMNS`; NaN where a system has none.
    """
    count = min(images, len(samples))
    if count < 1:
        raise ValueError(f"images: expected at least 1, got {images} of {len(samples)}")
    chosen = [samples[index * len(samples) // count] for index in range(count)]
    device = next((tensor.device for tensor in network.parameters()), torch.device("cpu"))
    was_training = network.training
    network.eval()
    rows = []
    try:
        for factor in factors:
            rows.append(_row(network, chosen, factor, seed, threshold, device))
            log.info("robustness  %-32s IoU max %.3f", factor.label, rows[-1]["iou_max"])
    finally:
        network.train(was_training)
    return rows


def by_settings(
    settings: Mapping[str, Any] | None, network: nn.Module, samples: Any, seed: int, threshold: float | None
) -> list[dict[str, Any]]:
    """`robustness` by the group ``robustness`` of the configuration; no rows without one."""
    if not settings:
        return []
    ranges = {key: value for key, value in settings.items() if key != "images"}
    factors = robustness_factors(int(getattr(network, "scale", 4)), **ranges)
    return robustness(network, samples, factors, settings["images"], seed, threshold)


def _row(
    network: nn.Module,
    samples: Sequence[Sample],
    factor: Factor,
    seed: int,
    threshold: float | None,
    device: torch.device,
) -> dict[str, Any]:
    metrics = CrackMetrics(("iou", "overlap", "image", "kernel"), threshold=threshold)
    extra: dict[str, list[float]] = {"psnr_bicubic": [], "kernel_psnr_best": [], "consistency": []}
    for batch in _degraded(samples, factor, seed, device):
        with torch.inference_mode():
            output: JointOutput = network(batch["lr"])
        metrics.update(output, batch)
        hr, lr, kernel = batch["hr"], batch["lr"], batch["kernel"]
        larger = F.interpolate(lr, size=hr.shape[-2:], mode="bicubic", align_corners=False).clamp(0, 1)
        extra["psnr_bicubic"].append(float(functional.psnr(larger, hr)))
        nearest = nearest_kernel(network, kernel)
        if nearest is not None:
            extra["kernel_psnr_best"].append(float(functional.kernel_psnr(nearest, kernel)))
        if output.kernel is not None:
            again = degrade(output.sr, output.kernel, factor.camera.scale, "reflect", factor.camera.antialias)
            extra["consistency"].append(float(functional.psnr(again.clamp(0, 1), lr.clamp(0, 1))))
    values = metrics.compute()
    known = {key: values.get(key, math.nan) for key, *_ in COLUMNS}
    known["iou_recommended"] = values.get("iou", math.nan)
    known |= {key: _mean(found) for key, found in extra.items()}
    return {"factor": factor.label, "group": factor.group, "value": factor.value, "images": len(samples), **known}


def _degraded(samples: Sequence[Sample], factor: Factor, seed: int, device: torch.device) -> Iterator[Batch]:
    """The images one by one, degraded by the factor's camera."""
    for sample in samples:
        blur = factor.camera.draw(evaluation_generator(seed, sample["name"]))[None].to(device)
        hr = sample["hr"][None].to(device)
        lr, kernel = factor.camera(hr, blur)
        yield {
            "hr": hr, "mask": sample["mask"][None].to(device), "name": [sample["name"]],
            "lr": lr, "kernel": kernel, "blur": blur,
        }  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan
