"""Going on from a checkpoint: what it knows of its moment, and a fit loop that makes up for a missing validation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard, cast

from pytorch_lightning.loops.fetchers import _DataFetcher
from pytorch_lightning.loops.fit_loop import _FitLoop
from pytorch_lightning.loops.progress import _BatchProgress, _ProcessedTracker

from csbsr.weights import read_checkpoint

log = logging.getLogger("csbsr")

#: The checkpoint with which a run goes on, and the one before it.
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
#: The entry of `ResumePoint` among the callbacks of a checkpoint.
STATE = "SaveLast"


@dataclass(frozen=True)
class ResumePoint:
    """What a checkpoint knows beyond weights and progress.

    Attributes:
        step: number of updates behind it.
        unvalidated: a validation belongs to this step and was not finished.
        row: the curves' row of the last update, if there is one; written after the checkpoint, it may be missing.
        validation: the metrics of the last finished validation.
    """

    step: int = 0
    unvalidated: bool = False
    row: Mapping[str, float] | None = None
    validation: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any]) -> ResumePoint:
        """The point at which ``checkpoint`` was written; of an older version's, its step.

        Raises:
            ValueError: the entry holds something else.
        """
        known = checkpoint.get("callbacks", {})
        known = known.get(STATE, {}) if isinstance(known, Mapping) else known
        if isinstance(known, Mapping):
            row, validation = known.get("row"), known.get("validation", {})
            if (row is None or _is_row(row)) and _is_row(validation):
                return cls(checkpoint["global_step"], bool(known.get("unvalidated", False)), row, validation)
        raise ValueError(f"ckpt: callbacks.{STATE}: expected rows of numbers, got {known!r:.200}")

    def entry(self) -> dict[str, Any]:
        """The same as plain values, for a checkpoint."""
        row = None if self.row is None else dict(self.row)
        return {"unvalidated": self.unvalidated, "row": row, "validation": dict(self.validation)}


def _is_row(value: Any) -> TypeGuard[Mapping[str, float]]:
    return isinstance(value, Mapping) and all(
        isinstance(key, str) and isinstance(number, (int, float)) for key, number in value.items()
    )


def read_sound(path: Path, warn: Callable[[str], object] = log.warning) -> tuple[Path, dict[str, Any]]:
    """A checkpoint with its path; where ``last.ckpt`` is damaged or gone, the one before it, with a warning.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, or no checkpoint.
    """
    try:
        return path, read_checkpoint(path)
    except (ValueError, FileNotFoundError) as error:
        previous = path.with_name(PREVIOUS)
        if path.name != LAST or not previous.is_file():
            raise
        checkpoint = read_checkpoint(previous)
        warn(f"{error}\nwarning: going on from {previous} instead")
        return previous, checkpoint


class ValidatingFitLoop(_FitLoop):
    """Lightning's fit loop; a run that goes on begins with the validation that belongs to its step, if it is missing.

    Lightning takes a validation that was begun for done, and a run whose last step is done for finished.
    """

    _missing: Callable[[], bool]

    @classmethod
    def instead_of(cls, loop: _FitLoop, missing: Callable[[], bool]) -> ValidatingFitLoop:
        """``loop`` as one of these; ``missing`` says, once a checkpoint is read, whether to validate."""
        new = cls.__new__(cls)
        new.__dict__.update(loop.__dict__, _missing=missing)
        return new

    def run(self) -> None:
        """Validate if that is missing, then train."""
        self.setup_data()
        if self._missing():
            validation = self.epoch_loop.val_loop
            validation.restarting = False
            self.trainer.validating = True
            validation.run()
            self.trainer.training = True
            validation.batch_progress = _BatchProgress()  # Lightning counts it when it comes to this step
            validation.restarting = self.restarting
        super().run()

    def reset(self) -> None:
        """Go on after the last batch of an epoch in the next one, as if there had been no stop."""
        epoch = self.epoch_progress.current.ready
        super().reset()
        loop = self.epoch_loop
        if self.restarting and loop.restarted_on_train_batch_end and loop.batch_progress.is_last_batch:
            for count in cast(tuple[_ProcessedTracker, ...], (self.epoch_progress.total, self.epoch_progress.current)):
                count.ready = count.started = count.processed = count.completed = epoch
            self.reset_restart_stage()


def validation_follows(loop: _FitLoop) -> bool:
    """Whether a validation belongs to the update that has just been made."""
    epoch = loop.epoch_loop
    return (
        bool(epoch._should_check_val_fx(cast(_DataFetcher, loop._data_fetcher))) and sum(epoch.val_loop.max_batches) > 0
    )


def progress_of(loop: _FitLoop) -> dict[str, Any]:
    """What a checkpoint keeps of the progress of ``loop`` right after an update; nothing of its validations."""
    state: dict[str, Any] = loop.state_dict()
    state["epoch_loop.val_loop.batch_progress"] = _BatchProgress().state_dict()
    return state
