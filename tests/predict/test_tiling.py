"""Tiles: cores that divide a photograph, windows around them, weights that sum to 1, rows handed over once."""

import numpy as np
import pytest

from csbsr.predict.tiling import Axis, Blender, Window

CASES = [(1, 10, 4, 1), (10, 10, 4, 1), (11, 10, 4, 1), (100, 24, 8, 8), (101, 24, 8, 8), (97, 16, 32, 8), (7, 2, 0, 1),
         (1000, 192, 8, 8)]  # fmt: skip


@pytest.mark.parametrize(("length", "tile", "blend", "align"), CASES)
def test_weights_sum_to_one_and_windows_hold_what_is_kept(length, tile, blend, align):
    axis = Axis(length, tile, blend, align)
    total = np.zeros(length * 3)
    for i in range(len(axis)):
        kept, window = axis.kept(i), axis.window(i, margin=5)
        total[kept.times(3).slice] += axis.weights(i, 3)
        assert window.start % align == 0
        assert window.stop % align == 0 or window.stop == length
        assert window.start == 0 or window.start <= kept.start - 5
        assert window.stop == length or window.stop >= kept.stop + 5
        assert 0 <= window.start < window.stop <= length
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_tiles_by_hand():
    axis = Axis(100, 40, blend=8, align=4)
    assert axis.bounds == [0, 32, 68, 100]  # thirds, rounded to multiples of 4
    assert [axis.kept(i) for i in range(3)] == [(0, 36), (28, 72), (64, 100)]
    # KeptRows 36 + 2·4, margins 2·10, rounded up to 64; at the border the window reaches inwards.
    assert [axis.window(i, 10) for i in range(3)] == [(0, 64), (16, 84), (36, 100)]
    np.testing.assert_allclose(
        axis.weights(1)[:9], [1 / 16, 3 / 16, 5 / 16, 7 / 16, 9 / 16, 11 / 16, 13 / 16, 15 / 16, 1]
    )


def test_one_tile_is_the_whole_image():
    axis = Axis(50, 64, 8, 8)
    assert len(axis) == 1
    assert axis.window(0, 100) == Window(0, 50)
    assert (axis.weights(0) == 1).all()


@pytest.mark.parametrize("arguments", [(0, 1, 0), (5, 0, 0), (5, 2, 3), (5, 2, -2)])
def test_bad_lengths(arguments):
    with pytest.raises(ValueError, match="expected at least"):
        Axis(*arguments)


@pytest.mark.parametrize(("scale", "shape"), [(1, (53, 71)), (3, (40, 29)), (2, (1, 90))])
def test_cutting_and_blending_gives_the_image_back(scale, shape):
    rows, columns = Axis(shape[0], 16, 6, 4), Axis(shape[1], 24, 8, 4)
    image = np.random.default_rng(0).random((2, shape[0] * scale, shape[1] * scale), np.float32)
    blender, parts = Blender(rows, columns, 2, scale), []
    for i in range(len(rows)):
        for j in range(len(columns)):
            top, left = rows.window(i, 3), columns.window(j, 5)
            tile = image[:, top.times(scale).slice, left.times(scale).slice].copy()
            # Spoil the margins on the inner sides: they must not be used.
            if top.start:
                tile[:, : (rows.kept(i).start - top.start) * scale] = 9
            if left.stop < columns.length:
                tile[:, :, (columns.kept(j).stop - left.start) * scale :] = 9
            blender.add(i, j, tile, top, left)
        parts += [part.copy() for part in blender.finished(i, at_most=5)]
    assert max(part.shape[1] for part in parts) <= 5
    np.testing.assert_allclose(np.concatenate(parts, axis=1), image, atol=1e-6)


def test_compact_is_the_same_in_half_the_memory():
    """Values of 0 and 1 too: four rounded parts must not run over."""
    rows, columns = Axis(60, 16, 6, 4), Axis(71, 24, 8, 4)
    image = np.random.default_rng(1).random((2, 120, 142), np.float32)
    image[0, :40], image[1, 50:] = 1, 0
    exact, compact = (Blender(rows, columns, 2, 2, compact=choice) for choice in (False, True))
    assert compact._sum.nbytes == exact._sum.nbytes / 2
    for i in range(len(rows)):
        for j in range(len(columns)):
            top, left = rows.window(i, 3), columns.window(j, 5)
            tile = image[:, top.times(2).slice, left.times(2).slice]
            exact.add(i, j, tile, top, left)
            for channel in range(2):
                compact.add(i, j, tile[channel : channel + 1], top, left, first=channel)
        for one, other in zip(exact.finished(i), compact.finished(i), strict=True):
            assert other.dtype == np.float32
            np.testing.assert_allclose(other, one, atol=3.1e-5)


def test_neighbours_fade_linearly():
    axis, one = Axis(20, 10, 4), Axis(1, 1, 0)
    blender = Blender(one, axis, 1, 1)
    for j in range(2):
        left = axis.window(j, 0)
        blender.add(0, j, np.full((1, 1, left.size), float(j), np.float32), Window(0, 1), left)
    row = next(blender.finished(0))
    np.testing.assert_allclose(row[0, 0], [0] * 8 + [0.125, 0.375, 0.625, 0.875] + [1] * 8)


def test_a_known_margin_makes_windows_that_hold_fewer_pixels():
    # 10 windows of n pixels that share 2 · 84 each with the next: 10 n = 6000 + 9 · 168.
    axis = Axis(6000, 640, blend=8, align=8, margin=80)
    windows = [axis.window(i, 80) for i in range(len(axis))]
    assert len(axis) == 10
    assert {window.size for window in windows} == {760}  # 751.2 in multiples of 8, ends rounded outwards
    before = Axis(6000, 640, blend=8, align=8)
    assert sum(before.window(i, 80).size for i in range(len(before))) == 7744
    assert axis.bounds[1] > 640 > axis.bounds[2] - axis.bounds[1]
    for i, window in enumerate(windows):
        kept = axis.kept(i)
        assert window.start == 0 or window.start <= kept.start - 80
        assert window.stop == 6000 or window.stop >= kept.stop + 80


@pytest.mark.parametrize("length", [1, 9, 40, 57, 58, 96, 131])
def test_tiles_of_a_known_margin_cover_any_length(length):
    axis = Axis(length, 40, blend=8, align=4, margin=5)
    weights = np.zeros(length)
    for i in range(len(axis)):
        kept, window = axis.kept(i), axis.window(i, 5)
        weights[kept.slice] += axis.weights(i)
        assert max(0, kept.start - 5) >= window.start
        assert min(length, kept.stop + 5) <= window.stop <= length
        assert window.size <= 40 + 2 * 9 + 3 * 4
    np.testing.assert_allclose(weights, 1, atol=1e-6)
    assert len(axis) == 1 or length > 40 + 2 * 9
