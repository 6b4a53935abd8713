"""Cracks measured in windows are those measured in the whole map, each once."""

from dataclasses import replace

import numpy as np
import pytest

from csbsr.measure import measure_cracks
from csbsr.measure.pieces import Part, Piece, around, find, measure_in_pieces, placed, plan
from tests.measure.drawn import draw, wave

HEIGHT, WIDTH = 300, 420
CRACKS = [
    wave(150, 8, 60, (20, 30)),
    wave(120, 20, 90, (30, 120)),
    [(300, 10), (310, 150), (295, 290)],  # crosses every strip
    [(200, 200), (260, 260)],
    [(330, 200), (410, 205), (340, 280)],
]


@pytest.fixture(scope="module")
def map_of_cracks():
    cover = np.zeros((HEIGHT, WIDTH))
    for width, line in zip((3, 4, 5, 2.5, 4), CRACKS, strict=True):
        cover = np.maximum(cover, draw([line], width, cover.shape))
    return cover.astype(np.float16)


def in_pieces(image, most_pixels, step=1, finer=1, **more):
    read, parts = [], []

    def rows(start, stop):
        read.append(stop - start)
        return image[start:stop]

    def measure(part, mask):
        parts.append(part)
        own = image[part.top : part.bottom, part.left : part.right].copy()
        own[(own >= 0.5) & ~mask] = 0
        own = own.repeat(finer, 0).repeat(finer, 1)
        return Piece(measure_cracks(own, 0.5, gsd_mm=0.2, scale=finer), finer)

    found, cut = measure_in_pieces(
        rows, image.shape, 0.5, measure, step=step, finer=finer, most_pixels=most_pixels, **more
    )
    return found, cut, parts, read


@pytest.mark.parametrize(("most_pixels", "step"), [(60_000, 1), (130_000, 4), (10_000_000, 1)])
def test_cracks_are_those_of_the_whole(map_of_cracks, most_pixels, step):
    whole = measure_cracks(map_of_cracks, 0.5, gsd_mm=0.2)
    found, cut, parts, read = in_pieces(map_of_cracks, most_pixels, step)
    assert (cut, len(found.cracks), found.shape) == (0, 5, (HEIGHT, WIDTH))
    assert found.mm_per_pixel == whole.mm_per_pixel
    assert [crack.number for crack in found.cracks] == [1, 2, 3, 4, 5]
    assert all(part.pixels <= most_pixels for part in parts)
    assert all(value % step == 0 for part in parts for value in (part.top, part.left))
    assert len(parts) > (2 if most_pixels < 10_000_000 else 1)
    assert len(read) > 1
    ours, theirs = (sorted(item.cracks, key=lambda crack: crack.box) for item in (found, whole))
    for one, other in zip(ours, theirs, strict=True):
        assert one.box == other.box
        for name in ("pixels", "area", "length", "width_mean", "width_max", "width_percentile", "density", "branches"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-6), name
        for a, b in zip(one.centrelines, other.centrelines, strict=True):
            np.testing.assert_allclose(a.points, b.points, atol=1e-6)


def test_a_crack_larger_than_a_window_is_measured_in_pieces(map_of_cracks):
    image = np.where(np.arange(WIDTH) > 280, map_of_cracks, 0)[:, :325]
    whole = measure_cracks(image, 0.5)
    found, cut, parts, _ = in_pieces(image, 20_000)
    assert cut == 1
    assert len(parts) > 3
    assert len(found.cracks) == len(parts) - 1  # the first part holds nothing
    assert sum(crack.area for crack in found.cracks) == pytest.approx(whole.cracks[0].area, rel=1e-6)
    assert sum(crack.length for crack in found.cracks) == pytest.approx(whole.cracks[0].length, rel=0.03)


def test_only_data_counts_for_the_density(map_of_cracks):
    all_of_it, half = (in_pieces(map_of_cracks, 10**7, counted=n)[0] for n in (None, HEIGHT * WIDTH // 2))
    for one, other in zip(all_of_it.cracks, half.cracks, strict=True):
        assert other.density == pytest.approx(2 * one.density)
        assert one.density == pytest.approx(one.area / (HEIGHT * WIDTH))


def test_lengths_are_told_in_finer_pixels(map_of_cracks):
    plain, fine = (in_pieces(map_of_cracks, 10**7, finer=finer)[0] for finer in (1, 2))
    assert fine.shape == (2 * HEIGHT, 2 * WIDTH)
    assert fine.mm_per_pixel == pytest.approx(plain.mm_per_pixel / 2)
    for one, other in zip(plain.cracks, fine.cracks, strict=True):
        assert other.box == tuple(2 * value for value in one.box)
        assert other.length == pytest.approx(2 * one.length, rel=0.03)
        assert other.area == pytest.approx(4 * one.area, rel=1e-3)


def test_a_map_without_cracks():
    found, cut, parts, _ = in_pieces(np.zeros((50, 60), np.float16), 10**6)
    assert (found.cracks, cut, len(parts), found.shape) == ((), 0, 1, (50, 60))


def test_a_crack_is_moved_and_magnified_to_its_place():
    image = draw([[(10, 15), (50, 22)]], 3, (40, 70)).astype(np.float16)
    (small,) = measure_cracks(image, 0.5, gsd_mm=0.2).cracks
    moved = placed(small, Part(100, 140, 200, 270), 1, 2)
    x0, y0, x1, y1 = small.box
    assert moved.box == (2 * x0 + 400, 2 * y0 + 200, 2 * x1 + 400, 2 * y1 + 200)
    assert moved.length == 2 * small.length
    assert moved.area == 4 * small.area
    assert moved.width_mean == 2 * small.width_mean
    points = small.centrelines[0].points
    corners = (points + 0.5 + [200, 100]) * 2 - 0.5  # centres of pixels lie at whole numbers
    np.testing.assert_allclose(moved.centrelines[0].points, corners)
    back = placed(moved, Part(0, 40, 0, 70), 2, 1)
    assert back.length == pytest.approx(small.length)
    assert replace(back, box=small.box).pixels == small.pixels


def test_what_touches_across_strips_by_a_corner_is_one_crack():
    image = np.zeros((40, 40), np.float16)
    image[np.arange(5, 35), np.arange(5, 35)] = 1
    image[2, 30] = 1
    found = find(lambda start, stop: image[start:stop], (40, 40), 0.5, 1, 4 * 40 * 3)
    assert len(found.strips) == 14
    assert sorted(map(tuple, found.boxes.tolist())) == [(5, 5, 35, 35), (30, 2, 31, 3)]


def test_two_cracks_of_one_box_are_measured_once_each():
    image = np.zeros((300, 300), np.float16)
    down, across = np.arange(200)[:, None], np.arange(200)
    image[50:250, 50:250] = (np.abs(down - across) < 3) & (np.abs(down - 100) > 9)  # a diagonal with a gap
    image[50:250, 50:54] = image[246:250, 50:250] = 0
    image[50:250, 50:250][(np.abs(down + across - 199) < 3)] = 1  # the other one, through the gap
    whole = measure_cracks(image, 0.5)
    found, cut, *_ = in_pieces(image, 328 * 328)
    assert cut == 0
    assert sorted(crack.box for crack in found.cracks) == sorted(crack.box for crack in whole.cracks)


def test_cracks_of_one_box_share_a_window_however_large():
    boxes = np.array([[20, 20, 180, 180], [20, 20, 100, 30], [20, 20, 180, 180]])
    windows, too_large = plan(boxes, (200, 200), 1, 200 * 200)
    assert too_large == []
    assert sorted(sorted(own) for _, own in windows) == [[0, 2], [1]]


def test_windows_hold_their_cracks_with_a_margin_inside_the_map():
    boxes = np.array([[3, 5, 40, 9], [300, 250, 420, 300]])
    assert around(boxes[:1], (300, 420), 4) == Part(0, 268, 0, 296)
    assert around(boxes[1:], (300, 420), 1) == Part(186, 300, 236, 420)
    windows, too_large = plan(boxes, (300, 420), 1, 30_000)
    assert too_large == []
    assert [own for _, own in windows] == [[0], [1]]
