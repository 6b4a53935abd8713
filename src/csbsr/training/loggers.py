"""A CSV logger whose curves go on when a run goes on, and what a run hands to every kind of logger at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from csbsr.pages.panel import panel
from csbsr.training.curves import CurveFile
from csbsr.training.resuming import ResumePoint


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
        if self._experiment is None and getattr(rank_zero_only, "rank", 0) == 0:
            self._experiment = cast(Any, CurveFile(Path(self.log_dir), self._point))
        return super().experiment

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
