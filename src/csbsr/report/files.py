"""Writes the files of an evaluation: numbers, rows, curves, run card, page."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
    _write(folder / "metrics.json", _json(metrics))
    _write(folder / "run_card.json", _json(card))
    _table(folder / "per_image.csv", rows)
    lines = [dict(zip(curves, values, strict=True)) for values in zip(*curves.values(), strict=True)]
    _table(folder / "curves.csv", lines)
    _write(
        folder / "report.html", evaluation_page(metrics, definitions, rows, curves, card, folder / PICTURES, robustness)
    )
    if robustness:
        _table(folder / "robustness.csv", robustness)


def _json(value: Any) -> str:
    return json.dumps(_defined(value), indent=1, ensure_ascii=False, allow_nan=False)


def _defined(value: Any) -> Any:
    """``value`` with null for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): _defined(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_defined(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        if rows:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({key: "" if value != value else value for key, value in row.items()} for row in rows)


def _write(path: Path, text: str) -> None:
    # A file name may hold bytes that are no UTF-8; Python keeps them as surrogates.
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
