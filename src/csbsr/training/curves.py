"""The file of a run's curves: it grows by rows and columns, and is whole at every moment."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.core.saving import save_hparams_to_yaml

from csbsr.files import partial_name, write_bytes
from csbsr.training.resuming import ResumePoint

#: Its name in the folder of the run.
NAME = "metrics.csv"


class CurveFile:
    """A table that grows by rows and columns and is on the disk at every moment.

    Rows are appended by one write each time; a new column has the file written anew, whole.  It takes the place of
    Lightning's ``ExperimentWriter``, which deletes the file of an earlier start and rewrites it in place.

    Args:
        folder: of ``metrics.csv``.
        point: where the run goes on.  Rows that an earlier start wrote beyond it are dropped, and those of an
            unfinished validation; its own row is added if it is missing.  None keeps what is there.
    """

    def __init__(self, folder: Path, point: ResumePoint | None = None) -> None:
        self.path = folder / NAME
        self.metrics: list[dict[str, Any]] = []  # not yet in the file
        self.hparams: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._columns, rows, torn = _read(self.path) if self.path.is_file() else ([], [], False)
        self._started = bool(self._columns)
        kept = rows if point is None else _up_to(point, rows)
        if torn or kept != rows:
            self._write_anew(kept)

    def log_metrics(self, values: Mapping[str, Any], step: int | None = None) -> None:
        """Add a row."""
        row = {key: value.item() if isinstance(value, torch.Tensor) else value for key, value in values.items()}
        self.metrics.append({**row, "step": len(self.metrics) if step is None else step})

    def log_hparams(self, settings: Mapping[str, Any]) -> None:
        """Write the settings to ``hparams.yaml``."""
        self.hparams.update(settings)
        path = self.path.with_name("hparams.yaml")
        save_hparams_to_yaml(partial_name(path), self.hparams)
        partial_name(path).replace(path)

    def save(self) -> None:
        """Bring the new rows into the file.

        Raises:
            OSError: they cannot be written, or the file has been removed; what stood in it stays.
        """
        if not self.metrics:
            return
        columns = sorted({*self._columns, *(key for row in self.metrics for key in row)})
        if columns != self._columns:
            earlier = _read(self.path)[1] if self._started else []
            self._columns = columns
            self._write_anew([*earlier, *self.metrics])
        else:
            with self.path.open("r+b") as file:
                end = file.seek(0, os.SEEK_END)
                try:
                    file.write(self._text(self.metrics))
                    file.flush()
                except OSError:
                    file.truncate(end)
                    raise
        self.metrics = []

    def sync(self) -> None:
        """Have all rows on the disk."""
        self.save()
        if self._started:
            with self.path.open("rb") as file:
                os.fsync(file.fileno())

    def _write_anew(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._columns = sorted({*self._columns, *(key for row in rows for key in row)})
        write_bytes(self.path, ",".join(self._columns).encode() + b"\r\n" + self._text(rows))
        self._started = True

    def _text(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        text = io.StringIO(newline="")
        csv.DictWriter(text, self._columns).writerows(rows)
        return text.getvalue().encode()


def _up_to(point: ResumePoint, rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The rows of a run that has come to ``point``."""
    cut_off = point.step - 1 if point.unvalidated else None
    kept = [
        row for row in rows if int(row["step"]) < point.step and not (int(row["step"]) == cut_off and _has(row, "val/"))
    ]
    own = point.row
    if own is not None and not any(int(row["step"]) == own["step"] and _has(row, "train/") for row in kept):
        before = [row for row in kept if int(row["step"]) < own["step"]]  # its validation comes after it
        kept = [*before, {key: str(value) for key, value in own.items()}, *kept[len(before) :]]
    return kept


def _has(row: Mapping[str, str], prefix: str) -> bool:
    return any(value for key, value in row.items() if key.startswith(prefix))


def _read(path: Path) -> tuple[list[str], list[dict[str, str]], bool]:
    """Columns and rows of a table, and whether it ends in a part of a line, which is left out."""
    with path.open(newline="", encoding="utf-8") as file:
        text = file.read()
    end = text.rfind("\n") + 1
    reader = csv.DictReader(io.StringIO(text[:end], newline=""))
    rows = list(reader)
    return list(reader.fieldnames or []), rows, end < len(text)
