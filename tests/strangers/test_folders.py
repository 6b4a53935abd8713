"""Folders of strangers: one bad file never stops the others, and every failure has a reason in words."""

import csv
import json
import os

import numpy as np
import pytest
from PIL import Image

from csbsr.words import from_spreadsheet
from tests.cli.inprocess import checkpoint
from tests.strangers.images import jpeg_that_claims, png, tiff_that_claims
from tests.strangers.refusal import MOST_MEMORY, fresh_command, tree

#: Name and reason of every file that cannot be read.
BAD = {
    "bomb.png": "at most", "claims.jpg": "at most", "claims.tif": "at most", "empty.jpg": "an empty file",
    "text.png": "no image", "cut.png": "damaged", "esc\x1b[2J\x1b]0;x\x07.jpg": "no image",
    "=cmd|'x'!A1.png": "no image", "two\nlines.png": "no image",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three sound pictures among bad ones, a pipe, a device, a circle of links, and a file that nothing may change."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "victim.txt").write_text("mine")
    photos = tmp_path / "in"
    photos.mkdir()
    for name in ("a.png", "m.png", "-z@.png"):
        Image.fromarray(np.uint8(np.arange(24 * 32) % 7 == 0).reshape(24, 32) * 255).save(photos / name)
    png(photos / "bomb.png", 100_000, 100_000, rows=2)
    jpeg_that_claims(photos / "claims.jpg", 60_000, 60_000)
    tiff_that_claims(photos / "claims.tif", 90_000, 90_000)
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "cut.png").write_bytes((photos / "a.png").read_bytes()[:60])
    for name in BAD:
        if not (photos / name).exists():
            (photos / name).write_text("no image")
    os.mkfifo(photos / "pipe.jpg")
    (photos / "zero.png").symlink_to("/dev/zero")
    (photos / "circle").symlink_to(photos)
    (photos / "circle.png").symlink_to(photos / "circle.png")
    (photos / "sub").mkdir()
    (photos / "sub" / "up").symlink_to("..")
    return tmp_path


def check(done, folder, output):
    """The sound ones are done, the bad ones told, nothing else is touched."""
    assert done.code == 2, done.err + done.trace
    assert done.memory < MOST_MEMORY
    text = done.out + done.err
    assert "\x1b[2J" not in text
    assert "\x07" not in text
    assert (folder / "victim.txt").read_text() == "mine"
    records = {r["file"]: r for r in json.loads((output / "summary.json").read_text())["photographs"]}
    for name in ("a.png", "m.png", "-z@.png"):
        assert records[name]["status"] == "done", records[name]
    for name, reason in BAD.items():
        assert records[name]["status"] == "failed"
        assert reason in records[name]["error"]
        assert "\x1b" not in records[name]["error"]
    with (output / "summary.csv").open(newline="") as file:
        cells = [row["file"] for row in csv.DictReader(file)]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    assert {"=cmd|'x'!A1.png", "-z@.png"} <= {from_spreadsheet(cell) for cell in cells}
    assert "\x1b" not in (output / "report.html").read_text()


def test_csbsr_predict_does_what_can_be_done(folder):
    weights, before = checkpoint(folder / "w.ckpt"), tree(folder / "in")
    done = fresh_command(
        "csbsr.cli.predict", f"ckpt={weights}", "input=in", "output=out", "device=cpu", "tile=96", "save=mask,cracks"
    )
    check(done, folder, folder / "out")
    assert tree(folder / "in") == before


def test_csbsr_measure_does_what_can_be_done(folder):
    before = tree(folder / "in")
    done = fresh_command("csbsr.cli.measure", "input=in", "output=out")
    check(done, folder, folder / "out")
    assert tree(folder / "in") == before
