"""Curves that are whole at every moment, saves by time, the best checkpoint, shares of several processes."""

import csv
import signal
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch

from csbsr.data import FolderPairs
from csbsr.data.datamodule import CrackDataModule
from csbsr.training.callbacks import PhaseControl
from csbsr.training.curves import CurveFile
from csbsr.training.resuming import ResumePoint, read_sound
from csbsr.training.saving import BestCheckpoint, SaveLast
from csbsr.training.stops import Stopped, Stops, StopTraining
from tests.data.helpers import write_pairs
from tests.training.test_module import QUIET
from tests.training.tiny import TinyData, tiny_module


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def curves(folder, steps=4, point=None):
    file = CurveFile(folder, point)
    for step in range(steps):
        file.log_metrics({"train/loss": torch.tensor(0.1 * step), "epoch": 0}, step)
        file.save()
        if step % 2:
            file.log_metrics({"val/iou_max": 0.1, "epoch": 0}, step)
            file.save()
    return file


def test_curves_grow_by_rows_and_columns(tmp_path):
    curves(tmp_path)
    rows = table(tmp_path / "metrics.csv")
    assert [(row["step"], bool(row["val/iou_max"])) for row in rows] == [
        ("0", False), ("1", False), ("1", True), ("2", False), ("3", False), ("3", True),
    ]  # fmt: skip
    assert list(rows[0]) == sorted(rows[0])
    assert float(rows[3]["train/loss"]) == pytest.approx(0.2)


def test_curves_are_never_absent(tmp_path, monkeypatch):
    from csbsr import files

    seen = []
    replace = files.os.replace
    curves(tmp_path)
    before = (tmp_path / "metrics.csv").read_text()

    def replacing(*paths):
        seen.append((tmp_path / "metrics.csv").read_text())
        replace(*paths)

    monkeypatch.setattr(files.os, "replace", replacing)
    CurveFile(tmp_path, ResumePoint(step=3))
    assert seen == [before]
    assert [row["step"] for row in table(tmp_path / "metrics.csv")] == ["0", "1", "1", "2"]


def test_an_unfinished_validation_is_dropped_and_a_missing_row_added(tmp_path):
    curves(tmp_path)
    whole = table(tmp_path / "metrics.csv")
    row = {"train/loss": 0.5, "epoch": 0, "step": 3}
    CurveFile(tmp_path, ResumePoint(step=4, unvalidated=True, row=row))
    assert table(tmp_path / "metrics.csv") == whole[:-1]  # the row was there already
    CurveFile(tmp_path, ResumePoint(step=3))
    CurveFile(tmp_path, ResumePoint(step=4, unvalidated=True, row=row))
    assert [(row["step"], row["train/loss"]) for row in table(tmp_path / "metrics.csv")][-1] == ("3", "0.5")
    CurveFile(tmp_path / "new", ResumePoint(step=4, row=row))
    assert table(tmp_path / "new" / "metrics.csv") == [{"epoch": "0", "step": "3", "train/loss": "0.5"}]


def test_a_torn_line_is_left_out_and_a_removed_file_told(tmp_path):
    curves(tmp_path)
    path = tmp_path / "metrics.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    file = CurveFile(tmp_path, ResumePoint(step=4))
    file.log_metrics({"train/loss": 1.0, "epoch": 1}, 4)
    file.save()
    assert [row["step"] for row in table(path)] == ["0", "1", "1", "2", "3", "4"]
    path.unlink()
    file.log_metrics({"train/loss": 1.0, "epoch": 1}, 5)
    with pytest.raises(FileNotFoundError, match=r"metrics\.csv"):
        file.save()


def test_saves_by_the_clock(tmp_path, monkeypatch):
    from csbsr.training import saving

    now, saved = [0.0], []
    monkeypatch.setattr(saving.time, "monotonic", lambda: now[0])
    save = SaveLast(tmp_path, every_n_steps=1000, every_minutes=10)
    monkeypatch.setattr(
        save, "_save", lambda trainer: (saved.append(trainer.global_step), setattr(save, "_saved_at", now[0]))
    )

    class Clock(pl.Callback):
        def on_train_batch_start(self, *_):
            now[0] += 250.0  # seconds a step

    trainer = pl.Trainer(
        **{**QUIET, "enable_checkpointing": True}, max_steps=8, limit_val_batches=0,
        callbacks=[PhaseControl(), Clock(), save],
    )  # fmt: skip
    trainer.fit(tiny_module(steps=8), datamodule=TinyData())
    assert saved == [3, 6, 8]
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=r"save_every_minutes.*above 0"):
            SaveLast(tmp_path, every_minutes=wrong)


def test_gradient_accumulation_stops_and_saves_at_updates(tmp_path):
    stops, steps = Stops(), []

    class Ask(pl.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            steps.append(trainer.global_step)
            if batch_idx == 2:  # in the middle of the second update
                stops.received = signal.SIGTERM

    trainer = pl.Trainer(
        **{**QUIET, "enable_checkpointing": True}, max_steps=8, limit_val_batches=0, accumulate_grad_batches=2,
        callbacks=[PhaseControl(), Ask(), SaveLast(tmp_path), StopTraining(stops)],
    )  # fmt: skip
    with pytest.raises(Stopped, match="SIGTERM"):
        trainer.fit(tiny_module(steps=8), datamodule=TinyData())
    assert steps == [0, 1, 1, 2]
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == 2


def test_the_best_score_is_remembered_without_a_path(tmp_path):
    best = BestCheckpoint(
        tmp_path / "a", filename="best", monitor="val/iou_max", mode="max", enable_version_counter=False
    )
    best.best_model_score = torch.tensor(0.7)
    assert best.state_dict() == {"best_model_score": torch.tensor(0.7)}
    assert best.state_key.startswith("ModelCheckpoint{")  # states of earlier versions are found
    moved = BestCheckpoint(tmp_path / "b", filename="best", monitor="val/iou_max", mode="max")
    moved.load_state_dict(best.state_dict())
    assert moved.best_k_models == {}  # no file there: the next one is the best
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "best.ckpt").write_text("")
    moved.load_state_dict({**best.state_dict(), "dirpath": "/elsewhere", "best_k_models": {"/elsewhere/x": 1}})
    assert moved.best_k_models == {str(tmp_path / "b" / "best.ckpt"): torch.tensor(0.7)}


@pytest.mark.parametrize("images", [1, 2, 3, 5])
def test_every_process_has_as_many_validation_images_and_none_is_left_out(images, tmp_path):
    write_pairs(tmp_path, "train", [f"{i}" for i in range(images)], (16, 16))
    shares = []
    for rank in range(3):
        data = CrackDataModule(FolderPairs(tmp_path, "train"), None, SimpleNamespace(draw=None, scale=4), crop=16)
        data.trainer = SimpleNamespace(global_rank=rank, world_size=3)
        shares.append(list(data._evaluation_loader(range(images)).sampler))
    assert len({len(share) for share in shares}) == 1
    assert {index for share in shares for index in share} == set(range(images))
    assert sum(map(len, shares)) < images + 3


def test_entries_that_are_none_are_told(tmp_path):
    assert ResumePoint.of({"global_step": 3}) == ResumePoint(3)
    for callbacks in ({"SaveLast": 3}, {"SaveLast": {"row": "x"}}, {"SaveLast": {"validation": {"a": "b"}}}, 4):
        with pytest.raises(ValueError, match=r"callbacks\.SaveLast: expected rows of numbers"):
            ResumePoint.of({"global_step": 3, "callbacks": callbacks})
    with pytest.raises(FileNotFoundError):
        read_sound(tmp_path / "last.ckpt")
