"""The LightningModule: phases in a real fit, a loss that is not finite, checkpoints, two ranks."""

import csv
import json

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DDPStrategy

from csbsr.training.callbacks import PhaseControl
from csbsr.training.loggers import ContinuedCSVLogger
from csbsr.training.module import NonFiniteLoss
from csbsr.training.saving import SaveLast
from tests.training.tiny import TinyData, tiny_module

QUIET = {
    "logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False,
    "accelerator": "cpu", "num_sanity_val_steps": 0, "use_distributed_sampler": False,
}  # fmt: skip


class Record(pl.Callback):
    """Which parameters an update changed, and which statistics."""

    def __init__(self):
        self.changed = []

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.before = {name: value.clone() for name, value in module.network.state_dict().items()}

    def on_train_batch_end(self, trainer, module, *_):
        after = module.network.state_dict()
        self.changed.append({name for name, value in after.items() if not torch.equal(value, self.before[name])})


def test_each_phase_changes_its_part_only():
    record = Record()
    module = tiny_module(steps=8)
    pl.Trainer(**QUIET, max_steps=8, limit_val_batches=0, callbacks=[PhaseControl(), record]).fit(
        module, datamodule=TinyData()
    )
    body, predictor = {"sr.body.weight", "sr.body.bias"}, {"sr.predictor.weight", "sr.predictor.bias"}
    assert record.changed[0] == record.changed[1] == body
    assert record.changed[2] == record.changed[3] == predictor
    assert record.changed[4] == record.changed[5] == body | predictor
    assert record.changed[6] >= body | predictor | {"segmentor.1.running_mean", "segmentor.3.weight"}


def test_statistics_stay_frozen_after_a_validation():
    record = Record()
    module = tiny_module(steps=4)
    trainer = pl.Trainer(
        **QUIET, max_steps=4, val_check_interval=1, check_val_every_n_epoch=None, callbacks=[PhaseControl(), record]
    )
    trainer.fit(module, datamodule=TinyData())
    assert not any("running" in name for changed in record.changed for name in changed)


def test_a_loss_that_is_not_finite_stops_before_the_update(tmp_path):
    record = Record()
    module = tiny_module(steps=8)
    trainer = pl.Trainer(
        **{**QUIET, "enable_checkpointing": True}, max_steps=8, limit_val_batches=0,
        callbacks=[PhaseControl(), SaveLast(tmp_path, every_n_steps=1), record],
    )  # fmt: skip
    with pytest.raises(NonFiniteLoss, match=r"step 3 \(phase kernel\).*image_3\.png"):
        trainer.fit(module, datamodule=TinyData(bad_step=3))
    assert len(record.changed) == 3
    last = torch.load(tmp_path / "last.ckpt", weights_only=True)
    own = torch.load(tmp_path / "not_finite_step_3.ckpt", weights_only=True)
    assert last["global_step"] == own["global_step"] == 3
    assert all(torch.isfinite(value).all() for value in own["state_dict"].values())


def test_gradient_accumulation_sees_every_batch(tmp_path):
    module = tiny_module(steps=8)
    trainer = pl.Trainer(
        **QUIET, max_steps=8, limit_val_batches=0, accumulate_grad_batches=2, callbacks=[PhaseControl()]
    )
    with pytest.raises(NonFiniteLoss, match=r"step 1 .*image_2\.png, image_3\.png"):
        trainer.fit(module, datamodule=TinyData(bad_step=2))


def test_alpha_counts_updates_where_gradients_are_accumulated():
    alphas = []

    class Alphas(pl.Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            alphas.append(round(module.alpha, 10))

    trainer = pl.Trainer(
        **QUIET, max_steps=9, limit_val_batches=0, limit_train_batches=8, accumulate_grad_batches=2,
        callbacks=[PhaseControl(), Alphas()],
    )  # fmt: skip
    trainer.fit(tiny_module(steps=9, phases={"joint": {}}), datamodule=TinyData())
    assert alphas == [1.0] * 8 + [0.99] * 8 + [0.98] * 2  # eight batches are four updates, an epoch


@pytest.mark.parametrize("accumulated", [1, 2])
def test_values_are_collected_only_where_the_logger_takes_them(tmp_path, monkeypatch, accumulated):
    collected = []
    monkeypatch.setattr("csbsr.training.module.mean_over_processes", lambda values: collected.append(1) or values)
    trainer = pl.Trainer(
        **{**QUIET, "logger": ContinuedCSVLogger(str(tmp_path))}, max_steps=6, log_every_n_steps=3,
        limit_val_batches=0, accumulate_grad_batches=accumulated, callbacks=[PhaseControl()],
    )  # fmt: skip
    trainer.fit(tiny_module(steps=6), datamodule=TinyData())
    assert len(collected) == 2 * accumulated
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [row["step"] for row in rows if row["train/loss"]] == ["2", "5"]
    assert [float(row["train/phase"]) for row in rows if row["train/loss"]] == [1, 2]


def test_a_validation_says_of_how_many_images(caplog):
    trainer = pl.Trainer(
        **QUIET, max_steps=2, val_check_interval=2, check_val_every_n_epoch=None, callbacks=[PhaseControl()]
    )
    with caplog.at_level("INFO", logger="csbsr"):
        trainer.fit(tiny_module(steps=2), datamodule=TinyData())
    assert "step 2: validation on 16 images: iou_max 0.500" in caplog.text


def test_a_threshold_outlives_a_resume_without_validation(tmp_path):
    module = tiny_module(steps=4)
    options = {**QUIET, "enable_checkpointing": True, "check_val_every_n_epoch": None}
    pl.Trainer(**options, max_steps=2, val_check_interval=2, callbacks=[PhaseControl(), SaveLast(tmp_path)]).fit(
        module, datamodule=TinyData()
    )
    pl.Trainer(**options, max_steps=3, val_check_interval=9, callbacks=[PhaseControl(), SaveLast(tmp_path)]).fit(
        tiny_module(steps=4), datamodule=TinyData(), ckpt_path=tmp_path / "last.ckpt", weights_only=True
    )
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 3
    assert checkpoint["csbsr"]["recommended_threshold"] == 0.37


def test_the_checkpoint_carries_the_card_and_the_threshold(tmp_path):
    module = tiny_module(steps=4, card={"scale": 1})
    trainer = pl.Trainer(
        **{**QUIET, "enable_checkpointing": True}, max_steps=4, val_check_interval=2, check_val_every_n_epoch=None,
        callbacks=[PhaseControl(), SaveLast(tmp_path)],
    )  # fmt: skip
    trainer.fit(module, datamodule=TinyData())
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert checkpoint["csbsr"] == {"scale": 1, "recommended_threshold": 0.37}
    assert checkpoint["global_step"] == 4


def test_dropout_is_a_function_of_the_step():
    losses = []
    for start in (0, 123):  # whatever the generator's state before
        module = tiny_module(steps=3, phases={"joint": {}})
        torch.manual_seed(start)
        trainer = pl.Trainer(**QUIET, max_steps=3, limit_val_batches=0, callbacks=[PhaseControl()])
        trainer.fit(module, datamodule=TinyData())
        losses.append([value.clone() for value in module.network.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*losses, strict=True))


class Ranks(pl.Callback):
    """Writes each rank's weights and batches after every update."""

    def __init__(self, folder):
        self.folder = folder

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        record = {
            "weights": {name: value.double().flatten().tolist() for name, value in module.network.named_parameters()},
            "names": batch["name"],
            "learning": [name for name, value in module.network.named_parameters() if value.requires_grad],
        }
        (self.folder / f"rank{trainer.global_rank}_step{trainer.global_step}.json").write_text(json.dumps(record))


def test_two_ranks_hold_equal_weights_after_every_border(tmp_path):
    trainer = pl.Trainer(
        **QUIET, max_steps=8, limit_val_batches=0, devices=2, strategy=DDPStrategy(start_method="fork"),
        callbacks=[PhaseControl(), Ranks(tmp_path)],
    )  # fmt: skip
    trainer.fit(tiny_module(steps=8), datamodule=TinyData())
    previous = None
    for step in range(1, 9):
        first, second = (json.loads((tmp_path / f"rank{rank}_step{step}.json").read_text()) for rank in (0, 1))
        assert first["weights"] == second["weights"], f"step {step}"
        assert first["names"] != second["names"]
        if previous:
            changed = {name for name in first["weights"] if first["weights"][name] != previous["weights"][name]}
            assert changed <= set(first["learning"])
            assert changed
        previous = first
