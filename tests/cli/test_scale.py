"""gsd_mm=auto, the default: millimetres from the photographs themselves, through the commands."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from csbsr.cli import measure, predict
from tests.cli.inprocess import call, checkpoint, exit_code
from tests.measure.drawn import draw
from tests.measure.grounds import WIDTH, marker, photograph

LASER = {"LRFTargetDistance": "8.0", "LRFStatus": "Normal"}
MM = 8000 * 13.2 / (8.8 * WIDTH)


def table(folder, name="summary.csv"):
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return {row["file" if name == "summary.csv" else "image"]: row for row in csv.DictReader(file)}


@pytest.fixture
def masks(tmp_path):
    """Masks of a crack of 120 pixels; photographs of a drone, of one that contradicts itself, of one that is silent."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    photograph(tmp_path / "photos" / "drone.jpg", LASER, focal=8.8)
    photograph(tmp_path / "photos" / "other.jpg", LASER | {"tiff:Model": "M3E"}, focal=8.8)
    photograph(tmp_path / "photos" / "silent.jpg", model=None)
    for name in ("drone", "other", "silent"):
        mask = draw([[(19.5, 59.5), (139.5, 59.5)]], 6.0, (300, WIDTH))
        Image.fromarray((mask * 255).round().astype(np.uint8)).save(tmp_path / "masks" / f"{name}.png")
    return tmp_path


def test_measure_says_what_it_took(masks, capsys):
    call(measure.main, f"input={masks / 'masks'}", f"photos={masks / 'photos'}", f"output={masks / 'out'}")
    said, rows = capsys.readouterr().out, table(masks / "out")
    assert float(rows["drone.png"]["length_mm"]) == pytest.approx(120 * MM, rel=0.03)
    assert rows["drone.png"]["gsd_source"].startswith("laser distance 8 m (DJI XMP); 8.8 mm lens")
    low, high = (float(rows["drone.png"][f"mm_per_pixel_{end}"]) for end in ("low", "high"))
    assert (low + high) / 2 == pytest.approx(MM, rel=1e-4)
    assert (high - low) / (2 * MM) == pytest.approx(np.hypot(np.hypot(0.2 / 8, 0.0015), 0.03), rel=1e-3)
    assert table(masks / "out", "cracks.csv")["drone.png"]["gsd_source"] == rows["drone.png"]["gsd_source"]
    for name in ("other.png", "silent.png"):
        assert (rows[name]["length_mm"], rows[name]["gsd_source"], rows[name]["mm_per_pixel_low"]) == ("", "", "")
    assert "M3E in the one and FC6310" in rows["other.png"]["scale_refused"]
    assert "scale    other.png: XMP and EXIF contradict each other" in said
    assert "scale    1 from laser distance 8 m" in said
    assert "scale    2 without a scale, measured in pixels alone" in said
    assert "millimetres from" in (masks / "out" / "report.html").read_text(encoding="utf-8")


def test_null_asks_nobody_and_a_number_wins(masks):
    for value, length in (("null", None), ("0.5", 60.0)):
        words = f"input={masks / 'masks'}", f"photos={masks / 'photos'}", f"output={masks / value}"
        call(measure.main, *words, f"gsd_mm={value}")
        row = table(masks / value)["drone.png"]
        assert row["length_mm"] == "" if length is None else float(row["length_mm"]) == pytest.approx(length, rel=0.03)
        assert row["gsd_source"] == ("" if length is None else "gsd_mm")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gsd_mm=0.4", "marker_mm=100"], "marker_mm: is read with gsd_mm=auto alone"),
        (["distance_m=-1"], "distance_m: expected a number above 0"),
        (["cameras=none.yaml"], "cameras: "),
        (["marker_mm=100", "marker_dictionary=9x9"], "marker_dictionary: expected one of"),
    ],
)
def test_bad_words(masks, capsys, words, message):
    assert exit_code(measure.main, f"input={masks / 'masks'}", f"output={masks / 'out'}", *words) == 1
    assert message in capsys.readouterr().err


def test_a_marker_seen_obliquely_is_rectified(tmp_path, capsys):
    """The results are of the rectified picture, and csbsr-measure knows them again."""
    (tmp_path / "photos").mkdir()
    marker(tmp_path / "photos" / "wall.png", 30, places=(-150.0,), side=300, size=160)
    weights, out = checkpoint(tmp_path / "w.ckpt", threshold=0.52), tmp_path / "out"
    words = (
        f"ckpt={weights}",
        f"input={tmp_path / 'photos'}",
        f"output={out}",
        "device=cpu",
        "marker_mm=300",
        "cell_m=0.5",
    )
    call(predict.main, *words, "save=mask,probability")
    (record,) = json.loads((out / "summary.json").read_text(encoding="utf-8"))["photographs"]
    assert record["rectified"] is True
    assert (record["width"], record["height"]) != (160, 160)
    assert record["mm_per_pixel"] * 4 == pytest.approx(1000 / (160 * 4 / 3) / np.sqrt(np.cos(np.pi / 6)), rel=0.01)
    assert record["gsd_source"] == "marker 0 of 300 mm, seen at 30 degrees, rectified"
    with Image.open(out / "wall_mask.png") as mask:
        assert mask.size == (4 * record["width"], 4 * record["height"])
    capsys.readouterr()
    call(predict.main, *words, "save=mask,probability")
    assert "skipped 1" in capsys.readouterr().out
    call(measure.main, f"input={out}", f"output={tmp_path / 'again'}", "marker_mm=300", "cell_m=0.5")
    assert float(table(tmp_path / "again")["wall.png"]["mm_per_pixel"]) == pytest.approx(record["mm_per_pixel"])
    areas, again = (
        [shape["properties"]["area_m2"] for shape in json.loads((folder / "density.geojson").read_text())["features"]]
        for folder in (out, tmp_path / "again")
    )
    assert areas == again  # the black beside the turned photograph is none of it
    assert 0.5 < sum(areas) / (record["width"] * record["height"] * (4 * record["mm_per_pixel"] / 1000) ** 2) < 0.99
    call(measure.main, f"input={out / 'wall_mask.png'}", f"output={tmp_path / 'none'}")
    assert table(tmp_path / "none")["wall.png"]["mm_per_pixel"] == ""
    assert exit_code(predict.main, *words, "save=mask,labelme", "overwrite=true") == 1
    assert "labelme and coco write polygons onto the photograph" in capsys.readouterr().err


def test_a_mask_of_the_photograph_itself_is_not_of_its_rectified_picture(tmp_path):
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    marker(tmp_path / "photos" / "wall.png", 30, places=(-150.0,), side=300, size=160)
    Image.fromarray(np.zeros((160, 160), np.uint8)).save(tmp_path / "masks" / "wall.png")
    words = f"input={tmp_path / 'masks'}", f"photos={tmp_path / 'photos'}", f"output={tmp_path / 'out'}"
    call(measure.main, *words, "marker_mm=300")
    row = table(tmp_path / "out")["wall.png"]
    assert row["mm_per_pixel"] == ""
    assert "seen at 30 degrees, and the mask is not of the rectified picture" in row["scale_refused"]
