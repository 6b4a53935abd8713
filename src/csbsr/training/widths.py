"""Measures cracks on the test images, predicted and true, while they pass by."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from csbsr.measure.comparison import Comparison, compare_masks, summary
from csbsr.measure.noise import check_limit


class WidthErrors(Callback):
    """Compares the widths and lengths of each test image, see `csbsr.measure.comparison`.

    Args:
        threshold: at and above which a probability is crack; of None 0.5.
        max_branches: beyond which an image is noise and not measured, see `csbsr.measure.noise.check_branches`; None
            for no limit.

    Attributes:
        found: by name; after the test of all processes.  None of noise; images of a network without a segmentation are
            not there.

    Raises:
        ValueError: ``max_branches`` is below 1.
    """

    def __init__(self, threshold: float | None = None, max_branches: int | None = None) -> None:
        check_limit(max_branches)
        self.threshold, self.max_branches = 0.5 if threshold is None else threshold, max_branches
        self.found: dict[str, Comparison | None] = {}

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        """Measure the images of this step."""
        for output, part in zip(outputs, batch, strict=True):
            if output.segmentation is None or "mask" not in part:
                continue
            maps = output.segmentation.detach().float().clamp(0, 1) * part.get("valid", 1)
            masks = part["mask"].float() * part.get("valid", 1)
            for name, one, mask in zip(part["name"], maps.cpu().numpy(), masks.cpu().numpy(), strict=True):
                self.found.setdefault(name, compare_masks(one[0], mask[0], self.threshold, self.max_branches))

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Bring together what the processes found, and log it."""
        if trainer.world_size > 1:
            every: list[dict[str, Comparison | None]] = [{}] * trainer.world_size
            torch.distributed.all_gather_object(every, self.found)
            for part in every:
                self.found = part | self.found
        self.found = dict(sorted(self.found.items()))  # sums are the same to the last digit, whoever measured what
        if self.found:
            pl_module.log_dict({f"test/{key}": value for key, value in summary(self.found.values()).items()})
