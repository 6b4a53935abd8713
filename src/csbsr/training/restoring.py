"""A run that goes on puts back what its checkpoint holds beside weights; what does not fit is the fault of the file."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from torch import OutOfMemoryError

from csbsr.words import printable

_OF_RESTORING = (TypeError, KeyError, AttributeError, IndexError, RuntimeError, AssertionError)


class Restoring(Callback):
    """Tells errors of a checkpoint's states (optimiser, schedule, loops, data) from those of training.

    Args:
        ckpt: from which the run goes on; None if it begins.
    """

    def __init__(self, ckpt: str | Path | None) -> None:
        self.ckpt = ckpt
        self._begun = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Everything is put back."""
        self._begun = True

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Everything is put back; a validation that a stop cut off comes first."""
        self._begun = True

    def explained(self, error: Exception) -> Exception:
        """``error``, or one that names the checkpoint where restoring it failed."""
        if self.ckpt is None or self._begun or not isinstance(error, _OF_RESTORING):
            return error
        if isinstance(error, OutOfMemoryError):
            return error
        reason = printable(str(error).splitlines()[0] if str(error) else type(error).__name__)[:200]
        return ValueError(
            f"ckpt: {printable(self.ckpt)} cannot be continued: what it holds of the optimiser or of the progress does "
            f"not fit ({type(error).__name__}: {reason}); to start from its weights alone use "
            f"init={printable(self.ckpt)}"
        )
