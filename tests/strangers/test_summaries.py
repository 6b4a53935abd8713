"""Folders of results from strangers: what a summary or an evaluation says is checked; one line each, all else stays."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from csbsr.cli.report import compare
from csbsr.inspection.sources import find_masks
from csbsr.inspection.store import PREDICT, SUMMARY, Store
from csbsr.report.collect import collect
from tests.strangers.refusal import assert_refused, trials

RECORD = {
    "file": "a.jpg", "status": "done", "error": None, "width": 4, "height": 3, "result_width": 16, "result_height": 12,
    "threshold": 0.5, "crack_share": 0.1, "tile": 768, "cracks": 1, "length_px": 12.5, "seconds": 0.1,
    "results": {"sr": "a_sr.png", "mask": "a_mask.png"}, "settings": {"tile": 768}, "source": {"path": "/x/a.jpg"},
}  # fmt: skip


def summary(**changes):
    return json.dumps({"format": 1, "photographs": [RECORD, {**RECORD, "file": "b.jpg", **changes}]})


def photographs(value):
    return json.dumps({"photographs": value})


CASES = [
    ("empty", "", "no JSON|no summary"),
    ("cut off", summary()[:-40], "no JSON|no summary"),
    ("deep", "[" * 100_000, "nested too deep"),
    ("deep inside", summary(settings="x").replace('"x"', "[" * 50_000 + "]" * 50_000), "nested too deep"),
    ("long number", summary().replace("12.5", "9" * 5000), "no JSON|no summary"),
    ("bytes", b"\xff\xfe\x00{", "no JSON|no summary"),
    ("list", "[1, 2]", "no summary|expected"),
    ("number", "3", "no summary|expected"),
    ("photographs is a mapping", photographs({"a": 1}), "photographs"),
    ("photographs are numbers", photographs([1, 2]), "photographs: expected mappings, got a whole number"),
    ("photographs are lists", photographs([[1]]), "photographs: expected mappings, got a list"),
    ("no file", photographs([{"status": "done"}]), "an entry with a file, got null"),
    ("file is a number", summary(file=3), "an entry with a file, got a whole number"),
    ("file above", summary(file="../a.jpg"), "file: expected a path below the folder"),
    ("file elsewhere", summary(file="/etc/passwd"), "file: expected a path below the folder"),
    ("file with zero", summary(file="a\0.jpg"), "file: expected a path below the folder"),
    ("results above", summary(results={"sr": "../victim.txt"}), r"b\.jpg: results\.sr: .*got '\.\./vic"),
    ("results elsewhere", summary(results={"mask": "/etc/passwd"}), r"results\.mask: expected a path below"),
    ("results in between", summary(results={"mask": "a/../../victim.txt"}), r"results\.mask: expected a path below"),
    ("results of numbers", summary(results={"mask": 3}), r"results\.mask: expected a path, got a whole number"),
    ("results is a list", summary(results=["a"]), "results: expected"),
    ("stem above", summary(stem="../../x"), "stem: expected a path below the folder"),
    ("width in words", summary(width="wide"), "width: expected"),
    ("width 0", summary(width=0), "width: expected a number from 1"),
    ("width below 0", summary(result_width=-4), "result_width: expected a number from 1"),
    ("width without end", summary(result_width=10**12), "result_width: expected a number from 1"),
    ("NaN", summary(crack_share=float("nan")), "crack_share: expected a finite number"),
    ("infinite", summary(length_px=float("inf")), "length_px: expected a finite number"),
    ("1e999", summary().replace("12.5", "1e999", 2), "length_px: expected a finite number"),
    ("threshold 7", summary(threshold=7), "threshold: expected a number from 0 to 1"),
    ("scale 0", summary(scale=0), "scale: expected a number from"),
    ("status is a number", summary(status=1), "status: expected"),
    ("settings is a list", summary(settings=[1]), "settings: expected"),
    ("source is text", summary(source="a"), "source: expected a mapping"),
    ("source without a path", summary(source={"bytes": 3}), r"source\.path: expected a path, got null"),
    ("source of zero", summary(source={"path": "a\0b"}), r"source\.path: expected a path"),
    ("many values", summary(settings={str(i): i for i in range(3000)}), "more than 2000 values"),
    ("escapes", summary(file="a\x1b[2J\n.jpg", width="\x1b[31m"), r"width: expected"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder that claims to hold results, beside a file that nothing may touch."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "victim.txt").write_text("mine")
    pictures(tmp_path)
    return tmp_path


def pictures(folder):
    (folder / "results").mkdir()
    for name in ("a_mask.png", "a_sr.png", "b_mask.png"):
        Image.fromarray(np.zeros((12, 16), np.uint8)).save(folder / "results" / name)


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))


READERS = {
    "predict": lambda folder: Store(folder / "results", PREDICT),
    "measure": lambda folder: find_masks(folder / "results", folder / "out", None),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Every summary with every command that reads it."""

    def prepare(text, read):
        def made(folder):
            pictures(folder)
            write(folder / "results" / SUMMARY, text)
            return lambda: read(folder)

        return made

    calls = {(name, key): prepare(text, read) for name, text, _ in CASES for key, read in READERS.items()}
    return trials(calls, tmp_path_factory.mktemp("summaries"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
@pytest.mark.parametrize("command", READERS)
def test_a_summary_is_refused_in_one_line(command, case, outcomes):
    assert_refused(outcomes[case[0], command], case[2])


def test_results_behind_links_are_neither_read_nor_removed(folder):
    os.symlink(folder, folder / "results" / "out")
    os.symlink(folder / "victim.txt", folder / "results" / "link.png")
    store = Store(folder / "results", PREDICT)
    store.remove("out/victim.txt")
    assert (folder / "victim.txt").read_text() == "mine"
    store.remove("link.png")  # the link alone
    assert not (folder / "results" / "link.png").is_symlink()
    assert (folder / "victim.txt").read_text() == "mine"
    store.remove("a_sr.png")
    assert not (folder / "results" / "a_sr.png").exists()
    write(folder / "results" / SUMMARY, summary(results={"mask": "out/victim.txt"}))
    items = find_masks(folder / "results", folder / "o", None)
    assert [item.path.name for item in items if item.path.name == "victim.txt" and not item.error] == []


METRICS = {"iou_max": 0.5, "aiu": None, "psnr": 30.0, "recommended_threshold": 0.4}
CARD = {
    "format": 1, "command": "csbsr-eval", "version": "0.2", "seed": 0, "scale": 4,
    "network": {"_target_": "csbsr.joint.JointNetwork", "sr": {"_target_": "csbsr.sr.KBPN"},
                "segmentor": {"_target_": "csbsr.segmentor.PSPNet"}},
    "data": {"name": "synthetic", "fingerprint": "abc", "images": 1, "degradation": "anisotropic"}, "config": {},
}  # fmt: skip


def card(changes):
    return {"run_card.json": json.dumps({**CARD, **changes})}


def metrics(text):
    return {"metrics.json": text}


def images(text):
    return {"per_image.csv": text}


ROWS = "name,iou_max,psnr\na.png,0.5,30\n"
EVALUATIONS = [
    ("metrics deep", metrics("[" * 100_000), "nested too deep"),
    ("metrics empty", metrics(""), "no JSON"),
    ("metrics is a list", metrics("[1]"), "expected a mapping of numbers, got a list"),
    ("metrics in words", metrics(json.dumps({"iou\x1b[2J": "high"})), r"iou\\x1b\[2J: expected a number, got text"),
    ("metrics infinite", metrics('{"iou_max": 1e999}'), "expected a finite number"),
    ("metrics of metrics", metrics('{"a": {"b": 1}}'), "metrics.json"),
    ("card deep", {"run_card.json": '{"a":' * 50_000}, "nested too deep|no JSON"),
    ("card is a list", {"run_card.json": "[]"}, "run_card.json: expected a mapping, got a list"),
    ("card without network", {"run_card.json": '{"data": {}}'}, r"expected network \(a mapping\), found none"),
    ("network is text", card({"network": "x"}), "network: expected a mapping, got text"),
    ("network of numbers", card({"network": {"sr": 1, "segmentor": 2}}), r"network\.sr: expected"),
    ("network in network", card({"network": {"sr": {"network": 3}}}), r"network\.sr\.network"),
    ("data is a list", card({"data": [1]}), "data: expected a mapping"),
    ("fingerprint is a number", card({"data": {"fingerprint": 3}}), "data: fingerprint: expected"),
    ("scale in words", card({"scale": "4"}), "scale: expected a number"),
    ("threshold is a list", card({"recommended_threshold": [1]}), "recommended_threshold: expected"),
    ("config is text", card({"config": "x"}), "config: expected a mapping"),
    ("rows without names", images("iou_max\n0.5\n"), "damaged|without a name"),
    ("rows in words", images("name,iou_max\na.png,high\n"), "damaged"),
    ("rows too long", images("name,iou_max\na.png,1,2,3\n"), "damaged"),
    ("rows too short", images("name,iou_max,psnr\na.png\n"), "damaged"),
    ("rows lead out", images("name,iou_max\n../../victim.txt,1\n"), "name: expected a path below the folder"),
    ("a field without end", images("name,iou_max\n" + "a" * 200_000 + ",1\n"), "damaged|field"),
    ("rows of zeros", images("name,iou_max\n\0\0,1\n"), "damaged|path below|NUL"),
    ("curves in words", {"curves.csv": "threshold,iou\n0.1,high\n"}, "damaged"),
]  # fmt: skip


SOUND = {**metrics(json.dumps(METRICS)), **card({}), **images(ROWS)}


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory):
    """Every evaluation, read and compared."""

    def prepare(files, read):
        def made(folder):
            (folder / "results").mkdir()
            for name, text in {**SOUND, **files}.items():
                write(folder / "results" / name, text)
            return lambda: read(folder)

        return made

    readers = {
        "collect": lambda folder: collect([folder / "results"]),
        "compare": lambda folder: compare([folder / "results"], folder / "out"),
    }
    calls = {(name, key): prepare(files, read) for name, files, _ in EVALUATIONS for key, read in readers.items()}
    return trials(calls, tmp_path_factory.mktemp("evaluations"))


@pytest.mark.parametrize("case", EVALUATIONS, ids=lambda case: case[0])
@pytest.mark.parametrize("reader", ["collect", "compare"])
def test_an_evaluation_is_refused_in_one_line(reader, case, evaluations):
    assert_refused(evaluations[case[0], reader], case[2])


def test_a_sound_evaluation_is_read(folder):
    for name, text in (
        ("metrics.json", json.dumps(METRICS)),
        ("run_card.json", json.dumps(CARD)),
        ("per_image.csv", ROWS),
    ):
        write(folder / "results" / name, text)
    assert collect([folder / "results"])[0].metrics["iou_max"] == 0.5
