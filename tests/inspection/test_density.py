"""Density of cracks out of csbsr-measure: by hand, in a map, without a scale, with bad words."""

import base64
import csv
import io
import json
import re

import numpy as np
import pytest
import tifffile
from PIL import Image

from csbsr.cli import measure, predict
from csbsr.data.reading.geo import GeoReference
from csbsr.inspection import density
from csbsr.inspection.density import DensityMap, grid_for
from csbsr.inspection.lines import Lines
from csbsr.measure import crack_density
from tests.cli.inprocess import call, checkpoint, exit_code
from tests.measure.drawn import draw
from tests.measure.grounds import HEIGHT, WIDTH, metres, photograph
from tests.report.browser import NEEDS_BROWSER, Browser

PIXEL, CORNER = 0.01, (500000.5, 5500000.0)  # metres: the first cell of 1 m begins half a metre before the image


def mosaic(path, alpha, corner=CORNER, pixel=PIXEL):
    """A GeoTIFF of 4 x 3 m with opacity (H, W)."""
    pixels = np.dstack([np.full((HEIGHT, WIDTH, 3), 180, np.uint8), alpha])
    keys = metres()
    directory = (1, 1, 0, len(keys), *(number for key, value in keys for number in (key, 0, 1, value)))
    tags = [
        (33550, "d", 3, (pixel, pixel, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, *corner, 0.0), True),
        (34735, "H", len(directory), directory, True),
    ]
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unassalpha"], extratags=tags)


@pytest.fixture
def folder(tmp_path):
    """A crack from pixel corner (20, 60) to (320, 60) in a mosaic whose left half metre is transparent."""
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, :50] = 0
    alpha[200:, :100] = 0
    mosaic(tmp_path / "photos" / "mosaic.tif", alpha)
    mask = draw([[(19.5, 59.5), (319.5, 59.5)]], 6.0, (HEIGHT, WIDTH))
    Image.fromarray((mask * 255).round().astype(np.uint8)).save(tmp_path / "masks" / "mosaic.png")
    return tmp_path


def run(folder, *words, code=0):
    out = folder / "out"
    given = f"input={folder / 'masks'}", f"photos={folder / 'photos'}", f"output={out}"
    assert exit_code(measure.main, *given, *words) == code
    return out


def cells(path):
    return {
        shape["properties"]["cell"]: shape for shape in json.loads(path.read_text(encoding="utf-8"))["features"]
    }  # fmt: skip


def record(out, name="mosaic.png"):
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    return next(entry for entry in summary["photographs"] if entry["file"] == name)


def test_a_straight_crack_in_cells_of_a_metre_by_hand(folder):
    out = run(folder, "cell_m=1")
    found = cells(out / "density.geojson")
    assert sorted(found) == [2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 15]  # five in a row; the first column holds no data
    told = {number: shape["properties"] for number, shape in found.items()}
    # Cells begin at x = -50, 50, 150, 250, 350 px; the crack is measured from 50, where data begin, to 320.
    lengths = {2: 1.0, 3: 1.0, 4: 0.7}
    areas = {5: 0.5, 10: 0.5, 15: 0.5, 12: 0.5}  # the last column is half a cell, and of cell 12 half holds no data
    for number, cell in told.items():
        assert cell["length_m"] == pytest.approx(lengths.get(number, 0), abs=0.01)
        assert cell["area_m2"] == pytest.approx(areas.get(number, 1), abs=1e-6)
        assert cell["density_m_per_m2"] == pytest.approx(cell["length_m"] / cell["area_m2"], abs=1e-6)
        assert cell["photograph"] == "mosaic.png"
    row = record(out)
    assert (row["cell_m"], row["cells"], row["missing_share"]) == (1, 12, 0.1667)
    assert row["density_m_per_m2"] == pytest.approx(row["length_mm"] / 1000 / 10, rel=1e-3)  # of 12 - 2 m²
    assert row["density_m_per_m2_largest"] == pytest.approx(1, abs=0.01)
    with (out / "summary.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["density_m_per_m2"] == str(row["density_m_per_m2"])


def test_cells_lie_in_the_grid_of_the_coordinates_and_are_read_by_gdal(folder):
    out = run(folder, "cell_m=1")
    content = json.loads((out / "density.geojson").read_text(encoding="utf-8"))
    assert content["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::25832"
    (ring,) = cells(out / "density.geojson")[2]["geometry"]["coordinates"]
    west, north = 500001, 5500000
    assert ring == [
        [west, north - 1], [west + 1, north - 1], [west + 1, north], [west, north], [west, north - 1]
    ]  # fmt: skip
    pyogrio = pytest.importorskip("pyogrio")
    shapely = pytest.importorskip("shapely")
    for name, system in (("density", "EPSG:25832"), ("density_wgs84", "EPSG:4326")):
        about, _, geometry, columns = pyogrio.raw.read(out / f"{name}.geojson")
        assert (about["crs"], about["geometry_type"], len(geometry)) == (system, "Polygon", 12)
        areas = columns[list(about["fields"]).index("area_m2")]
        shapes = shapely.from_wkb(geometry)
        assert shapely.is_valid(shapes).all()
        assert shapely.is_ccw(shapely.get_exterior_ring(shapes)).all()
        if system == "EPSG:25832":
            np.testing.assert_allclose(shapely.area(shapes), 1)
            assert areas.sum() == pytest.approx(10)


def test_mosaics_side_by_side_share_one_grid(folder):
    all_of_it = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mosaic(folder / "photos" / "other.tif", all_of_it, (CORNER[0] + 3.3, CORNER[1] + 0.77))
    (folder / "masks" / "other.png").write_bytes((folder / "masks" / "mosaic.png").read_bytes())
    shapes = json.loads((run(folder, "cell_m=0.4") / "density.geojson").read_text(encoding="utf-8"))["features"]
    places: dict[str, list[str]] = {}
    for shape in shapes:
        (ring,) = shape["geometry"]["coordinates"]
        assert np.allclose(np.array(ring) / 0.4, np.round(np.array(ring) / 0.4), atol=1e-3)
        places.setdefault(str(ring), []).append(shape["properties"]["photograph"])
    assert max(map(len, places.values())) == 2  # cells that both see have the same border
    assert len({shape["properties"]["id"] for shape in shapes}) == len(shapes)


def test_a_photograph_without_scale_is_told_and_the_others_go_on(folder, capsys):
    photograph(folder / "photos" / "plain.jpg")
    (folder / "masks" / "plain.png").write_bytes((folder / "masks" / "mosaic.png").read_bytes())
    out = run(folder, "cell_m=1")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "plain.png" in line and "density" in line]
    reason = "cells are in metres, and its scale is not known; give gsd_mm=, distance_m= or marker_mm="
    assert line == f"density  none for 1 (plain.png): {reason}"
    row = record(out, "plain.png")
    assert (row["density_refused"], row.get("cells")) == (reason, None)
    assert {cell["properties"]["photograph"] for cell in cells(out / "density.geojson").values()} == {"mosaic.png"}
    assert f"<li><b>plain.png</b> {reason}</li>" in (out / "report.html").read_text(encoding="utf-8")


def test_plain_photographs_of_known_scale_have_cells_in_pixels_from_their_corner(folder):
    photograph(folder / "photos" / "plain.jpg")
    (folder / "masks" / "plain.png").write_bytes((folder / "masks" / "mosaic.png").read_bytes())
    out = run(folder, "cell_m=1.5", "gsd_mm=20")
    assert not (out / "density.geojson").exists()  # one for each system of coordinates
    content = json.loads((out / "density_pixels.geojson").read_text(encoding="utf-8"))
    assert content["coordinates_in"] == "pixels, y downwards"
    found = cells(out / "density_pixels.geojson")
    assert len(found) == 6 * 4  # 400 x 300 px in cells of 75
    assert {tuple(point) for point in found[1]["geometry"]["coordinates"][0]} == {(0, 0), (75, 0), (75, 75), (0, 75)}
    assert found[2]["properties"]["length_m"] == pytest.approx(1.5, abs=0.02)
    assert found[24]["properties"]["area_m2"] == pytest.approx(25 * 75 * 0.02**2)
    # The mosaic's own metres are not those that were said: its cells begin at its corner, in its coordinates.
    ring = np.array(cells(out / "density_epsg25832.geojson")[1]["geometry"]["coordinates"][0])
    np.testing.assert_allclose(ring.min(0), [CORNER[0], CORNER[1] - 0.75])


def test_areas_left_out_by_hand_count_in_no_cell(folder):
    excluded = np.zeros((HEIGHT, WIDTH), np.uint8)
    excluded[:150, 150:250] = 255
    Image.fromarray(excluded).save(folder / "masks" / "mosaic_exclude.png")
    told = {number: cell["properties"] for number, cell in cells(run(folder, "cell_m=1") / "density.geojson").items()}
    assert 3 not in told
    assert told[8]["area_m2"] == pytest.approx(0.5)
    assert told[2]["length_m"] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("word", ["0", "-1", "nan", "inf", "wide", "true", "[1]"])
def test_a_cell_that_is_no_length_is_refused_in_one_line(folder, capsys, word):
    out = run(folder, f"cell_m={word}", code=1)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: cell_m: expected metres above 0, such as 0.5, got ")
    assert not out.exists()


def test_cells_without_any_millimetres_are_refused(folder, capsys):
    run(folder, "cell_m=1", "gsd_mm=null", code=1)
    assert "cell_m: cells are in metres; give gsd_mm=" in capsys.readouterr().err


def test_an_enormous_grid_is_refused_before_anything_is_done(folder, tmp_path, capsys):
    message = "error: cell_m: 1e-06 makes 1.2e+13 cells, and a folder holds at most 250000; give one above 0.0069"
    out = run(folder, "cell_m=1e-6", code=1)
    assert capsys.readouterr().err.strip() == message
    assert not out.exists()
    weights = checkpoint(tmp_path / "w.ckpt")
    words = f"ckpt={weights}", f"input={folder / 'photos'}", f"output={out}", "device=cpu", "cell_m=1e-6"
    assert exit_code(predict.main, *words) == 1
    assert capsys.readouterr().err.strip() == message
    assert not (out / "pictures").exists()


def test_one_mosaic_of_an_odd_scale_does_not_stop_the_others(folder):
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mosaic(folder / "photos" / "odd.tif", alpha, pixel=1e7)  # metres, of a file that tells the wrong unit
    (folder / "masks" / "odd.png").write_bytes((folder / "masks" / "mosaic.png").read_bytes())
    out = run(folder, "cell_m=1")
    assert record(out)["cells"] == 12
    assert record(out, "odd.png")["density_refused"].startswith("cell_m: 1 makes 1.2e+19 cells")


def test_small_cells_keep_their_digits(folder):
    out = run(folder, "cell_m=1e-5", "gsd_mm=0.001")  # areas of 1e-10 m²
    for cell in cells(out / "density.geojson").values():
        told = cell["properties"]
        assert told["area_m2"] > 0
        assert told["density_m_per_m2"] == pytest.approx(told["length_m"] / told["area_m2"], rel=2e-5)
    assert sum(cell["properties"]["area_m2"] for cell in cells(out / "density.geojson").values()) == pytest.approx(
        100000 * 1e-12, rel=1e-5
    )


def test_a_grid_that_only_what_was_measured_tells_is_refused_for_its_photograph(folder, monkeypatch):
    (folder / "masks" / "second.png").write_bytes((folder / "masks" / "mosaic.png").read_bytes())
    photograph(folder / "photos" / "second.jpg")
    monkeypatch.setattr(density, "MOST_CELLS", 20)  # 15 of the mosaic leave none for 12 more
    out = run(folder, "cell_m=1", "gsd_mm=10")
    assert record(out)["cells"] == 12
    assert record(out, "second.png")["density_refused"].startswith("cell_m: 1 makes 27 cells, and a folder holds")


def test_nothing_of_an_earlier_density_stays(folder):
    assert (run(folder, "cell_m=1") / "density.geojson").is_file()
    out = run(folder)
    assert not list(out.glob("density*"))
    assert "cell_m" not in record(out)
    assert "Density of cracks" not in (out / "report.html").read_text(encoding="utf-8")
    assert cells(run(folder, "cell_m=2", "layers=[]") / "density.geojson")  # no layer of cracks, but the density
    assert not (out / "cracks.geojson").exists()


def test_the_page_has_a_heat_map_and_numbers(folder):
    page = (run(folder, "cell_m=1") / "report.html").read_text(encoding="utf-8")
    section = page[page.index("<h2>Density of cracks</h2>") :]
    assert section.count('<img src="data:image/webp;base64,') == 1
    assert "<span>0</span><span>0.5</span><span>1+</span>" in section
    assert "<dt>area with data</dt><dd>10 m²</dd>" in section
    assert '<th scope="row">2</th><td>1</td><td>1</td><td>1</td><td>50–150, 0–100</td>' in section
    assert "densest" in section


def test_colours_follow_the_scale_and_what_holds_no_data_is_grey(folder):
    page = (run(folder, "cell_m=1") / "report.html").read_text(encoding="utf-8")
    section = page[page.index("<h2>Density of cracks</h2>") :]
    encoded = re.search(r'<img src="data:image/webp;base64,([^"]*)"', section)[1]
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        picture = np.asarray(picture.convert("RGB")).astype(int)
    assert picture.shape[:2] == (HEIGHT, WIDTH)
    gap, no_crack, some, most = picture[20, 20], picture[150, 100], picture[20, 330], picture[20, 100]
    assert np.ptp(gap) < 10
    scale = re.search(r"linear-gradient\(90deg, ([^)]*)\)", page[page.index(".heat-colours") :])[1].split(", ")
    low, high = (np.array(list(bytes.fromhex(colour[1:]))) for colour in (scale[0], scale[-1]))
    pale = 0.8 + 0.2 * 180 / 255  # of the grey wall
    np.testing.assert_allclose(no_crack, low * pale, atol=8)
    np.testing.assert_allclose(most, high * pale, atol=8)
    assert no_crack.sum() > some.sum() > most.sum()
    assert picture[60, 200].sum() < 60  # the crack itself


@NEEDS_BROWSER
@pytest.mark.parametrize("width", [390, 1280])
def test_the_heat_map_in_a_browser(folder, tmp_path, width):
    page = run(folder, "cell_m=1") / "report.html"
    browser = Browser(tmp_path / "profile")
    try:
        browser.open(page, width, 900)
        assert browser.errors == []
        assert [url for url in browser.requests if not url.startswith("data:")] == [page.as_uri()]
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        picture = browser.evaluate("document.querySelector('.heat img').getBoundingClientRect().width")
        assert picture > min(300, width)
        ticks = browser.evaluate(
            "JSON.stringify([...document.querySelectorAll('.heat-ticks span')].map(tick => [tick.textContent, "
            "parseFloat(getComputedStyle(tick).fontSize), tick.getBoundingClientRect().right]))"
        )
        assert [text for text, _, _ in json.loads(ticks)] == ["0", "0.5", "1+"]
        assert all(size >= 13 and right <= width for _, size, right in json.loads(ticks))
    finally:
        browser.close()


# ---- grids ----

UTM = GeoReference((PIXEL, 0, CORNER[0], 0, -PIXEL, CORNER[1]), 25832, False, 1.0, (WIDTH, HEIGHT))


def lines(geo, mm_per_pixel=10.0):
    return Lines("a", (WIDTH, HEIGHT), mm_per_pixel, geo, ())


@pytest.mark.parametrize(
    ("change", "cell", "origin"),
    [
        ({}, (100, 100), (-50, 0)),
        ({"transform": (PIXEL, 0, CORNER[0], 0, PIXEL, CORNER[1])}, (100, 100), (-50, 0)),  # the south above
        ({"transform": (-PIXEL, 0, 500000.25, 0, -PIXEL, 5500000.25)}, (100, 100), (-75, -75)),  # the east to the left
        ({"metres": 0.3048}, (100, 100), (0, 0)),  # feet, so that a pixel is no 10 mm: from the corner
        ({"transform": (PIXEL, 1e-5, 0, 1e-5, -PIXEL, 0)}, (100, 100), (0, 0)),  # turned
        ({"degrees": True, "metres": None}, (100, 100), (0, 0)),
        ({"epsg": None}, (100, 100), (0, 0)),
    ],
)
def test_where_cells_begin(change, cell, origin):
    found = grid_for(lines(GeoReference(**{**vars(UTM), **change})), 1.0)
    assert found.cell == pytest.approx(cell)
    assert found.origin == pytest.approx(origin, abs=1e-6)


def test_cells_in_feet_are_metres_on_the_ground():
    geo = GeoReference((0.1, 0, 1000.0, 0, -0.1, 2000.0), 2263, False, 0.3048, (WIDTH, HEIGHT))
    found = grid_for(lines(geo, 30.48), 1.0)
    assert found.cell == pytest.approx((1 / 0.03048, 1 / 0.03048))
    x, y = geo.at(*found.origin)
    assert (x * 0.3048) % 1 == pytest.approx(0, abs=1e-6)
    assert -(y * 0.3048) % 1 == pytest.approx(0, abs=1e-6)


def test_a_corner_on_a_multiple_opens_no_empty_cells():
    for cell in (0.1, 0.2, 0.3, 0.7):
        geo = GeoReference(**{**vars(UTM), "transform": (PIXEL, 0, cell * 714287, 0, -PIXEL, cell * 7857143)})
        found = grid_for(lines(geo), cell)
        assert found.origin == pytest.approx((0, 0), abs=1e-3)
        assert found.shape == (int(np.ceil(3 / cell - 1e-6)), int(np.ceil(4 / cell - 1e-6)))


def test_nothing_but_gaps_has_no_density():
    grid = grid_for(lines(None), 1.0)
    empty = DensityMap(lines(None), "a", 1.0, crack_density([], grid))
    empty.density.areas[:] = 0
    assert empty.cells().density_refused == "no part of it holds data"
    assert empty.features() == []


# ---- a folder from anyone ----


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"size": [0, 24]}, "expected a length above 0, got 0"),
        ({"mm_per_pixel": "much"}, "expected a length above 0, got much"),
        ({"coverage_block": 1e-9}, "coverage.png is gone or damaged"),
        ({"coverage_block": 3}, "coverage.png is gone or damaged"),
        ({"georeference": {}}, "expected the lines of a photograph's cracks"),
        ({"cracks": [{"properties": {}, "lines": [[[0, 0], [1e11, 3]]]}]}, None),  # ends at the border
    ],
)
def test_damaged_lines_are_told(predicted, change, reason):
    path = predicted / "out" / "pictures" / "a" / "lines.json"
    whole = path.read_text(encoding="utf-8")
    path.write_text(json.dumps({**json.loads(whole), **change}), encoding="utf-8")
    try:
        again(predicted)
    finally:
        path.write_text(whole, encoding="utf-8")
    told = record(predicted / "out", "a.png").get("density_refused")
    if reason is None:
        assert told is None
        found = cells(predicted / "out" / "density.geojson").values()
        assert sum(cell["properties"]["length_m"] for cell in found) <= 0.33  # of a photograph 0.32 m wide
    else:
        assert reason in told


def test_folders_of_earlier_versions_hold_no_coverage(predicted):
    path = predicted / "out" / "pictures" / "a" / "lines.json"
    whole = path.read_text(encoding="utf-8")
    found = json.loads(whole)
    assert found.pop("coverage_block") == 1
    path.write_text(json.dumps(found), encoding="utf-8")
    try:
        again(predicted)
    finally:
        path.write_text(whole, encoding="utf-8")
    assert record(predicted / "out", "a.png")["density_refused"].startswith("where it holds data is not known")
    assert not (predicted / "out" / "density.geojson").exists()


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    """What csbsr-predict made of a photograph with a transparent corner."""
    root = tmp_path_factory.mktemp("predicted")
    (root / "photos").mkdir()
    checkpoint(root / "w.ckpt")
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 4), np.uint8)
    image[..., 3] = 255
    image[:12, :16, 3] = 0
    Image.fromarray(image).save(root / "photos" / "a.png")
    again(root)
    return root


def again(root):
    words = f"ckpt={root / 'w.ckpt'}", f"input={root / 'photos'}", f"output={root / 'out'}", "device=cpu"
    call(predict.main, *words, "save=mask", "compare_bicubic=false", "gsd_mm=10", "cell_m=0.08")


def test_predict_keeps_where_a_photograph_holds_data(predicted):
    again(predicted)  # skips it, and makes its density from what is kept
    told = {number: cell["properties"] for number, cell in cells(predicted / "out" / "density.geojson").items()}
    assert sorted(told) == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]  # 3 rows of 4 cells of 8 px, from a quarter free of data
    np.testing.assert_allclose([told[5]["area_m2"], told[6]["area_m2"], told[9]["area_m2"]], [0.0032, 0.0032, 0.0064])
