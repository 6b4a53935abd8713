"""Measured cracks of a prediction against those of the mask, on lines drawn by hand."""

import numpy as np
import pytest

from csbsr.measure import measure_cracks
from csbsr.measure.comparison import DEFINITIONS, compare_cracks, compare_masks, rows_with, summary


def image(*lines: tuple[int, int, int, int]) -> np.ndarray:
    """Horizontal bars: first row, rows, first column, columns."""
    mask = np.zeros((100, 200), bool)
    for top, height, left, width in lines:
        mask[top : top + height, left : left + width] = True
    return mask


TRUE = image((20, 4, 10, 160), (70, 8, 10, 80))


def numbers(predicted: np.ndarray, true: np.ndarray = TRUE) -> dict[str, float]:
    return summary([compare_masks(predicted.astype(np.float32), true.astype(np.float32), 0.5)])


def test_the_same_image_has_no_error():
    found = numbers(TRUE)
    assert list(found) == list(DEFINITIONS)
    # a map and a mask are measured to different fractions of a pixel
    assert [found[key] for key in ("width_bias", "width_mae", "width_error_90")] == pytest.approx([0, 0, 0], abs=0.02)
    assert (found["length_found"], found["length_false"]) == pytest.approx((1, 0))
    assert found["width_ratio"] == pytest.approx(1, abs=0.01)


def test_noise_is_counted_and_not_measured():
    noise = np.random.default_rng(0).random((100, 200)).astype(np.float32)
    part = compare_masks(TRUE.astype(np.float32), TRUE.astype(np.float32), 0.5, max_branches=50)
    assert compare_masks(noise, TRUE.astype(np.float32), 0.5, max_branches=50) is None
    assert compare_masks(TRUE.astype(np.float32), noise, 0.5, max_branches=50) is None
    assert compare_masks(noise, TRUE.astype(np.float32), 0.5) is not None
    assert summary([part])["unmeasured"] == 0
    assert summary([part, None, None]) == summary([part]) | {"unmeasured": 2}
    assert np.isnan(summary([None])["width_mae"])
    rows = rows_with([{"name": "a"}, {"name": "b"}], {"a": part, "b": None})
    assert [row["unmeasured"] for row in rows] == [0, 1]


def test_a_wider_and_a_narrower_crack_cancel_in_the_bias_alone():
    found = numbers(image((19, 6, 10, 160), (71, 6, 10, 80)))
    assert found["width_bias"] == pytest.approx((160 * 2 - 80 * 2) / 240, abs=0.1)
    assert found["width_mae"] == pytest.approx(2, abs=0.1)
    assert found["width_error_90"] == pytest.approx(2, abs=0.1)


def test_the_ratio_is_the_median_by_length():
    found = numbers(image((19, 6, 10, 160), (71, 6, 10, 80)))  # 4 drawn as 6 for 160 px, 8 as 6 for 80 px
    assert found["width_ratio"] == pytest.approx(1.5, abs=0.05)


def test_half_of_a_crack_is_half_of_its_length_and_its_width_is_compared_where_it_was_found():
    true = image((20, 4, 10, 80), (18, 8, 90, 80))  # 4 wide, then 8
    found = numbers(image((20, 4, 10, 80)), true)
    assert found["length_found"] == pytest.approx(0.5, abs=0.05)
    assert found["width_mae"] < 0.5


def test_a_missed_crack_costs_length_not_width_and_an_invented_one_is_false():
    found = numbers(image((20, 4, 10, 160), (45, 4, 10, 40)))
    assert found["length_found"] == pytest.approx(160 / 240, abs=0.02)
    assert found["length_false"] == pytest.approx(40 / 200, abs=0.02)
    assert found["width_mae"] == pytest.approx(0, abs=0.02)


def test_beside_is_within_half_the_width_and_two_pixels():
    def shifted(by: int) -> float:
        return numbers(image((20 + by, 4, 10, 160)), image((20, 4, 10, 160)))["length_found"]

    assert (shifted(4), shifted(6)) == pytest.approx((1, 0), abs=0.05)


def test_nothing_predicted_nothing_true_and_both():
    nothing = np.zeros((100, 200), bool)
    missed, invented, empty = numbers(nothing), numbers(TRUE, nothing), numbers(nothing, nothing)
    assert missed["length_found"] == 0
    assert np.isnan([missed["width_mae"], missed["length_false"]]).all()
    assert invented["length_false"] == 1
    for found in (empty, summary([])):
        assert found.pop("unmeasured") == 0
        assert np.isnan([*found.values()]).all()


def test_images_are_pooled_by_length_and_rows_get_their_own():
    long = compare_cracks(measure_cracks(image((20, 6, 10, 160))), measure_cracks(image((20, 6, 10, 160))))
    short = compare_cracks(measure_cracks(image((20, 8, 10, 40))), measure_cracks(image((21, 6, 10, 40))))
    assert summary([long, short])["width_mae"] == pytest.approx(2 * 40 / 200, abs=0.1)
    rows = rows_with([{"name": "a", "iou": 1.0}, {"name": "b"}, {"name": "c"}], {"a": long, "b": short})
    assert [row["width_mae"] for row in rows[:2]] == pytest.approx([0, 2], abs=0.1)
    assert np.isnan(rows[2]["width_mae"])
    assert rows[0]["iou"] == 1.0
