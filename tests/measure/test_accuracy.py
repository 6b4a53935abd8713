"""Drawn cracks of known length and width: every angle, curves, branches, loops, noise, soft edges, super-resolution."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from csbsr.measure import measure_cracks
from tests.measure.accuracy import straight_cases, table
from tests.measure.drawn import EDGES, arc, draw, path_length, render, straight, wave

ANGLES = (0, 15, 30, 45, 60, 75, 90)


def allowed(width):
    return 0.5 if width < 3 else 0.3


@pytest.mark.parametrize("width", [1, 2, 3, 5, 10, 20])
def test_straight_cracks_at_every_angle(width):
    for case in straight_cases([width], ANGLES, places=[(0.17, -0.31)], caps=["flat"]):
        assert case.found.length == pytest.approx(case.length, rel=0.03), case
        true = case.raster_width if case.edge == "mask" else width  # a mask at 0, 45, 90 degrees has the grid's width
        assert case.found.width_mean == pytest.approx(true, abs=allowed(width)), case
        assert case.found.at_limit == (case.found.width_mean < 3)
        assert case.found.cracks[0].branches == 1
        if 0 < case.angle < 90 and len(case.found.cracks) == 1:
            assert case.found.orientation == pytest.approx(case.angle, abs=3)


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("width", [1, 2, 3, 7, 15])
def test_masks_are_unbiased_over_places_within_the_pixel(width, angle):
    normal = np.array([np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    step = 1 / max(abs(normal)) / 5  # places cover one period of the pixel grid across the crack
    places = [tuple((0.03 + step * index) * normal) for index in range(5)]
    cases = list(straight_cases([width], [angle], places=places, caps=["flat"], edges=["mask"]))
    assert np.mean([case.found.width_mean for case in cases]) == pytest.approx(width, abs=0.3)
    assert np.mean([case.found.length for case in cases]) == pytest.approx(cases[0].length, rel=0.03)


@pytest.mark.parametrize("width", [2, 5, 12])
def test_round_ends_count_to_the_tip(width):
    for case in straight_cases(
        [width], [0, 30, 45], places=[(0.17, -0.31)], caps=["round"], edges=["sub-pixel", "soft"]
    ):
        assert case.found.length == pytest.approx(case.length, rel=0.03)


def shapes(width):
    """Name, lines, side of the image, true length, branches, closed."""
    radius = max(5 * width, 25)
    side = int(2 * radius + 3 * width + 20)
    middle = (side / 2 + 0.3, side / 2 - 0.2)
    half, ring = arc(radius, 0, 180, middle), arc(radius, 0, 360, middle)
    ring[-1] = ring[0]
    yield "half circle", [half], side, path_length(half), 1
    yield "ring", [ring], side, path_length(ring), 1
    arm = max(10 * width, 40)
    side = int(2 * arm + 3 * width + 20)
    middle = (side / 2 + 0.1, side / 2 + 0.3)

    def end(angle):
        return (middle[0] + arm * np.cos(np.radians(angle)), middle[1] - arm * np.sin(np.radians(angle)))

    yield "Y", [[end(90), middle], [end(210), middle, end(330)]], side, 3 * arm, 3
    yield "T", [[end(180), end(0)], [middle, end(90)]], side, 3 * arm, 3
    yield "X", [[end(170), end(-10)], [end(80), end(260)]], side, 4 * arm, 4
    yield "slanted X", [[end(190), end(10)], [end(70), end(250)]], side, 4 * arm, 4
    yield "bend", [[end(180), middle, end(60)]], side, 2 * arm, 1
    length = max(20 * width, 80)
    line = wave(length, length / 10, length / 2, (2 * width + 5, length / 2))
    yield "wave", [line], int(length + 4 * width + 12), path_length(line), 1


@pytest.mark.parametrize(
    ("width", "edge"),
    [(1, "mask"), (1, "sub-pixel"), *((width, edge) for width in (2, 3, 8) for edge in EDGES), (20, "mask")],
)
def test_curves_branches_and_loops(width, edge):
    for name, lines, side, length, branches in shapes(width):
        found = measure_cracks(render(draw(lines, width, (side, side)), edge, width))
        assert len(found.cracks) == 1, name
        assert found.length == pytest.approx(length, rel=0.03), name
        assert found.width_mean == pytest.approx(width, abs=allowed(width)), name
        assert found.branches == branches, name
        assert found.width_max < 1.2 * width + 0.7, name  # junctions and crossings do not count as width


def test_spurs_and_holes_of_noise_are_not_branches():
    rng = np.random.default_rng(3)
    cover = draw([straight(200, 20, (125, 125))], 13, (250, 250))
    rough = np.clip(cover + rng.normal(0, 0.3, cover.shape) * (gaussian_filter(cover, 1.5) > 0.25), 0, 1) >= 0.5
    assert (cover >= 0.5)[~rough].sum() > 50  # it does have holes and a rough edge
    found = max(measure_cracks(rough).cracks, key=lambda crack: crack.length)
    assert found.branches == 1
    assert found.length == pytest.approx(200, rel=0.03)
    assert max(measure_cracks(rough, hole=0).cracks, key=lambda crack: crack.length).branches > 1


def test_spur_says_how_far_a_branch_must_stick_out():
    mask = np.zeros((60, 120), bool)
    mask[28:33, 10:110] = True
    mask[20:28, 58:61] = True  # 8 pixels out of the crack
    assert measure_cracks(mask).branches == 3
    assert measure_cracks(mask, spur=12).branches == 1


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_width_follows_the_threshold(threshold):
    soft = gaussian_filter(draw([straight(150, 37, (90, 90))], 14, (180, 180)), 1.5)
    expected = 14 - 2 * 1.5 * norm.ppf(threshold)
    assert measure_cracks(soft, threshold).width_mean == pytest.approx(expected, abs=0.3)


def test_haze_around_a_crack_does_not_widen_it():
    cover = draw([straight(150, 37, (90, 90))], 10, (180, 180))
    assert measure_cracks(0.1 + 0.8 * cover).width_mean == pytest.approx(10, abs=0.1)


def test_a_strand_beside_a_strand_is_not_added():
    hairpin = arc(4.5, -90, 90, (80, 50))
    line = [(20, hairpin[0][1]), *hairpin, (20, hairpin[-1][1])]
    found = measure_cracks(gaussian_filter(draw([line], 5, (100, 110)), 1.0))
    assert len(found.cracks) == 1
    assert found.width_mean == pytest.approx(5, abs=0.3)


@pytest.mark.parametrize("scale", [2, 4])
def test_millimetres_after_super_resolution(scale):
    photograph = draw([straight(60, 25, (40, 40))], 4, (80, 80))
    enlarged = draw([straight(60 * scale, 25, (40 * scale, 40 * scale))], 4 * scale, (80 * scale, 80 * scale), fine=5)
    before = measure_cracks(photograph, gsd_mm=0.25)
    after = measure_cracks(enlarged, gsd_mm=0.25, scale=scale)
    assert before.mm_per_pixel == 0.25
    assert after.mm_per_pixel == 0.25 / scale
    for found in (before, after):
        assert found.mm(found.length) == pytest.approx(15, rel=0.03)
        assert found.mm(found.width_mean) == pytest.approx(1.0, abs=0.3 * found.mm_per_pixel)
        assert found.mm2(found.area) == pytest.approx(15, rel=0.03)


def test_percentile_and_maximum_of_a_tapering_crack():
    cover = np.zeros((60, 420))
    x = np.arange(420)
    wide = np.where((x >= 10) & (x < 410), 4 + (x - 10) / 400 * 16, 0)
    for row in range(60):
        cover[row] = np.clip(wide / 2 - abs(row - 29.7) + 0.5, 0, 1)
    crack = measure_cracks(cover, percentile=50).cracks[0]
    assert crack.width_percentile == pytest.approx(12, abs=0.5)
    assert crack.width_mean == pytest.approx(12, abs=0.5)
    assert crack.width_max == pytest.approx(19, abs=1)
    assert measure_cracks(cover, percentile=10).cracks[0].width_percentile == pytest.approx(5.6, abs=0.6)
    assert crack.width_percentile < measure_cracks(cover, percentile=90).cracks[0].width_percentile < crack.width_max


def test_the_table_of_errors_states_them():
    lines = table(straight_cases([4], [0, 30], places=[(0.17, -0.31)], caps=["flat"], edges=["sub-pixel"])).splitlines()
    assert len(lines) == 3
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert cells[:3] == ["sub-pixel", "3–5", "2"]
    assert abs(float(cells[3])) < 3
    assert abs(float(cells[6])) < 0.3


def test_widths_of_crackforest_agree_with_area_by_length(photographs):
    from PIL import Image

    files = sorted((photographs / "crackforest" / "test" / "masks").glob("*.png"))
    assert files
    for file in files:
        mask = np.asarray(Image.open(file).convert("L")) > 127
        found = measure_cracks(mask)
        assert found.width_mean == pytest.approx(mask.sum() / found.length, abs=0.5), file.name
        for crack in found.cracks:
            assert crack.width_mean == pytest.approx(crack.pixels / crack.length, abs=0.5), (file.name, crack.number)
