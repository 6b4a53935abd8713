"""Density per cell has the values that geometry gives."""

import numpy as np
import pytest

from csbsr.measure.density import crack_density, split_at_cells


def test_a_diagonal_is_shared_by_the_cells_it_crosses() -> None:
    found = crack_density([np.array([[0.0, 0.0], [20.0, 10.0]])], (20, 10), 5)
    part = np.hypot(5, 2.5)  # crosses x = 5, 10, 15 and y = 5, the latter where it crosses x = 10
    np.testing.assert_allclose(found.lengths, [[part, part, 0, 0], [0, 0, part, part]])


def test_a_line_is_split_where_it_crosses_borders_in_either_direction() -> None:
    line = np.array([[9.0, 2.0], [1.0, 6.0]])
    np.testing.assert_allclose(split_at_cells(line, 4), [[9, 2], [8, 2.5], [5, 4], [4, 4.5], [1, 6]])


def test_nothing_of_the_length_is_lost() -> None:
    line = np.random.default_rng(0).uniform(0, 97, (50, 2))
    found = crack_density([line, line], (97, 97), 7.3)
    assert found.lengths.sum() == pytest.approx(2 * np.hypot(*np.diff(line, axis=0).T).sum())


def test_a_line_along_a_border_or_the_far_edge_counts_once() -> None:
    border, edge = np.array([[5.0, 1.0], [5.0, 4.0]]), np.array([[10.0, 0.0], [10.0, 2.0]])
    np.testing.assert_allclose(crack_density([border, edge], (10, 5), 5).lengths, [[0, 5]])


def test_the_last_cells_are_cut_by_the_border() -> None:
    np.testing.assert_allclose(crack_density([], (12, 7), 5).areas, [[25, 25, 10], [10, 10, 4]])


def test_area_without_data_is_left_out_at_any_resolution() -> None:
    data = np.array([[True, False], [True, False]])  # the left half, one value for 5 x 5 pixels
    line = np.array([[0.0, 2.0], [4.0, 2.0]])
    found = crack_density([line], (10, 10), 4, data)
    np.testing.assert_allclose(found.areas, [[16, 4, 0], [16, 4, 0], [8, 2, 0]])
    density = found.per_area(0.5)  # 4 px = 2 m on 16 px² = 4 m²
    assert density[0, 0] == pytest.approx(0.5)
    assert density[0, 1] == 0
    assert np.isnan(density[:, 2]).all()


def test_a_single_point_has_no_length() -> None:
    assert crack_density([np.array([[3.0, 3.0]])], (5, 5), 2).lengths.sum() == 0


@pytest.mark.parametrize("cell", [0, -1, float("nan")])
def test_a_cell_without_a_side_is_refused(cell: float) -> None:
    with pytest.raises(ValueError, match="cell and size: expected above 0"):
        crack_density([], (10, 10), cell)
