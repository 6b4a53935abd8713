"""windows=auto, the default: what is too large goes by windows; what follows takes its results as it takes others."""

import csv
import json
import logging
import shutil

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from csbsr.cli import measure, predict
from csbsr.inspection import windows
from csbsr.inspection.corrected import CorrectedPairs
from tests.cli.inprocess import checkpoint, exit_code
from tests.mosaics import DrawnCrack, write_mosaic

WIDTH, HEIGHT = 200, 160
X = np.arange(50.0, 150.0, 2.0)
LINE = DrawnCrack(np.stack([X, 80 + 4 * np.sin(X / 11) + 2 * np.sin(X / 3)], 1), 4.0)
KINDS = "sr,mask,probability,consistency,cracks"


@pytest.fixture(scope="module", autouse=True)
def _limits():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "LARGE", 20_000)
        yield


def run(source, output, *words):
    given = [f"input={source}", f"output={output}", "device=cpu", "backend=torch"]
    if not any(word.startswith("save=") for word in words):
        given.append(f"save=[{KINDS}]")
    return exit_code(predict.main, *given, *words)


def records(folder):
    found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["photographs"]
    return {record["file"]: record for record in found}


def rows(folder, name="wall.tif"):
    with (folder / "cracks.csv").open(encoding="utf-8", newline="") as table:
        return [row for row in csv.DictReader(table) if row["image"] == name]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A mosaic that is large, a small one, and a photograph of another format."""
    folder = tmp_path_factory.mktemp("photos")
    write_mosaic(folder / "wall.tif", WIDTH, HEIGHT, [LINE], side=64)
    write_mosaic(folder / "small.tif", 120, 96, [], side=64)
    Image.fromarray(np.random.default_rng(0).integers(90, 140, (160, 200, 3), np.uint8)).save(folder / "photo.png")
    return folder


@pytest.fixture(scope="module")
def done(photos, tmp_path_factory):
    output = tmp_path_factory.mktemp("done")
    assert run(photos, output) == 0
    return output


def test_what_has_coordinates_goes_by_windows_and_the_rest_as_ever(done, photos):
    found = records(done)
    large = {"mask": "wall_mask.tif", "probability": "wall_probability.tif", "cracks": "wall_cracks.csv"}
    assert found["wall.tif"]["results"] == large
    assert found["wall.tif"]["note"] == "read by windows, without sr, consistency"
    assert (found["wall.tif"]["settings"]["windows"], found["wall.tif"]["settings"]["result_scale"]) == (True, 1)
    assert found["small.tif"]["results"]["mask"] == "small_mask.tif"
    assert found["small.tif"]["settings"]["result_scale"] == 4
    assert found["photo.png"]["results"]["mask"] == "photo_mask.png"
    assert found["photo.png"]["settings"]["windows"] is False
    assert "note" not in found["photo.png"]
    assert "read by windows, without sr, consistency" in (done / "report.html").read_text(encoding="utf-8")
    assert len(rows(done)) == 1


def test_a_second_run_has_nothing_to_do(done, photos, capsys):
    assert run(photos, done) == 0
    assert "3 photographs, 3 of them done already" in capsys.readouterr().out


def test_another_photograph_joins_them(done, photos, tmp_path, capsys):
    folder = shutil.copytree(done, tmp_path / "done")
    (tmp_path / "more").mkdir()
    shutil.copy(photos / "photo.png", tmp_path / "more" / "other.png")
    assert run(tmp_path / "more", folder) == 0
    assert {"wall.tif", "other.png"} <= set(records(folder))


@pytest.mark.parametrize("told", [True, False])
def test_auto_leaves_what_was_done_whole(photos, tmp_path, told, capsys):
    assert run(photos / "wall.tif", tmp_path, "windows=false", "measure=false") == 0
    if not told:  # as earlier versions wrote it
        summary = json.loads((tmp_path / "summary.json").read_text())
        del summary["photographs"][0]["settings"]["windows"]
        (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert run(photos / "wall.tif", tmp_path, "measure=false") == 0
    assert "1 photographs, 1 of them done already" in capsys.readouterr().out
    assert run(photos / "wall.tif", tmp_path, "measure=false", "windows=true") == 1
    assert "results of other settings (windows False, now True)" in capsys.readouterr().err
    assert run(photos / "wall.tif", tmp_path, "measure=false", "overwrite=true") == 0
    assert not (tmp_path / "wall_mask.png").exists()
    assert (tmp_path / "wall_mask.tif").is_file()


def test_what_failed_before_may_go_by_windows(photos, tmp_path):
    shutil.copy(photos / "wall.tif", tmp_path / "wall.tif")
    assert run(tmp_path / "wall.tif", tmp_path / "out", "windows=false", "max_megapixels=0.001") == 2
    assert "expected at most 0.001 megapixels" in records(tmp_path / "out")["wall.tif"]["error"]
    assert run(tmp_path / "wall.tif", tmp_path / "out", "max_megapixels=0.001") == 0
    assert (tmp_path / "out" / "wall_mask.tif").is_file()


@pytest.mark.parametrize("measured", ["true", "false"])
def test_polygons_are_written_of_a_large_one_read_whole(photos, tmp_path, measured, capsys):
    assert run(photos / "wall.tif", tmp_path, "save=[mask,coco]", f"measure={measured}") == 0
    told = "read whole, though it has 0.032 megapixels: save=coco needs all of a mask at once"
    assert records(tmp_path)["wall.tif"]["note"] == told
    assert told in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.glob("wall*")) == ["wall_coco.json", "wall_mask.png"]
    assert run(photos / "wall.tif", tmp_path / "true", "save=[mask,coco]", "windows=true") == 1
    assert "windows: save=coco needs all of a mask at once; leave one of them out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "because"),
    [
        ("marker_mm=100", "marker_mm is looked for in all of a photograph at once"),
        ("compare_bicubic=true", "compare_bicubic=true enlarges all of a photograph at once"),
    ],
)
def test_other_words_that_need_all_of_it(photos, tmp_path, word, because, capsys):
    assert run(photos / "wall.tif", tmp_path, word) == 0
    assert because in records(tmp_path)["wall.tif"]["note"]
    assert run(photos / "wall.tif", tmp_path / "true", word, "windows=true") == 1
    assert f"windows: {because}; leave one of them out" in capsys.readouterr().err


def test_a_system_of_two_passes_reads_whole_and_says_so(photos, tmp_path, capsys):
    weights = checkpoint(tmp_path / "w.ckpt")
    assert run(photos / "wall.tif", tmp_path / "out", f"ckpt={weights}") == 0
    assert "the system takes two passes; lite takes one" in records(tmp_path / "out")["wall.tif"]["note"]
    assert run(photos / "wall.tif", tmp_path / "small", f"ckpt={weights}", "max_megapixels=0.01") == 2
    error = records(tmp_path / "small")["wall.tif"]["error"]
    assert "set max_megapixels=" in error
    assert error.endswith(
        "It is read whole, though it has 0.032 megapixels: the system takes two passes; lite takes one"
    )


def test_an_area_left_out_beside_it(photos, tmp_path):
    shutil.copy(photos / "wall.tif", tmp_path / "wall.tif")
    area = np.zeros((HEIGHT, WIDTH), np.uint8)
    area[:, 100:] = 255
    Image.fromarray(area).save(tmp_path / "wall_exclude.png")
    assert run(tmp_path, tmp_path / "out") == 0
    found = records(tmp_path / "out")["wall.tif"]
    assert "a file beside it may tell areas to be left out of it" in found["note"]
    assert found["excluded_share"] == 0.5


# ---- what takes the results ----


def test_its_results_measured_again_are_the_same(done, tmp_path):
    assert exit_code(measure.main, f"input={done}", f"output={tmp_path}") == 0
    found, before = records(tmp_path)["wall.tif"], records(done)["wall.tif"]
    assert "edited" not in found
    for name in ("cracks", "missing_share", "gsd_source", "length_mm", "density", "width_reported_mean_value_mm"):
        assert found[name] == before[name], name
    assert rows(tmp_path) == rows(done)
    for name in ("cracks_epsg25832.geojson", "wall_cracks.csv"):
        assert (tmp_path / name).read_bytes() == (done / name).read_bytes()
    assert not list(tmp_path.rglob("*.rows"))


def test_so_they_are_where_the_mosaic_is_gone_or_settings_are_others(done, photos, tmp_path):
    folder = shutil.copytree(done, tmp_path / "done")
    (folder / "pictures" / "wall" / "after.webp").unlink()
    summary = json.loads((folder / "summary.json").read_text())
    for record in summary["photographs"]:
        record["source"]["path"] = str(tmp_path / "gone.tif")
    (folder / "summary.json").write_text(json.dumps(summary))
    assert exit_code(measure.main, f"input={folder}", f"output={tmp_path / 'out'}", "threshold=0.6", "gsd_mm=2") == 0
    found, before = records(tmp_path / "out")["wall.tif"], records(done)["wall.tif"]
    assert found["cracks"] == 1
    assert found["area_px"] < before["area_px"]  # of a higher threshold
    assert found["length_mm"] == pytest.approx(before["length_mm"] * 2 / 0.8, rel=0.1)


def test_a_damaged_result_is_told(done, tmp_path):
    folder = shutil.copytree(done, tmp_path / "done")
    path = folder / "wall_probability.tif"
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[offset : offset + 20] = b"\xff" * 20
    path.write_bytes(data)
    assert exit_code(measure.main, f"input={folder}", f"output={tmp_path / 'out'}") == 2
    assert (
        "wall_probability.tif: found a damaged or truncated file (1 tiles)"
        in records(tmp_path / "out")["wall.tif"]["error"]
    )


@pytest.mark.parametrize("tagged", [True, False])
def test_a_corrected_mask_counts(done, tmp_path, tagged):
    folder = shutil.copytree(done, tmp_path / "done")
    path = folder / "wall_mask.tif"
    mask = tifffile.imread(path)
    assert set(np.unique(mask)) == {0, 1, 255}  # background, no data, crack
    cv2.line(mask, (60, 120), (140, 120), 255, 5)
    more = [(42113, "s", 0, "1", True)] if tagged else []  # which editors drop
    tifffile.imwrite(path, mask, photometric="minisblack", compression="adobe_deflate", extratags=more)
    assert exit_code(measure.main, f"input={folder}", f"output={tmp_path / 'out'}") == 0
    found = records(tmp_path / "out")["wall.tif"]
    assert (found["edited"], found["cracks"], found["before_cracks"]) == (True, 2, 1)


def test_a_mask_alone_is_measured(done, tmp_path):
    shutil.copy(done / "wall_mask.tif", tmp_path / "wall.tif")
    assert exit_code(measure.main, f"input={tmp_path / 'wall.tif'}", f"output={tmp_path / 'out'}", "min_pixels=16") == 0
    assert records(tmp_path / "out")["wall.tif"]["cracks"] == 1


def test_two_shards_are_one_process(done, photos, tmp_path):
    for word in ("shard=1/2", "shard=2/2", "merge=true"):
        assert run(photos, tmp_path, word) == 0
    for name in ("cracks.csv", "cracks_epsg25832.geojson"):
        assert (tmp_path / name).read_bytes() == (done / name).read_bytes()
    assert (tmp_path / "wall_mask.tif").read_bytes() == (done / "wall_mask.tif").read_bytes()


def test_layers_say_nothing_on_the_terminal(done, photos, tmp_path, capsys, recwarn):
    pytest.importorskip("pyogrio")
    ezdxf = pytest.importorskip("ezdxf")
    assert run(photos, tmp_path, "layers=[gpkg,dxf]") == 0
    told = capsys.readouterr()
    assert "creating" not in told.out
    assert "Created" not in told.out
    assert not [warning for warning in recwarn if "crs" in str(warning.message)]
    assert logging.getLogger("csbsr").isEnabledFor(logging.INFO)
    drawn = ezdxf.readfile(tmp_path / "wall_drawing.dxf").modelspace().query("LWPOLYLINE")
    assert len(drawn) >= 2  # the frame and the crack


def test_training_takes_its_mask(done):
    pairs = CorrectedPairs(done)
    index = next(i for i in range(len(pairs)) if pairs.name(i) == "wall.tif")
    image, mask = pairs.read(index)
    assert image.shape == (HEIGHT, WIDTH, 3)
    written = tifffile.imread(done / "wall_mask.tif")
    assert (mask == np.select([written == 255, written == 1], [1, 255], 0)).all()
