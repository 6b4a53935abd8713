"""The tables of docs/lite.md say what their numbers' file says, and both mean the weights that ship."""

import hashlib
import json
from pathlib import Path

import pytest

from scripts.lite_card import SETS, SHIPPED, cell, refreshed, rows_of_shipped, rows_of_systems

ROOT = Path(__file__).parents[2]
CARD = json.loads((ROOT / "docs" / "results" / "lite.json").read_text())
PAGE = (ROOT / "docs" / "lite.md").read_text()


def test_a_cell_by_hand():
    assert cell([0.4485, 0.4554, 0.4491]) == "0.451 ± 0.004"
    assert (cell([0.3937]), cell([]), cell(None)) == ("0.394", "", "")


def test_every_row_of_the_tables_is_that_of_the_file():
    lines = PAGE.splitlines()
    for name, row in (rows_of_systems(CARD) | rows_of_shipped(CARD)).items():
        assert row in lines, name


def test_refreshing_the_page_replaces_rows_and_names_those_it_lacks():
    page = "| a | 1 |\n| b | 2 |\n"
    assert refreshed(page, {"a": "| a | 3 |"}) == "| a | 3 |\n| b | 2 |\n"
    with pytest.raises(ValueError, match="expected one row 'c', found 0"):
        refreshed(page, {"c": "| c | 3 |"})


def test_the_shipped_row_is_that_of_the_evaluation():
    for key in SETS:
        assert CARD["rows"][SHIPPED]["iou_max"][key] == [CARD["evaluation"][key]["iou_max"]]


def test_the_card_is_of_the_weights_that_ship():
    digest = hashlib.sha256((ROOT / "src" / "csbsr" / "weights" / "lite.safetensors").read_bytes()).hexdigest()
    assert CARD["weights_sha256"] == digest
    assert digest in PAGE
