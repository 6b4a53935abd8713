"""The whole chain learns: a compact system over-fits eight real photographs whose crops and kernels stay fixed."""

import pytest
import torch

import csbsr
from csbsr.cli import train
from csbsr.data import folder_data
from csbsr.data.datamodule import degrade_batch
from csbsr.degradation import Degradation
from csbsr.metrics import CrackMetrics
from tests.cli.inprocess import call


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_eight_masonry_images_to_an_iou_of_nine_tenths(photographs, tmp_path):
    crops = {
        "crop": 96, "batch_size": 8, "train_limit": 8, "validation_fraction": 0, "fixed_draws": True,
        "crack_preference": 1.0,
    }  # fmt: skip
    call(
        train.main, "recipe=quick", "phases=joint", "data=masonry", f"data.root={photographs / 'masonry'}",
        *(f"data.{key}={value}" for key, value in crops.items()), "steps=800", "loss.beta=0.7",
        "trainer.accelerator=cpu", "callbacks.progress=null", "+trainer.enable_progress_bar=false",
        f"output={tmp_path / 'run'}",
    )  # fmt: skip
    degradation = Degradation(scale=4)
    data = folder_data(str(photographs / "masonry"), degradation, num_workers=0, **crops)
    data.setup("fit")
    (batch,) = data.train_dataloader()
    batch = degrade_batch(degradation, batch)
    metrics = CrackMetrics(groups=["iou"])
    with torch.no_grad():
        metrics.update(csbsr.load(tmp_path / "run" / "checkpoints" / "last.ckpt")(batch["lr"]), batch)
    iou_max = metrics.compute()["iou_max"]
    print(f"IoU_max on the eight crops: {iou_max:.3f}")
    assert iou_max >= 0.9
