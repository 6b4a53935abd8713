"""csbsr-predict with measurement: the report and tables of a folder, a second run, other millimetres later."""

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image

from csbsr.cli import measure, predict
from tests.cli.inprocess import call, checkpoint, exit_code
from tests.report.html_check import checked


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos") / "pier, [1]"
    (root / "south").mkdir(parents=True)
    for index, name in enumerate(("a.jpg", "south/b (2).png")):
        noise = np.random.default_rng(index).integers(0, 256, (24, 32, 3), np.uint8)
        exif = Image.Exif()
        exif[0x8825] = {1: "N", 2: (48.0, 30.0, 0.0), 3: "E", 4: (11.0, 15.0, 0.0)}
        Image.fromarray(noise).save(root / name, exif=exif)
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff no photograph")
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("weights") / "w.ckpt", threshold=0.52)


def run(weights, photos, output, *words):
    return exit_code(predict.main, f"ckpt={weights}", f"input={photos}", f"output={output}", "device=cpu", *words)


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def text_of(output):
    page = (output / "report.html").read_text(encoding="utf-8")
    return " ".join("".join(checked(page, beside=output).text).split())


@pytest.fixture(scope="module")
def results(weights, photos, tmp_path_factory):
    output = tmp_path_factory.mktemp("results") / "out"
    assert (
        run(weights, photos, output, "gsd_mm=0.8", "severity=eurocode_2", "severity.exposure=XC3", "min_pixels=2") == 2
    )
    return output


def test_tables_and_report(results):
    table = {row["file"]: row for row in rows(results / "summary.csv")}
    assert set(table) == {"a.jpg", "broken.jpg", "south/b (2).png"}
    for name in ("a.jpg", "south/b (2).png"):
        row = table[name]
        assert int(row["cracks"]) > 0
        assert float(row["mm_per_pixel"]) == pytest.approx(0.2)
        assert float(row["length_mm"]) == pytest.approx(0.2 * float(row["length_px"]), rel=1e-3)
        assert row["severity_guide"].startswith("EN 1992-1-1")
        assert (row["height_px"], row["width_px"], row["reduced"]) == ("96", "128", "1")
    assert table["broken.jpg"]["cracks"] == ""
    record = json.loads((results / "summary.json").read_text())["photographs"][0]
    assert str(record["width_mean_px"]) == table["a.jpg"]["width_mean_px"]
    cracks = rows(results / "cracks.csv")
    assert len(cracks) == sum(int(row["cracks"] or 0) for row in table.values())
    assert [row for row in cracks if row["image"] == "a.jpg"] == rows(results / "a_cracks.csv")
    text = text_of(results)
    for expected in ("3photographs", "1not readable", "48.500000, 11.250000", "Chosen exposure: XC3", "broken.jpg"):
        assert expected in text


def test_a_second_run_shows_all_photographs(results, photos, weights):
    words = ("gsd_mm=0.8", "severity=eurocode_2", "severity.exposure=XC3", "min_pixels=2")
    before = text_of(results)
    (results / "report.html").unlink()
    stamp = (results / "a_widths.jpg").stat().st_mtime_ns
    assert run(weights, photos, results, *words) == 2
    assert (results / "a_widths.jpg").stat().st_mtime_ns == stamp  # done before
    assert text_of(results)[:2000] == before[:2000]


def test_other_millimetres_are_measured_anew(results, photos, weights, tmp_path, capsys):
    assert run(weights, photos, results, "gsd_mm=0.4", "min_pixels=2") == 1
    assert "gsd_mm 0.8, now 0.4" in (message := capsys.readouterr().err)
    assert f"csbsr-measure input={results} only measures" in message
    call(measure.main, f"input={results}", f"output={tmp_path / 'anew'}", "gsd_mm=0.4")
    earlier = {row["file"]: row for row in rows(results / "summary.csv")}
    anew = rows(tmp_path / "anew" / "summary.csv")
    assert [row["file"] for row in anew] == ["a.jpg", "south/b (2).png"]
    for row in anew:
        assert float(row["scale"]) == 4
        assert float(row["threshold"]) == 0.52
        assert float(row["mm_per_pixel"]) == pytest.approx(0.1)
        assert row["cracks"] == earlier[row["file"]]["cracks"]
        assert float(row["length_px"]) == pytest.approx(float(earlier[row["file"]]["length_px"]), rel=1e-3)
        assert row["latitude"] == "48.5"
    assert "48.500000, 11.250000" in text_of(tmp_path / "anew")


def test_cracks_are_listed_whatever_is_saved(weights, photos, tmp_path):
    assert run(weights, photos, tmp_path / "out", "save=mask", "min_pixels=2") == 2
    counted = sum(int(row["cracks"] or 0) for row in rows(tmp_path / "out" / "summary.csv"))
    assert len(rows(tmp_path / "out" / "cracks.csv")) == counted > 0


def test_measured_after_all(weights, photos, tmp_path):
    output = tmp_path / "out"
    assert run(weights, photos, output, "measure=false", "save=mask") == 2
    assert run(weights, photos, output, "save=mask,widths") == 2
    assert (output / "a_widths.jpg").is_file()
    assert int(rows(output / "summary.csv")[0]["cracks"]) >= 0


def test_a_list_of_distances_that_fits_nothing_says_so(weights, photos, tmp_path, capsys):
    (tmp_path / "gsd.csv").write_text("file,gsd_mm\na.jpg,0.5\nz.jpg,0.5\n")
    run(weights, photos, tmp_path / "out", f"gsd_mm={tmp_path / 'gsd.csv'}", "save=mask")
    said = capsys.readouterr().out
    assert re.search(r"gsd_mm +2 photographs are not listed \(broken\.jpg, south/b \(2\)\.png\)", said)
    assert re.search(r"gsd_mm +1 rows list no photograph of these \(z\.jpg\)", said)


def test_without_measuring(weights, photos, tmp_path):
    assert run(weights, photos, tmp_path / "out", "measure=false", "save=mask,widths,cracks") == 2
    found = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"a_mask.png", "b (2)_mask.png", "summary.csv", "summary.json"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["severity=aci_224r"], "give gsd_mm="),
        (["gsd_mm=no.csv"], "gsd_mm: expected"),
        (["compare_bicubic=often"], "compare_bicubic: expected"),
        (["megapixels=-1"], "megapixels: expected"),
    ],
)
def test_bad_words(weights, photos, tmp_path, capsys, words, message):
    assert run(weights, photos, tmp_path / "out", *words) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
