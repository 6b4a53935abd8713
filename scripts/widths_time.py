"""What the light adds to csbsr-predict: CPU seconds of predicting a photograph and of its widths from the light."""

from __future__ import annotations

import time
from pathlib import Path

from csbsr.data.reading import read_photograph
from csbsr.inspection.measuring import Measuring
from csbsr.measure import BlurMap, with_light
from csbsr.predict import Predictor

REFERENCE = 50_000  # pixels of centreline in the super-resolved image


def table(paths: list[Path], ckpt: str) -> str:
    """Markdown, a row for each photograph; prediction and measurement without files, pictures and page."""
    predictor = Predictor.load(ckpt)
    measuring = Measuring(min_pixels=16)
    lines = [
        "| photograph | megapixels | centreline, px | predicted, s | measured, s | light, s "
        f"| light of {REFERENCE} px, s | share of the prediction |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for path in paths:
        image = read_photograph(path).image
        start = time.process_time()
        found = predictor.predict(image)
        predicted = time.process_time()
        measurement = measuring.measure(path.name, found.probability, predictor.threshold, predictor.scale)
        measured = time.process_time()
        kernels = found.kernels
        blur = None if kernels is None else BlurMap.of_kernels(kernels, predictor.scale, image.shape[:2])
        with_light(measurement, image, blur)
        light = time.process_time() - measured
        scaled = light * REFERENCE / max(measurement.length, 1)
        cells = [
            path.stem, f"{image.shape[0] * image.shape[1] / 1e6:.2f}", f"{measurement.length:.0f}",
            f"{predicted - start:.1f}", f"{measured - predicted:.1f}", f"{light:.2f}", f"{scaled:.2f}",
            f"{100 * light / (predicted - start):.1f} %",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
