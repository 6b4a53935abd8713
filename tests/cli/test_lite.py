"""The lite system through the commands: trained from scratch, fine-tuned from the shipped weights, used by default."""

import json

import pytest
import torch
from PIL import Image

import csbsr
from csbsr.cli import evaluate, predict, train
from csbsr.data import SyntheticPairs
from tests.cli.inprocess import call

BATCH = ["steps=2", "scheduler.warmup_steps=0", "data.batch_size=2", "data.crop=64", "logger=none"]
TINY = [
    "data.train_images=8", "data.test_images=2", "data.size=[64,72]", "data.crop=64", "data.batch_size=2", "steps=2",
    "trainer.accelerator=cpu", "trainer.val_check_interval=2", "logger=none", "scheduler.warmup_steps=0",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A few photographs with masks, as one would fine-tune on."""
    for part, count in (("train", 6), ("test", 2)):
        pairs = SyntheticPairs(part, count, (80, 96), 3)
        for kind in ("images", "masks"):
            (tmp_path / "own" / part / kind).mkdir(parents=True)
        for i in range(count):
            image, mask = pairs.read(i)
            Image.fromarray(image).save(tmp_path / "own" / part / "images" / f"{i}.png")
            Image.fromarray(mask * 255).save(tmp_path / "own" / part / "masks" / f"{i}.png")
    return tmp_path / "own"


def test_the_recipe_trains_from_scratch_and_its_checkpoint_is_evaluated(tmp_path):
    run = tmp_path / "run"
    small = ["model.channels=8", "model.widths=[8,8,8]", "data.world=varied"]
    call(train.main, "recipe=lite", *TINY, *small, f"output={run}")
    network = csbsr.load(run / "checkpoints" / "last.ckpt")
    assert type(network).__name__ == "LiteNetwork"
    out = tmp_path / "out"
    call(evaluate.main, f"ckpt={run / 'checkpoints' / 'last.ckpt'}", "metrics=fast", "panels=0", f"output={out}")
    values = json.loads((out / "metrics.json").read_text())
    assert "iou_max" in json.dumps(values)


def test_fine_tuning_keeps_a_share_of_the_shipped_weights(tmp_path, folder):
    run = tmp_path / "run"
    call(
        train.main, "recipe=finetune", "init=lite", "data=folder", f"data.root={folder}",
        "data.validation_fraction=0.34",
        *[word for word in TINY if not word.startswith(("data.train", "data.test", "data.size"))],
        "callbacks.anchor.share=0.5", "optimizer.lr=0.01", f"output={run}",
    )  # fmt: skip
    tuned, shipped = csbsr.load(run / "checkpoints" / "last.ckpt"), csbsr.load("lite")
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=False)
    assert state["csbsr"]["choices"]["recipe"] == "finetune"
    moved = (tuned.stem.weight - shipped.stem.weight).abs().max()
    assert 1e-4 < moved < 0.02  # two updates of AdamW at 0.01, halved


def test_fine_tuning_needs_weights_to_start_from(tmp_path, folder, capsys):
    with pytest.raises(SystemExit):
        call(train.main, "recipe=finetune", "data=folder", f"data.root={folder}", *BATCH, f"output={tmp_path / 'x'}")
    assert "init" in capsys.readouterr().err


def test_prediction_takes_the_shipped_weights_without_a_word(tmp_path):
    image, _ = SyntheticPairs("photographs", 1, (72, 96), 1).read(0)
    Image.fromarray(image).save(tmp_path / "wall.png")
    call(predict.main, f"input={tmp_path / 'wall.png'}", f"output={tmp_path / 'out'}", "device=cpu")
    assert Image.open(tmp_path / "out" / "wall_mask.png").size == (384, 288)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert "lite" in json.dumps(summary)
    assert (tmp_path / "out" / "report.html").is_file()
