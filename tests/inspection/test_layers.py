"""Lines out of csbsr-measure and csbsr-predict: read back by others, where they were drawn."""

import json
import sqlite3

import numpy as np
import pytest
from PIL import Image

from csbsr.cli import measure, predict
from csbsr.data.coco_files import Coco, coco
from csbsr.inspection.layers import geojson, grouped
from csbsr.inspection.lines import Lines
from csbsr.measure.lines import simplified
from tests.cli.inprocess import call, checkpoint, exit_code
from tests.measure.drawn import draw
from tests.measure.grounds import HEIGHT, WIDTH, geotiff, metres, photograph

CORNER, PIXEL = (500000.0, 5500000.0), 0.0008


@pytest.fixture
def folder(tmp_path):
    """A crack from pixel corner (20, 60) to (320, 60), its photograph a GeoTIFF of 0.8 mm."""
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    mask = draw([[(19.5, 59.5), (319.5, 59.5)]], 6.0, (HEIGHT, WIDTH))
    wall = np.repeat((180 - 150 * mask).round().astype(np.uint8)[..., None], 3, axis=2)
    geotiff(tmp_path / "photos" / "mosaic.tif", (PIXEL, PIXEL), CORNER, metres(), wall)
    Image.fromarray((mask * 255).round().astype(np.uint8)).save(tmp_path / "masks" / "mosaic.png")
    return tmp_path


def run(folder, *words):
    out = folder / "out"
    call(measure.main, f"input={folder / 'masks'}", f"photos={folder / 'photos'}", f"output={out}", *words)
    return out


def test_geojson_in_the_mosaics_coordinates(folder):
    found = json.loads((run(folder) / "cracks.geojson").read_text(encoding="utf-8"))
    assert found["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::25832"
    (crack,) = found["features"]
    assert crack["id"] == "mosaic.png#1"
    (line,) = crack["geometry"]["coordinates"]
    ends = np.array(sorted((line[0], line[-1])))
    drawn = np.array([[20, 60], [320, 60]]) * [PIXEL, -PIXEL] + CORNER
    assert np.abs(ends - drawn).max() < PIXEL  # within a pixel of what was drawn
    assert np.abs(np.array(line)[:, 1] - drawn[0, 1]).max() < PIXEL / 2
    told = crack["properties"]
    assert told["length_mm"] == pytest.approx(300 * 0.8, rel=0.02)
    assert told["width_reported_mean_value_mm"] == pytest.approx(6 * 0.8, rel=0.1)
    assert told["gsd_source"] == "transform of the GeoTIFF (EPSG:25832, metres)"
    assert told["mm_per_pixel_low"] < 0.8 < told["mm_per_pixel_high"]


def test_wgs84_and_geopackage_are_read_by_gdal(folder):
    pyogrio = pytest.importorskip("pyogrio")
    warp = pytest.importorskip("rasterio.warp")
    out = run(folder, "layers=geojson,gpkg")
    degrees = json.loads((out / "cracks_wgs84.geojson").read_text(encoding="utf-8"))
    (first, *_), *_ = degrees["features"][0]["geometry"]["coordinates"]
    assert first == pytest.approx([9.0, 49.65], abs=0.01)  # on the zone's middle meridian
    plain = json.loads((out / "cracks.geojson").read_text(encoding="utf-8"))["features"][0]["geometry"]["coordinates"]
    (x,), (y,) = warp.transform("EPSG:25832", "EPSG:4326", [plain[0][0][0]], [plain[0][0][1]])
    assert first == pytest.approx([x, y], abs=1e-9)
    for name in ("cracks.gpkg", "cracks.geojson"):
        told = pyogrio.read_info(out / name, layer=0)
        assert (told["crs"], told["features"], told["geometry_type"]) == ("EPSG:25832", 1, "MultiLineString")
    about, _, geometry, columns = pyogrio.raw.read(out / "cracks.gpkg", layer="cracks")
    told = {name: column[0] for name, column in zip(about["fields"], columns, strict=True)}
    assert (told["id"], told["crack"]) == ("mosaic.png#1", 1)
    assert told["length_mm"] == pytest.approx(240, rel=0.02)
    points = np.frombuffer(geometry[0][18:], "<f8").reshape(-1, 2)
    assert points == pytest.approx(np.array(plain[0]))
    with sqlite3.connect(out / "cracks.gpkg") as file:
        style, default = file.execute(
            "SELECT styleQML, useAsDefault FROM layer_styles WHERE f_table_name = 'cracks'"
        ).fetchone()
    assert default == 1
    assert 'attr="width_reported_percentile_high_mm"' in style
    assert style.count("<range ") == style.count("<symbol ") == 5


@pytest.mark.parametrize(
    ("corner", "code"), [((1e11, 1e11), 25832), (CORNER, 29999)], ids=["beyond the projection", "unknown system"]
)
def test_a_mosaic_that_has_no_longitude_is_told_and_the_others_go_on(folder, capsys, corner, code):
    pyogrio = pytest.importorskip("pyogrio")
    pytest.importorskip("rasterio")
    mask, wall = (np.asarray(Image.open(path)) for path in (folder / "masks/mosaic.png", folder / "photos/mosaic.tif"))
    geotiff(folder / "photos" / "lost.tif", (PIXEL, PIXEL), corner, metres(code), wall)
    Image.fromarray(mask).save(folder / "masks" / "lost.png")
    out = run(folder, "layers=geojson,gpkg", "cell_m=0.1")
    assert f"EPSG:{code} has no place for what is in lost.png" in (told := capsys.readouterr().out)
    assert "GDAL" not in told
    placed = {
        feature["properties"]["photograph"]
        for layer in ("cracks", "density")
        for path in out.glob(f"{layer}*_wgs84.geojson")
        for feature in json.loads(path.read_text(encoding="utf-8"))["features"]
    }
    assert placed == {"mosaic.png"}
    told = [pyogrio.read_info(path, layer="cracks") for path in sorted(out.glob("*.gpkg"))]
    assert sum(one["features"] for one in told) == 2
    assert [one["crs"] for one in told] == (["EPSG:25832"] if code == 25832 else ["EPSG:25832", None])


def test_drawing_in_millimetres_is_read_by_ezdxf(folder):
    ezdxf = pytest.importorskip("ezdxf")
    document = ezdxf.readfile(run(folder, "layers=dxf") / "mosaic_drawing.dxf")
    assert document.header["$INSUNITS"] == 4
    frame, crack = document.modelspace()
    assert frame.dxf.layer == "FRAME"
    assert np.array(frame.get_points("xy")).max(0) == pytest.approx([WIDTH * 0.8, HEIGHT * 0.8])
    assert crack.dxf.layer == "CRACK_OVER_0_4_MM"
    points = np.array(sorted(crack.get_points("xy")))
    assert points[[0, -1]] == pytest.approx(np.array([[16, (HEIGHT - 60) * 0.8], [256, (HEIGHT - 60) * 0.8]]), abs=0.8)


def test_layers_that_no_longer_hold_are_removed_and_unknown_ones_refused(folder, capsys):
    out = run(folder)
    assert (out / "cracks.geojson").is_file()
    assert "cracks.geojson" not in {path.name for path in run(folder, "layers=[]").iterdir()}
    words = f"input={folder / 'masks'}", f"output={out}", "layers=shp"
    assert exit_code(measure.main, *words) == 1
    assert "layers: expected some of geojson, gpkg, dxf, got 'shp'" in capsys.readouterr().err


def test_mixed_systems_have_a_layer_each(folder):
    geotiff(folder / "photos" / "other.tif", (PIXEL, PIXEL), CORNER, metres(32633))
    photograph(folder / "photos" / "plain.jpg")
    for name in ("other", "plain"):
        (folder / "masks" / f"{name}.png").write_bytes((folder / "masks" / "mosaic.png").read_bytes())
    names = {path.name for path in run(folder).glob("cracks*.geojson") if "wgs84" not in path.name}
    assert names == {"cracks_epsg25832.geojson", "cracks_epsg32633.geojson", "cracks_pixels.geojson"}
    pixels = json.loads((folder / "out" / "cracks_pixels.geojson").read_text(encoding="utf-8"))
    assert pixels["coordinates_in"] == "pixels, y downwards"
    (line,) = pixels["features"][0]["geometry"]["coordinates"]
    assert sorted((line[0], line[-1]))[1] == pytest.approx([320, 60], abs=1)


def test_predict_writes_lines_places_and_coco(tmp_path):
    """Super-resolved lines come back in pixels of the photograph; polygons of COCO give the mask back."""
    (tmp_path / "photos").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (48.0, 30.0, 0.0), 3: "E", 4: (11.0, 15.0, 0.0)}
    Image.fromarray(noise).save(tmp_path / "photos" / "a.jpg", exif=exif)
    weights, out = checkpoint(tmp_path / "w.ckpt", threshold=0.5), tmp_path / "out"
    words = f"ckpt={weights}", f"input={tmp_path / 'photos'}", f"output={out}", "device=cpu"
    call(predict.main, *words, "save=mask,coco", "min_pixels=1")
    (point,) = json.loads((out / "photographs.geojson").read_text(encoding="utf-8"))["features"]
    assert point["geometry"]["coordinates"] == [11.25, 48.5]
    for crack in json.loads((out / "cracks.geojson").read_text(encoding="utf-8"))["features"]:
        for line in crack["geometry"]["coordinates"]:
            assert (np.array(line) >= -0.5).all()
            assert (np.array(line) <= [32.5, 24.5]).all()
    content = json.loads((out / "a_coco.json").read_text(encoding="utf-8"))
    assert content["images"][0]["width"] == 32


def test_coco_gives_the_mask_back(tmp_path):
    mask = draw([[(5, 5), (40, 30)], [(10, 40), (50, 12)]], 4, (60, 70)) > 0.5
    content = coco(mask, "a.jpg", mask.shape)
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8")
    assert (Coco(tmp_path / "a.json").mask("a.jpg") == mask).all()
    left, top, width, height = content["annotations"][0]["bbox"]
    rows, columns = np.nonzero(mask)
    assert (left, left + width) == pytest.approx((columns.min(), columns.max()), abs=1)
    assert (top, top + height) == pytest.approx((rows.min(), rows.max()), abs=1)
    half = coco(mask, "a.jpg", (30, 35), 2)
    assert half["annotations"][0]["area"] == pytest.approx(content["annotations"][0]["area"] / 4)


def test_simplified_lines_stay_within_their_tolerance():
    along = np.linspace(0, 20, 200)
    points = np.stack([along + 1e6, np.sin(along) + 5e6], axis=1)
    fewer = simplified(points, 0.1)
    assert len(fewer) < 40
    assert np.abs(np.interp(points[:, 0], fewer[:, 0], fewer[:, 1]) - points[:, 1]).max() < 0.15
    assert fewer[[0, -1]] == pytest.approx(points[[0, -1]])


def test_nothing_measured_is_an_empty_layer():
    assert grouped([]) == {}
    assert list(grouped([Lines("a", (1, 1), None, None, ())])) == [None]
    assert json.loads("".join(geojson([], 25832)))["features"] == []
