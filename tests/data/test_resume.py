"""A training that is interrupted sees exactly the batches that it would have seen without the interruption."""

import warnings

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from csbsr.data import CrackDataModule
from tests.data.helpers import Halving, Numbered

PER_EPOCH = 4


class Recorder(pl.LightningModule):
    """Trains nothing; notes names and blur of every batch, and saves wherever it is told to."""

    def __init__(self, save=None):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.seen, self.save = [], dict(save or {})

    def keep(self, place):
        if (path := self.save.pop((place, self.global_step), None)) is not None:  # once, the first time
            self.trainer.save_checkpoint(path)

    def training_step(self, batch, batch_idx):
        self.keep("in step")
        self.seen.append((tuple(batch["name"]), batch["blur"].sum().item(), batch["lr"].sum().item()))
        return self.layer(torch.zeros(1, 1)).sum()

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.keep("after step")

    def validation_step(self, batch, batch_idx):
        pass

    def on_validation_end(self):
        self.keep("after validation")

    def on_train_epoch_end(self):
        self.keep("after epoch")

    def on_train_end(self):
        self.keep("at the end")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class Asking(Recorder):
    """Needs the number of steps for its schedule, which makes the Trainer ask for the loader before it resumes."""

    def configure_optimizers(self):
        assert self.trainer.estimated_stepping_batches > 0
        return super().configure_optimizers()


def fit(steps, workers=0, resume=None, save=None, recorder=Recorder, validation=0.2, **options):
    data = CrackDataModule(
        Numbered(16 + (4 if validation else 0)),
        None,
        Halving(),
        batch_size=4,
        crop=8,
        num_workers=workers,
        validation_fraction=validation,
    )
    module = recorder(save)
    trainer = pl.Trainer(
        accelerator="cpu",
        **({"max_steps": steps} if isinstance(steps, int) else steps),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        **options,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    return module.seen


@pytest.fixture(scope="module")
def uninterrupted():
    seen = fit(11)
    assert len(seen) == 11
    assert len(set(seen)) == 11
    names = [name for batch, _, _ in seen[:PER_EPOCH] for name in batch]
    assert len(set(names)) == 16  # an epoch shows every image once
    return seen


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [3, 4, 5])  # within an epoch, at its end, just behind it
def test_steps_are_the_same_through_a_restart(tmp_path, uninterrupted, stop, workers):
    path = tmp_path / "last.ckpt"
    first = fit(stop, workers, save={("at the end", stop): path})
    second = fit(11, workers, resume=path)
    assert first == uninterrupted[:stop]
    assert second == uninterrupted[stop:]


PLACES = ["after step", "after validation", "after epoch", "in step"]


@pytest.mark.parametrize("interval", [{"val_check_interval": 3, "check_val_every_n_epoch": None}, {}])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("stop", [3, 4, 6, 8])
def test_wherever_the_checkpoint_is_written(tmp_path, uninterrupted, place, stop, interval):
    """A run that goes on after saving and one that resumes from there see the same batches."""
    path = tmp_path / "some.ckpt"
    whole = fit(11, save={(place, stop): path}, **interval)
    assert whole == uninterrupted
    if path.exists():
        assert fit(11, resume=path, **interval) == uninterrupted[stop:]
    else:  # no validation and no epoch ends here
        assert place in ("after validation", "after epoch")


@pytest.mark.parametrize("stop", [2, 4, 7])
def test_restart_of_a_restart(tmp_path, uninterrupted, stop):
    one, two = tmp_path / "one.ckpt", tmp_path / "two.ckpt"
    fit(stop, save={("at the end", stop): one})
    seen = fit(stop + 3, resume=one, save={("at the end", stop + 3): two})
    assert seen + fit(11, resume=two) == uninterrupted[stop:]


def test_training_by_epochs(tmp_path, uninterrupted):
    path = tmp_path / "some.ckpt"
    whole = fit({"max_epochs": 3}, save={("after step", 6): path})
    assert whole[:11] == uninterrupted
    assert len(whole) == 3 * PER_EPOCH
    assert fit({"max_epochs": 3}, resume=path) == whole[6:]


def test_loader_asked_for_before_the_loops_are_restored(tmp_path, uninterrupted):
    path = tmp_path / "some.ckpt"
    fit(6, recorder=Asking, save={("at the end", 6): path})
    assert fit(11, resume=path, recorder=Asking) == uninterrupted[6:]


def test_accumulated_gradients(tmp_path):
    path = tmp_path / "some.ckpt"
    whole = fit(5, accumulate_grad_batches=2, save={("after step", 3): path})
    assert len(whole) == 10
    assert fit(5, resume=path, accumulate_grad_batches=2) == whole[6:]


def test_checkpoints_of_lightning(tmp_path, uninterrupted):
    """The callback's own last.ckpt, written every two steps."""
    data = CrackDataModule(Numbered(20), None, Halving(), batch_size=4, crop=8, num_workers=0, validation_fraction=0.2)
    saving = ModelCheckpoint(tmp_path, save_last=True, every_n_train_steps=2, save_top_k=0)
    trainer = pl.Trainer(
        accelerator="cpu", max_steps=6, logger=False, callbacks=[saving], enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(Recorder(), datamodule=data)
    assert fit(11, resume=tmp_path / "last.ckpt") == uninterrupted[6:]


def test_length_of_an_epoch_and_steps_after_resume(tmp_path):
    path = tmp_path / "some.ckpt"
    epochs = []

    class Counting(Recorder):
        def on_train_epoch_end(self):
            epochs.append(self.global_step)
            super().on_train_epoch_end()

    fit(11, save={("after step", 6): path})
    fit(11, resume=path, recorder=Counting)
    assert epochs == [8, 11]  # the rest of the second epoch, then what the limit leaves of the third


def test_another_batch_size_is_reported(tmp_path, caplog):
    path = tmp_path / "some.ckpt"
    fit(6, save={("at the end", 6): path})
    data = CrackDataModule(Numbered(20), None, Halving(), batch_size=2, crop=8, num_workers=0)
    data.setup("fit")
    data.load_state_dict(torch.load(path, weights_only=True)["CrackDataModule"])
    assert "differ from those of the checkpoint" in caplog.text
