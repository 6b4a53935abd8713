"""Going on from a checkpoint: what it knows of its moment, and a fit loop that makes up for a missing validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from pytorch_lightning.loops.fit_loop import _FitLoop

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
        """The point at which ``checkpoint`` was written; of an older version's, its step."""
        known = checkpoint.get("callbacks", {}).get(STATE, {})
        return cls(
            int(checkpoint["global_step"]),
            bool(known.get("unvalidated", False)),
            known.get("row"),
            dict(known.get("validation", {})),
        )

    def entry(self) -> dict[str, Any]:
        """The same as plain values, for a checkpoint."""
        row = None if self.row is None else dict(self.row)
        return {"unvalidated": self.unvalidated, "row": row, "validation": dict(self.validation)}


class ValidatingFitLoop(_FitLoop):
    """Lightning's fit loop; a run that goes on begins with the validation that belongs to its step, if it is missing.

    Lightning takes a validation that was begun for done, and a run whose last step is done for finished.
    """

    _missing: Callable[[], bool] = staticmethod(lambda: False)

    @classmethod
    def instead_of(cls, loop: _FitLoop, missing: Callable[[], bool]) -> ValidatingFitLoop:
        """A loop with the limits of ``loop``; ``missing`` says, once a checkpoint is read, whether to validate."""
        new = cls(loop.trainer, loop.min_epochs, loop.max_epochs)
        new.epoch_loop = loop.epoch_loop
        new._missing = missing
        return new

    def run(self) -> None:
        """Validate if that is missing, then train."""
        self.setup_data()
        if self._missing():
            validation = self.epoch_loop.val_loop
            progress = deepcopy(validation.batch_progress)
            validation.restarting = False
            self.trainer.validating = True
            validation.run()
            self.trainer.training = True
            validation.batch_progress = progress  # as in a checkpoint before the validation: Lightning counts it later
            validation.restarting = self.restarting
        super().run()
