"""Developer's tool: docs/blur.svg, the blur that the lite system estimates against the one each photograph was given.

    python -m scripts.blur_picture --cache frozen

reads the test sets that scripts/evaluate_lite.py froze, and prints the median errors that docs/lite.md quotes.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from csbsr.degradation import blur_of_shape
from csbsr.joint import LiteNetwork
from scripts.evaluate_lite import SETS, batch_of, frozen, network_of

SIDE, LEFT, TOP, GAP = 220, 44, 14, 62  # of a panel and around it
COLOURS = {"crackforest": "#1f5fa8", "masonry": "#c4571b", "khanhha": "#3d8b52"}
LONG = 1.5  # σ₁ / σ₂ from which on a blur has a direction worth the name


class Panel(NamedTuple):
    """One plot of estimates over true values."""

    title: str
    highest: float
    ticks: Sequence[float]


PANELS = (
    Panel("σ₁, px", 4.5, (0, 1, 2, 3, 4)),
    Panel("σ₂, px", 4.5, (0, 1, 2, 3, 4)),
    Panel(f"θ, degrees, where σ₁ > {LONG:g} σ₂", 180, (0, 45, 90, 135, 180)),
)


def blurs(network: LiteNetwork, name: str, data: Path, cache: Path) -> np.ndarray:
    """True and estimated (σ₁, σ₂, θ) of all photographs of a set, (n, 2, 3), the larger σ first."""
    pairs = frozen(name, "test", data, cache)
    given = {image["file"]: image["blur"] for image in json.loads((pairs.root / "manifest.json").read_text())["images"]}
    found = []
    for index in range(len(pairs)):
        first, second, angle = given[pairs.name(index)][:3]
        true = (first, second, angle % 180) if first >= second else (second, first, (angle + 90) % 180)
        with torch.no_grad():
            shape = network.appearance(batch_of(pairs, index)["lr"]).shape
        assert shape is not None
        found.append((true, blur_of_shape(shape)[0].tolist()))
    return np.array(found)


def turned(true: np.ndarray, estimated: np.ndarray) -> np.ndarray:
    """Estimated directions within 90 degrees of the true ones: an axis has no sense."""
    return true + (estimated - true + 90) % 180 - 90


def panel_values(blur: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """True and estimated values that a panel shows."""
    true, estimated = blur[:, 0, number], blur[:, 1, number]
    if number < 2:
        return true, estimated
    directed = blur[:, 0, 0] > LONG * blur[:, 0, 1]
    return true[directed], turned(true, estimated)[directed]


def picture(found: dict[str, np.ndarray]) -> str:
    """The three panels as SVG."""
    width, height = LEFT + len(PANELS) * (SIDE + GAP), TOP + SIDE + 58
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, panel in enumerate(PANELS):
        left = LEFT + number * (SIDE + GAP)

        def place(x: float, y: float, left: int = left, panel: Panel = panel) -> tuple[str, str]:
            step = SIDE / panel.highest
            return f"{left + x * step:.1f}", f"{TOP + SIDE - y * step:.1f}"

        parts.append(f'<rect x="{left}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#888"/>')
        (x1, y1), (x2, y2) = place(0, 0), place(panel.highest, panel.highest)
        parts.append(f'<path d="M{x1} {y1}L{x2} {y2}" stroke="#bbb"/>')
        for tick in panel.ticks:
            x, y = place(tick, tick)
            parts.append(f'<text x="{x}" y="{TOP + SIDE + 15}" text-anchor="middle">{tick:g}</text>')
            parts.append(f'<text x="{left - 5}" y="{float(y) + 4:.1f}" text-anchor="end">{tick:g}</text>')
        parts.append(
            f'<text x="{left + SIDE / 2}" y="{TOP + SIDE + 32}" text-anchor="middle">true {panel.title}</text>'
        )
        middle = f"{left - 30} {TOP + SIDE / 2}"
        parts.append(f'<text transform="translate({middle})rotate(-90)" text-anchor="middle">estimated</text>')
        for name, blur in found.items():
            for x, y in (place(*pair) for pair in zip(*panel_values(blur, number), strict=True)):
                parts.append(f'<circle cx="{x}" cy="{y}" r="2.6" fill="{COLOURS[name]}" fill-opacity="0.7"/>')
    for number, name in enumerate(found):
        x, y = LEFT + number * 120, height - 8
        parts.append(
            f'<circle cx="{x + 5}" cy="{y - 4}" r="4" fill="{COLOURS[name]}"/><text x="{x + 14}" y="{y}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="lite")
    parser.add_argument("--data", type=Path, default=os.environ.get("CSBSR_TEST_DATA", "."), help="$CSBSR_TEST_DATA")
    parser.add_argument("--cache", type=Path, default=Path("frozen"))
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs" / "blur.svg")
    chosen = parser.parse_args()
    network = network_of(chosen.weights)
    if not isinstance(network, LiteNetwork):
        parser.error("--weights: expected those of the lite system")
    found = {name: blurs(network, name, chosen.data, chosen.cache) for name in SETS}
    chosen.output.write_text(picture(found), encoding="utf-8")
    for name, blur in found.items():
        errors = [np.abs(np.subtract(*panel_values(blur, number))) for number in range(3)]
        print(f"{name:12} median error: " + "  ".join(f"{np.median(error):.3g}" for error in errors))


if __name__ == "__main__":
    main()
