"""What the report says of widths: rows as the tables have them, and a page with a flagged crack."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from csbsr.inspection.page import Entry, inspection_page, remarks
from csbsr.inspection.page_widths import both, notes, reported_key, with_interval
from csbsr.measure import Measurement, Width, WidthGuide, WidthSet, crack_rows, image_row, measure_cracks
from csbsr.measure.intervals import Light

GUIDE = WidthGuide("own", "here", [{"exposure": "a", "width_mm": 1.0}])


def measured(light: tuple[float, float, float] | None) -> Measurement:
    """A crack 8 pixels wide in the mask, a quarter of a millimetre to a pixel, with a light of the given width."""
    mask = np.zeros((60, 120), bool)
    mask[20:28, 10:110] = True
    found = measure_cracks(mask, gsd_mm=1, scale=4)
    same = None if light is None else Light(WidthSet(*[Width(*light)] * 3), 9, None)
    return replace(found, cracks=(replace(found.cracks[0], light=same, scale=4.0),))


def test_a_width_is_told_with_its_interval_and_where_it_is_from():
    row = crack_rows(measured((6.4, 6.0, 7.2)), "a.jpg", GUIDE)[0]
    name = reported_key(row, "width_mean")
    assert name == "width_reported_mean"
    assert with_interval(row, name) == "1.60 (1.50–1.80) mm (6.4 px)"
    assert both(row) == {"mask": "2.00 mm", "light": "1.60 mm", "source": "light"}
    assert notes(row) == []


def test_without_millimetres_in_pixels_and_of_older_tables_nothing():
    row = crack_rows(replace(measured((6.4, 6.0, 7.2)), mm_per_pixel=None), "a.jpg")[0]
    assert with_interval(row, "width_reported_mean") == "6.4 (6.0–7.2) px"
    assert reported_key({"width_mean_px": 3.0}, "width_mean") is None
    assert both({"width_mean_px": 3.0}) == {"mask": "3.0 px", "light": "", "source": ""}


def test_where_both_disagree_the_page_has_an_interval_and_no_value():
    found = measured((2.0, 1.6, 2.4))
    row = crack_rows(found, "a.jpg", GUIDE)[0]
    assert row["width_source"] == "neither"
    told = with_interval(row, "width_reported_mean")
    assert told.startswith("0.40–2.")
    assert told.endswith(" mm")
    assert notes(row) == ["mask and light disagree", "between classes: up to 1.00 mm and over 1.00 mm"]
    assert "1 crack with widths" in " ".join(remarks(image_row(found, "a.jpg", GUIDE)))


@pytest.mark.parametrize("light", [None, (6.4, 6.0, 7.2)])
def test_the_columns_of_both_widths_are_there_if_a_light_is(light, tmp_path):
    found = measured(light)
    row = {"file": "a.jpg", **image_row(found, "a.jpg", GUIDE)}
    page = inspection_page([Entry(row, "a", crack_rows(found, "a.jpg", GUIDE))], tmp_path, guide=GUIDE)
    assert ('<th scope="col">light</th>' in page) == (light is not None)
    assert ("Widths from the light are" in page) == (light is not None)
    assert ("1.60 (1.50–1.80) mm (6.4 px)" in page) == (light is not None)
