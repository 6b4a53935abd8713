"""Density per cell has the values that geometry gives."""

import numpy as np
import pytest

from csbsr.measure.coverage import LARGEST, Coverage, CoverageByRows, coverage_of
from csbsr.measure.density import Grid, crack_density, split_at_cells


def square(width, height, cell, x=0.0, y=0.0):
    return Grid((width, height), (cell, cell), (x, y))


def test_a_diagonal_is_shared_by_the_cells_it_crosses() -> None:
    found = crack_density([np.array([[0.0, 0.0], [20.0, 10.0]])], square(20, 10, 5))
    part = np.hypot(5, 2.5)  # crosses x = 5, 10, 15 and y = 5, the latter where it crosses x = 10
    np.testing.assert_allclose(found.lengths, [[part, part, 0, 0], [0, 0, part, part]])


def test_a_line_is_split_where_it_crosses_borders_in_either_direction() -> None:
    line = np.array([[9.0, 2.0], [1.0, 6.0]])
    np.testing.assert_allclose(4 * split_at_cells(line / 4), [[9, 2], [8, 2.5], [5, 4], [4, 4.5], [1, 6]])


def test_nothing_of_the_length_is_lost() -> None:
    line = np.random.default_rng(0).uniform(0, 97, (50, 2))
    found = crack_density([line, line], Grid((97, 97), (7.3, 5.1), (-3.0, -5.0)))
    assert found.lengths.sum() == pytest.approx(2 * np.hypot(*np.diff(line, axis=0).T).sum())
    assert found.areas.sum() == pytest.approx(97**2)


def test_a_line_along_a_border_or_the_far_edge_counts_once() -> None:
    border, edge = np.array([[5.0, 1.0], [5.0, 4.0]]), np.array([[10.0, 0.0], [10.0, 2.0]])
    np.testing.assert_allclose(crack_density([border, edge], square(10, 5, 5)).lengths, [[0, 5]])


def test_the_last_cells_are_cut_by_the_border() -> None:
    np.testing.assert_allclose(crack_density([], square(12, 7, 5)).areas, [[25, 25, 10], [10, 10, 4]])


def test_cells_that_begin_before_the_photograph_are_cut_by_it() -> None:
    line = np.array([[0.0, 1.0], [12.0, 1.0]])
    found = crack_density([line], square(12, 7, 5, -2.0, -4.0))
    np.testing.assert_allclose(found.areas, [[3, 5, 4], [15, 25, 20], [3, 5, 4]])
    np.testing.assert_allclose(found.lengths, [[0, 0, 0], [3, 5, 4], [0, 0, 0]])  # at y = 1 the second row begins


def test_cells_may_be_higher_than_wide() -> None:
    found = crack_density([np.array([[0.0, 0.0], [6.0, 8.0]])], Grid((6, 8), (3, 8)))
    np.testing.assert_allclose(found.areas, [[24, 24]])
    np.testing.assert_allclose(found.lengths, [[5, 5]])


def test_a_far_border_that_rounding_moves_opens_no_cell() -> None:
    assert square(0.1 * 3, 1, 0.1).shape == (10, 3)  # 0.1 · 3 > 0.3
    assert crack_density([], square(0.1 * 3, 1, 0.1)).areas.sum() == pytest.approx(0.3)


def test_area_without_data_is_left_out_at_any_resolution() -> None:
    data = Coverage(np.array([[1.0, 0.0], [1.0, 0.0]]), 5)  # the left half, one value for 5 x 5 pixels
    line = np.array([[0.0, 2.0], [4.0, 2.0]])
    found = crack_density([line], square(10, 10, 4), data)
    np.testing.assert_allclose(found.areas, [[16, 4, 0], [16, 4, 0], [8, 2, 0]])
    assert (found.areas[:, 2] == 0).all()  # not nearly
    density = found.per_area(0.5)  # 4 px = 2 m on 16 px² = 4 m²
    assert density[0, 0] == pytest.approx(0.5)
    assert density[0, 1] == 0
    assert np.isnan(density[:, 2]).all()


def test_a_single_point_has_no_length() -> None:
    assert crack_density([np.array([[3.0, 3.0]])], square(5, 5, 2)).lengths.sum() == 0


@pytest.mark.parametrize("cell", [0, -1, float("nan"), float("inf")])
def test_a_cell_without_a_side_is_refused(cell: float) -> None:
    with pytest.raises(ValueError, match="cell and size: expected above 0"):
        square(10, 10, cell)


def test_more_cells_than_there_can_be_are_counted_without_room_for_them() -> None:
    assert square(4000, 3000, 1e-300).count == np.inf
    assert square(4000, 3000, 1e-4).count == pytest.approx(1.2e15)


def test_coverage_is_exact_up_to_its_number_of_blocks() -> None:
    counts = np.random.default_rng(0).random((40, 60)) < 0.5
    found = coverage_of(counts, 1)
    assert found.block == 1
    np.testing.assert_array_equal(found.shares, counts)
    larger = coverage_of(counts.repeat(4, 0).repeat(4, 1), 4)  # of a result four times as large
    assert larger.block == 1
    np.testing.assert_array_equal(larger.shares, counts)


def test_coverage_of_a_large_photograph_keeps_the_area_of_each_block() -> None:
    counts = np.ones((3, LARGEST + 1), bool)
    counts[:, :3] = False
    found = coverage_of(counts, 1)
    assert found.block == 2
    assert found.shares.shape == (2, LARGEST // 2 + 1)
    np.testing.assert_array_equal(found.shares[:, :3], [[0, 0.5, 1]] * 2)
    whole = crack_density([], square(LARGEST + 1, 3, 1e9), found)
    assert whole.areas.sum() == pytest.approx(counts.sum())


def test_coverage_by_rows_is_that_of_the_whole() -> None:
    counts = np.random.default_rng(1).random((50, 3 * LARGEST)) < 0.7
    rows = CoverageByRows(counts.shape, 1)
    for start in range(0, 50, 7):
        rows.add(counts[start : start + 7])
    np.testing.assert_array_equal(rows.result().shares, coverage_of(counts, 1).shares)


def test_coverage_where_a_pixel_of_the_map_is_several_of_the_photograph() -> None:
    counts = np.array([[True, False], [True, True]])
    found = coverage_of(counts, 0.5)
    assert found.block == 2
    np.testing.assert_allclose(crack_density([], square(4, 4, 2), found).areas, [[4, 0], [4, 4]])
