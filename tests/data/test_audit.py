"""csbsr-check finds every planted fault among 500 good pairs, and nothing else."""

import json
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from csbsr.cli import check
from csbsr.data.alike import near, print_of, same
from csbsr.data.audit import Part, _widths, audit, parts_of
from csbsr.report.check import check_page, widths_sentence
from tests.cli.inprocess import exit_code


def picture(seed, size=(48, 64)):
    noise = np.random.RandomState(seed).normal(140, 40, size).astype(np.float32)
    grey = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return np.stack([grey, grey * 0.95, grey * 0.9], 2).clip(0, 255).astype(np.uint8)


def crack(seed, size=(48, 64)):
    mask, draw = np.zeros(size, np.uint8), np.random.RandomState(seed)
    cv2.line(mask, (3, int(draw.randint(5, 40))), (60, int(draw.randint(5, 40))), 255, 3)
    return mask


def write(part, start, count):
    for kind in ("images", "masks"):
        (part / kind).mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        Image.fromarray(picture(i)).save(part / "images" / f"p{i}.jpg", quality=92)
        Image.fromarray(crack(i)).save(part / "masks" / f"p{i}.png")


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    root = tmp_path_factory.mktemp("planted")
    train, test = root / "train", root / "test"
    write(train, 0, 500)
    write(test, 1000, 12)
    (train / "images" / "IMG_1.dng").write_bytes(b"II*\0")
    Image.fromarray(picture(7)).save(train / "images" / "p7.png")
    (train / "masks" / "p10.png").unlink()
    Image.fromarray(crack(0)).save(train / "masks" / "lonely.png")
    data = bytearray((train / "images" / "p20.jpg").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    (train / "images" / "p20.jpg").write_bytes(data)
    (train / "masks" / "p30.png").write_bytes((train / "masks" / "p30.png").read_bytes()[:70])
    Image.fromarray(crack(40, (49, 65))).save(train / "masks" / "p40.png")
    Image.fromarray(crack(50) // 255).save(train / "masks" / "p50.png")
    shutil.copy(train / "images" / "p60.jpg", train / "images" / "p61.jpg")
    shutil.copy(train / "images" / "p70.jpg", test / "images" / "p1000.jpg")
    again = (picture(80).astype(np.float32) * 0.9 + 15).astype(np.uint8)
    Image.fromarray(cv2.resize(cv2.resize(again, (56, 42)), (64, 48))).save(train / "images" / "p81.jpg", quality=80)
    Image.fromarray(picture(90)).save(test / "images" / "p1001.jpg", quality=60)
    for name, mask in (("empty", np.zeros((48, 64), np.uint8)), ("inverted", None)):
        write(root / name, 2000 if mask is None else 3000, 6)
        for path in (root / name / "masks").iterdir():
            Image.fromarray(255 - np.asarray(Image.open(path)) if mask is None else mask).save(path)
    return root


WANTED = [
    ("missing", "", "folder"), ("train", "IMG_1.dng", "format"), ("train", "p7.png", "name twice"),
    ("train", "p10.jpg", "no mask"), ("train", "lonely.png", "no image"), ("train", "p20.jpg", "unreadable image"),
    ("train", "p30.jpg", "unreadable mask"), ("train", "p40.jpg", "size"), ("train", "p50.jpg", "values"),
    ("empty", "", "no cracks"), ("inverted", "", "inverted"), ("train", "p61.jpg", "duplicate"),
    ("test", "p1000.jpg", "leak"), ("train", "p81.jpg", "near duplicate"), ("test", "p1001.jpg", "near leak"),
]  # fmt: skip


def test_every_planted_fault_and_nothing_else(planted):
    done = []
    found = audit(parts_of(planted, ["train", "test", "empty", "inverted", "missing"]), tick=done.append)
    assert [(fault.part, fault.name, fault.kind) for fault in found.faults] == WANTED
    assert found.counts() == {kind: 1 for _, _, kind in WANTED}
    train = found.parts[0]
    assert (train.images, train.pairs, train.read, train.cracked) == (500, 499, 497, 497)
    assert sum(done) == 499 + 12 + 6 + 6
    page = check_page(found, {"root": "here", "scale": 4, "date": "today"})
    for _, name, kind in WANTED:
        assert f"{kind.capitalize()} (1)" in page
        assert name in page


def test_the_command_writes_the_page_and_the_record_and_exits_with_two(planted, tmp_path, capsys):
    words = (f"data.root={planted}", f"output={tmp_path / 'o'}", "parts=[test,empty]", "widths=0")
    assert exit_code(check.main, *words) == 2
    record = json.loads((tmp_path / "o" / "check.json").read_text())
    assert record["format"] == 1
    assert record["counts"] == {"no cracks": 1}
    assert [part["name"] for part in record["parts"]] == ["test", "empty"]
    assert "none of the 6 masks" in capsys.readouterr().out
    assert "No cracks (1)" in (tmp_path / "o" / "check.html").read_text(encoding="utf-8")
    write(tmp_path / "good" / "train", 5, 4)
    assert exit_code(check.main, f"data.root={tmp_path / 'good'}", f"output={tmp_path / 'g'}") == 0
    assert "Nothing wrong" in (tmp_path / "g" / "check.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [("data=synthetic",), ("data.root=/no/such",), ("data.root=.", "data.train=nothing")])
def test_what_cannot_be_checked_is_said(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert exit_code(check.main, *words, f"output={tmp_path / 'o'}") == 1
    assert "data" in capsys.readouterr().err


@pytest.mark.parametrize("width", [1, 3, 5, 9])
def test_widths_of_drawn_cracks(width):
    mask = np.zeros((60, 80), bool)
    mask[30 : 30 + width, 10:70] = True
    found = dict(zip(Part.edges, _widths(mask), strict=True))
    low = max(edge for edge in Part.edges if edge <= width)
    assert found[low] >= 0.8 * sum(found.values())


def test_what_the_scale_resolves():
    part = Part("train", widths=[0, 30, 0, 10, 0, 60, *[0] * 7], measured=3)
    assert part.narrower(4) == 0.4
    assert "40 % of the length of its cracks is narrower than 4 px" in widths_sentence(part, 4)
    assert widths_sentence(Part("x"), 4) == ""


def test_other_walls_with_the_same_crack_are_not_alike():
    walls = [picture(i, (96, 128)) for i in range(40)]
    for wall in walls:
        cv2.line(wall, (5, 20), (120, 70), (40, 40, 40), 2)
    assert list(near([print_of(wall) for wall in walls])) == []


def test_prints_tell_saved_again_from_other_images():
    one, other, flat = picture(1), picture(2), np.full((20, 20, 3), 9, np.uint8)
    darker = (one * 0.7).astype(np.uint8)
    prints = [print_of(image) for image in (one, other, darker, one.copy(), flat, flat[:10])]
    assert list(same(prints)) == [(0, 3)]
    assert [(a, b) for a, b, _ in near(prints)] == [(0, 2)]
    assert print_of(one.astype(np.float32) / 255).bits == prints[0].bits
