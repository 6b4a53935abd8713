"""A fit loop that makes up for the validation that a stop cut off, before it trains on."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

from pytorch_lightning.loops.fit_loop import _FitLoop


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
