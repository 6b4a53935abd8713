"""How a system stands up to what a camera does to a photograph: one pass over some test images per factor."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from markupsafe import Markup
from torch import Tensor, nn

from csbsr.contracts import Batch, JointOutput, Sample
from csbsr.data import evaluation_generator
from csbsr.degradation import degrade
from csbsr.degradation.factors import Factor
from csbsr.metrics import CrackMetrics, functional
from csbsr.pages.bars import Bar, bar_chart

log = logging.getLogger("csbsr")

#: Columns of the table: key, heading, digits, meaning.
COLUMNS = (
    ("iou_max", "IoU max", 3, "mean over the images of the IoU, at the threshold best for this row"),
    ("iou_recommended", "IoU", 3, "the same at the recommended threshold"),
    ("psnr", "PSNR", 2, "of the super-resolved image, dB"),
    ("psnr_bicubic", "bicubic", 2, "PSNR of the bicubic enlargement, dB"),
    ("kernel_psnr", "kernel", 2, "PSNR of the estimated kernel, dB"),
    ("kernel_psnr_best", "best kernel", 2, "PSNR of the nearest kernel that this system can express, dB"),
    ("consistency", "consistency", 2, "PSNR of the super-resolved image, degraded again, against the photograph, dB"),
)


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
        Rows with ``factor``, ``group``, ``value``, ``images`` and the keys of `COLUMNS`; NaN where a system has none.
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


def nearest_kernel(network: nn.Module, kernel: Tensor) -> Tensor | None:
    """The kernel nearest to ``kernel`` (B, 1, k, k) that a system can express, None if it does not say."""
    for part in (network, getattr(network, "sr", None)):
        says: Callable[[Tensor], Tensor] | None = getattr(part, "nearest_kernel", None)
        if says is not None:
            return says(kernel)
    return None


def unsuited(rows: Sequence[Mapping[str, Any]], least: float = 45.0) -> str | None:
    """A sentence naming the factors whose blur the system cannot express to ``least`` dB, None if there are none."""
    names = [
        str(row["factor"])
        for row in rows
        if row["group"] != "varying" and row.get("kernel_psnr_best", math.inf) < least
    ]
    if not names:
        return None
    return (
        "The kernels of this system cannot represent the blur of: "
        + ", ".join(names)
        + f" (the nearest one is below {least:g} dB)."
    )


def table_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Headings and lines of text; columns without any number are left out."""
    shown = [column for column in COLUMNS if any(math.isfinite(row[column[0]]) for row in rows)]
    lines = [
        [
            str(row["factor"]),
            *("–" if not math.isfinite(row[key]) else f"{row[key]:.{digits}f}" for key, _, digits, _ in shown),
        ]
        for row in rows
    ]
    return ["", *(heading for _, heading, *_ in shown)], lines


def figure(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows' IoU as a bar chart, an ``<svg>`` element."""
    bars = [Bar(str(row["factor"]), float(row["iou_max"])) for row in rows]
    return bar_chart(bars, "IoU max, mean over the images", marked=bars[0].value)


def section(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What the report's template shows of the rows, None without any."""
    if not rows:
        return None
    headings, lines = table_rows(rows)
    return {
        "images": rows[0]["images"],
        "headings": headings,
        "lines": lines,
        "meanings": [(heading, meaning) for key, heading, _, meaning in COLUMNS if heading in headings],
        "figure": Markup(figure(rows)),
        "unsuited": unsuited(rows),
    }


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan
