"""A CSV logger whose curves go on when a run goes on, and what a run hands to every kind of logger at its end."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.core.saving import save_hparams_to_yaml
from pytorch_lightning.loggers import CSVLogger, Logger
from pytorch_lightning.utilities import rank_zero_only

from csbsr.files import partial_name, write_bytes
from csbsr.pages.panel import panel
from csbsr.training.resuming import ResumePoint

#: The file of a run's curves.
NAME = "metrics.csv"


class CurveFile:
    """A table that grows by rows and columns and is on the disk at every moment.

    Rows are appended by one write each time; a new column has the file written anew, whole.  It takes the place of
    Lightning's ``ExperimentWriter``, which deletes the file of an earlier start and rewrites it in place.

    Args:
        folder: of ``metrics.csv``.
        keep: which of the rows that are there stay; None keeps all.
        last: the row that has to be there, if it is given.
    """

    def __init__(
        self,
        folder: Path,
        keep: Callable[[Mapping[str, str]], bool] | None = None,
        last: Mapping[str, float] | None = None,
    ) -> None:
        self.path = folder / NAME
        self.metrics: list[dict[str, Any]] = []  # not yet in the file
        self.hparams: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._columns, rows = _read(self.path) if self.path.is_file() else ([], [])
        self._started = bool(self._columns)
        kept = [row for row in rows if keep is None or keep(row)]
        if last is not None and not any(row["step"] == str(last["step"]) and row.get("train/loss") for row in kept):
            before = [row for row in kept if int(row["step"]) < last["step"]]  # its validation, if any, comes after it
            kept = [*before, {key: str(value) for key, value in last.items()}, *kept[len(before) :]]
        if kept != rows:
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


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a table; a last line that a full disk cut off is left out."""
    with path.open(newline="", encoding="utf-8") as file:
        text = file.read()
    reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1], newline=""))
    rows = list(reader)
    return list(reader.fieldnames or []), rows


class ContinuedCSVLogger(CSVLogger):
    """Writes ``<save_dir>/metrics.csv``; rows of an earlier part of the same run stay.

    Args:
        save_dir: folder of ``metrics.csv``.
        flush_logs_every_n_steps: how often rows reach the file.
    """

    def __init__(self, save_dir: str, flush_logs_every_n_steps: int = 50) -> None:
        super().__init__(save_dir, name="", version="", flush_logs_every_n_steps=flush_logs_every_n_steps)
        self._point: ResumePoint | None = None

    def go_on_from(self, point: ResumePoint) -> None:
        """Drop the rows that an earlier start wrote beyond this point, and those of an unfinished validation."""
        self._point = point

    @property
    def experiment(self) -> CurveFile:
        """The table, which only the first process writes."""
        if self._experiment is None and rank_zero_only.rank == 0:
            keep = None if self._point is None else self._belongs
            self._experiment = CurveFile(Path(self.log_dir), keep, self._point and self._point.row)
        return super().experiment

    def _belongs(self, row: Mapping[str, str]) -> bool:
        step = int(row["step"])
        if step >= self._point.step:
            return False
        validated = any(value for key, value in row.items() if key.startswith("val/"))
        return not (validated and self._point.unvalidated and step == self._point.step - 1)

    @rank_zero_only
    def sync(self) -> None:
        """Have all rows on the disk."""
        self.experiment.sync()


def log_final(
    loggers: Sequence[Logger],
    stage: str,
    table: Sequence[Sequence[str]],
    images: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Hand the final table and a panel to those loggers that take them (wandb, TensorBoard).

    Args:
        loggers: of the trainer.
        stage: first part of the names, "test" or "val".
        table: per metric its name, value and definition.
        images: rows of `csbsr.pages.panel.panel`; none for no panel.
    """
    picture = panel(images) if images else None
    for logger in loggers:
        if hasattr(logger, "log_table"):  # wandb
            logger.log_table(f"{stage}/metrics", columns=["metric", "value", "definition"], data=[*map(list, table)])
            if picture is not None:
                logger.log_image(f"{stage}/panel", [picture])
        elif hasattr(logger.experiment, "add_text"):  # TensorBoard
            lines = ["| metric | value | definition |", "|---|---|---|", *(f"| {' | '.join(line)} |" for line in table)]
            logger.experiment.add_text(f"{stage}/metrics", "\n".join(lines))
            if picture is not None:
                logger.experiment.add_image(f"{stage}/panel", np.asarray(picture), dataformats="HWC")
        logger.save()
