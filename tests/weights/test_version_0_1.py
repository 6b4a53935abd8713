"""What version 0.1 wrote: a checkpoint from before modules and words moved is evaluated, resumed and started from.

``version_0_1/quick.ckpt`` was written by version 0.1, on generated images:

    csbsr-train recipe=quick paths=fail_weight width.sr=0.03125 width.segmentor=0.03125 sr.sft_hidden=4 stages=1
      sr.kernel_size=9 sr.coarse_size=3 degradation.size=9 degradation.sigma=[0.2,1.5] degradation.padding=reflect
      segmentor.kernel_size=9 segmentor.blocks=[1,1,1,1] steps=2 trainer.val_check_interval=2 data.train_images=4
      data.test_images=2 data.size=[64,64] data.crop=32 data.batch_size=2 data.validation_fraction=0.5 metrics=fast
"""

import json
from pathlib import Path

import pytest
import torch

import csbsr
from csbsr.build import build
from csbsr.cli import evaluate, train
from csbsr.joint import JointNetwork
from csbsr.moved import MODULES, present_name, present_words
from csbsr.weights import read_checkpoint
from csbsr.weights.checkpoint import card
from tests.cli.inprocess import call

CKPT = Path(__file__).parent / "version_0_1" / "quick.ckpt"
CPU = ("trainer.accelerator=cpu", "data.num_workers=0")


def test_it_is_loaded_with_its_card():
    network = csbsr.load(CKPT)
    assert isinstance(network, JointNetwork)
    assert network.estimates_kernel
    assert network.card["recommended_threshold"] == 0.01
    assert network(torch.zeros(1, 3, 8, 8)).sr.shape == (1, 3, 32, 32)


def test_it_is_evaluated_with_the_same_numbers(tmp_path):
    call(evaluate.main, f"ckpt={CKPT}", *CPU, "panels=0", f"output={tmp_path / 'e'}")
    values = json.loads((tmp_path / "e" / "metrics.json").read_text())
    expected = {"psnr": 21.808414087, "ssim": 0.399070334, "kernel_psnr": 25.537875784, "iou_max": 0.052246096}
    assert {key: values[key] for key in expected} == pytest.approx(expected, rel=1e-4)


def test_it_goes_on_and_its_old_words_are_understood_with_a_note(tmp_path, capsys):
    call(train.main, f"ckpt={CKPT}", "steps=3", *CPU, f"output={tmp_path / 'r'}", "logger=none")
    said = capsys.readouterr()
    assert "note: paths=fail_weight is said extra_paths=fail_weight now" in said.err
    after = read_checkpoint(tmp_path / "r" / "checkpoints" / "last.ckpt")
    assert after["global_step"] == 3
    assert card(after)["choices"]["extra_paths"] == "fail_weight"
    assert card(after)["config"]["loss"]["fail_weight"] == 1.0


def test_its_weights_are_a_start(tmp_path):
    words = [
        word for word in card(read_checkpoint(CKPT))["overrides"] if not word.startswith(("output", "steps", "trainer"))
    ]
    call(train.main, f"init={CKPT}", *words, "steps=1", *CPU, f"output={tmp_path / 'i'}", "logger=none")
    assert read_checkpoint(tmp_path / "i" / "checkpoints" / "last.ckpt")["global_step"] == 1


def test_old_names():
    assert present_words(["+paths=none", "~paths", "data.root=paths"]) == [
        "+extra_paths=none",
        "~extra_paths",
        "data.root=paths",
    ]
    assert present_name("csbsr.joint.JointNetwork") == "csbsr.joint.JointNetwork"
    for old, new in MODULES.items():
        assert present_name(f"{old}.Thing") == f"{new}.Thing"
        __import__(new)
    with pytest.raises(ValueError, match="no part of a system"):
        build({"_target_": "csbsr.reference.read_checkpoint", "path": "x"})
