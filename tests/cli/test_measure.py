"""csbsr-measure: masks in, lengths and widths in pixels and millimetres, coloured cracks and the report out."""

import csv
import json
import os
import time

import numpy as np
import pytest
from PIL import Image

from csbsr.cli import measure
from csbsr.inspection import masks as measuring_masks
from csbsr.measure import CRACK_COLUMNS
from tests.cli.inprocess import call
from tests.measure.drawn import draw
from tests.report.html_check import checked

ODD = "Brücke (süd), [1] = 2"


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def line(width=6.0, shape=(120, 160)):
    """Coverage of one crack of 120 pixels, on the pixel grid, with flat ends."""
    return draw([[(19.5, 59.5), (139.5, 59.5)]], width, shape)


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    root = tmp_path_factory.mktemp("measured")
    masks = root / ODD
    save(masks / "pier" / "a.png", (line() * 255).round().astype(np.uint8))
    save(masks / "b.png", (line() * 65535).round().astype(np.uint16))
    save(masks / "empty.png", np.zeros((40, 50), np.uint8))
    (masks / "notes.txt").write_text("no mask")
    call(measure.main, f"input={masks}", f"output={root / 'out, 1'}", "gsd_mm=0.8", "scale=4", "severity=aci_224r")
    return root / "out, 1"


def test_each_mask_has_its_files(measured):
    found = {
        path.relative_to(measured).as_posix() for path in measured.rglob("*") if path.parent.parent.name != "pictures"
    }
    found = {name for name in found if not name.startswith("pictures")}
    expected = {"report.html", "cracks.csv", "cracks.geojson", "summary.csv", "summary.json", "pier"}
    for stem in ("pier/a", "b", "empty"):
        expected |= {f"{stem}_cracks.csv", f"{stem}_widths.jpg"}
    assert found == expected
    assert Image.open(measured / "b_widths.jpg").size == (160, 120)


def test_lengths_and_widths_in_pixels_and_millimetres(measured):
    table = {row["file"]: row for row in rows(measured / "summary.csv")}
    assert list(table) == ["b.png", "empty.png", "pier/a.png"]
    for name in ("pier/a.png", "b.png"):
        row = table[name]
        assert float(row["length_px"]) == pytest.approx(120, rel=0.03)
        assert float(row["width_mean_px"]) == pytest.approx(6, abs=0.3)
        assert float(row["mm_per_pixel"]) == 0.2
        assert float(row["width_mean_mm"]) == pytest.approx(0.2 * float(row["width_mean_px"]), abs=1e-3)
        assert row["severity"] == "over 0.41 mm"
        assert row["status"] == "done"
    assert (table["empty.png"]["cracks"], table["empty.png"]["length_px"], table["empty.png"]["severity"]) == (
        "0",
        "0",
        "",
    )
    records = json.loads((measured / "summary.json").read_text(encoding="utf-8"))
    assert records["command"] == "csbsr-measure"
    assert "severity=aci_224r" in records["overrides"]
    assert [record["file"] for record in records["photographs"]] == list(table)
    assert records["photographs"][0]["width_mean_px"] == float(table["b.png"]["width_mean_px"])


def test_a_row_for_each_crack(measured):
    table = rows(measured / "cracks.csv")
    assert [row["image"] for row in table] == ["b.png", "pier/a.png"]
    assert list(table[0]) == CRACK_COLUMNS
    assert rows(measured / "pier" / "a_cracks.csv") == [table[1]]
    assert rows(measured / "empty_cracks.csv") == []


def test_the_report(measured):
    checker = checked((measured / "report.html").read_text(encoding="utf-8"), beside=measured)
    text = " ".join("".join(checker.text).split())
    for expected in ("Preliminary.", "qualified engineer", "3 photographs", "ACI 224R-01, Table 4.1", "over 0.41 mm"):
        assert expected in text
    assert sum(tag == "article" for tag, _ in checker.tags) == 3


def test_severity_of_an_exposure_with_commas(tmp_path):
    save(tmp_path / "m.png", (line() * 255).astype(np.uint8))
    call(
        measure.main, f"input={tmp_path / 'm.png'}", f"output={tmp_path / 'out'}", "gsd_mm=0.05", "severity=aci_224r",
        "severity.exposure=humidity, moist air, soil", "severity.width=mean",
    )  # fmt: skip
    row = rows(tmp_path / "out" / "summary.csv")[0]
    assert (row["severity"], row["exposure_exceeded"]) == ("over 0.18 up to 0.30 mm", "0")
    assert row["severity_uncertain"] == "1"


def test_ground_sampling_from_a_file_and_the_scale_from_the_photograph(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / "masks" / f"{name}_mask.png", (line() * 255).astype(np.uint8))
        save(tmp_path / "photos" / f"{name}.JPG", np.full((30, 40, 3), 90, np.uint8))
    gsd = tmp_path / "gsd, of [all].csv"
    gsd.write_text("file,gsd_mm\na_mask.png,2\n", encoding="utf-8")
    out = tmp_path / "out"
    call(measure.main, f"input={tmp_path / 'masks'}", f"photos={tmp_path / 'photos'}", f"gsd_mm={gsd}", f"output={out}")
    first, second = rows(out / "summary.csv")
    assert (first["scale"], first["mm_per_pixel"]) == ("4.0", "0.5")
    assert (second["scale"], second["mm_per_pixel"]) == ("4.0", "")
    with Image.open(out / "pictures" / "a_mask" / "after.webp") as picture:
        assert picture.size == (40, 30)  # the photograph, not the mask


def test_a_photograph_of_another_shape_is_no_view_of_the_mask(tmp_path, caplog):
    save(tmp_path / "masks" / "a.png", (line() * 255).astype(np.uint8))
    save(tmp_path / "photos" / "a.png", np.full((40, 40, 3), 90, np.uint8))
    with pytest.raises(SystemExit) as done:
        call(measure.main, f"input={tmp_path / 'masks'}", f"photos={tmp_path / 'photos'}", f"output={tmp_path / 'out'}")
    assert done.value.code == 2
    assert "proportions" in rows(tmp_path / "out" / "summary.csv")[0]["error"]


def test_probabilities_are_cut_at_the_threshold(tmp_path):
    levels = np.zeros((60, 80), np.uint16)
    levels[20:26, 10:70] = 0.4 * 65535
    save(tmp_path / "p.png", levels)
    found = []
    for number, words in enumerate((["threshold=0.3"], ["threshold=0.5"], ["kind=mask"])):
        call(measure.main, f"input={tmp_path / 'p.png'}", f"output={tmp_path / str(number)}", *words)
        found.append(rows(tmp_path / str(number) / "summary.csv")[0]["cracks"])
    assert found == ["1", "0", "0"]
    save(tmp_path / "grey.png", (levels // 257).astype(np.uint8))
    call(
        measure.main, f"input={tmp_path / 'grey.png'}", f"output={tmp_path / 'g'}", "kind=probability", "threshold=0.3"
    )
    assert rows(tmp_path / "g" / "summary.csv")[0]["cracks"] == "1"


def test_masks_that_are_all_or_nothing(tmp_path):
    masks = tmp_path / "masks"
    full = np.full((60, 90), 255, np.uint8)
    point = np.zeros((60, 90), np.uint8)
    point[30, 40] = 255
    frame = np.zeros((60, 90), np.uint8)
    frame[28:31] = frame[:, 44:47] = 255
    random = np.random.default_rng(0)
    specks = np.zeros((400, 500), np.uint8)
    places = random.permutation(np.arange(0, 400 * 500 // 16))[:2000]
    specks[places // 125 * 4 + 1, places % 125 * 4 + 1] = 255
    for name, mask in {"full": full, "point": point, "frame": frame, "specks": specks, "tiny": full[:1, :1]}.items():
        save(masks / f"{name}.png", mask)
    with pytest.warns(UserWarning, match="every pixel"):
        call(measure.main, f"input={masks}", f"output={tmp_path / 'out'}")
    table = {row["file"].removesuffix(".png"): row for row in rows(tmp_path / "out" / "summary.csv")}
    assert {name: row["cracks"] for name, row in table.items()} == {
        "frame": "1", "full": "1", "point": "1", "specks": "2000", "tiny": "1",
    }  # fmt: skip
    assert float(table["full"]["density"]) == 1
    assert float(table["full"]["area_px"]) == 60 * 90
    assert float(table["point"]["length_px"]) == pytest.approx(1, abs=0.5)
    assert float(table["frame"]["length_px"]) == pytest.approx(60 + 90, rel=0.03)
    assert float(table["frame"]["width_mean_px"]) == pytest.approx(3, abs=0.3)
    assert table["frame"]["branches"] == "4"
    page = checked((tmp_path / "out" / "report.html").read_text(encoding="utf-8"), beside=tmp_path / "out")
    assert "the 12 widest of 2000 cracks" in "".join(page.text)
    call(measure.main, f"input={masks}/spe*.png", f"output={tmp_path / 'none'}", "min_pixels=2")
    assert rows(tmp_path / "none" / "summary.csv")[0]["cracks"] == "0"


def test_large_masks_are_measured_in_bounded_memory(tmp_path):
    cover = np.kron(line(width=6, shape=(120, 160)) >= 0.5, np.ones((3, 3), bool))  # 18 pixels wide, 360 long
    save(tmp_path / "m.png", cover.astype(np.uint8) * 255)
    call(measure.main, f"input={tmp_path / 'm.png'}", f"output={tmp_path / 'out'}", "megapixels=0.03", "gsd_mm=0.1")
    row = rows(tmp_path / "out" / "summary.csv")[0]
    assert (row["reduced"], row["height_px"], row["width_px"]) == ("3", "120", "160")
    assert float(row["length_mm"]) == pytest.approx(36, rel=0.03)
    assert float(row["width_mean_mm"]) == pytest.approx(1.8, abs=0.09)


def test_what_cannot_be_read_does_not_stop_the_others(tmp_path, capsys):
    save(tmp_path / "masks" / "good.png", (line() * 255).astype(np.uint8))
    (tmp_path / "masks" / "text.png").write_text("no image")
    (tmp_path / "masks" / "zero.jpg").write_bytes(b"")
    whole = (tmp_path / "masks" / "good.png").read_bytes()
    (tmp_path / "masks" / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit) as done:
        call(measure.main, f"input={tmp_path / 'masks'}", f"output={tmp_path / 'out'}")
    assert done.value.code == 2
    status = {row["file"]: row["status"] for row in rows(tmp_path / "out" / "summary.csv")}
    assert status == {"cut.png": "failed", "good.png": "done", "text.png": "failed", "zero.jpg": "failed"}
    page = "".join(checked((tmp_path / "out" / "report.html").read_text(), beside=tmp_path / "out").text)
    assert "Not read" in page
    assert "zero.jpg" in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "input: expected masks"),
        (["input=nowhere", "output=out"], "nowhere"),
        (["input=m.png", "output=out", "severity=eurocode_2"], "give gsd_mm="),
        (["input=m.png", "output=out", "gsd_mm=-1"], "gsd_mm: expected"),
        (["input=m.png", "output=out", "gsd_mm=none.csv"], "gsd_mm: expected"),
        (["input=m.png", "output=out", "threshold=1.5"], "threshold: expected"),
        (["input=m.png", "output=out", "scale=0"], "scale: expected"),
        (["input=m.png", "output=out", "scale=abc"], "scale: expected a number, got 'abc'"),
        (["input=m.png", "output=out", "threshold=abc"], "threshold: expected a number, got 'abc'"),
        (["input=m.png", "output=out", "min_pixels=abc"], "min_pixels: expected a number, got 'abc'"),
        (["input=m.png", "output=out", "percentile=null"], "percentile: expected a number, got None"),
        (["input=m.png", "output=out", "hole=null"], "hole: expected a number, got None"),
        (["input=m.png", "output=out", "spur=null"], "spur: expected a number, got None"),
        (["input=m.png", "output=out", "megapixels=null"], "megapixels: expected a number, got None"),
        (["input=m.png", "output=out", "kind=colour"], "kind: expected"),
        (["input=m.png", "output=out", "percentile=120"], "percentile: expected"),
        (["input=m.png", "output=out", "megapixels=0"], "megapixels: expected"),
        (["input=m.png", "output=out", "max_branches=0"], "max_branches: expected 1 or more"),
        (["input=m.png", "output=out", "max_branches=few"], "max_branches: expected a number"),
        (["input=m.png", "output=out", "photos=nowhere"], "photos: expected"),
        (
            ["input=m.png", "output=out", "gsd_mm=1", "severity=aci_224r", "severity.exposure=space"],
            "exposure: expected",
        ),
    ],
)
def test_bad_settings_are_told_before_anything_is_written(tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "m.png", (line() * 255).astype(np.uint8))
    with pytest.raises(SystemExit) as done:
        call(measure.main, *words)
    assert done.value.code == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["m.png"]


def test_a_mask_of_noise_is_refused_in_a_line_and_the_others_go_on(tmp_path, capsys):
    save(tmp_path / "in" / "noise.png", np.random.default_rng(0).integers(0, 2, (2000, 2000), np.uint8) * 255)
    save(tmp_path / "in" / "crack.png", (line() * 255).round().astype(np.uint8))
    start = time.perf_counter()
    with pytest.raises(SystemExit) as ended:
        call(measure.main, f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}")
    assert ended.value.code == 2
    assert time.perf_counter() - start < 20  # 3 seconds on one core
    crack, noise = rows(tmp_path / "out" / "summary.csv")
    assert (crack["status"], crack["cracks"]) == ("done", "1")
    assert noise["status"] == "failed"
    assert noise["error"].startswith("too noisy to measure, 20")
    assert "branches, expected at most 5000" in noise["error"]
    assert noise["error"] in capsys.readouterr().out
    assert noise["error"].split(",")[0] in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_another_commands_folder_is_left_alone(tmp_path, capsys):
    save(tmp_path / "m.png", (line() * 255).astype(np.uint8))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.json").write_text('{"photographs": []}')
    with pytest.raises(SystemExit):
        call(measure.main, f"input={tmp_path / 'm.png'}", f"output={tmp_path / 'out'}")
    assert "another command" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["summary.json"]
    for _ in range(2):  # its own it replaces
        call(measure.main, f"input={tmp_path / 'm.png'}", f"output={tmp_path / 'own'}")


# ---- what csbsr-predict and csbsr-measure wrote ----


def predicted(folder, *names, save=("mask",), **about):
    """A folder as csbsr-predict writes it: photographs of 40 x 30 pixels, four times enlarged."""
    records = []
    for name in names:
        stem = name.rpartition(".")[0]
        results = {kind: f"{stem}_{kind}.png" for kind in ("mask", "probability") if kind in save}
        if "mask" in save:
            save_mask = (line() >= 0.5).astype(np.uint8) * 255
            Image.fromarray(save_mask).save(_made(folder / results["mask"]))
        if "probability" in save:
            Image.fromarray((line() * 65535 * 0.4).astype(np.uint16)).save(_made(folder / results["probability"]))
        if "overlay" in save:
            results["overlay"] = f"{stem}_overlay.jpg"
            Image.new("RGB", (160, 120), "white").save(_made(folder / results["overlay"]))
        Image.new("RGB", (160, 120), "white").save(_made(folder / "pictures" / stem / "after.webp"))
        records.append({
            "file": name, "status": "done", "width": 40, "height": 30, "result_width": 160, "result_height": 120,
            "threshold": 0.3, "results": results, "settings": {"min_pixels": 2},
        })  # fmt: skip
    (folder / "summary.json").write_text(json.dumps({"format": 1, **about, "photographs": records}))
    return folder


def _made(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def measure_rows(tmp_path, source, *words, code=0):
    out = tmp_path / "measured"
    words = (f"input={source}", f"output={out}", *words)
    if code:
        with pytest.raises(SystemExit) as done:
            call(measure.main, *words)
        assert done.value.code == code
    else:
        call(measure.main, *words)
    return {row["file"]: row for row in rows(out / "summary.csv")}


def refused(tmp_path, capsys, source, *words):
    with pytest.raises(SystemExit) as done:
        call(measure.main, f"input={source}", f"output={tmp_path / 'refused'}", *words)
    assert done.value.code == 1
    assert not (tmp_path / "refused").exists()
    message = capsys.readouterr().err
    assert "Traceback" not in message
    return message


@pytest.mark.parametrize("source", ["o", "o/wall", "o/wall/p1_mask.png", "o/wall/*", "."])
def test_predictions_are_measured_at_their_scale(tmp_path, source):
    predicted(tmp_path / "root" / "o", "wall/p1.jpg", save=("mask", "overlay"))
    found = measure_rows(tmp_path, tmp_path / "root" / source, "gsd_mm=0.8")
    (name,) = found
    assert name == ("o/wall/p1.jpg" if source == "." else "wall/p1.jpg")
    assert [found[name][key] for key in ("scale", "threshold", "mm_per_pixel")] == ["4.0", "0.3", "0.2"]


def test_the_probability_is_preferred_unless_the_mask_is_named(tmp_path):
    folder = predicted(tmp_path / "o", "p1.jpg", save=("mask", "probability"))
    assert measure_rows(tmp_path, folder)["p1.jpg"]["cracks"] == "1"  # 0.4 is above the noted threshold
    assert measure_rows(tmp_path, folder / "p1_probability.png", "threshold=0.5")["p1.jpg"]["cracks"] == "0"
    assert measure_rows(tmp_path, f"{folder}/*_mask.png", "threshold=0.5")["p1.jpg"]["cracks"] == "1"


def test_a_prediction_without_cracks_is_no_label_mask(tmp_path):
    folder = predicted(tmp_path / "o", "p1.jpg", save=("probability",))
    save(folder / "p1_probability.png", np.full((120, 160), 200, np.uint16))
    assert measure_rows(tmp_path, folder)["p1.jpg"]["cracks"] == "0"


def test_photographs_without_a_mask_fail_and_do_not_stand_for_one(tmp_path, capsys):
    folder = predicted(tmp_path / "o", "p1.jpg", "p2.jpg")
    records = json.loads((folder / "summary.json").read_text())
    del records["photographs"][0]["results"]["mask"]
    records["photographs"].append({"file": "p3.jpg", "status": "failed", "error": "an empty file"})
    records["photographs"].append({"file": "p4.jpg", "status": "unfinished", "results": {"mask": "p4_mask.png"}})
    (folder / "summary.json").write_text(json.dumps(records))
    found = measure_rows(tmp_path, folder, code=2)
    assert {name: row["status"] for name, row in found.items()} == {
        "p1.jpg": "failed", "p2.jpg": "done", "p4.jpg": "failed",
    }  # fmt: skip
    assert "save=mask,probability" in found["p1.jpg"]["error"]
    assert "run it again" in found["p4.jpg"]["error"]
    assert "left out 1 photographs that csbsr-predict could not read: p3.jpg" in capsys.readouterr().out


def test_predictions_without_any_mask_are_refused(tmp_path, capsys):
    folder = predicted(tmp_path / "o", "wall/p1.jpg", save=("overlay",))
    for source in ("", "wall", "pictures", "wall/p1_overlay.jpg", "pictures/wall/p1/after.webp", "*/*.jpg"):
        assert "input: " in refused(tmp_path, capsys, folder / source)
    assert "save=mask,probability" in refused(tmp_path, capsys, folder)


def test_what_was_measured_is_not_measured_again(tmp_path, capsys, measured):
    for source in ("", "pier", "pictures", "b_widths.jpg", "*.jpg"):
        assert "give the masks themselves" in refused(tmp_path, capsys, measured / source)
    save(tmp_path / "masks" / "a.png", (line() * 255).astype(np.uint8))
    call(measure.main, f"input={tmp_path / 'masks'}", f"output={tmp_path / 'masks' / 'earlier'}")
    assert list(measure_rows(tmp_path, tmp_path / "masks")) == ["a.png"]
    assert list(measure_rows(tmp_path, f"{tmp_path}/masks/**/*.*")) == ["a.png"]


def test_masks_of_ones_own_beside_results_are_measured(tmp_path):
    predicted(tmp_path / "o", "wall/p1.jpg")
    save(tmp_path / "o" / "own" / "a.png", (line() * 255).astype(np.uint8))
    save(tmp_path / "o" / "b.png", (line() * 255).astype(np.uint8))
    assert list(measure_rows(tmp_path, tmp_path / "o" / "own")) == ["a.png"]
    assert list(measure_rows(tmp_path, tmp_path / "o" / "b.png")) == ["b.png"]


@pytest.mark.parametrize("text", ["[]", "{", '{"photographs": [1]}', '{"photographs": [{"file": "a", "results": 1}]}'])
def test_a_damaged_summary_is_named(tmp_path, capsys, text):
    save(tmp_path / "o" / "a.png", (line() * 255).astype(np.uint8))
    (tmp_path / "o" / "summary.json").write_text(text)
    assert f"{tmp_path / 'o' / 'summary.json'} cannot be read" in refused(tmp_path, capsys, tmp_path / "o")
    (tmp_path / "o" / "summary.json").write_text('{"another": "program"}')
    assert list(measure_rows(tmp_path, tmp_path / "o")) == ["a.png"]


# ---- photographs and ground sampling distances ----


def test_photographs_are_found_in_any_case_and_missing_ones_fail(tmp_path):
    for name in ("DSC_1", "dsc_2", "dsc_3"):
        save(tmp_path / "masks" / f"{name}_mask.png", (line() * 255).astype(np.uint8))
    save(tmp_path / "photos" / "dsc_1.JPG", np.full((30, 40, 3), 90, np.uint8))
    save(tmp_path / "photos" / "DSC_2.WebP", np.full((30, 40, 3), 90, np.uint8))
    found = measure_rows(tmp_path, tmp_path / "masks", f"photos={tmp_path / 'photos'}", code=2)
    assert [(row["status"], row["scale"]) for row in found.values()] == [
        ("done", "4.0"),
        ("done", "4.0"),
        ("failed", ""),
    ]
    assert "no photograph dsc_3 in" in found["dsc_3_mask.png"]["error"]


def test_a_list_of_distances_names_photographs_and_tells_what_does_not_match(tmp_path, capsys):
    for name in ("a", "b"):
        save(tmp_path / "masks" / f"{name}_mask.png", (line() * 255).astype(np.uint8))
        save(tmp_path / "photos" / f"{name}.jpg", np.full((30, 40, 3), 90, np.uint8))
    gsd = tmp_path / "gsd.csv"
    gsd.write_text("file,gsd_mm\nA.JPG,2\nx.jpg,1\ny.jpg,1\n", encoding="utf-8")
    found = measure_rows(tmp_path, tmp_path / "masks", f"photos={tmp_path / 'photos'}", f"gsd_mm={gsd}")
    assert [row["mm_per_pixel"] for row in found.values()] == ["0.5", ""]
    lines = [line for line in capsys.readouterr().out.splitlines() if "gsd_mm" in line]
    assert lines == [
        "note     gsd_mm: no row for 1 of 2 files, which get no millimetres: b_mask.png",
        "note     gsd_mm: 2 rows of the list are of no file of the input: x.jpg, y.jpg",
    ]


# ---- files and interruptions ----


def test_a_long_name_fails_alone(tmp_path):
    save(tmp_path / "masks" / f"{'a' * 244}.png", (line() * 255).astype(np.uint8))  # a_widths.jpg has 255 bytes
    save(tmp_path / "masks" / f"{'b' * 245}.png", (line() * 255).astype(np.uint8))
    save(tmp_path / "masks" / "c.png", (line() * 255).astype(np.uint8))
    found = measure_rows(tmp_path, tmp_path / "masks", code=2)
    assert [row["status"] for row in found.values()] == ["done", "failed", "done"]
    assert "rename the mask" in found[f"{'b' * 245}.png"]["error"]
    assert not list((tmp_path / "measured").rglob("*.partial"))


def test_an_interruption_leaves_a_summary(tmp_path, capsys, monkeypatch):
    for name in ("a", "b"):
        save(tmp_path / "masks" / f"{name}.png", (line() * 255).astype(np.uint8))
    reading = measuring_masks.read_segmentation

    def interrupted(path, *arguments):
        if path.name == "b.png":
            raise KeyboardInterrupt
        return reading(path, *arguments)

    monkeypatch.setattr(measuring_masks, "read_segmentation", interrupted)
    assert list(measure_rows(tmp_path, tmp_path / "masks", code=130)) == ["a.png"]
    assert (tmp_path / "measured" / "report.html").is_file()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights_is_told_in_a_line(tmp_path, capsys):
    save(tmp_path / "m.png", (line() * 255).astype(np.uint8))
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(SystemExit) as done:
        call(measure.main, f"input={tmp_path / 'm.png'}", f"output={tmp_path / 'locked' / 'out'}")
    assert done.value.code == 1
    assert "output: " in capsys.readouterr().err


def test_what_the_system_refuses_is_told_in_a_line(tmp_path, capsys, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "here")

    monkeypatch.setattr(measure, "find_masks", refuse)
    assert "Permission denied: 'here'" in refused(tmp_path, capsys, tmp_path)


def test_an_output_that_is_a_file_is_told_in_a_line(tmp_path, capsys):
    save(tmp_path / "m.png", (line() * 255).astype(np.uint8))
    with pytest.raises(SystemExit) as done:
        call(measure.main, f"input={tmp_path / 'm.png'}", f"output={tmp_path / 'm.png' / 'out'}")
    assert done.value.code == 1
    assert "m.png" in capsys.readouterr().err
