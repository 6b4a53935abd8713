"""The results table of docs/lite.md says what its numbers' file says, and both mean the weights that ship."""

import hashlib
import json
import re
import statistics
from pathlib import Path

ROOT = Path(__file__).parents[2]
CARD = json.loads((ROOT / "docs" / "results" / "lite.json").read_text())
PAGE = (ROOT / "docs" / "lite.md").read_text()
SETS = ("crackforest", "masonry", "khanhha")


def cell(numbers):
    if not numbers:
        return ""
    mean = statistics.mean(numbers)
    return f"{mean:.3f}" if len(numbers) == 1 else f"{mean:.3f} ± {statistics.stdev(numbers):.3f}"


def test_every_row_of_the_table_is_that_of_the_file():
    for name, row in CARD["rows"].items():
        expected = [cell(row["iou_max"].get(key)) for key in SETS]
        found = re.search(rf"^\| {re.escape(name)} \|(.*)\|$", PAGE, re.M)
        assert found, name
        assert [part.strip() for part in found[1].split("|")] == expected, name


def test_the_shipped_row_is_that_of_the_evaluation():
    for key in SETS:
        assert CARD["rows"]["lite, shipped weights"]["iou_max"][key] == [CARD["evaluation"][key]["iou_max"]]
        assert f"{CARD['evaluation'][key]['iou']:.3f}" in PAGE


def test_the_card_is_of_the_weights_that_ship():
    digest = hashlib.sha256((ROOT / "src" / "csbsr" / "weights" / "lite.safetensors").read_bytes()).hexdigest()
    assert CARD["weights_sha256"] == digest
    assert digest in PAGE
