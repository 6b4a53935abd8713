"""Mosaics that lie nowhere, askew, near a pole, in two systems, or lack a tile: a line tells, the others go on."""

import json

import numpy as np
import pytest
import tifffile

from csbsr.cli import predict
from csbsr.data.reading.geo import read_georeference
from tests.cli.inprocess import exit_code
from tests.mosaics import CORNER, PIXEL, DrawnCrack, write_mosaic

WIDTH, HEIGHT, SIDE = 160, 128, 64
X = np.arange(40.0, 120.0, 2.0)
LINE = DrawnCrack(np.stack([X, 60 + 4 * np.sin(X / 11) + 2 * np.sin(X / 3)], 1), 4.0)
TURN = np.radians(30)


def projected(epsg):
    return 34735, "H", 20, (1, 1, 0, 4, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, epsg, 3076, 0, 1, 9001), True


def degrees(epsg):
    return 34735, "H", 16, (1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, epsg), True


def at(x, y, pixel):
    return [
        (33550, "d", 3, (pixel, pixel, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, x, y, 0.0), True),
    ]


ALONG, ACROSS = PIXEL * np.cos(TURN), PIXEL * np.sin(TURN)
TURNED = ALONG, ACROSS, 0.0, CORNER[0], ACROSS, -ALONG, 0.0, CORNER[1], *(0.0,) * 4, 0.0, 0.0, 0.0, 1.0
TAGS = {
    "zone33.tif": [*at(400000.0, 5800000.0, PIXEL), projected(25833)],
    "no_system.tif": at(*CORNER, PIXEL),
    "turned.tif": [(34264, "d", 16, TURNED, True), projected(25832)],
    "nowhere.tif": [],
    "no_transform.tif": [projected(25832)],
    "pole.tif": [*at(12.0, 89.9999, 1e-8), degrees(4326)],
}


@pytest.fixture(scope="module")
def mosaics(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mosaics")
    write_mosaic(folder / "zone32.tif", WIDTH, HEIGHT, [LINE], side=SIDE)
    for name, tags in TAGS.items():
        write_mosaic(folder / name, WIDTH, HEIGHT, [LINE], side=SIDE, extratags=tags)
    write_mosaic(folder / "level.tif", WIDTH, HEIGHT, [LINE], side=SIDE, subfiletype=1)
    broken = write_mosaic(folder / "broken.tif", WIDTH, HEIGHT, [LINE], side=SIDE)
    with tifffile.TiffFile(broken) as file:
        page = file.pages[0]
        offset = page.dataoffsets[4]  # the middle of three by two tiles
    data = bytearray(broken.read_bytes())
    data[offset : offset + 40] = b"\xff" * 40
    broken.write_bytes(data)
    return folder


def run(source, output, *words):
    given = f"input={source}", f"output={output}", "device=cpu", "backend=torch", "save=[mask,cracks]"
    return exit_code(predict.main, *given, *words)


@pytest.fixture(scope="module")
def done(mosaics, tmp_path_factory):
    output = tmp_path_factory.mktemp("done")
    with pytest.MonkeyPatch.context() as patch:
        told = []
        patch.setattr("csbsr.inspection.layers.log.info", lambda text, *values: told.append(text % values))
        code = run(mosaics, output, "windows=true")
    return output, code, told


def record(folder, name):
    found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["photographs"]
    return next(record for record in found if record["file"] == name)


def lines(folder, system):
    found = json.loads((folder / f"cracks_{system}.geojson").read_text(encoding="utf-8"))
    return found, {feature["properties"]["photograph"]: feature for feature in found["features"]}


def test_only_the_level_of_a_pyramid_fails(done, mosaics):
    folder, code, _ = done
    assert code == predict.SOME_FAILED
    states = {path.name: record(folder, path.name)["status"] for path in mosaics.iterdir()}
    assert [name for name, state in states.items() if state != "done"] == ["level.tif"]
    assert "only reduced copies of an image (levels of a pyramid)" in record(folder, "level.tif")["error"]


def test_a_broken_tile_is_missing_and_its_area_told(done):
    folder, *_ = done
    found, whole = record(folder, "broken.tif"), record(folder, "zone32.tif")
    told = "1 tile is damaged and missing from the result (0.0041 megapixels, 0.00262 m²; at x 64 y 64)"
    assert told in found["note"]
    np.testing.assert_allclose([SIDE**2 / 1e6, SIDE**2 * PIXEL**2], [0.0041, 0.00262], rtol=0.01)
    share = SIDE**2 / (WIDTH * HEIGHT)
    assert found["missing_share"] == pytest.approx(whole["missing_share"] + share, abs=1e-3)
    assert told in (folder / "report.html").read_text(encoding="utf-8")
    mask = tifffile.imread(folder / "broken_mask.tif")
    assert (mask[4 * 64 : 4 * 128, 4 * 64 : 4 * 128] == 1).all()
    assert whole["cracks"] >= 1
    assert 0 < found["length_mm"] < whole["length_mm"]


def test_a_broken_tile_is_told_on_the_terminal(mosaics, tmp_path, capsys):
    assert run(mosaics / "broken.tif", tmp_path, "windows=true") == 0
    assert "1 tile is damaged and missing from the result (0.0041 megapixels, 0.00262 m²" in capsys.readouterr().err


def test_read_whole_a_broken_tile_tells_the_way_out(mosaics, tmp_path):
    assert run(mosaics / "broken.tif", tmp_path, "windows=false") == predict.SOME_FAILED
    error = record(tmp_path, "broken.tif")["error"]
    assert "damaged or truncated" in error
    assert "windows=true leaves out what of it is damaged" in error


def test_each_system_of_coordinates_has_its_file(done):
    folder, _, told = done
    assert not (folder / "cracks.geojson").exists()
    zone32, of32 = lines(folder, "epsg25832")
    zone33, of33 = lines(folder, "epsg25833")
    pixels, of_pixels = lines(folder, "pixels")
    assert zone32["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::25832"
    assert zone33["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::25833"
    assert "crs" not in pixels
    assert {"zone32.tif", "turned.tif", "broken.tif"} == set(of32)
    assert {"zone33.tif"} == set(of33)
    assert {"no_system.tif", "nowhere.tif", "no_transform.tif"} == set(of_pixels)
    places = ", ".join(f"cracks_{name}.geojson" for name in ("pixels", "epsg4326", "epsg25832", "epsg25833"))
    assert f"layers   4 systems of coordinates, each with a file of its own: {places}" in told


def first(feature):
    return np.concatenate([np.asarray(line) for line in feature["geometry"]["coordinates"]])


def test_lines_lie_where_their_mosaic_lies(done):
    folder, *_ = done
    pixels = first(lines(folder, "pixels")[1]["nowhere.tif"])
    zone33 = first(lines(folder, "epsg25833")[1]["zone33.tif"])
    np.testing.assert_allclose(zone33, pixels * [PIXEL, -PIXEL] + [400000, 5800000], atol=1e-4)
    turned = first(lines(folder, "epsg25832")[1]["turned.tif"])
    np.testing.assert_allclose(turned, pixels @ [[ALONG, ACROSS], [ACROSS, -ALONG]] + CORNER, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("turned.tif", "turned against its coordinates, and so are its results"),
        ("no_system.tif", "names no coordinate system by its code: its lines are in pixels"),
        ("no_transform.tif", "lies nowhere, for it has no transform that can be used: its lines are in pixels"),
    ],
)
def test_what_is_missing_of_its_place_is_told(done, name, told):
    folder, *_ = done
    assert told in record(folder, name)["note"]
    assert told in (folder / "report.html").read_text(encoding="utf-8")


def test_the_same_is_told_of_one_that_is_read_whole(mosaics, tmp_path):
    assert run(mosaics / "turned.tif", tmp_path) == 0
    assert record(tmp_path, "turned.tif")["note"] == "turned against its coordinates, and so are its results"


def test_results_lie_as_their_mosaic_lies(done):
    folder, *_ = done
    a, b, c, d, e, f = read_georeference(folder / "turned_mask.tif").transform
    assert (a, b, d, e) == pytest.approx([value / 4 for value in (ALONG, ACROSS, ACROSS, -ALONG)])
    assert (c, f) == CORNER
    assert read_georeference(folder / "no_system_mask.tif").epsg is None
    assert read_georeference(folder / "nowhere_mask.tif") is None
    assert read_georeference(folder / "pole_mask.tif").degrees


def test_near_a_pole_there_is_no_scale(done):
    folder, *_ = done
    found = record(folder, "pole.tif")
    assert "length_mm" not in found or found["length_mm"] is None
    assert "pole" in found["scale_refused"]
    assert record(folder, "turned.tif")["mm_per_pixel"] == pytest.approx(PIXEL * 1000 / 4)
    assert record(folder, "nowhere.tif")["mm_per_pixel"] is None
