"""A system small enough to train in milliseconds, with every part that phases know."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics import Metric

from csbsr.contracts import JointOutput
from csbsr.loss.objective import LossTerms
from csbsr.training.module import CrackModule
from csbsr.training.phases import PhaseSchedule

PHASES = {
    "sr_true_kernel": {"steps": 2, "trains": "sr_without_kernel_predictors", "segments": False, "true_kernel": True},
    "kernel": {"steps": 2, "trains": "kernel_predictors", "segments": False},
    "sr": {"steps": 2, "trains": "sr", "segments": False},
    "joint": {"trains": "all"},
}  # fmt: skip


class TinySR(nn.Module):
    scale = 1

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 3, 3, padding=1)
        self.predictor = nn.Conv2d(3, 1, 3, padding=1)

    def kernel_predictors(self):
        return [self.predictor]

    def forward(self, lr, kernel=None):
        if kernel is None:
            kernel = self.predictor(lr).mean((2, 3), keepdim=True).sigmoid().expand(-1, 1, 3, 3)
        return self.body(lr) * (1 + kernel.sum((1, 2, 3), keepdim=True)), kernel


class TinySystem(nn.Module):
    scale = 1

    def __init__(self):
        super().__init__()
        self.sr = TinySR()
        self.segmentor = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout2d(0.3), nn.Conv2d(4, 1, 1)
        )

    def forward(self, lr, kernel=None, segment=True):
        sr, kernel = self.sr(lr, kernel)
        return JointOutput(sr, self.segmentor(sr).sigmoid() if segment else None, kernel)


class TinyLoss(nn.Module):
    def forward(self, output, batch, alpha, joint):
        sr = (output.sr - batch["hr"]).abs().mean((1, 2, 3)) + output.kernel.square().mean((1, 2, 3))
        if not joint:
            return LossTerms(sr, {"sr": sr})
        segmentation = (output.segmentation - batch["mask"]).square().mean((1, 2, 3)) * alpha
        return LossTerms(sr + segmentation, {"sr": sr, "segmentation": segmentation})


class TinyMetrics(Metric):
    full_state_update = False

    def __init__(self):
        super().__init__()
        self.add_state("images", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, output, batch):
        self.images += len(batch["name"])

    def compute(self):
        return {"images": float(self.images), "iou_max": 0.5, "iou_max_threshold": 0.37}


class TinyData(pl.LightningDataModule):
    """Sixteen images; rank r of n takes every n-th."""

    def __init__(self, bad_step=None):
        super().__init__()
        self.bad_step = bad_step

    def train_dataloader(self):
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        draw = torch.Generator().manual_seed(1)
        items = []
        for i in range(16):
            image = torch.rand(3, 8, 8, generator=draw)
            if self.bad_step is not None and i == self.bad_step:
                image = image * float("nan")
            items.append(
                {
                    "lr": image, "hr": image, "mask": (image[:1] > 0.5).float(), "kernel": torch.full((1, 3, 3), 1 / 9),
                    "name": f"image_{i}.png",
                }
            )  # fmt: skip
        return DataLoader(items[rank::world], batch_size=1)

    def val_dataloader(self):
        return DataLoader(self.train_dataloader().dataset, batch_size=1, collate_fn=lambda items: [_stack(items)])


def _stack(items):
    return {
        key: [item[key] for item in items] if key == "name" else torch.stack([item[key] for item in items])
        for key in items[0]
    }


def tiny_module(steps=8, phases=PHASES, seed=0, **kwargs):
    torch.manual_seed(seed)
    return CrackModule(
        TinySystem(),
        TinyMetrics(),
        TinyLoss(),
        PhaseSchedule(phases, total_steps=steps),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-2),
        seed=seed,
        **kwargs,
    )
