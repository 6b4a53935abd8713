"""Writes the files of an evaluation: numbers, rows, curves, run card, page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from csbsr.files import write_text
from csbsr.pages.files import csv_text, json_text
from csbsr.report.page import PICTURES, evaluation_page


def write_evaluation(
    folder: Path,
    metrics: Mapping[str, float],
    definitions: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    curves: Mapping[str, Sequence[float]],
    card: Mapping[str, Any],
    robustness: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write ``metrics.json``, ``per_image.csv``, ``curves.csv``, ``run_card.json`` and ``report.html`` into ``folder``,
    and ``robustness.csv`` if there are rows of `csbsr.report.robustness.robustness`.

    What is undefined (NaN) is null in the JSON files and empty in the tables.  The arguments are those of
    `csbsr.report.page.evaluation_page`; the pictures are expected in ``folder/pictures``.
    """
    write_text(folder / "metrics.json", json_text(metrics))
    write_text(folder / "run_card.json", json_text(card))
    write_text(folder / "per_image.csv", csv_text(rows, list(rows[0])) if rows else "")
    lines = [dict(zip(curves, values, strict=True)) for values in zip(*curves.values(), strict=True)]
    write_text(folder / "curves.csv", csv_text(lines, list(curves)) if lines else "")
    page = evaluation_page(metrics, definitions, rows, curves, card, folder / PICTURES, robustness)
    write_text(folder / "report.html", page)
    if robustness:
        write_text(folder / "robustness.csv", csv_text(robustness, list(robustness[0])))
