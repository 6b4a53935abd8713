"""Fine-tuning that does not forget: the mean of the weights before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from csbsr.joint import JointSystem
from csbsr.weights import load


class Anchored(Callback):
    """Validates, and keeps in checkpoints, ``share·trained + (1 - share)·initial``, statistics of BatchNorms included.

    A few dozen photographs teach a network their own look and make it forget others; half-way back it keeps both.
    Training itself goes on from the trained weights.  A run that is continued goes on from those of its checkpoint.

    Args:
        init: the weights that training started from, as for ``init=``.
        share: of the trained weights, in (0, 1].

    Raises:
        ValueError: no weights to start from, or a share out of its range.

    Source:
        Wortsman et al. 2022 (WiSE-FT).
    """

    def __init__(self, init: str | Path | None, share: float = 0.7) -> None:
        if init is None:
            raise ValueError("init: expected weights to start from: recipe=finetune init=lite, or init=<checkpoint>")
        if not 0 < share <= 1:
            raise ValueError(f"callbacks.anchor.share: expected a number above 0 and up to 1, got {share}")
        self.init, self.share = init, share
        self._initial: dict[str, Tensor] = {}
        self._trained: dict[str, Tensor] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Read the initial weights: those of the network by now may be a checkpoint's."""
        network = _network(pl_module)
        states = load(self.init, scale=network.scale).state_dict()
        self._initial = {name: value.to(pl_module.device) for name, value in states.items()}

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the mean in place."""
        if trainer.state.fn != "fit" or self._trained:
            return
        own = _network(pl_module).state_dict()
        self._trained = {name: value.clone() for name, value in own.items()}
        with torch.no_grad():
            for name, value in own.items():
                if value.is_floating_point() and name in self._initial:
                    value.lerp_(self._initial[name].to(value.dtype), 1 - self.share)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Go on from the trained weights; what was saved meanwhile holds the mean."""
        if self._trained:
            _network(pl_module).load_state_dict(self._trained)
            self._trained = {}


def _network(module: pl.LightningModule) -> JointSystem:
    return cast("JointSystem", module.network)
