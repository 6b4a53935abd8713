"""csbsr-train end to end, shrunken: run folder, exact resume, init, experiments, bad input."""

import csv
import json
import re
import shutil

import pytest
import torch
from PIL import Image

import csbsr
from csbsr.cli import evaluate, train
from tests.cli.inprocess import call
from tests.data.helpers import write_pairs

#: A system that trains in fractions of a second; the data are generated.
TINY = [
    "width.sr=0.0625", "width.segmentor=0.0625", "stages=2", "data.crop=32", "data.batch_size=2", "data.num_workers=0",
    "trainer.accelerator=cpu", "trainer.log_every_n_steps=1", "optimizer.lr=1e-3", "callbacks.progress=null",
    "+trainer.enable_progress_bar=false",
]  # fmt: skip
SYNTHETIC = ["data.train_images=20", "data.test_images=2", "data.size=[40,48]", "data.cache=none"]
QUICK = ["phases=quick", *TINY, *SYNTHETIC]
#: Of six steps two, one, one and two.
PHASES = [
    f"phases.phases.{name}.fraction={share}"
    for name, share in (("sr_true_kernel", 0.34), ("kernel", 0.17), ("sr", 0.17))
]


def weights(path):
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def six_steps(tmp_path_factory):
    """Six steps over all four phases, with validations inside an epoch of nine batches."""
    folder = tmp_path_factory.mktemp("train") / "six steps, [in one]"
    call(train.main, *QUICK, *PHASES, "steps=6", "trainer.val_check_interval=2", f"output={folder}")
    return folder


def test_a_run_folder_holds_what_the_readme_says(six_steps):
    assert {path.name for path in (six_steps / "checkpoints").iterdir()} == {
        "last.ckpt", "previous.ckpt", "best.ckpt",
    }  # fmt: skip
    assert sorted(path.name for path in (six_steps / "panels").iterdir()) == [
        "step_0000002.png", "step_0000004.png", "step_0000006.png",
    ]  # fmt: skip
    assert Image.open(six_steps / "panels" / "step_0000002.png").width > 1000
    split = json.loads((six_steps / "split.json").read_text())
    assert split["train"] == 19
    assert len(split["validation"]) == 1
    with (six_steps / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    phases = [float(row["train/phase"]) for row in rows if row["train/phase"]]
    assert phases == [0, 0, 1, 2, 3, 3]
    logged = {f"train/{name}" for name in ("loss", "sr", "segmentation", "alpha", "lr", "steps_per_second")}
    assert logged | {f"val/{name}" for name in ("iou_max", "psnr", "ssim", "kernel_psnr")} <= set(rows[0])


def test_the_checkpoint_is_plain_and_rebuilds_the_network(six_steps):
    checkpoint = weights(six_steps / "checkpoints" / "last.ckpt")
    card = checkpoint["csbsr"]
    assert checkpoint["global_step"] == 6
    assert card["choices"]["segmentor"] == "pspnet"
    assert 0 < card["recommended_threshold"] < 1
    network = csbsr.load(six_steps / "checkpoints" / "last.ckpt", scale=4)
    output = network(torch.rand(1, 3, 9, 11))
    assert output.sr.shape == (1, 3, 36, 44)
    assert output.segmentation.shape == (1, 1, 36, 44)
    assert output.kernel.shape == (1, 1, 21, 21)
    with pytest.raises(ValueError, match="scale 4, but scale 2"):
        csbsr.load(six_steps / "checkpoints" / "last.ckpt", scale=2)


def test_three_steps_resume_and_three_are_six_to_the_bit(six_steps, tmp_path):
    part = tmp_path / "part"
    common = [*QUICK, *PHASES, "steps=6", "trainer.val_check_interval=2", f"output={part}"]
    call(train.main, *common, "trainer.max_steps=3")
    assert weights(part / "checkpoints" / "last.ckpt")["global_step"] == 3
    call(train.main, f"ckpt={part / 'checkpoints' / 'last.ckpt'}", "trainer.max_steps=6")
    one, two = (weights(folder / "checkpoints" / "last.ckpt") for folder in (six_steps, part))
    assert one["global_step"] == two["global_step"] == 6
    for name, value in one["state_dict"].items():
        assert torch.equal(value, two["state_dict"][name]), name
    states = [checkpoint["optimizer_states"][0]["state"] for checkpoint in (one, two)]
    for index, state in states[0].items():
        for key, value in state.items():
            assert torch.equal(value, states[1][index][key]), (index, key)
    rows = [list(csv.DictReader((folder / "metrics.csv").open())) for folder in (six_steps, part)]
    losses = [[row["train/loss"] for row in part_rows if row["train/loss"]] for part_rows in rows]
    assert losses[0] == losses[1]  # the curves go on in the same file


def test_init_takes_weights_only(six_steps, tmp_path):
    ckpt = six_steps / "checkpoints" / "last.ckpt"
    call(
        train.main, *TINY, *SYNTHETIC, "phases=joint", "steps=1", "optimizer.lr=0", f"init={ckpt}",
        f"output={tmp_path / 'a'}",
    )  # fmt: skip
    old, new = (weights(path)["state_dict"] for path in (ckpt, tmp_path / "a" / "checkpoints" / "last.ckpt"))
    assert all(
        torch.equal(value, new[name]) for name, value in old.items() if "running" not in name and "num_" not in name
    )


def test_a_folder_that_holds_a_run_is_not_used_again(six_steps, tmp_path, capsys):
    copy = shutil.copytree(six_steps, tmp_path / "copy")
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and ".hydra" not in path.parts}
    with pytest.raises(SystemExit):
        call(train.main, *QUICK, "steps=2", f"output={copy}")
    assert re.search(r"holds a run; continue it with ckpt=\S.*last\.ckpt", capsys.readouterr().err)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("scale=2", r"trained for scale 4, but scale 2 was asked for"),
        ("segmentor=unet", r"ckpt: \S.*holds another system: .*segmentor\.encoder"),
        ("stages=3", r"ckpt: \S.*holds another system: \d+ entries missing"),
    ],
)
def test_a_run_goes_on_as_the_same_system(word, message, six_steps, tmp_path, capsys):
    last = shutil.copytree(six_steps, tmp_path / "copy") / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    with pytest.raises(SystemExit) as stop:
        call(train.main, f"ckpt={last}", word, "trainer.max_steps=7")
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert "Traceback" not in error
    assert last.read_bytes() == before


def test_a_run_goes_on_without_the_file_that_it_started_from(six_steps, tmp_path):
    init = shutil.copy(six_steps / "checkpoints" / "last.ckpt", tmp_path / "init.ckpt")
    run = tmp_path / "run"
    call(
        train.main, *TINY, *SYNTHETIC, "phases=joint", "steps=2", "trainer.max_steps=1", f"init={init}", f"output={run}"
    )
    (tmp_path / "init.ckpt").unlink()
    call(train.main, f"ckpt={run / 'checkpoints' / 'last.ckpt'}", "trainer.max_steps=2")
    assert weights(run / "checkpoints" / "last.ckpt")["global_step"] == 2


def test_curves_of_a_start_that_went_further_are_replaced(tmp_path):
    run, middle = tmp_path / "run", tmp_path / "run" / "checkpoints" / "middle.ckpt"
    last = middle.with_name("last.ckpt")
    call(train.main, *QUICK, "phases=joint", "steps=4", "trainer.max_steps=2", f"output={run}")
    shutil.copy(last, middle)
    for ckpt in (last, middle):
        call(train.main, f"ckpt={ckpt}", "trainer.max_steps=4")
        with (run / "metrics.csv").open() as file:
            assert [int(row["step"]) for row in csv.DictReader(file)] == [0, 1, 2, 3]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_truncated_photograph_is_named_and_nothing_is_left(workers, six_steps, tmp_path, capsys):
    root = tmp_path / "photos"
    for split in ("train", "test"):
        write_pairs(root, split, list("abcd"), (40, 48))
        for path in (root / split / "images").iterdir():
            path.write_bytes(path.read_bytes()[:-200])
    words = ["data.num_workers=" + str(workers), f"data.root={root}"]
    for main, command in (
        (train.main, [*QUICK, "data=folder", "steps=2"]),
        (evaluate.main, [f"ckpt={six_steps / 'checkpoints' / 'last.ckpt'}", "data=folder", "trainer.accelerator=cpu"]),
    ):
        command = [word for word in command if word not in SYNTHETIC]
        with pytest.raises(SystemExit) as stop:
            call(main, *command, *words, f"output={tmp_path / 'out'}")
        error = capsys.readouterr().err
        assert stop.value.code == 1
        assert re.search(
            r"^(?:error: | +)/\S*photos/t\w+/images/[abcd]\.\w+: found a damaged or truncated file", error, re.M
        )
        assert "Traceback" not in error
        assert not (tmp_path / "out").exists()


def test_evaluation_uses_the_data_of_the_checkpoint(six_steps, tmp_path):
    best = six_steps / "checkpoints" / "best.ckpt"
    call(evaluate.main, f"ckpt={best}", "trainer.accelerator=cpu", f"output={tmp_path / 'e'}")
    values = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert {"iou_max", "iou_max_threshold", "aiu", "psnr", "ssim", "kernel_psnr", "images"} <= set(values)
    assert values["images"] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.crop=30"], r"crop: expected a multiple of the scale 4, got 30; try 28"),
        (["ckpt=/nowhere/x.ckpt"], r"no file /nowhere/x\.ckpt"),
        (["init=/nowhere/x.ckpt"], r"no file /nowhere/x\.ckpt"),
        (["scale=3"], r"scale: expected one of 2, 4, 8"),
        (["steps=0"], r"steps: expected at least 1, got 0"),
        (["data.batch_size=100"], r"batch"),
        (["segmentor.blur_skip=sideways"], r"blur_skip"),
        (["data.batch_size=six"], r"data\.batch_size: expected a number, such as \d+, got 'six'"),
        (["data.fixed_draws=perhaps"], r"data\.fixed_draws: expected true or false, got 'perhaps'"),
        (["loss=base"], r"loss: base is what the options share; expected one of bce, "),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(words, message, tmp_path, capsys):
    output = tmp_path / "run"
    with pytest.raises(SystemExit) as stop:
        call(train.main, *QUICK, "steps=2", *words, f"output={output}")
    text = str(stop.value.code) + capsys.readouterr().err
    assert stop.value.code != 0
    assert re.search(message, text, re.S), text
    assert not output.exists()


def test_a_missing_data_set_says_how_to_get_one(tmp_path, capsys):
    with pytest.raises(SystemExit):
        call(train.main, *TINY, "data=khanhha", "data.root=/nowhere/at all", f"output={tmp_path / 'run'}")
    assert re.search(r"/nowhere/at all.*khanhha/crack_segmentation.*data=synthetic", capsys.readouterr().err, re.S)
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_no_checkpoint_says_so(tmp_path, capsys):
    path = tmp_path / "notes.ckpt"
    path.write_text("not a checkpoint")
    with pytest.raises(SystemExit) as stop:
        call(train.main, *QUICK, "steps=2", f"ckpt={path}", f"output={tmp_path / 'run'}")
    assert "cannot be read as a checkpoint" in str(stop.value.code) + capsys.readouterr().err


def test_steps_that_cross_ema_and_clipping(tmp_path):
    call(
        train.main, *TINY, *SYNTHETIC, "phases=joint", "steps=3", "callbacks=ema", "callbacks.progress=null",
        "trainer.gradient_clip_val=1", "optimizer=adamw", "scheduler=cosine", "scheduler.warmup_steps=1",
        "trainer.val_check_interval=2", f"output={tmp_path / 'r'}",
    )  # fmt: skip
    checkpoint = weights(tmp_path / "r" / "checkpoints" / "last.ckpt")
    average, current = checkpoint["state_dict"], checkpoint["current_model_state"]
    name = "network.sr.features.0.weight"
    assert not torch.equal(average[name], current[name])
