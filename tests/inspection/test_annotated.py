"""csbsr-measure on files of LabelMe: which are masks, what they are drawn on, and the numbers that come out."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from csbsr.cli import measure
from csbsr.inspection.annotated import drawn_masks
from csbsr.inspection.photographs import find
from tests.cli.inprocess import call, exit_code

CRACK = [[19.5, 56.5], [139.5, 56.5], [139.5, 62.5], [19.5, 62.5]]  # 120 px long and 6 px wide


def polygons(path, *shapes, image=None, size=(120, 160)):
    """Write a file of LabelMe; ``shapes``: label and points."""
    entries = [{"label": label, "points": points, "shape_type": "polygon"} for label, points in shapes]
    content = {
        "version": "5.4.1", "flags": {}, "shapes": entries, "imagePath": image or f"{path.stem}.jpg", "imageData": None,
        "imageHeight": size[0], "imageWidth": size[1],
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def photograph(path, size=(160, 120), value=120):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value - 20, value)).save(path)
    return path


def measured(output):
    with (output / "summary.csv").open(newline="", encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def test_photographs_with_their_polygons_beside_them(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    photograph(source / "a.jpg")
    polygons(source / "a.json", ("crack", CRACK))
    photograph(source / "pier" / "Brücke (1).png")
    polygons(source / "pier" / "other name.json", ("Crack", CRACK), image="..\\x\\Brücke (1).png")
    photograph(source / "sound.jpg")
    polygons(source / "sound.json")
    (source / "notes.json").write_text("{}")
    call(measure.main, f"input={source}", f"output={output}", "gsd_mm=0.5")
    rows = measured(output)
    assert list(rows) == ["a.json", "pier/other name.json", "sound.json"]
    for name in ("a.json", "pier/other name.json"):
        assert float(rows[name]["length_px"]) == pytest.approx(120, rel=0.03)
        assert float(rows[name]["width_mean_px"]) == pytest.approx(6, abs=0.3)
        assert float(rows[name]["length_mm"]) == pytest.approx(60, rel=0.03)
    assert rows["sound.json"]["cracks"] == "0"
    shown = np.asarray(Image.open(output / "sound_widths.jpg").convert("RGB"))[:100].reshape(-1, 3)
    np.testing.assert_allclose(np.median(shown, 0), 108, atol=3)  # the photograph in grey, not a black mask


def test_polygons_alone_and_one_file_alone(tmp_path):
    polygons(tmp_path / "in" / "a.json", ("crack", CRACK))
    polygons(tmp_path / "in" / "b.json", ("Riss", CRACK))
    assert exit_code(measure.main, f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}") == 2
    rows = measured(tmp_path / "out")
    assert (rows["a.json"]["status"], rows["b.json"]["status"]) == ("done", "failed")
    assert "crack_label=Riss" in rows["b.json"]["error"]
    call(measure.main, f"input={tmp_path / 'in' / 'b.json'}", f"output={tmp_path / 'one'}", "crack_label=riss")
    assert float(measured(tmp_path / "one")["b.json"]["length_px"]) == pytest.approx(120, rel=0.03)


def test_a_list_of_distances_may_name_the_photographs(tmp_path):
    photograph(tmp_path / "in" / "pier" / "a.jpg")
    polygons(tmp_path / "in" / "pier" / "a.json", ("crack", CRACK))
    (tmp_path / "list.csv").write_text("file,gsd_mm\npier/a.jpg,0.25\n", encoding="utf-8")
    call(measure.main, f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}", f"gsd_mm={tmp_path / 'list.csv'}")
    assert float(measured(tmp_path / "out")["pier/a.json"]["mm_per_pixel"]) == 0.25


def test_what_is_labelled_ignore_or_exclude_counts_nowhere(tmp_path):
    left = [[-0.5, -0.5], [79.5, -0.5], [79.5, 119.5], [-0.5, 119.5]]
    for label in ("ignore", "exclude"):
        polygons(tmp_path / "in" / f"{label}.json", ("crack", CRACK), (label, left))
    call(measure.main, f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}")
    for row in measured(tmp_path / "out").values():
        assert float(row["excluded_share"]) == pytest.approx(0.5, abs=0.01)
        assert float(row["length_px"]) == pytest.approx(60, abs=4)


def test_masks_keep_their_areas_to_be_left_out_and_win_over_polygons(tmp_path):
    photograph(tmp_path / "a.png")
    polygons(tmp_path / "a.json", ("exclude", CRACK))
    photograph(tmp_path / "b_mask.png")
    polygons(tmp_path / "b_labelme.json", ("crack", CRACK))
    (tmp_path / "summary.json").write_text('{"photographs": []}')
    (tmp_path / "coco.json").write_text('{"images": [], "annotations": []}')
    assert drawn_masks(sorted(tmp_path.iterdir())) == {}
    names = [item.name for item in find(tmp_path, tmp_path / "out", polygons=True).photographs]
    assert names == ["a.png", "b_mask.png"]


def test_a_damaged_file_fails_and_the_others_go_on(tmp_path):
    polygons(tmp_path / "in" / "a.json", ("crack", CRACK))
    whole = polygons(tmp_path / "in" / "b.json", ("crack", CRACK)).read_text()
    (tmp_path / "in" / "b.json").write_text(whole[:150])
    assert exit_code(measure.main, f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}") == 2
    assert "no JSON" in measured(tmp_path / "out")["b.json"]["error"]


def test_predict_takes_the_photographs_alone(tmp_path):
    photograph(tmp_path / "a.jpg")
    polygons(tmp_path / "a.json", ("crack", CRACK))
    assert [item.name for item in find(tmp_path, tmp_path / "out").photographs] == ["a.jpg"]
