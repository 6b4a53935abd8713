"""Width errors are the same to the last digit, however the images are spread over processes."""

import json

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DDPStrategy
from torch import nn
from torch.utils.data import DataLoader

from csbsr.contracts import JointOutput
from csbsr.measure.comparison import summary
from csbsr.training.module import CrackModule
from csbsr.training.widths import WidthErrors
from tests.measure.drawn import draw
from tests.training.test_module import QUIET
from tests.training.tiny import TinyMetrics

TRUE, PREDICTED = (3.0, 5.0, 4.0), (3.5, 4.0, 7.1)


def line(width):
    return torch.from_numpy(draw([[(8.0, 20.2), (52.0, 20.2)]], width, (40, 60)).astype(np.float32))[None, None]


class Predicting(nn.Module):
    """The image is the prediction."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, lr, kernel=None):
        return JointOutput(lr.expand(-1, 3, -1, -1), lr, None)


class Lines(pl.LightningDataModule):
    """Three images; of two processes each has two, so that one is measured twice."""

    def test_dataloader(self):
        rank, world = self.trainer.global_rank, self.trainer.world_size
        parts = [
            [{"name": [f"{number}.png"], "lr": line(found), "mask": (line(true) > 0.5).float()}]
            for number, (true, found) in enumerate(zip(TRUE, PREDICTED, strict=True))
        ]
        share = -(-len(parts) // world)
        own = [parts[(rank + turn * world) % len(parts)] for turn in range(share)]
        return DataLoader(own, batch_size=None)


class Kept(WidthErrors):
    """Writes down what each process came to."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def on_test_epoch_end(self, trainer, pl_module):
        super().on_test_epoch_end(trainer, pl_module)
        record = {"names": list(self.found), "values": summary(self.found.values())}
        (self.folder / f"{trainer.world_size}_{trainer.global_rank}.json").write_text(json.dumps(record))


def test_two_processes_come_to_what_one_does(tmp_path):
    for options in ({"devices": 1}, {"devices": 2, "strategy": DDPStrategy(start_method="fork")}):
        trainer = pl.Trainer(**QUIET, **options, callbacks=[Kept(tmp_path)])
        trainer.test(CrackModule(Predicting(), TinyMetrics()), datamodule=Lines(), verbose=False)
    alone, first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("1_0", "2_0", "2_1"))
    assert alone == first == second
    assert alone["names"] == ["0.png", "1.png", "2.png"]
    errors = np.array(PREDICTED) - [3, 5, 4]
    assert alone["values"]["width_bias"] == pytest.approx(errors.mean(), abs=0.15)
    assert alone["values"]["width_mae"] == pytest.approx(np.abs(errors).mean(), abs=0.15)
    assert alone["values"]["length_found"] == 1
