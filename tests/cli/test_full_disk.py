"""A disk that fills up at every kind of write of every command: a line, an exit code, and nothing half-written."""

import re
import subprocess

import numpy as np
import pytest
from PIL import Image

from csbsr.cli import degrade, evaluate, measure, predict, report, train
from tests.cli.inprocess import checkpoint, exit_code
from tests.data.helpers import write_pairs
from tests.report.invented import evaluation

pytestmark = pytest.mark.slow
#: KiB that are free: where each command fails moves from its first file to its last.
FULL = re.compile(r"the disk is full; free some space|No space left on device\)?; choose another folder, or make room")
SIZES = (4, 20, 40, 80, 160, 320, 500, 700, 1000, 1500, 2500, 8000)


@pytest.fixture
def disk(tmp_path):
    """Make a small file system of so many KiB; only root can."""
    place, mounted = tmp_path / "disk", []
    place.mkdir()

    def small(kilobytes):
        while mounted:
            subprocess.run(["umount", "-l", str(mounted.pop())], check=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)], capture_output=True
        )
        if done.returncode:
            pytest.skip("only root can mount a file system")
        mounted.append(place)
        return place

    yield small
    while mounted:
        subprocess.run(["umount", "-l", str(mounted.pop())], check=True)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    root = tmp_path_factory.mktemp("inputs")
    for split in ("train", "test"):
        write_pairs(root / "pairs", split, list("abcd"), (64, 64))
    draw = np.random.default_rng(0)
    (root / "photos").mkdir()
    for name in "xy":
        Image.fromarray(draw.integers(0, 255, (48, 64, 3), np.uint8)).save(root / "photos" / f"{name}.png")
    mask = np.zeros((200, 200), np.uint8)
    mask[95:100, 10:190] = 255
    (root / "masks").mkdir()
    Image.fromarray(mask).save(root / "masks" / "m.png")
    checkpoint(root / "tiny.ckpt")
    for name in "ab":
        evaluation(root / "evaluations" / name, count=2)
    return root


def commands(root, output):
    cpu, network = ["trainer.accelerator=cpu"], f"ckpt={root / 'tiny.ckpt'}"
    data = ["data=folder", f"data.root={root / 'pairs'}", "data.num_workers=0"]
    return {
        "train": (train.main, [
            *data, *cpu, "sr=bicubic", "phases=joint", "width.segmentor=0.0625", "data.crop=32", "data.batch_size=2",
            "steps=4", "trainer.val_check_interval=2", "trainer.log_every_n_steps=1", "callbacks.progress=null",
            "+trainer.enable_progress_bar=false", f"output={output}",
        ]),
        "eval": (evaluate.main, [network, *data, *cpu, f"output={output}"]),
        "degrade": (degrade.main, [*data, f"out={output}"]),
        "predict": (predict.main, [f"input={root / 'photos'}", network, "device=cpu", f"output={output}"]),
        "measure": (measure.main, [f"input={root / 'masks'}", f"output={output}"]),
        "report": (report.main, [str(root / "evaluations"), "--out", str(output)]),
    }  # fmt: skip


@pytest.mark.parametrize("command", ["train", "eval", "degrade", "predict", "measure", "report"])
def test_a_full_disk_is_told_in_a_line(command, inputs, disk, capfd, monkeypatch):
    failed = 0
    for size in SIZES:
        place = disk(size)
        main, words = commands(inputs, place / "out")[command]
        code = exit_code(main, *words)
        told = capfd.readouterr()
        text = told.out + told.err
        assert "Traceback" not in text, f"{size} KiB: {text[-3000:]}"
        left = [path for path in place.rglob("*.partial") if path.is_file()]
        assert not left, f"{size} KiB: {left}"
        for path in place.rglob("*.png"):
            with Image.open(path) as picture:
                picture.load()
        if code:
            failed += 1
            assert FULL.search(f"{text}{code}"), f"{size} KiB: exit {code}: {text[-2000:]}"
    assert failed, "no size was too small"
    assert code == 0, text[-2000:]
