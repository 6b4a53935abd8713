"""Reads what ``csbsr-eval`` wrote: the numbers, the rows of the images, the run card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csbsr.pages.files import read_csv, read_json
from csbsr.report.checked import check_metrics, check_names, check_run_card
from csbsr.report.runcard import system_name

FILES = ("metrics.json", "run_card.json", "per_image.csv")


@dataclass(frozen=True)
class Evaluation:
    """One evaluation folder.

    Attributes:
        folder: where it lies.
        label: short name, different for each evaluation of a comparison.
        metrics: the reported numbers; what is undefined is NaN.
        card: see `csbsr.report.runcard.run_card`.
        rows: a row of numbers per image, by its name.
        curves: values at the thresholds, by name; empty if there are none.
    """

    folder: Path
    label: str
    metrics: dict[str, float]
    card: dict[str, Any]
    rows: dict[str, dict[str, float]]
    curves: dict[str, list[float]]

    @property
    def system(self) -> str:
        """The network's parts, e.g. ``KBPN + PSPNet``."""
        return system_name(self.card["network"])

    @property
    def data(self) -> str:
        """The data's name and, shortened, its fingerprint."""
        data = self.card["data"]
        return f"{data.get('name', 'data')} ({str(data.get('fingerprint', '?'))[:6]})"

    @property
    def threshold(self) -> float | None:
        """The recommended threshold, at which masks are drawn."""
        value = self.metrics.get("recommended_threshold", self.metrics.get("iou_max_threshold"))
        return None if value is None or math.isnan(value) else value


def collect(paths: Sequence[str | Path]) -> list[Evaluation]:
    """Find and read all evaluation folders at or below ``paths``, in the order given, each once.

    Raises:
        FileNotFoundError: a path does not exist, or none of them holds an evaluation.
        ValueError: a file of an evaluation is damaged.
    """
    folders: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such folder; expected folders written by csbsr-eval")
        found = sorted(file.parent for file in path.rglob(FILES[0]))
        folders += [folder for folder in found if folder not in folders and (folder / FILES[1]).is_file()]
    if not folders:
        raise FileNotFoundError(
            f"no evaluation in {', '.join(map(str, paths))}: expected folders with {', '.join(FILES)}; "
            "csbsr-eval ckpt=… output=<folder> writes one"
        )
    return [read(folder, label) for folder, label in zip(folders, labels(folders), strict=True)]


def labels(folders: Sequence[Path]) -> list[str]:
    """The last parts of the folders' paths, as few as tell all of them apart."""
    parts = [folder.absolute().parts for folder in folders]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return names


def read(folder: Path, label: str) -> Evaluation:
    """Read one evaluation folder.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged.
    """
    try:
        values, card = (read_json(folder / file) for file in FILES[:2])
        check_metrics(values)
        check_run_card(card)
        table = read_csv(folder / FILES[2])
        check_names(row.get("name") for row in table)
        rows = {row.pop("name"): _numbers(row) for row in table}
        curves_file = folder / "curves.csv"
        curves = [_numbers(row) for row in read_csv(curves_file)] if curves_file.is_file() else []
        metrics = {key: math.nan if value is None else value for key, value in values.items()}
        if not all(isinstance(card[key], dict) for key in ("network", "data")):
            raise TypeError("network and data in run_card.json are no mappings")
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{folder}: no file {Path(error.filename).name}; run csbsr-eval anew") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{folder}: damaged ({type(error).__name__}: {error}); run csbsr-eval anew") from error
    by_name = {key: [row[key] for row in curves] for key in (curves[0] if curves else ())}
    return Evaluation(folder, label, metrics, card, rows, by_name)


def _numbers(row: dict[str, str]) -> dict[str, float]:
    return {key: float(value) if value else math.nan for key, value in row.items()}
