"""Rows for CSV files and ground sampling distances from them."""

import csv
import io

import numpy as np
import pytest

from csbsr.measure import (
    CRACK_COLUMNS,
    IMAGE_COLUMNS,
    WidthGuide,
    crack_rows,
    ground_sampling,
    gsd_of,
    image_row,
    measure_cracks,
    unmatched,
)


@pytest.fixture
def mask():
    mask = np.zeros((60, 120), bool)
    mask[20:24, 10:110] = True
    mask[40:42, 0:50] = True
    return mask


GUIDE = WidthGuide("own", "here", [{"exposure": "a", "width_mm": 0.7}], exposure="a")


def test_one_row_for_each_crack_in_pixels_and_millimetres(mask):
    first, second = crack_rows(measure_cracks(mask, gsd_mm=1, scale=4), "wall/a.jpg", GUIDE)
    assert list(first) == CRACK_COLUMNS
    assert (first["image"], first["crack"], second["crack"]) == ("wall/a.jpg", 1, 2)
    assert first["length_px"] == pytest.approx(100, abs=0.5)
    assert first["length_mm"] == pytest.approx(first["length_px"] / 4, abs=1e-3)
    assert first["length_uncertainty_px"] == pytest.approx(3, abs=0.1)
    assert (first["width_mean_px"], first["width_mean_mm"]) == pytest.approx((4, 1))
    assert (first["width_max_px"], first["width_percentile_mm"]) == pytest.approx((4, 1))
    assert (first["width_uncertainty_px"], second["width_uncertainty_mm"]) == (0.3, 0.125)
    assert (first["area_px"], first["area_mm2"]) == (400, 25)
    assert (first["at_limit"], second["at_limit"]) == (0, 1)
    assert (first["touches_border"], second["touches_border"]) == (0, 1)
    assert [first[name] for name in ("x0", "y0", "x1", "y1", "pixels", "branches")] == [10, 20, 110, 24, 400, 1]
    assert first["density"] == pytest.approx(400 / 7200, abs=1e-8)
    assert (first["severity"], first["severity_level"], first["exposure_exceeded"]) == ("over 0.70 mm", 1, 1)
    assert (second["severity_level"], second["exposure_exceeded"], second["severity_guide"]) == (0, 0, "own")


def test_without_millimetres_their_cells_are_empty(mask):
    row = crack_rows(measure_cracks(mask), "a", GUIDE)[0]
    assert {row[name] for name in CRACK_COLUMNS if name.endswith(("_mm", "mm2"))} == {""}
    assert row["severity"] == row["severity_guide"] == ""
    assert image_row(measure_cracks(mask), "a")["mm_per_pixel"] == ""


def test_one_row_for_the_image(mask):
    row = image_row(measure_cracks(mask, gsd_mm=1, scale=4, threshold=0.4, percentile=90), "a.jpg", GUIDE)
    assert list(row) == IMAGE_COLUMNS
    assert [row[name] for name in ("image", "height_px", "width_px", "mm_per_pixel")] == ["a.jpg", 60, 120, 0.25]
    assert [row[name] for name in ("threshold", "percentile", "cracks", "branches")] == [0.4, 90, 2, 2]
    assert row["length_px"] == pytest.approx(150, abs=1)
    assert row["area_px"] == 500
    assert row["width_max_px"] == pytest.approx(4)
    assert row["severity_level"] == 1


def test_rows_of_nothing_are_written_and_read_back():
    empty = measure_cracks(np.zeros((9, 9), bool), gsd_mm=1)
    assert crack_rows(empty, "a", GUIDE) == []
    row = image_row(empty, "ä, (1).jpg", GUIDE)
    assert (row["cracks"], row["length_px"], row["width_mean_px"], row["orientation_deg"]) == (0, 0, "", "")
    file = io.StringIO()
    writer = csv.DictWriter(file, IMAGE_COLUMNS)
    writer.writeheader()
    writer.writerow(row)
    file.seek(0)
    assert next(csv.DictReader(file))["image"] == "ä, (1).jpg"


def test_ground_sampling_of_all_or_by_file(tmp_path):
    assert ground_sampling(None) is None
    assert ground_sampling("0.25") == ground_sampling(0.25) == gsd_of("a.jpg", 0.25) == 0.25
    file = tmp_path / "gsd.csv"
    file.write_text("\ufefffile,gsd_mm,note\nwall/a.jpg,0.5,x\nb.jpg, 0.75 ,\n", encoding="utf-8")
    table = ground_sampling(str(file))
    assert table == ground_sampling(file) == {"wall/a.jpg": 0.5, "b.jpg": 0.75}
    assert gsd_of("wall/a.jpg", table) == 0.5
    assert gsd_of("deck/b.jpg", table) == 0.75
    assert gsd_of("c.jpg", table) is None


def test_names_match_in_any_case_and_the_rest_is_told():
    table = {"wall/A.JPG": 0.5, "b.jpg": 0.75, "B.jpg": 1.0, "x.jpg": 2.0}
    assert gsd_of("wall/a.jpg", table) == 0.5
    assert gsd_of("deck/a.jpg", table) is None
    assert (gsd_of("b.jpg", table), gsd_of("b.JPG", table)) == (0.75, None)  # two rows could be meant
    assert unmatched(["Wall/a.jpg", "b.jpg", "c.jpg"], table) == (["c.jpg"], ["B.jpg", "x.jpg"])
    assert unmatched(["a.jpg"], 0.5) == unmatched(["a.jpg"], None) == ([], [])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("file,gsd\na,1\n", "columns"),
        ("", "columns"),
        ("file,gsd_mm\na,0\n", "line 2.*above 0"),
        ("file,gsd_mm\na,1\nb\n", "line 3"),
        ("file,gsd_mm\na,1\na,2\n", "listed twice"),
    ],
)
def test_wrong_tables_of_ground_sampling_are_named(tmp_path, text, word):
    file = tmp_path / "gsd.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=word):
        ground_sampling(file)


@pytest.mark.parametrize("given", [0, -1, "nowhere.csv", float("nan"), "inf"])
def test_wrong_ground_sampling_is_named(given):
    with pytest.raises(ValueError, match="gsd_mm"):
        ground_sampling(given)
