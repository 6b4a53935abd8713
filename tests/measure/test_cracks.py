"""Edge cases of the measurement: nothing, everything, one pixel, borders, specks, large photographs, wrong input."""

import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, gaussian_filter
from skimage.measure import euler_number, label

from csbsr.measure import measure_cracks
from csbsr.measure.skeleton import skeleton_branches
from csbsr.measure.thinning import thin


def blank(height=100, width=120):
    return np.zeros((height, width), bool)


def test_empty_mask():
    found = measure_cracks(blank(), gsd_mm=1)
    assert found.cracks == ()
    assert (found.length, found.area, found.density, found.branches, found.length_uncertainty) == (0, 0, 0, 0, 0)
    assert found.width_mean is found.width_max is found.width_percentile is found.orientation is None
    assert found.width_uncertainty is None
    assert found.mm(found.width_mean) is None
    assert not found.at_limit


def test_full_mask_is_as_long_and_wide_as_the_image():
    crack = measure_cracks(~blank()).cracks[0]
    assert (crack.length, crack.width_mean, crack.width_max, crack.area) == pytest.approx((120, 100, 100, 12000))
    assert crack.orientation == pytest.approx(0)
    assert crack.density == 1
    assert crack.box == (0, 0, 120, 100)
    assert crack.touches_border


@pytest.mark.parametrize("kind", [bool, np.float32])
def test_one_pixel(kind):
    mask = blank()
    mask[50, 70] = True
    crack = measure_cracks(mask.astype(kind)).cracks[0]
    assert (crack.length, crack.width_mean, crack.area, crack.pixels, crack.branches) == pytest.approx((1, 1, 1, 1, 1))
    assert crack.box == (70, 50, 71, 51)
    assert crack.at_limit
    assert crack.width_uncertainty == 0.5
    assert crack.length_uncertainty == 1
    assert not crack.touches_border
    assert crack.centrelines[0].points.mean(axis=0) == pytest.approx((70, 50))


def test_smallest_images():
    assert measure_cracks(np.ones((1, 1), bool)).length == pytest.approx(1)
    row = measure_cracks(np.ones((1, 50), bool)).cracks[0]
    assert (row.length, row.width_mean) == pytest.approx((50, 1))
    column = measure_cracks(np.ones((50, 1), bool)).cracks[0]
    assert (column.length, column.orientation) == pytest.approx((50, 90))


def test_a_crack_that_touches_all_borders():
    mask = blank()
    mask[48:53] = True
    mask[:, 58:63] = True
    found = measure_cracks(mask)
    assert len(found.cracks) == 1
    assert found.length == pytest.approx(220, rel=0.01)
    assert found.width_mean == pytest.approx(5, abs=0.1)
    assert found.branches == 4
    assert found.cracks[0].touches_border


def test_a_frame_along_the_borders_is_a_loop():
    mask = ~blank()
    mask[4:-4, 4:-4] = False
    crack = measure_cracks(mask).cracks[0]
    assert crack.length == pytest.approx(2 * (116 + 96), rel=0.03)
    assert crack.width_mean == pytest.approx(4, abs=0.3)
    assert crack.orientation is None


def test_two_holes_make_three_branches():
    mask = blank(60, 140)
    mask[10:50, 10:130] = True
    mask[15:45, 15:65] = False
    mask[15:45, 75:125] = False
    found = measure_cracks(mask)
    assert found.branches == 3
    assert found.length == pytest.approx(2 * (115 + 35) + 35, rel=0.04)


@pytest.mark.parametrize(("angle", "step"), [(0, (0, 1)), (90, (1, 0)), (135, (1, 1)), (45, (-1, 1))])
def test_diagonals_are_longer_than_their_pixels(angle, step):
    mask = blank(100, 100)
    for index in range(61):
        mask[80 * (step[0] < 0) + 10 + index * step[0], 20 + index * step[1]] = True
    crack = measure_cracks(mask).cracks[0]
    assert crack.length == pytest.approx(61 * np.hypot(*step), rel=0.02)
    assert crack.width_mean == pytest.approx(1 / np.hypot(*step), abs=0.05)
    assert crack.orientation % 180 == pytest.approx(angle, abs=1)


def test_cracks_are_told_apart_and_add_up():
    mask = blank()
    mask[20:24, 10:110] = True
    mask[26:28, 10:60] = True  # two rows beside the first
    mask[80, 5] = True
    found = measure_cracks(mask)
    assert [crack.number for crack in found.cracks] == [1, 2, 3]
    assert [crack.box[1] for crack in found.cracks] == [20, 26, 80]
    assert [crack.width_mean for crack in found.cracks] == pytest.approx([4, 2, 1], abs=0.05)
    assert found.length == pytest.approx(151, abs=1)
    assert found.area == mask.sum()
    assert found.density == pytest.approx(mask.mean())
    assert found.width_mean == pytest.approx((4 * 100 + 2 * 50 + 1) / 151, abs=0.05)
    assert found.width_max == pytest.approx(4, abs=0.05)
    assert len(measure_cracks(mask, min_pixels=2).cracks) == 2


def test_soft_edges_of_a_neighbour_are_not_measured():
    soft = np.zeros((60, 120))
    soft[20:24, 10:110] = 1
    alone = measure_cracks(soft).cracks[0]
    soft[[28, 31], 10:110] = 0.4
    soft[29:31, 15:105] = 1
    beside, second = measure_cracks(soft).cracks
    assert alone.area == beside.area == 400
    assert second.area == pytest.approx(180 + 2 * 0.4 * 94)  # the edge counts for two pixels beyond the ends
    assert beside.width_mean == pytest.approx(4, abs=0.01)
    assert second.width_mean == pytest.approx(2.8, abs=0.05)


def test_memory_stays_bounded_where_a_thin_crack_enters_a_breach():
    mask = blank(1500, 2000)
    mask[500:503, 5:1990] = True
    mask[200:800, 900:1500] = True
    tracemalloc.start()
    measure_cracks(mask)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


def test_a_wide_breach_counts_in_the_widths():
    mask = blank(200, 200)
    mask[99:102, 5:195] = True
    mask[60:140, 60:140] = True
    crack = measure_cracks(mask).cracks[0]
    assert crack.width_mean == pytest.approx(crack.area / crack.length, rel=0.05)
    assert crack.width_max > 75


def test_two_thousand_specks():
    mask = np.zeros((1000, 2000), bool)
    expected = []
    for index in range(2000):
        y, x = 5 + index // 80 * 39, 5 + index % 80 * 24
        height, width = 1 + index % 5, 1 + index // 5 % 7
        mask[y : y + height, x : x + width] = True
        expected.append(height * width)
    start = time.perf_counter()
    found = measure_cracks(mask)
    assert time.perf_counter() - start < 40  # 5 seconds on one core
    assert [crack.pixels for crack in found.cracks] == expected
    assert found.area == mask.sum()
    for crack in found.cracks:
        x0, y0, x1, y1 = crack.box
        assert 0.95 * max(x1 - x0, y1 - y0) <= crack.length <= np.hypot(x1 - x0, y1 - y0) + 0.01
        assert 0.8 * min(x1 - x0, y1 - y0) <= crack.width_mean <= max(x1 - x0, y1 - y0)


_LARGE = """
import resource, sys, time
import numpy as np, cv2
from csbsr.measure import measure_cracks
mask = np.{make}((4000, 6000), np.uint8)
if {lines}:
    rng = np.random.default_rng(0)
    for index in range(12):
        points = np.cumsum(rng.normal(0, 50, (150, 2)) + rng.normal(0, 40, 2), 0) + rng.uniform(0, 4000, 2)
        cv2.polylines(mask, [points.astype(np.int32)], False, 1, int(rng.integers(2, 25)))
mask = mask.view(bool)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
found = measure_cracks(mask)
spent = time.perf_counter() - start
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(spent, (after - before) * 1024 / mask.size, found.length, found.area, int(mask.sum()), found.width_mean)
"""


@pytest.mark.parametrize("lines", [False, True])
def test_24_megapixels_in_bounded_time_and_memory(lines):
    code = _LARGE.format(make="zeros" if lines else "ones", lines=lines)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    spent, bytes_per_pixel, length, area, pixels, width = map(float, done.stdout.split())
    assert spent < 60  # 4 to 8 seconds on one core
    assert bytes_per_pixel < 20  # 13
    if lines:
        assert area == pytest.approx(pixels, rel=0.001)
        assert width == pytest.approx(area / length, rel=0.05)
    else:
        assert (length, width, area) == pytest.approx((6000, 4000, 24e6), rel=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_thinning_keeps_components_and_holes(seed):
    rng = np.random.default_rng(seed)
    mask = binary_dilation(rng.random((90, 110)) > 0.985, np.ones((5, 3 + seed))) ^ (rng.random((90, 110)) > 0.98)
    line = thin(mask)
    assert not (line & ~mask).any()
    assert label(line, connectivity=2).max() == label(mask, connectivity=2).max()
    assert euler_number(line, connectivity=2) == euler_number(mask, connectivity=2)
    assert (thin(line) == line).all()
    blocks = line[:-1, :-1] & line[1:, :-1] & line[:-1, 1:] & line[1:, 1:]
    assert blocks.mean() < 0.002  # one pixel wide but where lines meet


def test_branches_of_a_drawn_skeleton():
    line = blank(30, 40)
    line[15, 5:35] = True
    line[5:15, 20] = True
    rows, columns = np.nonzero(line)
    branches = skeleton_branches(rows, columns, np.full(rows.size, 0.5))
    assert sorted(round(branch.length) for branch in branches) == [10, 14, 15]
    assert sum(branch.start is None for branch in branches) + sum(branch.end is None for branch in branches) == 3
    assert skeleton_branches(rows[:1], columns[:1], np.full(1, 0.5)) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"segmentation": np.zeros((3, 4, 5))}, "segmentation"),
        ({"segmentation": np.zeros((0, 5))}, "segmentation"),
        ({"segmentation": np.zeros((3, 4), np.uint8)}, "mask > 127"),
        ({"segmentation": np.full((3, 4), np.nan)}, "got nan"),
        ({"segmentation": np.full((3, 4), 1.5)}, "sigmoid"),
        ({"threshold": 0.0}, "threshold"),
        ({"threshold": 1.0}, "threshold"),
        ({"gsd_mm": 0}, "gsd_mm"),
        ({"gsd_mm": float("nan")}, "gsd_mm"),
        ({"scale": -4}, "scale"),
        ({"percentile": 101}, "percentile"),
        ({"min_pixels": -1}, "min_pixels"),
        ({"spur": -1}, "spur"),
        ({"hole": -1}, "hole"),
        ({"spread": np.zeros((4, 4))}, "spread"),
    ],
)
def test_wrong_input_is_named(change, word):
    with pytest.raises(ValueError, match=word):
        measure_cracks(**{"segmentation": np.zeros((3, 4)), **change})


@pytest.mark.parametrize(("spread", "edge"), [(None, 0), (0.1, 0), (0.2, 0.5)])
def test_a_spread_of_the_probability_widens_the_intervals_by_the_pixels_it_may_turn(spread, edge):
    soft = np.zeros((40, 80))
    soft[15:20, 5:70] = 1
    soft[14, 5:70] = 0.25  # 0.25 below the threshold: a row that 1.645 times 0.2 turns into crack, half of it likely
    every = None if spread is None else np.full(soft.shape, spread)
    crack = measure_cracks(soft, spread=every).cracks[0]
    assert crack.edge == pytest.approx(edge, rel=0.01)
    width = crack.mask_widths.mean
    assert (width.high - width.value, width.value - width.low) == pytest.approx([np.hypot(0.3, edge)] * 2, rel=0.01)
    assert crack.length_interval.high - crack.length == pytest.approx(np.hypot(0.03 * crack.length, edge), rel=0.01)
    assert measure_cracks(soft > 0.5, spread=every).cracks[0].edge == 0


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_float_types_agree(kind):
    soft = np.zeros((40, 80))
    soft[15:20, 5:70] = 1
    soft[14, 5:70] = 0.25
    assert measure_cracks(soft.astype(kind)).width_mean == pytest.approx(5.25, abs=0.02)


@pytest.mark.parametrize("seed", range(6))
def test_noise_of_any_grain_gives_finite_numbers(seed):
    rng = np.random.default_rng(seed)
    noise = gaussian_filter(rng.random((50, 70)), seed / 3) if seed else rng.random((50, 70))
    noise = (noise - noise.min()) / np.ptp(noise)
    for segmentation in (noise, noise >= 0.5):
        found = measure_cracks(segmentation, hole=0)
        assert found.cracks
        for crack in found.cracks:
            numbers = (crack.length, crack.area, crack.width_mean, crack.width_percentile, crack.width_max)
            assert np.isfinite(numbers).all()
            assert min(numbers) > 0
            assert crack.width_max >= max(crack.width_mean, crack.width_percentile) - 1e-9
            assert crack.orientation is None or 0 <= crack.orientation < 180
        turned = measure_cracks(np.ascontiguousarray(segmentation.T), hole=0)
        assert turned.area == pytest.approx(found.area)
        assert len(turned.cracks) == len(found.cracks)
