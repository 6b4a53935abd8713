"""csbsr-predict end to end: hard files, second runs, kills."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from csbsr.cli import predict
from csbsr.inspection.job import Job
from csbsr.inspection.photographs import find
from csbsr.inspection.predicting import Predicting
from csbsr.inspection.store import PARTIAL, PREDICT, Store
from csbsr.predict import Predictor
from csbsr.predict.consistency import why_flagged
from tests.cli.inprocess import call, checkpoint, exit_code

KINDS = {
    "sr": "png", "probability": "png", "mask": "png", "overlay": "jpg", "consistency": "png", "widths": "jpg",
    "cracks": "csv",
}  # fmt: skip
WHOLE = ["cracks.csv", "cracks.geojson", "report.html", "summary.csv", "summary.json"]  # on all photographs
PLACES = "photographs.geojson"  # of those that tell theirs


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("weights") / "w [1], ü.ckpt", threshold=0.52)


def run(weights, source, output, *words):
    """Run the command; its exit code."""
    return exit_code(predict.main, f"ckpt={weights}", f"input={source}", f"output={output}", "device=cpu", *words)


def files(root):
    found = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return [name for name in found if not name.startswith("pictures/")]


def stamps(root):
    return {root / name: (root / name).stat().st_mtime_ns for name in files(root) if name not in [*WHOLE, PLACES]}


def summary(root):
    """Records by file, and the rows of the table."""
    records = json.loads((root / "summary.json").read_text(encoding="utf-8"))["photographs"]
    with (root / "summary.csv").open(encoding="utf-8", newline="") as table:
        rows = {row["file"]: row for row in csv.DictReader(table)}
    return {record["file"]: record for record in records}, rows


@pytest.fixture(scope="module")
def hard(tmp_path_factory):
    """A folder with everything that goes wrong, and what should happen to it."""
    root = tmp_path_factory.mktemp("hard") / "photographs"
    (root / "north wall").mkdir(parents=True)
    Image.fromarray(noise(30, 40)).save(root / "good.jpg", quality=95)
    Image.fromarray(noise(30, 40, 1)).save(root / "north wall" / "good.jpg", quality=95)
    (root / "text.jpg").write_text("not an image at all")
    (root / "truncated.jpg").write_bytes((root / "good.jpg").read_bytes()[:1200])
    (root / "empty.png").write_bytes(b"")
    Image.fromarray(noise(1, 1)).save(root / "one.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 65536, (20, 28)).astype(np.uint16)).save(root / "grey16.tiff")
    Image.fromarray(np.dstack([noise(20, 28), noise(20, 28)[..., 0]]), "RGBA").save(root / "alpha.png")
    turned = Image.fromarray(noise(20, 48))
    exif = turned.getexif()
    exif[274] = 6
    exif[0x8825] = {1: "N", 2: (IFDRational(52), IFDRational(30), IFDRational(0)), 3: "W", 4: (1.0, 15.0, 0.0)}
    exif[0x8769] = {0x9003: "2024:05:03 12:30:01"}
    turned.save(root / "turned.jpg", exif=exif, quality=95)
    Image.fromarray(noise(12, 16)).save(root / "a b, [c] (d)=e ü 日本.png")
    (root / "notes.txt").write_text("left alone")
    return root


@pytest.fixture(scope="module")
def results(hard, weights, tmp_path_factory):
    output = tmp_path_factory.mktemp("results") / "out, [1]"
    return output, run(weights, hard, output)


GOOD = [
    "a b, [c] (d)=e ü 日本.png",
    "alpha.png",
    "good.jpg",
    "grey16.tiff",
    "north wall/good.jpg",
    "one.png",
    "turned.jpg",
]
BAD = {"empty.png": "an empty file", "text.jpg": "no image", "truncated.jpg": "damaged or truncated"}


def test_every_file_gets_what_it_should(results):
    output, code = results
    assert code == predict.SOME_FAILED
    records, rows = summary(output)
    assert {name for name, record in records.items() if record["status"] == "done"} == set(GOOD)
    assert {name for name, record in records.items() if record["status"] == "failed"} == set(BAD)
    for name, text in BAD.items():
        assert text in records[name]["error"]
        assert rows[name]["error"] == records[name]["error"]
        assert "results" not in records[name]
    expected = [f"{Path(name).with_suffix('').as_posix()}_{kind}.{end}" for name in GOOD for kind, end in KINDS.items()]
    assert files(output) == sorted([*expected, *WHOLE, PLACES])
    assert set(rows) == set(records)


def test_sizes_and_kinds(results, hard):
    output, _ = results
    records, _ = summary(output)
    sizes = {"good.jpg": (40, 30), "one.png": (1, 1), "turned.jpg": (20, 48), "grey16.tiff": (28, 20)}
    for name, (width, height) in sizes.items():
        record = records[name]
        assert (record["width"], record["height"]) == (width, height)
        assert (record["result_width"], record["result_height"]) == (4 * width, 4 * height)
        modes = {"sr": "RGB", "probability": "I;16", "mask": "L", "overlay": "RGB", "consistency": "L", "widths": "RGB"}
        for kind, file in record["results"].items():
            if kind == "cracks":
                continue
            with Image.open(output / file) as image:
                image.load()
                assert image.mode == modes[kind]
                assert image.size == ((width, height) if kind == "consistency" else (4 * width, 4 * height))


def test_the_mask_is_the_probability_above_the_recommended_threshold(results):
    output, _ = results
    record = summary(output)[0]["good.jpg"]
    probability, mask = (np.asarray(Image.open(output / f"good_{kind}.png")) for kind in ("probability", "mask"))
    assert record["threshold"] == 0.52
    assert set(np.unique(mask)) <= {0, 255}
    np.testing.assert_array_equal(mask > 0, probability / 65535 > 0.52)
    assert record["crack_share"] == pytest.approx((mask > 0).mean(), rel=1e-3)
    assert record["crack_share"] > 0


def test_place_time_and_orientation(results):
    record = summary(results[0])[0]["turned.jpg"]
    assert (record["orientation"], record["taken"]) == (6, "2024-05-03T12:30:01")
    assert (record["latitude"], record["longitude"]) == (52.5, -1.25)
    row = summary(results[0])[1]["turned.jpg"]
    assert (row["latitude"], row["longitude"], row["orientation"]) == ("52.5", "-1.25", "6")


def test_the_summary_tells_how_it_was_made(results, weights):
    about = json.loads((results[0] / "summary.json").read_text())["run"]
    assert f"ckpt={weights}" in " ".join(about["command"].split("'"))
    assert len(about["weights"]["sha256"]) == 64
    assert "torch" in about["versions"]


def test_a_second_run_skips_what_is_done(results, hard, weights, capsys):
    output, _ = results
    before = stamps(output)
    assert run(weights, hard, output) == predict.SOME_FAILED
    assert "10 photographs, 7 of them done already" in capsys.readouterr().out
    assert stamps(output) == before


@pytest.fixture
def two(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    for index in range(2):
        Image.fromarray(noise(16, 20, index)).save(root / f"{index}.png")
    return root


def test_what_makes_a_photograph_be_done_again(two, weights, tmp_path):
    output = tmp_path / "out"
    assert run(weights, two, output, "save=mask,sr") == 0
    first = stamps(output)
    assert {path.name for path in first} == {"0_mask.png", "0_sr.png", "1_mask.png", "1_sr.png"}

    (output / "0_sr.png").unlink()  # a missing result
    Image.fromarray(noise(16, 20, 7)).save(two / "1.png")  # another photograph under the name
    assert run(weights, two, output, "save=mask,sr") == 0
    second = stamps(output)
    assert all(second[path] != first[path] for path in first)

    assert run(weights, two, output, "save=mask") == 0  # less than there is
    assert stamps(output) == second
    assert run(weights, two, output, "save=overlay") == 0  # more than there is
    third = stamps(output)
    assert all(third[path] == second[path] for path in second)
    assert set(summary(output)[0]["0.png"]["results"]) == {"mask", "sr", "overlay"}
    assert run(weights, two, output, "save=mask,overlay", "overwrite=true") == 0
    assert stamps(output)[output / "0_mask.png"] != third[output / "0_mask.png"]


def test_results_of_other_settings_are_not_replaced_unasked(two, weights, tmp_path, capsys):
    output = tmp_path / "out"
    assert run(weights, two, output, "save=mask") == 0
    before = stamps(output)
    assert run(weights, two, output, "save=mask", "threshold=0.4") == 1
    assert re.search(r"threshold 0\.52, now 0\.4.*overwrite=true", capsys.readouterr().err)
    assert stamps(output) == before
    assert run(weights, two, output, "save=mask", "threshold=0.4", "overwrite=true") == 0
    assert summary(output)[1]["0.png"]["threshold"] == "0.4"


def test_a_folder_holds_results_of_one_kind_of_settings(two, weights, tmp_path, capsys):
    output = tmp_path / "out"
    assert run(weights, two / "0.png", output, "save=mask") == 0
    assert run(weights, two / "1.png", output, "save=mask", "threshold=0.4") == 1  # another photograph
    assert run(weights, two / "0.png", output, "save=sr", "threshold=0.4") == 1  # another kind
    assert run(weights, two / "0.png", output, "save=mask", "tile=64", "margin_segmentation=0") == 1
    assert re.search(r"tile 768, now 64, margin_segmentation 128, now 0", capsys.readouterr().err)
    assert run(weights, two / "1.png", output, "save=mask") == 0
    assert set(summary(output)[0]) == {"0.png", "1.png"}


def test_two_folders_in_one_output(two, weights, tmp_path, capsys):
    output, other = tmp_path / "out", tmp_path / "other"
    assert run(weights, two, output, "save=mask") == 0
    before = stamps(output)
    other.mkdir()
    Image.fromarray(noise(16, 20, 8)).save(other / "1.png")
    assert run(weights, other, output, "save=mask") == 1
    assert re.search(rf"results of another 1\.png, from {two}/1\.png", capsys.readouterr().err)
    two.rename(tmp_path / "moved")
    assert run(weights, tmp_path / "moved", output, "save=mask") == 0
    assert stamps(output) == before


def test_files_left_by_an_end_while_they_were_moved_are_done_again(two, weights, tmp_path, monkeypatch):
    output = tmp_path / "out"
    assert run(weights, two, output, "save=mask,sr") == 0
    with monkeypatch.context() as patch:
        patch.setattr("csbsr.inspection.store.GrowingFiles.move", end)
        assert run(weights, two, output, "save=mask,sr", "threshold=0.4", "overwrite=true") == 130
    before = stamps(output)
    assert run(weights, two / "0.png", output, "save=mask", "threshold=0.4", "overwrite=true") == 0
    assert stamps(output)[output / "0_mask.png"] != before[output / "0_mask.png"]
    assert not (output / "0_sr.png").exists()  # of the other threshold, and not asked for again
    mask = np.asarray(Image.open(output / "0_mask.png")) > 0
    assert mask.mean() == pytest.approx(float(summary(output)[1]["0.png"]["crack_share"]), abs=1e-3)


def end(*_):
    raise KeyboardInterrupt


def test_sigterm_ends_as_ctrl_c_does(two, weights, tmp_path, monkeypatch, capsys):
    output = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("csbsr.inspection.store.GrowingFiles.move", lambda *_: signal.raise_signal(signal.SIGTERM))
        assert run(weights, two, output, "save=mask") == 128 + signal.SIGTERM
    assert "stopped; the same command goes on where this one was" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert not list(output.rglob("*.partial"))
    assert run(weights, two, output, "save=mask") == 0
    assert [record["status"] for record in summary(output)[0].values()] == ["done", "done"]


def test_what_cannot_be_named_or_looked_at_does_not_stop_a_second_start(two, weights, tmp_path, capsys):
    output = tmp_path / "out"
    Image.fromarray(noise(16, 20, 8)).save(two / f"{'long' * 62}.png")
    Image.fromarray(noise(16, 20, 9)).save(tmp_path / "elsewhere.png")
    (two / "link.png").symlink_to(tmp_path / "elsewhere.png")
    assert run(weights, two, output, "save=mask,probability") == predict.SOME_FAILED
    (tmp_path / "elsewhere.png").unlink()
    capsys.readouterr()
    assert run(weights, two, output, "save=mask,probability") == predict.SOME_FAILED
    records = summary(output)[0]
    assert {name[:4]: record["status"] for name, record in records.items()} == {
        "0.pn": "done", "1.pn": "done", "long": "failed", "link": "failed",
    }  # fmt: skip
    assert records["link.png"]["results"]  # what was there is kept


def test_a_flag_says_which_number_is_above_its_limit():
    assert why_flagged(0.041, 0.02) == "consistency 0.041, limit 0.03"
    assert why_flagged(0.02, 0.06).startswith("consistency 0.060 where cracks")


def test_more_pixels_than_pillow_likes(two, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert run(weights, two, tmp_path / "out", "save=mask", "measure=false") == 0


def test_what_is_too_noisy_to_measure_is_predicted_all_the_same(two, weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("csbsr.measure.noise.count_branches", lambda skeleton: 99 * int(skeleton.any()))
    output = tmp_path / "out"
    assert run(weights, two, output, "save=mask,cracks,widths", "max_branches=98") == 0
    said = capsys.readouterr().err
    for record in summary(output)[0].values():
        assert record["status"] == "done"
        assert record["not_measured"].startswith("too noisy to measure, 99 branches, expected at most 98;")
        assert record["not_measured"] in said
        assert record.get("cracks") is None
        assert "bicubic_cracks" not in record or record["bicubic_cracks"] is None
        assert sorted(record["results"]) == ["cracks", "mask", "widths"]
        assert (output / record["results"]["cracks"]).read_text(encoding="utf-8").count("\n") == 1
        assert np.asarray(Image.open(output / record["results"]["mask"])).any()
    assert "too noisy to measure" in (output / "report.html").read_text(encoding="utf-8")
    before = stamps(output)
    assert run(weights, two, output, "save=mask,cracks,widths", "max_branches=98") == 0
    assert stamps(output) == before


def test_files_of_others_are_not_replaced_unasked(two, weights, tmp_path, capsys):
    output = tmp_path / "out"
    output.mkdir()
    (output / "1_mask.png").write_text("drawn by hand")
    assert run(weights, two, output, "save=mask") == 1
    assert "1_mask.png is there already" in capsys.readouterr().err
    assert files(output) == ["1_mask.png"]
    assert run(weights, two, output, "save=mask", "overwrite=true") == 0
    assert Image.open(output / "1_mask.png").size == (80, 64)


def test_a_photograph_that_breaks_later_keeps_its_results(two, weights, tmp_path):
    output = tmp_path / "out"
    assert run(weights, two, output, "save=mask") == 0
    before = stamps(output)
    (two / "0.png").write_bytes(b"")
    assert run(weights, two, output, "save=mask") == predict.SOME_FAILED
    assert stamps(output) == before
    assert summary(output)[0]["0.png"]["results"] == {"mask": "0_mask.png"}
    Image.fromarray(noise(16, 20, 5)).save(two / "0.png")
    assert run(weights, two, output, "save=mask") == 0


def test_an_output_that_cannot_be_written(two, weights, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    assert run(weights, two, tmp_path / "file" / "out") == 1
    assert re.search(r"output: .*file.* cannot be written \(Not a directory\)", capsys.readouterr().err)
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    if not os.access(locked, os.W_OK):  # root may write anywhere
        assert run(weights, two, locked) == 1
        assert "cannot be written (Permission denied)" in capsys.readouterr().err

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("csbsr.inspection.png.PngWriter.write", full)
    assert run(weights, two, tmp_path / "out") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert files(tmp_path / "out") == ["summary.csv"]


def test_another_program_in_the_folder(two, weights, tmp_path, capsys):
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / "out" / PARTIAL).mkdir(parents=True)
    with (tmp_path / "out" / PARTIAL / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run(weights, two, tmp_path / "out") == 1
    assert "another csbsr-predict is writing" in capsys.readouterr().err
    assert run(weights, two, tmp_path / "out") == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["save=mask,shadow"], "save: expected some of sr, probability, mask"),
        (["save=uncertainty"], "add flips=2 or flips=4"),
        (["kernel=photograph"], "this network estimates no blur kernel"),
        (["threshold=2"], "threshold: expected a number between 0 and 1, got 2"),
        (["input=/nowhere/at/all"], "no file or folder /nowhere/at/all"),
        (["ckpt=/nowhere/x.ckpt"], "no file /nowhere/x.ckpt"),
    ],
)
def test_bad_words(two, weights, tmp_path, capsys, words, message):
    assert run(weights, two, tmp_path / "out", *words) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_missing_words(capsys):
    with pytest.raises(SystemExit):
        call(predict.main)
    assert "csbsr-predict ckpt=<file> input=<photographs> output=<folder>" in capsys.readouterr().err


def test_relative_paths_patterns_and_uncertainty(two, weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(weights, "in/[1-9]*.png", "out", "save=[mask,uncertainty]", "flips=2") == 0
    assert files(tmp_path / "out") == ["1_mask.png", "1_uncertainty.png", *WHOLE]
    uncertainty = np.asarray(Image.open(tmp_path / "out" / "1_uncertainty.png"))
    assert uncertainty.dtype == np.uint16
    assert 0 < uncertainty.max() < 65535
    assert files(tmp_path)[0].startswith("in/")  # nothing of Hydra's beside


def test_what_another_program_did_meanwhile_is_kept(two, weights, tmp_path):
    output = tmp_path / "out"
    work = Predicting(Predictor.load(weights, device="cpu"), ["mask"], "w")
    first, second, both = (
        Job(work, find(source, output).photographs, Store(output, PREDICT))
        for source in (two / "0.png", two / "1.png", two)
    )
    for job in (first, second):
        job.run()
    assert set(summary(output)[0]) == {"0.png", "1.png"}
    before = stamps(output)
    assert both.run() == (0, 2, 0, 0)
    assert stamps(output) == before


def broken(root):
    """Files under ``root`` that are not whole."""
    found = []
    for path in root.rglob("*"):
        if PARTIAL in path.parts or not path.is_file() or path.name.endswith(".partial"):
            continue
        try:
            if path.suffix in (".png", ".jpg"):
                Image.open(path).load()
            elif path.suffix == ".json":
                json.loads(path.read_text())
        except Exception:
            found.append(path)
    return found


def test_killed_at_any_moment_it_goes_on(weights, tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for index in range(40):
        Image.fromarray(noise(48, 64, index)).save(source / f"{index:02d}.png")
    command = [sys.executable, "-c", "from csbsr.cli.predict import main; main()", f"ckpt={weights}", f"input={source}",
               f"output={output}", "device=cpu", "tile=128", "margin_segmentation=32"]  # fmt: skip
    generator = np.random.default_rng(0)
    done = []
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        start, goal = time.time(), (done[-1] if done else 0) + int(generator.integers(1, 6))
        while process.poll() is None and time.time() - start < 200:
            if len(list(output.glob("*_sr.png"))) >= goal:
                time.sleep(generator.random() * 0.1)
                break
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not broken(output)
        done.append(len(list(output.glob("*_sr.png"))))
    whole = {path: stamp for path, stamp in stamps(output).items() if PARTIAL not in path.parts}
    assert done[0] < done[2] < 40  # each start went on, none had finished
    assert subprocess.run(command, capture_output=True).returncode == 0
    after = stamps(output)
    assert len(after) == 40 * len(KINDS)
    changed = {path.name.split("_")[0] for path, stamp in whole.items() if after[path] != stamp}
    assert len(changed) <= 1  # the photograph whose files were being moved
    assert not broken(output)
    assert not (output / PARTIAL).exists()
    assert len(summary(output)[0]) == 40
