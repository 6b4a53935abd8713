"""The overlay: colours follow the width, other sizes of the view, legend, wrong input."""

import cv2
import numpy as np
import pytest

from csbsr.measure import draw_widths, measure_cracks


@pytest.fixture
def mask():
    mask = np.zeros((300, 400), bool)
    mask[40:44, 20:380] = True
    mask[100:108, 20:380] = True
    return mask


def colour(value, colours):
    return cv2.applyColorMap(np.array([[value]], np.uint8), colours)[0, 0, ::-1]


@pytest.mark.parametrize(("name", "number"), [("viridis", cv2.COLORMAP_VIRIDIS), ("cividis", cv2.COLORMAP_CIVIDIS)])
def test_cracks_have_the_colour_and_thickness_of_their_width(mask, name, number):
    image = np.full((300, 400, 3), (200, 100, 50), np.uint8)
    before = image.copy()
    drawn = draw_widths(image, measure_cracks(mask), widest=8, colours=name, legend=False)
    assert drawn.dtype == np.uint8
    assert drawn.shape == image.shape
    assert (image == before).all()
    assert np.abs(drawn[42, 200].astype(int) - colour(127, number)).max() <= 3
    assert np.abs(drawn[104, 200].astype(int) - colour(255, number)).max() <= 3
    photograph = drawn[200, 200]
    assert photograph.min() == photograph.max() == pytest.approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50, abs=1)
    coloured = (drawn[:, 200] != photograph).any(axis=1)
    assert 4 <= coloured[:70].sum() <= 6
    assert 8 <= coloured[70:].sum() <= 10


def test_the_upper_end_of_the_colours_is_the_percentile_width(mask):
    drawn = draw_widths(np.zeros((300, 400), np.uint8), measure_cracks(mask, percentile=100), legend=False)
    assert np.abs(drawn[104, 200].astype(int) - colour(255, cv2.COLORMAP_VIRIDIS)).max() <= 3
    assert np.abs(drawn[42, 200].astype(int) - colour(127, cv2.COLORMAP_VIRIDIS)).max() <= 3


def test_a_preview_of_another_size(mask):
    small = draw_widths(np.zeros((150, 200), np.uint8), measure_cracks(mask), widest=8, legend=False)
    assert small.shape == (150, 200, 3)
    assert small[21, 100].max() > 60
    assert small[52, 100].max() > 60
    assert not small[60:].any()
    thick = draw_widths(np.zeros((150, 200), np.uint8), measure_cracks(mask), thinnest=9, legend=False)
    assert thick[17, 100].any()


def test_the_legend_lies_where_no_crack_is(mask):
    found = measure_cracks(mask, gsd_mm=0.5)
    plain = draw_widths(np.zeros((300, 400), np.uint8), found, legend=False)
    legend = draw_widths(np.zeros((300, 400), np.uint8), found)
    changed = np.argwhere((plain != legend).any(axis=2))
    assert changed[:, 0].min() > 110  # both cracks are above
    assert (legend == 255).all(axis=2).sum() > 3000
    pixels = draw_widths(np.zeros((300, 400), np.uint8), measure_cracks(mask))
    assert (pixels != legend).any()  # other unit, other numbers
    upside_down = draw_widths(np.zeros((300, 400), np.uint8), measure_cracks(mask[::-1]))
    assert (upside_down == 255).all(axis=2)[:100].sum() > 3000


def test_small_and_empty_images():
    small = np.full((40, 50, 3), 9, np.uint8)
    assert (draw_widths(small, measure_cracks(np.zeros((40, 50), bool))) == 9).all()
    assert draw_widths(np.zeros((300, 400), np.uint8), measure_cracks(np.zeros((300, 400), bool))).shape == (
        300,
        400,
        3,
    )


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"image": np.zeros((300, 400))}, "uint8"),
        ({"image": np.zeros((300, 400, 4), np.uint8)}, "uint8"),
        ({"image": np.zeros((400, 400), np.uint8)}, "proportions"),
        ({"colours": "jet"}, "cividis, viridis"),
        ({"widest": 0}, "widest"),
        ({"thinnest": 0}, "thinnest"),
    ],
)
def test_wrong_input_is_named(mask, change, word):
    with pytest.raises(ValueError, match=word):
        draw_widths(**{"image": np.zeros((300, 400), np.uint8), "measurement": measure_cracks(mask), **change})
