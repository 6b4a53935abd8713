"""Developer's tool: the model card of the shipped weights after they changed.

    python -m scripts.evaluate_lite lite --split test --all --cache frozen --json numbers.json
    python -m scripts.lite_card numbers.json

writes the numbers and the weights' SHA-256 into docs/results/lite.json, and the tables that hold them into
docs/lite.md.  tests/packaging/test_results.py compares page, file and weights.  The table of robustness in
docs/researchers.md names its weights and stays theirs until it is run again; docs/blur.svg comes from
scripts/blur_picture.py.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CARD, PAGE = ROOT / "docs" / "results" / "lite.json", ROOT / "docs" / "lite.md"
WEIGHTS = ROOT / "src" / "csbsr" / "weights" / "lite.safetensors"
SETS = ("crackforest", "masonry", "khanhha")
SHIPPED = "lite, shipped weights"


def cell(numbers: Sequence[float] | None) -> str:
    """Mean ± standard deviation over seeds, as the page shows it."""
    if not numbers:
        return ""
    mean = statistics.mean(numbers)
    return f"{mean:.3f}" if len(numbers) == 1 else f"{mean:.3f} ± {statistics.stdev(numbers):.3f}"


def line(name: str, cells: Sequence[str]) -> str:
    """A row of a table in Markdown; an empty cell keeps its two blanks."""
    return f"| {name} | " + " | ".join(cells) + " |"


def rows_of_systems(card: Mapping[str, Any]) -> dict[str, str]:
    """Rows of the table of systems, by their names."""
    return {name: line(name, [cell(row["iou_max"].get(key)) for key in SETS]) for name, row in card["rows"].items()}


def rows_of_shipped(card: Mapping[str, Any]) -> dict[str, str]:
    """Rows of the table of the shipped weights, by their names."""
    sets = [card["evaluation"][key] for key in SETS]
    texts = {
        "IoU at the threshold of 0.5": [f"{n['iou']:.3f}" for n in sets],
        "IoU lost against the best threshold": [f"{n['iou_lost']:.3f}" for n in sets],
        "F1 within 2 px, best threshold, pixels of all images": [f"{n['ods_2px']:.3f}" for n in sets],
        "F1 within 2 px, best threshold of each image": [f"{n['ois_2px']:.3f}" for n in sets],
        "PSNR without a frame of 24 px, dB (above bicubic)": [
            f"{n['psnr_interior']:.2f} ({n['psnr_interior'] - n['psnr_interior_bicubic']:+.2f})" for n in sets
        ],
        "PSNR of the kernel, dB": [f"{n['kernel_psnr']:.1f}" for n in sets],
        "width drawn over width of the mask, median over the length found": [f"{n['width_ratio']:.2f}" for n in sets],
        "images without a crack: marked at all, above the size of a speck, of": [
            f"{n['sound_marked']}, {n['sound_above_specks']}, {n['sound']}" if n["sound"] else "" for n in sets
        ],
    }
    return {name: line(name, cells) for name, cells in texts.items()}


def refreshed(page: str, rows: Mapping[str, str]) -> str:
    """The page with these rows in place of those that begin with the same name.

    Raises:
        ValueError: the page lacks one.
    """
    for name, row in rows.items():
        page, count = re.subn(rf"^\| {re.escape(name)} \|.*$", lambda _, row=row: row, page, flags=re.M)
        if count != 1:
            raise ValueError(f"{PAGE}: expected one row {name!r}, found {count}; add it to its table")
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", type=Path, help="of scripts/evaluate_lite.py: lite --split test --all --json")
    found = json.loads(parser.parse_args().numbers.read_text())
    if found["split"] != "test":
        parser.error(f"numbers: expected those of the test split, got {found['split']}")
    if any("hd95_min" not in numbers for numbers in found["weights"]["lite"].values()):
        parser.error("numbers: expected every metric; run scripts/evaluate_lite.py with --all")
    card = json.loads(CARD.read_text())
    digest, before = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(), card["weights_sha256"]
    for key, numbers in found["weights"]["lite"].items():
        numbers.pop("iou_of_images")
        card["evaluation"][key] = {name: round(value, 4) for name, value in numbers.items()}
        card["rows"][SHIPPED]["iou_max"][key] = [round(numbers["iou_max"], 4)]
    card["weights_sha256"] = digest
    CARD.write_text(json.dumps(card, indent=1) + "\n")
    page = PAGE.read_text().replace(before, digest)
    PAGE.write_text(refreshed(page, rows_of_systems(card) | rows_of_shipped(card)))


if __name__ == "__main__":
    main()
