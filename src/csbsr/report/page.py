"""Self-contained HTML pages: the report of one evaluation, and the same images across several.

Pictures are embedded, and the page's own policy forbids the browser to load anything else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from csbsr.pages.charts import Line, Point, line_chart, scatter_chart, series_key
from csbsr.pages.templates import template
from csbsr.report.collect import Evaluation
from csbsr.report.pictures import ImagePictures
from csbsr.report.published import FOOTNOTE
from csbsr.report.robustness_table import section
from csbsr.report.runcard import system_name
from csbsr.report.tables import PUBLISHED_MARK, same_data, shown_columns, table_rows

PICTURES = "pictures"  #: folder of pictures inside an evaluation folder
_TILES = {
    "iou_max": "IoU max", "aiu": "AIU", "hd95_min": "HD95 min", "hd50_min": "HD50 min", "f1": "F1", "psnr": "PSNR",
    "psnr_interior": "PSNR without frame", "ssim": "SSIM", "iou_lost": "IoU lost by the threshold",
    "width_mae": "width error", "length_found": "crack length found",
}  # fmt: skip
_UNITS = {
    "psnr": "dB", "psnr_interior": "dB", "kernel_psnr": "dB", "hd95_min": "px", "hd50_min": "px",
    "hd95": "px", "blur_width": "px", "width_mae": "px", "width_bias": "px",
}  # fmt: skip
_OF_IMAGE = {
    "iou": "IoU", "f1": "F1", "hd95": "HD95", "psnr": "PSNR", "ssim": "SSIM", "kernel_psnr": "kernel PSNR",
    "blur_width": "blur width", "width_bias": "width error",
}  # fmt: skip
_COMPARED = {"iou": "IoU", "f1": "F1", "psnr": "PSNR"}
_MOST_PICTURES = 60  # of a comparison: images times runs


def number(key: str, value: float | None) -> str:
    """A reported number as text: counts whole, decibels and pixels with two digits, the rest with four."""
    if value is None or math.isnan(value):
        return "–"
    if float(value).is_integer() and key in ("images", "empty_masks", "empty_predictions", "unmeasured"):
        return f"{value:.0f}"
    two = "threshold" in key or "psnr" in key or "hd" in key or "msd" in key or key.startswith(("blur_width", "width_"))
    return f"{value:.{2 if two else 4}f}"


def evaluation_page(
    metrics: Mapping[str, float],
    definitions: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    curves: Mapping[str, Sequence[float]],
    card: Mapping[str, Any],
    pictures: str | Path,
    robustness: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The report of one evaluation.

    Args:
        metrics: the reported numbers.
        definitions: what each of them means.
        rows: a row of numbers per image, as `csbsr.metrics.CrackMetrics.rows` gives them.
        curves: values at the thresholds, as `csbsr.metrics.CrackMetrics.curves` gives them.
        card: see `csbsr.report.runcard.run_card`.
        pictures: folder of the images' `csbsr.report.pictures.ImagePictures`.
        robustness: a row per camera, as `csbsr.report.robustness.robustness` gives them.
    """
    threshold = _threshold(metrics)
    rows = with_blur_width(rows, pictures)
    groups = {
        title: [_image(row, pictures, threshold, _OF_IMAGE) for row in chosen] for title, chosen in choose(rows).items()
    }
    return template("report", "evaluation.html").render(
        title=system_name(card["network"]),
        card=card,
        tiles=[(label, _with_unit(key, metrics[key])) for key, label in _TILES.items() if key in metrics],
        numbers=[(key, number(key, value), definitions.get(key, "")) for key, value in metrics.items()],
        charts=threshold_charts(curves, threshold) + blur_charts(rows),
        threshold=threshold,
        groups={title: images for title, images in groups.items() if images},
        left_out=sum(row.get("mask_pixels") == 0 for row in rows),
        robustness=section(robustness),
        entries=_entries(card),
    )


def comparison_page(evaluations: Sequence[Evaluation], images: int = 12) -> str:
    """A table of several evaluations and the images that all of them share, side by side.

    Args:
        evaluations: at least one.
        images: show at most so many, those on which the IoU differs most; fewer if there are many evaluations, so that
            the page stays small.
    """
    columns = shown_columns(evaluations)
    shared = [name for name in evaluations[0].rows if all(name in evaluation.rows for evaluation in evaluations)]
    by_spread = sorted(shared, key=lambda name: (-_spread([e.rows[name].get("iou") for e in evaluations]), name))
    shown = by_spread[: min(images, max(2, _MOST_PICTURES // len(evaluations)))]
    with_curves = [evaluation for evaluation in evaluations if "iou" in evaluation.curves]
    lines = [Line(e.label, e.curves["threshold"], e.curves["iou"]) for e in with_curves]
    return template("report", "comparison.html").render(
        title=f"{len(evaluations)} evaluation{'s' if len(evaluations) > 1 else ''} compared",
        columns=columns,
        rows=[(row, [row.text(column) for column in columns]) for row in table_rows(evaluations)],
        footnote=f"{PUBLISHED_MARK} {FOOTNOTE}",
        same_data=same_data(evaluations),
        charts=[_chart("IoU, mean over the images", line_chart(lines, "threshold", "IoU"), lines)] if lines else [],
        shared=len(shared),
        images=[_compared(name, evaluations) for name in shown],
    )


def _compared(name: str, evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """What the template shows of one image in several evaluations."""
    images = [_image({"name": name, **e.rows[name]}, e.folder / PICTURES, e.threshold, _COMPARED) for e in evaluations]
    common = {**images[0], "verdict": None}
    for image in images:
        image["shares_bicubic"] = image["bicubic"] == common["bicubic"]
    return {"name": name, "common": common, "runs": list(zip(evaluations, images, strict=True))}


def choose(rows: Sequence[Mapping[str, Any]], most: int = 3) -> dict[str, list[Mapping[str, Any]]]:
    """The best, median and worst images by IoU, at most so many of each and none twice.

    Images without a crack are left out as long as others exist: their IoU is 0 or 1, whatever was predicted.
    """
    known = [row for row in rows if not math.isnan(row.get("iou", math.nan))]
    cracked = [row for row in known if row.get("mask_pixels", 1) > 0]
    order = sorted(cracked or known, key=lambda row: (row["iou"], row["name"]))
    each = min(most, max(1, len(order) // 3))
    middle = (len(order) - each) // 2
    chosen: dict[str, list[Mapping[str, Any]]] = {}
    seen: set[str] = set()
    for title, part in (
        ("Best", order[::-1][:each]),
        ("Worst", order[:each]),
        ("Median", order[middle : middle + each]),
    ):
        chosen[title] = [row for row in part if row["name"] not in seen]
        seen |= {row["name"] for row in part}
    return {title: chosen[title] for title in ("Best", "Median", "Worst")}


def with_blur_width(rows: Sequence[Mapping[str, Any]], pictures: str | Path) -> list[dict[str, Any]]:
    """The rows with ``blur_width`` in HR pixels: √(σ₁·σ₂) where both are known, else from the kernel's picture."""
    widened = []
    for row in rows:
        width = math.sqrt(row.get("sigma_1", math.nan) * row.get("sigma_2", math.nan))
        if math.isnan(width):
            width = ImagePictures(pictures, row["name"]).blur_width()
        widened.append({**row, "blur_width": width})
    return widened


def threshold_charts(curves: Mapping[str, Sequence[float]], threshold: float | None) -> list[dict[str, Any]]:
    """IoU and F1, and the Hausdorff distances, against the threshold."""
    charts = []
    note = "" if threshold is None else f"The vertical line marks the recommended threshold, {threshold:.2f}."
    names = {"iou": "IoU, mean of the images", "f1": "F1, pooled", "f1_2px": "F1 within 2 px, pooled"}
    lines = [Line(name, curves["threshold"], curves[key]) for key, name in names.items() if key in curves]
    if lines:
        chart = line_chart(lines, "threshold", "IoU, F1", threshold, (0.0, 1.0))
        charts.append(_chart("Overlap against the threshold", chart, lines, note))
    keys = sorted((key for key in curves if key.startswith("hd")), reverse=True)
    lines = [Line(key.upper(), curves["threshold"], curves[key]) for key in keys]
    if lines:
        chart = line_chart(lines, "threshold", "distance, px", threshold)
        charts.append(_chart("Hausdorff distance against the threshold", chart, lines, note))
    return charts


def blur_charts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """PSNR and IoU of each image against the width of its blur."""
    charts = []
    for key, name, title in (("psnr", "PSNR, dB", "Image quality"), ("iou", "IoU", "IoU")):
        known = [row for row in rows if not math.isnan(row["blur_width"] + row.get(key, math.nan))]
        points = [
            Point(row["blur_width"], row[key], f"{row['name']}: {number(key, row[key])} at {row['blur_width']:.2f} px")
            for row in known
        ]
        if points:
            chart = scatter_chart(points, "blur width √(σ₁·σ₂), px", name)
            charts.append(
                _chart(
                    f"{title} against blur width",
                    chart,
                    [],
                    "One point per image; the line is the mean in groups of equal size.",
                )
            )
    return charts


def _chart(title: str, svg: str, lines: Sequence[Line], note: str = "") -> dict[str, Any]:
    legend = [(Markup(series_key(i)), line.name) for i, line in enumerate(lines)]
    return {"title": title, "svg": Markup(svg), "legend": legend, "note": note}


def _image(
    row: Mapping[str, Any], pictures: str | Path, threshold: float | None, shown: Mapping[str, str]
) -> dict[str, Any]:
    """What the template shows of one image; a picture that does not exist is None."""
    own = ImagePictures(pictures, row["name"])
    return {
        "name": row["name"],
        "numbers": [(label, _with_unit(key, row[key])) for key, label in shown.items() if key in row],
        "verdict": own.verdict(threshold) if threshold is not None else None,
        "shares_bicubic": False,  # with the element around it
        **{key: own.preview(key) for key in ("bicubic", "sr", "hr")},
        **{key: own.kernel(key) for key in ("kernel", "estimated_kernel")},
    }


def _with_unit(key: str, value: float) -> str:
    text = number(key, value)
    return f"{text} {_UNITS[key]}" if key in _UNITS and text != "–" else text


def _threshold(metrics: Mapping[str, float]) -> float | None:
    value = metrics.get("recommended_threshold", metrics.get("iou_max_threshold", math.nan))
    return None if value is None or math.isnan(value) else value


def _spread(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None and not math.isnan(value)]
    return max(known) - min(known) if known else -1.0


def _entries(card: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """Run-card entries as (name, text, whether the text is long)."""
    entries = []
    for key, value in card.items():
        plain = not isinstance(value, (Mapping, list, tuple))
        text = str("none" if value is None else value) if plain else json.dumps(value, indent=1, ensure_ascii=False)
        entries.append((key.replace("_", " "), text, text.count("\n") > 12))
    return entries
