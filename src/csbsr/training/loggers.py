"""A CSV logger whose curves go on when a run goes on, and what a run hands to every kind of logger at its end."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.utilities import rank_zero_only

from csbsr.pages.panel import panel


class ContinuedCSVLogger(CSVLogger):
    """Writes ``<save_dir>/metrics.csv``; rows of an earlier part of the same run stay.

    Lightning's own logger deletes the file of an earlier start.  Rows from ``first_step`` on were written by a start
    that went further than the checkpoint from which the run goes on, and are dropped.

    Args:
        save_dir: folder of ``metrics.csv``.
        first_step: the first step (0-based) of this start; None keeps every row.
        flush_logs_every_n_steps: how often rows reach the file.
    """

    def __init__(self, save_dir: str, first_step: int | None = None, flush_logs_every_n_steps: int = 50) -> None:
        super().__init__(save_dir, name="", version="", flush_logs_every_n_steps=flush_logs_every_n_steps)
        self.first_step = first_step

    @property
    def experiment(self) -> ExperimentWriter:
        """The writer, holding the earlier rows."""
        if self._experiment is None and getattr(rank_zero_only, "rank", 0) == 0:
            path = Path(self.log_dir) / ExperimentWriter.NAME_METRICS_FILE
            rows = []
            if path.is_file():
                with path.open(newline="") as file:
                    rows = list(csv.DictReader(file))
                path.unlink()
            with warnings.catch_warnings():  # that the folder is not empty: it is the run's
                warnings.simplefilter("ignore")
                writer = super().experiment
            writer.metrics = [row for row in rows if self.first_step is None or int(row["step"]) < self.first_step]
        return super().experiment


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
        if isinstance(logger, WandbLogger):
            logger.log_table(f"{stage}/metrics", columns=["metric", "value", "definition"], data=[*map(list, table)])
            if picture is not None:
                logger.log_image(f"{stage}/panel", [picture])
        elif isinstance(logger, TensorBoardLogger):
            lines = ["| metric | value | definition |", "|---|---|---|", *(f"| {' | '.join(line)} |" for line in table)]
            logger.experiment.add_text(f"{stage}/metrics", "\n".join(lines))
            if picture is not None:
                logger.experiment.add_image(f"{stage}/panel", np.asarray(picture), dataformats="HWC")
        logger.save()
