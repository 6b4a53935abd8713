"""Saving a run so that it goes on as if it had never stopped: last.ckpt, best.ckpt, and how they are written.

Every checkpoint of a run has the form that it has right after an update, whenever it is written: the progress of the
loops is noted there and put into whatever is saved later, after a validation, on a stop, on an error.  So there is one
way to go on, and `ResumePoint` holds what else it takes.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import CheckpointIO
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint

from csbsr.errors import NonFiniteLoss
from csbsr.files import disk_trouble, keep_as
from csbsr.training.resuming import (
    LAST,
    PREVIOUS,
    STATE,
    ResumePoint,
    ValidatingFitLoop,
    progress_of,
    validation_follows,
)
from csbsr.training.stops import Stopped, agreed
from csbsr.weights import read_checkpoint
from csbsr.weights.checkpoint import write_checkpoint

log = logging.getLogger("csbsr")


class SealedFiles(CheckpointIO):
    """Writes checkpoints whole and with a checksum, and reads them without running code from the file."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint; what stood at ``path`` stays if it cannot be written.

        Raises:
            OSError: of the disk, also where torch hides it behind an error of its own.
        """
        write_checkpoint(checkpoint, path)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint onto the CPU, its checksum compared."""
        return read_checkpoint(path)

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint."""
        Path(path).unlink(missing_ok=True)


class SaveLast(Checkpoint):
    """Keeps ``last.ckpt``, and the one before as ``previous.ckpt``.

    It is saved every ``every_n_steps`` updates and every ``every_minutes`` minutes, before and after each validation,
    at the end, on a stop, and on any error while the weights are sound.  A loss that is not finite gets a file of its
    own beside it.

    Args:
        folder: of the checkpoints.
        every_n_steps: updates between two saves.
        every_minutes: at most so many minutes of training are lost; None counts updates only.
    """

    def __init__(self, folder: str | Path, every_n_steps: int = 1000, every_minutes: float | None = 10) -> None:
        if every_n_steps < 1 or (every_minutes is not None and every_minutes <= 0):
            raise ValueError(
                "save_every_minutes and callbacks.last.every_n_steps: expected numbers above 0, "
                f"got {every_minutes} and {every_n_steps}; save_every_minutes=null counts updates only"
            )
        self.path = Path(folder) / LAST
        self.every_n_steps = every_n_steps
        self.every_minutes = every_minutes
        self.point = ResumePoint()
        self._saved_step = 0
        self._saved_at = time.monotonic()
        self._loops: dict[str, Any] | None = None  # progress at `point`
        self._data: dict[str, Any] = {}  # state of the data at `point`
        self._statistics: list[tuple[torch.Tensor, torch.Tensor]] = []  # running statistics, and as they were there

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let a run that goes on begin with the validation that a stop cut off."""
        if stage == "fit":
            trainer.fit_loop = ValidatingFitLoop.instead_of(trainer.fit_loop, lambda: self.point.unvalidated)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._saved_at = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Note where the run stands, and save on schedule; before weight averaging replaces the weights at the end."""
        step = trainer.global_step
        if step == self.point.step:  # gradients are being accumulated
            return
        self._note(trainer, pl_module)
        late = self.every_minutes is not None and time.monotonic() - self._saved_at >= 60 * self.every_minutes
        if agreed(trainer, late) or step % self.every_n_steps == 0 or step >= trainer.max_steps > 0:
            self._save(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save what a stop in the middle of the validation would lose."""
        if self._fits(trainer) and trainer.global_step != self._saved_step:
            self._save(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save with the threshold that this validation recommends."""
        if self._fits(trainer):
            values = {key: float(value) for key, value in trainer.callback_metrics.items() if key.startswith("val/")}
            self.point = ResumePoint(trainer.global_step, False, self.point.row, values)
            self._save(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Save where an interrupted run can go on; an unsound state goes to its own file."""
        step = trainer.global_step
        if trainer.state.fn != "fit":
            return
        if isinstance(exception, NonFiniteLoss):
            self._write(trainer, self.path.with_name(f"not_finite_step_{step}.ckpt"))
        elif step == self.point.step != self._saved_step and all(
            bool(torch.isfinite(parameter).all()) for parameter in pl_module.parameters()
        ):
            with torch.no_grad():
                for current, noted in self._statistics:  # the step that failed has changed them
                    current.copy_(noted)
            try:
                self._keep_previous(trainer)
                self._write(trainer, self.path)
            except Exception as error:
                log.warning("%s could not be saved at step %d: %s", self.path, step, disk_trouble(error) or error)
            else:
                self._saved_step = step
                if not isinstance(exception, Stopped) and trainer.is_global_zero:
                    log.info("saved step %d in %s", step, self.path)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Give each checkpoint of the run the form that it has right after an update."""
        if self._loops is not None and trainer.state.fn == "fit":
            checkpoint["loops"]["fit_loop"] = self._loops
            checkpoint.update(self._data)
        checkpoint["callbacks"][STATE] = self.point.entry()

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Go on from there."""
        self.point = ResumePoint.of(checkpoint)
        self._saved_step = self.point.step
        self._loops = checkpoint["loops"]["fit_loop"]

    def _fits(self, trainer: pl.Trainer) -> bool:
        return trainer.state.fn == "fit" and not trainer.sanity_checking and trainer.global_step > 0

    def _note(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        loop = trainer.fit_loop.epoch_loop
        row = None
        if trainer._logger_connector.should_update_logs:  # Lightning logs it after this hook
            logged = {key: float(value) for key, value in trainer._logger_connector.metrics["log"].items()}
            row = {**logged, "epoch": trainer.current_epoch, "step": loop._batches_that_stepped}
        follows = validation_follows(trainer.fit_loop)
        self.point = ResumePoint(trainer.global_step, follows, row, self.point.validation)
        self._loops = progress_of(trainer.fit_loop)
        data: pl.LightningDataModule | None = getattr(trainer, "datamodule", None)
        if data is not None and (state := data.state_dict()):
            self._data = {type(data).__qualname__: state}
        if not self._statistics:
            self._statistics = [(buffer, buffer.clone()) for buffer in pl_module.buffers()]
        with torch.no_grad():
            for current, noted in self._statistics:
                noted.copy_(current)

    def _keep_previous(self, trainer: pl.Trainer) -> None:
        if trainer.is_global_zero:
            keep_as(self.path, self.path.with_name(PREVIOUS))

    def _save(self, trainer: pl.Trainer) -> None:
        for logger in trainer.loggers:
            if hasattr(logger, "sync"):  # the curves first: a checkpoint never knows more steps than they do
                logger.sync()
        self._keep_previous(trainer)
        trainer.save_checkpoint(self.path, weights_only=False)
        self._saved_step, self._saved_at = trainer.global_step, time.monotonic()

    def _write(self, trainer: pl.Trainer, path: Path) -> None:
        """Save without waiting for the other processes, which may not come."""
        checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        trainer.strategy.save_checkpoint(checkpoint, path)


class BestCheckpoint(ModelCheckpoint):
    """Keeps the best checkpoint by a metric of the validation.  What it remembers is the score, and no path."""

    @property
    def state_key(self) -> str:
        """The name of its entry in a checkpoint, that of the class it replaced."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def state_dict(self) -> dict[str, Any]:
        """The best score so far."""
        return {"best_model_score": self.best_model_score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Only a better score than before replaces the file, if it is still there."""
        path, score = self.format_checkpoint_name({}), state_dict["best_model_score"]
        if score is None or self.save_top_k != 1 or not Path(path).is_file():
            return
        self.best_model_score = self.kth_value = torch.as_tensor(score)
        self.best_k_models = {path: self.best_model_score}
        self.best_model_path = self.kth_best_model_path = path
