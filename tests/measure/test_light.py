"""Widths from the light along centrelines, and which width is reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from csbsr.measure import (
    BlurMap,
    GroundSampling,
    Measurement,
    Width,
    WidthGuide,
    WidthSet,
    crack_rows,
    image_row,
    measure_cracks,
    reported,
    with_light,
)
from csbsr.measure.intervals import Light
from tests.measure.drawn import draw, straight

SIDE = 96


def photograph(width: float, angle: float, *, black: float = 15.0, blur: float = 1.0, noise: float = 2.0) -> np.ndarray:
    cover = draw([straight(70, angle, (48.2, 47.7))], width, (SIDE, SIDE))
    image = gaussian_filter(125 - (125 - black) * cover, blur)
    image += np.random.default_rng(3).normal(0, noise, image.shape)
    return np.repeat(np.rint(np.clip(image, 0, 255)).astype(np.uint8)[..., None], 3, axis=2)


def mask(width: float, angle: float, scale: int = 1) -> np.ndarray:
    middle = (48.2 * scale + (scale - 1) / 2, 47.7 * scale + (scale - 1) / 2)
    return draw([straight(70 * scale, angle, middle)], width * scale, (SIDE * scale,) * 2, fine=9 if scale == 1 else 5)


@pytest.mark.parametrize("angle", [0, 30, 63.4, 90])
@pytest.mark.parametrize("width", [0.6, 1.5, 6.0])
def test_a_line_has_the_width_it_was_drawn_with_whatever_the_mask_says(width, angle):
    found = with_light(measure_cracks(mask(max(width, 2.0) + 0.5, angle)), photograph(width, angle))
    light = found.cracks[0].light
    assert light.widths.mean.value == pytest.approx(width, abs=0.1 + 0.05 * width)
    assert light.widths.mean.low <= width <= light.widths.mean.high
    assert light.profiles == pytest.approx(70 / 5, abs=4)
    assert not light.filled


def test_the_measured_image_may_be_larger_than_the_photograph():
    scale = 4
    found = with_light(measure_cracks(mask(2.0, 20, scale), scale=scale, gsd_mm=0.5), photograph(1.2, 20))
    crack = found.cracks[0]
    assert crack.scale == scale
    assert crack.light.widths.mean.value == pytest.approx(1.2 * scale, abs=0.15 * scale)
    assert found.width_mm(crack.light.widths.mean).value == pytest.approx(0.6, abs=0.08)


def test_a_known_blur_is_used_in_its_direction():
    width, angle = 1.0, 0.0
    cover = draw([straight(70, angle, (48.2, 47.7))], width, (SIDE, SIDE))
    image = gaussian_filter(125 - 110 * cover, (3.0, 0.6))  # across the line, which lies
    image = np.repeat(np.rint(image).astype(np.uint8)[..., None], 3, axis=2)
    measured = measure_cracks(mask(2.5, angle))

    def light(xx, yy):
        return (
            with_light(measured, image, BlurMap(np.array([[[xx, yy, 0.0]]]), (SIDE, SIDE))).cracks[0].light.widths.mean
        )

    right, wrong = light(0.36, 9.0), light(9.0, 0.36)
    assert right.value == pytest.approx(width, abs=0.15)
    assert right.low <= width <= right.high
    assert abs(wrong.value - width) > 1.5 * abs(right.value - width)


def test_the_photographs_own_wide_cracks_tell_how_black_its_narrow_ones_are():
    lines = [straight(80, 0, (48, 20)), straight(80, 0, (48, 70))]
    narrow, wide = draw(lines[:1], 0.7, (SIDE, SIDE)), draw(lines[1:], 9.0, (SIDE, SIDE))
    image = gaussian_filter(125 - 85 * np.maximum(narrow, wide), 1.0)  # an open crack is at 40
    both = measure_cracks(np.maximum(draw(lines[:1], 2.5, (SIDE, SIDE)), wide))
    alone = measure_cracks(draw(lines[:1], 2.5, (SIDE, SIDE)))
    photo = np.rint(image).astype(np.uint8)
    assert with_light(both, photo).cracks[0].light.widths.mean.value == pytest.approx(0.7, abs=0.1)
    assert with_light(alone, photo).cracks[0].light.widths.mean.value < 0.62


def test_covariances_of_kernels_go_to_numbers_and_back():
    kernels = np.zeros((1, 2, 9, 9))
    kernels[0, 0, 4, 2] = kernels[0, 0, 4, 6] = 0.5  # along x, 2 pixels either way
    kernels[0, 1, 2, 2] = kernels[0, 1, 6, 6] = 0.5  # along the diagonal down
    blur = BlurMap.of_numbers(BlurMap.of_kernels(kernels, 4, (10, 20)).numbers(), (10, 20))
    places = np.array([[2.0, 5.0], [2.0, 5.0], [17.0, 5.0], [17.0, 5.0]])
    angles = np.radians([0, 90, 45, 135])
    np.testing.assert_allclose(blur.across(places, angles), [0.5, 0, 8**0.5 / 4, 0], atol=0.01)
    with pytest.raises(ValueError, match="blur"):
        BlurMap.of_numbers({"rows": 1, "columns": 1}, (10, 20))
    with pytest.raises(ValueError, match="blur"):
        BlurMap.of_numbers({"rows": 1, "columns": 1, "covariances": [[-1, 0, 0]]}, (10, 20))


def test_a_photograph_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="proportions"):
        with_light(measure_cracks(mask(3, 0)), np.zeros((40, SIDE, 3), np.uint8))


def test_cracks_without_a_clear_part_and_images_without_cracks_have_no_light():
    blob = np.zeros((SIDE, SIDE), bool)
    blob[40:46, 40:46] = True
    photo = photograph(2, 0)
    assert with_light(measure_cracks(blob), photo).cracks[0].light is None
    assert with_light(measure_cracks(np.zeros((SIDE, SIDE), bool)), photo).cracks == ()


def one(
    mean: float, light: tuple[float, float, float] | None, inside: float | None = None, scale: float = 1.0
) -> Measurement:
    """A measurement of one crack with a given light."""
    found = measure_cracks(mask(mean, 0))
    same = None if light is None else Light(WidthSet(*[Width(*light)] * 3), 9, inside)
    return replace(found, cracks=(replace(found.cracks[0], light=same, scale=scale),))


@pytest.mark.parametrize(
    ("mask_width", "light", "inside", "source", "flag", "value"),
    [
        (3.0, None, None, "mask", "", 3.0),
        (3.0, (3.2, 2.8, 3.6), None, "light", "", 3.2),
        (8.0, (8.2, 7.8, 8.6), 0.1, "mask", "", 8.0),
        (8.0, (3.0, 2.8, 3.6), 0.7, "mask", "filled", 8.0),
        (8.0, (5.5, 5.0, 6.0), 0.1, "neither", "disagree", 8.0),
        (3.0, (6.5, 6.0, 7.0), 0.1, "neither", "disagree", 6.5),
        (1.6, (0.4, 0.3, 0.6), None, "light", "", 0.4),  # below two pixels the mask is a guess
    ],
)
def test_the_rule(mask_width, light, inside, source, flag, value):
    found = reported(one(mask_width, light, inside).cracks[0])
    assert (found.source, found.flag) == (source, flag)
    assert found.widths.mean.value == pytest.approx(value, abs=0.2)
    if source == "neither":
        assert found.widths.mean.low < min(mask_width, light[0]) < max(mask_width, light[0]) < found.widths.mean.high


def test_the_limit_of_the_light_is_in_pixels_of_the_photograph():
    assert reported(one(8.0, (8.2, 7.8, 8.6), 0.1, scale=4).cracks[0]).source == "light"


def test_rows_tell_both_widths_and_the_reported_one_and_old_columns_stay():
    plain, found = one(8.0, None), one(8.0, (5.5, 5.0, 6.0), 0.1)
    before, after = crack_rows(plain, "a")[0], crack_rows(found, "a")[0]
    assert {key: after[key] for key in list(after)[:30]} == {key: before[key] for key in list(before)[:30]}
    assert before["width_source"] == "mask"
    assert before["width_light_mean_px"] == ""
    assert before["width_reported_mean_value_px"] == before["width_mean_px"]
    assert before["width_reported_mean_low_px"] == pytest.approx(7.7, abs=0.05)
    assert (after["width_source"], after["width_flag"], after["light_profiles"]) == ("neither", "disagree", 9)
    assert (after["width_light_mean_px"], after["width_light_low_px"]) == (5.5, 5.0)
    assert after["width_reported_mean_value_px"] == ""
    assert after["width_reported_mean_low_px"] == 5.0
    assert image_row(found, "a")["width_flags"] == 1


def test_the_ground_sampling_distance_widens_millimetres_alone():
    segmentation = mask(6.0, 0)
    known, vague = (measure_cracks(segmentation, gsd_mm=GroundSampling(0.5, around)) for around in (0.0, 0.1))
    first, second = crack_rows(known, "a")[0], crack_rows(vague, "a")[0]
    assert first["width_reported_mean_low_px"] == second["width_reported_mean_low_px"]
    assert first["width_reported_mean_low_mm"] == pytest.approx(3.0 - 0.15, abs=0.02)
    assert second["width_reported_mean_low_mm"] == pytest.approx(3.0 - np.hypot(0.15, 0.2 * 3.0), abs=0.02)
    assert second["length_high_mm"] > first["length_high_mm"] + 4
    assert image_row(vague, "a")["gsd_mm_uncertainty"] == pytest.approx(0.1)
    assert image_row(known, "a")["gsd_mm_uncertainty"] == ""


def test_severity_follows_the_reported_width_and_says_when_it_lies_between_classes():
    guide = WidthGuide("own", "here", [{"exposure": "a", "width_mm": 2.8}, {"exposure": "b", "width_mm": 4.0}])
    light = replace(one(3.2, (2.6, 2.5, 2.7)), mm_per_pixel=1.0)
    of_light, of_mask = (
        guide.of_crack(found.cracks[0], found) for found in (light, replace(one(3.2, None), mm_per_pixel=1.0))
    )
    assert (of_light.level, of_light.uncertain, of_light.between) == (0, False, "")
    assert (of_mask.level, of_mask.uncertain) == (1, True)
    unclear = guide.classify(2.7, interval_mm=(2.4, 3.1))
    assert (unclear.level, unclear.uncertain) == (0, True)
    assert unclear.between == "between classes: up to 2.80 mm and over 2.80 up to 4.00 mm"
    assert guide.classify(1.5, interval_mm=(1.2, 1.8)).between == ""
