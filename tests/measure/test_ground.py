"""The scale of photographs that were made up with a known one: found within 1 %, or refused for the right reason."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from csbsr.data.reading.geo import read_georeference
from csbsr.measure.ground import Automatic, Scale, sensor_widths
from csbsr.measure.ground.geotiff import metres_per_degree
from csbsr.measure.ground.marker import find_markers, plane_of
from tests.measure.grounds import DEGREES, HEIGHT, WIDTH, camera, geotiff, marker, metres, photograph

NADIR = {"RelativeAltitude": "+12.00", "GimbalPitchDegree": "-90.00"}
FOCAL_PX = WIDTH * 8.8 / 13.2
LASER = {"LRFTargetDistance": "8.0", "LRFStatus": "Normal", "GimbalPitchDegree": "-3.1"}
FOOT = 304.8
EAST, NORTH = metres_per_degree(10)

#: name: file, options, and the millimetres to a pixel or what the refusal says
CASES: dict[str, tuple[Callable[[Path], Path], dict[str, float], float | str]] = {
    "metres": (lambda p: geotiff(p, (0.0008, 0.0008), (500000, 5500000), metres()), {}, 0.8),
    "UTM without a unit": (lambda p: geotiff(p, (0.002, 0.002), (500000, 5e6), metres(32633, None)), {}, 2.0),
    "feet": (lambda p: geotiff(p, (0.01, 0.01), (1e6, 2e5), metres(2222, 9002)), {}, 0.01 * FOOT),
    "survey feet": (lambda p: geotiff(p, (0.01, 0.01), (1e6, 2e5), metres(2263, 9003)), {}, 12000 / 3937),
    "degrees": (
        lambda p: geotiff(p, (1e-8, 1e-8), (8, 10), DEGREES), {}, 1e-5 * math.sqrt(EAST * NORTH)),
    "Web Mercator": (
        lambda p: geotiff(p, (0.001, 0.001), (1e6, 6378137 * math.asinh(math.tan(math.radians(60)))), metres(3857)),
        {}, 0.5),
    "near a pole": (lambda p: geotiff(p, (1e-8, 1e-8), (8, 89.5), DEGREES), {}, "89.5, near a pole"),
    "degrees far north": (lambda p: geotiff(p, (1e-8, 1e-8), (8, 60), DEGREES), {}, "no squares on the ground"),
    "unknown unit": (lambda p: geotiff(p, (0.01, 0.01), (0, 0), metres(2056, None)), {}, "unit of its coordinates"),
    "laser": (lambda p: photograph(p, LASER, focal=8.8), {}, 8000 / FOCAL_PX),
    "calibrated": (
        lambda p: photograph(
            p, LASER | {"CalibratedFocalLength": "3666"}, focal=8.8, taken_width=5472, taken_height=4104
        ),
        {}, 8000 / (3666 * WIDTH / 5472)),
    "height, looking down": (lambda p: photograph(p, NADIR, focal=8.8), {}, 12000 / FOCAL_PX),
    "height, looking ahead": (
        lambda p: photograph(p, NADIR | {"GimbalPitchDegree": "-10.0"}, focal=8.8), {}, "at -10 degrees, not down"),
    "other camera": (
        lambda p: photograph(p, LASER | {"tiff:Model": "L1D-20c"}, focal=8.8), {"distance_m": 8}, "L1D-20c in the one"),
    "other focal length": (
        lambda p: photograph(
            p, LASER | {"CalibratedFocalLength": "9000"}, focal=8.8, taken_width=5472, taken_height=4104
        ),
        {}, "658 pixels in the one and 267 in the other"),
    "film": (
        lambda p: photograph(p, model="phone", film=26), {"distance_m": 2},
        2000 / (26 * math.hypot(WIDTH, HEIGHT) / math.hypot(36, 24))),
    "cropped": (
        lambda p: photograph(p, focal=8.8, taken_width=1600, taken_height=900), {"distance_m": 2}, "was cropped"),
    "entities": (
        lambda p: photograph(p, b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x drone-dji:A="&a;"/>'), {},
        "declares entities"),
    "marker": (lambda p: marker(p, 0), {"marker_mm": 120}, 1000 / 1200),
    "marker at 40 degrees": (lambda p: marker(p, 40), {"marker_mm": 120}, 1000 / 1200 / math.sqrt(math.cos(0.698132))),
    "marker at 68 degrees": (lambda p: marker(p, 68, side=240, places=(-120,)), {"marker_mm": 240}, "seen at 6"),
    "two markers": (lambda p: marker(p, 0, (-200.0, 80.0)), {"marker_mm": 120}, "2 markers are in the picture"),
    "small marker": (lambda p: marker(p, 0, (-9.0,), 18), {"marker_mm": 18}, "pixels wide, fewer than"),
}  # fmt: skip


def scale(path: Path, **options: float) -> Scale:
    image = np.asarray(Image.open(path).convert("RGB"))
    return Automatic(**options).of_photograph(path, image)


@pytest.mark.parametrize("name", CASES)
def test_found_or_refused(tmp_path, name):
    make, options, expected = CASES[name]
    geo = name in ("metres", "feet", "near a pole") or "degrees" in name or "unit" in name or "Mercator" in name
    suffix = "tif" if geo and "marker" not in name else "png" if "marker" in name else "jpg"
    found = scale(make(tmp_path / f"a.{suffix if 'feet' not in name else 'tif'}"), **options)
    if isinstance(expected, str):
        assert found.sampling is None
        assert expected in " ".join(found.refused)
        return
    assert found.sampling == pytest.approx(expected, rel=0.01)
    assert found.source
    assert not found.refused
    assert abs(found.sampling - expected) <= found.sampling.uncertainty  # its interval holds the truth


def test_gps_altitude_is_no_distance(tmp_path):
    path = photograph(
        tmp_path / "a.jpg", {"AbsoluteAltitude": "+112.0", "GimbalPitchDegree": "-90"}, focal=8.8, altitude=112
    )
    assert scale(path) == Scale()


def test_order_and_what_was_refused(tmp_path):
    """The height of an oblique view is told, and the given distance taken; a laser's goes before it."""
    oblique = NADIR | {"GimbalPitchDegree": "-10"}
    found = scale(photograph(tmp_path / "a.jpg", oblique, focal=8.8), distance_m=4)
    assert found.sampling == pytest.approx(4000 / FOCAL_PX)
    assert "no distance" in found.refused[0]
    path = photograph(tmp_path / "b.jpg", LASER, focal=8.8)
    assert scale(path, distance_m=9).source.startswith("laser distance 8 m")
    assert "contradicts distance_m=4" in scale(path, distance_m=4).refused[0]


def test_laser_without_a_target_is_left_out(tmp_path):
    found = scale(photograph(tmp_path / "a.jpg", LASER | {"LRFStatus": "NoSignal"}, focal=8.8), distance_m=5)
    assert found.source.startswith("distance_m=5")


def test_digital_zoom_and_resizing(tmp_path):
    """Twice the zoom halves a pixel; a resized photograph still shows the sensor's width."""
    plain = scale(photograph(tmp_path / "a.jpg", focal=8.8, taken_width=800, taken_height=600), distance_m=5).sampling
    zoomed = scale(photograph(tmp_path / "b.jpg", focal=8.8, zoom=2.0), distance_m=5).sampling
    assert plain == pytest.approx(5000 / FOCAL_PX)
    assert zoomed == pytest.approx(plain / 2)


def test_rectified_plane_has_one_scale_everywhere(tmp_path):
    """Distances between points of the wall, far from the marker too, are true in the rectified picture."""
    path = marker(tmp_path / "a.png", 35)
    found = scale(path, marker_mm=120)
    assert found.rectify is not None
    points = np.array([[-250, -200], [150, -150], [120, 210], [-240, 150], [0, 0]], np.float64)
    seen = np.c_[points, np.ones(5)] @ camera(35).T
    straight = seen @ found.rectify.matrix.T
    straight = straight[:, :2] / straight[:, 2:]
    mm = np.linalg.norm(points[:, None] - points, axis=-1)
    pixels = np.linalg.norm(straight[:, None] - straight, axis=-1)
    apart = mm > 0
    np.testing.assert_allclose((pixels * found.sampling)[apart], mm[apart], rtol=0.01)
    picture = found.rectify.apply(np.asarray(Image.open(path)))
    assert picture.shape[:2] == found.rectify.shape
    (square,), _ = find_markers(picture, "4x4_50")
    sides = np.linalg.norm(square - np.roll(square, 1, axis=0), axis=1)
    np.testing.assert_allclose(sides * found.sampling, 120, rtol=0.01)
    valid = found.rectify.valid(None, (900, 900))
    assert 0.4 < valid.mean() < 1


def test_plane_of_a_marker_is_the_cameras():
    square = np.array([[-60, -60, 1], [60, -60, 1], [60, 60, 1], [-60, 60, 1]]) @ camera(30).T
    found = plane_of(square[:, :2] / square[:, 2:], 120)
    expected = camera(30) @ np.array([[1, 0, -60], [0, 1, -60], [0, 0, 1]])
    np.testing.assert_allclose(found / found[2, 2], expected / expected[2, 2], rtol=1e-3, atol=1e-6)


def test_more_cameras(tmp_path):
    (tmp_path / "c.yaml").write_text("MyCam: 23.0\nfc6310: 13.0\n", encoding="utf-8")
    widths = sensor_widths(tmp_path / "c.yaml")
    assert (widths["MyCam"], widths["FC330"]) == (23.0, 6.17)
    for text, message in (
        ("a: wide", "expected the sensor's width in mm for a"),
        ("- a", "lines such as"),
        ("a: [", "YAML"),
    ):
        (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            sensor_widths(tmp_path / "c.yaml")
    with pytest.raises(ValueError, match=r"marker_dictionary: expected one of 4x4_100"):
        Automatic(dictionary="9x9")
    with pytest.raises(ValueError, match="distance_m: expected a number above 0"):
        Automatic(distance_m=0)


def test_georeference_of_points_and_matrices(tmp_path):
    """A point's pixel corner lies half a pixel before; a rotated transform comes as a matrix; rasterio agrees."""
    rasterio = pytest.importorskip("rasterio")
    path = geotiff(tmp_path / "a.tif", (0.5, 0.5), (1000, 2000), [*metres(), (1025, 2)])
    found = read_georeference(path)
    assert found is not None
    with rasterio.open(path) as file:
        assert found.transform == pytest.approx(tuple(file.transform)[:6])
        assert found.epsg == file.crs.to_epsg()
    turned = rasterio.Affine.translation(10, 20) @ rasterio.Affine.rotation(30) @ rasterio.Affine.scale(0.5, -0.5)
    with rasterio.open(
        tmp_path / "b.tif",
        "w",
        driver="GTiff",
        width=8,
        height=8,
        count=1,
        dtype="uint8",
        crs="EPSG:2263",
        transform=turned,
    ) as file:
        file.write(np.ones((1, 8, 8), np.uint8))
    found = read_georeference(tmp_path / "b.tif")
    assert found is not None
    assert found.transform == pytest.approx(tuple(turned)[:6])
    assert found.metres == pytest.approx(1200 / 3937)
    assert scale(tmp_path / "b.tif").sampling == pytest.approx(500 * 1200 / 3937)
