"""Which images are read by windows: those too large to be read whole, where nothing stands against it."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from csbsr.data.reading import segments
from csbsr.data.reading.by_rows import head_by_rows
from csbsr.inspection import windows
from csbsr.inspection.windows import Choice, Windows, kinds_by_windows, left_out_by_windows

HEIGHT, WIDTH = 60, 100
PIXELS = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
PLACE = [(33550, "d", 3, (0.5, 0.5, 0.0), True), (33922, "d", 6, (0.0, 0.0, 0.0, 7.0, 9.0, 0.0), True)]
TILES = {"photometric": "rgb", "tile": (32, 32), "compression": "adobe_deflate", "metadata": None}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(windows, "LARGE", 5000)
    monkeypatch.setattr(windows, "LARGE_PHOTOGRAPH", 15000)


def tiff(folder, pixels=PIXELS, placed=False, **more):
    path = folder / "image.tif"
    tifffile.imwrite(path, pixels, **{**TILES, "extratags": PLACE if placed else [], **more})
    return path


def test_auto_takes_what_has_coordinates_or_is_too_large(tmp_path, monkeypatch):
    auto = Windows("auto")
    assert auto.choice(tiff(tmp_path, placed=True), 4) == Choice(1)
    assert auto.choice(tiff(tmp_path, PIXELS[:50], placed=True), 4) == Choice(4)  # 5000 pixels
    assert auto.choice(tiff(tmp_path), 4) == Choice()  # as large as a camera's
    assert auto.choice(tiff(tmp_path, PIXELS.repeat(3, 0)), 4) == Choice(1)
    monkeypatch.setattr(windows, "WIDE", WIDTH - 1)
    assert auto.choice(tiff(tmp_path, PIXELS[:20], placed=True), 4) == Choice(1)
    monkeypatch.setattr(windows, "WIDE", WIDTH)
    assert auto.choice(tiff(tmp_path, PIXELS[:20], placed=True), 4) == Choice(4)
    asked = []
    monkeypatch.setattr(
        "csbsr.data.limits.available_memory", lambda enough: asked.append(enough) or 3.5 * HEIGHT * WIDTH * 3 - 1
    )
    assert auto.choice(tiff(tmp_path), 4) == Choice(1)  # more than memory holds
    assert auto.choice(tiff(tmp_path, PIXELS[:50]), 4) == Choice()
    assert asked == [3.5 * HEIGHT * WIDTH * 3, 3.5 * 50 * WIDTH * 3]


def test_a_small_one_that_is_read_whole_all_the_same_is_told(tmp_path):
    told = Windows("auto").choice(tiff(tmp_path, PIXELS[:50], placed=True), 4, "the system takes two passes").told
    assert told == "read whole, though it has coordinates: the system takes two passes"


def test_true_takes_all_and_false_none(tmp_path):
    path = tiff(tmp_path, PIXELS[:50])
    assert Windows(True).choice(path, 4) == Choice(4)
    assert Windows(True, 2).choice(path, 4) == Choice(2)
    assert Windows(False).choice(tiff(tmp_path, PIXELS.repeat(3, 0)), 4) == Choice()


def test_other_formats_and_damaged_files_are_read_whole(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    (tmp_path / "b.tif").write_bytes(b"II*\0nothing")
    for name in ("a.png", "b.tif", "c.tif"):
        assert head_by_rows(tmp_path / name) is None
        assert Windows(True).choice(tmp_path / name, 4) == Choice()


@pytest.mark.parametrize(
    ("more", "because"),
    [
        ({"extratags": [(274, "H", 1, 6, True)]}, "its orientation turns it; save it upright"),
        ({"pixels": PIXELS[..., 0] > 99, "photometric": "minisblack", "bitspersample": 1}, "1 bits to a pixel"),
    ],
)
def test_what_cannot_be_read_by_rows_says_why(tmp_path, more, because):
    pixels = more.pop("pixels", PIXELS)
    path = tiff(tmp_path, pixels, **more)
    scale, told = Windows(True).choice(path, 4)
    assert scale is None
    assert told.startswith(f"read whole, though it has 0.006 megapixels: {because}")
    assert Windows("auto").choice(path, 4) == Choice()  # small: nothing is missed


def test_a_strip_that_is_too_large_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("csbsr.data.reading.by_rows._LARGEST_SEGMENT", 10000)
    told = Windows(True).choice(tiff(tmp_path, tile=None, rowsperstrip=60), 4).told
    assert "one of its tiles or strips alone has 0.006 megapixels; save it in tiles" in told
    assert Windows(True).choice(tiff(tmp_path), 4) == Choice(1)


def test_a_compression_that_only_gdal_reads_says_so(tmp_path, monkeypatch):
    path = tmp_path / "image.tif"
    Image.fromarray(PIXELS).save(path, compression="tiff_lzw")
    monkeypatch.setattr(segments.importlib.util, "find_spec", lambda name: None)
    assert "compressed by LZW, which windows read with pip install 'csbsr[geo]'" in Windows(True).choice(path, 4).told
    monkeypatch.setattr(segments.importlib.util, "find_spec", lambda name: name)
    assert Windows(True).choice(path, 4) == Choice(1)


def test_an_obstacle_is_told_where_it_matters(tmp_path):
    told = Windows("auto").choice(tiff(tmp_path, placed=True), 4, "the system takes two passes").told
    assert told == "read whole, though it has 0.006 megapixels: the system takes two passes"
    assert Windows("auto").choice(tiff(tmp_path, PIXELS[:20]), 4, "the system takes two passes") == Choice()


def test_a_file_that_claims_more_pixels_than_it_can_hold_is_not_gone_through(tmp_path, monkeypatch):
    path = tiff(tmp_path, np.zeros((3000, 4000), np.uint8), photometric="minisblack", tile=(1024, 1024))
    assert 100 * path.stat().st_size < 12e6
    assert Windows("auto").choice(path, 4) == Choice(1)  # no more than max_megapixels=500 lets through
    monkeypatch.setattr(windows, "MAX_MEGAPIXELS", 1.0)
    assert Windows("auto").choice(path, 4).told.endswith("megapixels: its file is too small to hold so many")
    noise = np.random.default_rng(0).integers(0, 255, (1200, 1600), np.uint8)
    assert Windows("auto").choice(tiff(tmp_path, noise, photometric="minisblack"), 4) == Choice(1)


@pytest.mark.parametrize(("given", "message"), [(("no",), "windows: expected true"), ((True, 3), "result_scale: exp")])
def test_other_words_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Windows(*given)


def test_kinds_that_need_all_of_an_image_are_left_out_and_told():
    asked = ["sr", "mask", "consistency", "cracks"]
    assert kinds_by_windows(asked, 1) == ["mask", "cracks"]
    assert kinds_by_windows(asked, 2) == ["sr", "mask", "cracks"]
    assert left_out_by_windows(asked, ["mask", "cracks"]) == "read by windows, without sr, consistency"
    assert left_out_by_windows(["mask"], ["mask"]) is None
