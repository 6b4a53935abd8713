"""Lightning callbacks: phase borders, panels, progress."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy
from torch.nn.parallel import DistributedDataParallel

from csbsr.files import whole
from csbsr.pages.panel import panel
from csbsr.training.module import CrackModule


class PhaseControl(Callback):
    """Freezes and thaws at phase borders, also under DDP.

    DDP reduces the gradients of those parameters that required one when it wrapped the module.  Changing that
    afterwards lets ranks drift apart or raises, so the module is wrapped anew at each border (all ranks are at the same
    step).
    """

    def __init__(self) -> None:
        self._applied: int | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse strategies that cannot be wrapped anew."""
        self._applied = None
        phases = cast("CrackModule", pl_module).schedule.phases
        if len(phases) > 1 and not isinstance(trainer.strategy, (SingleDeviceStrategy, DDPStrategy)):
            raise ValueError(
                f"trainer.strategy: {type(trainer.strategy).__name__} cannot change what is frozen during a run; "
                "use one device or ddp, or phases=joint"
            )

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Enter the phase of this step, if it is another than the last one's."""
        index = cast("CrackModule", pl_module).schedule.index(trainer.global_step)
        if index == self._applied:
            return
        self._applied = index
        pl_module.zero_grad(set_to_none=True)
        pl_module.train()
        strategy = trainer.strategy
        if isinstance(strategy, DDPStrategy) and isinstance(strategy.model, DistributedDataParallel):
            strategy.model = pl_module
            strategy.configure_ddp()


class Panels(Callback):
    """Writes a picture of the first validation images: LR, SR, HR, mask, segmentation and both kernels.

    Args:
        folder: where ``step_<n>.png`` goes.
        images: how many images a picture shows.
    """

    def __init__(self, folder: str | Path, images: int = 4) -> None:
        self.folder = Path(folder)
        self.images = images
        self._rows: list[dict[str, Any]] = []

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        """Keep the first images."""
        if not trainer.is_global_zero or trainer.sanity_checking:
            return
        for output, part in zip(outputs, batch, strict=True):
            for i in range(len(part["name"])):
                if len(self._rows) < self.images:
                    self._rows.append(row_of(output, part, i))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw them, and hand the picture to loggers that take pictures."""
        if not self._rows:
            return
        picture = panel(self._rows)
        self._rows = []
        path = self.folder / f"step_{trainer.global_step:07d}.png"
        with whole(path) as file:
            picture.save(file, "PNG")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("val/panel", [str(path)], step=trainer.global_step)
            elif isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("val/panel", np.asarray(picture), trainer.global_step, dataformats="HWC")


def row_of(output: Any, batch: Any, i: int) -> dict[str, Any]:
    """Arrays of image ``i`` of a batch, as `csbsr.pages.panel.panel` takes them."""

    def array(tensor: Any) -> Any:
        return None if tensor is None else tensor[i].detach().float().cpu().numpy()

    return {
        "name": batch["name"][i],
        "lr": array(batch["lr"]),
        "sr": array(output.sr),
        "hr": array(batch["hr"]),
        "mask": array(batch["mask"]),
        "segmentation": array(output.segmentation),
        "kernel": array(batch.get("kernel")),
        "estimated_kernel": array(output.kernel),
    }


class Progress(RichProgressBar):
    """The rich progress bar, naming the phase."""

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """The usual figures without the version number, the step and the phase."""
        items = super().get_metrics(trainer, pl_module)
        items.pop("v_num", None)
        module = cast("CrackModule", pl_module)
        if module.phases is not None and trainer.training:
            items["step"] = f"{trainer.global_step}/{module.phases.total_steps}"
            items["phase"] = module.phase.name
        return items

    def _get_train_description(self, current_epoch: int) -> str:
        return f"epoch {current_epoch}"  # training ends after a number of steps, not of epochs


class StepsPerSecond(Callback):
    """Logs ``train/steps_per_second`` and the learning rate at the logger's interval."""

    def __init__(self) -> None:
        self._mark: tuple[int, float] | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._mark = (trainer.global_step, time.perf_counter())

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validation is not training time."""
        self._mark = (trainer.global_step, time.perf_counter())

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Log and restart the clock."""
        interval: int = trainer.log_every_n_steps  # type: ignore[attr-defined]  # Lightning sets it without declaring it
        if trainer.global_step % interval or self._mark is None:
            return
        step, start = self._mark
        now = time.perf_counter()
        if trainer.global_step > step:
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            pl_module.log_dict(
                {"train/steps_per_second": (trainer.global_step - step) / (now - start), "train/lr": rate}
            )
        self._mark = (trainer.global_step, now)
