"""Tiled TIFFs that are written by rows: pixels, tags, overviews."""

import numpy as np
import pytest
import tifffile

from csbsr.inspection import geotiff
from csbsr.inspection.geotiff import Raster, write_tiled
from csbsr.inspection.rowfiles import RowFile

HEIGHT, WIDTH = 137, 201  # odd, and their halves too
GREY = np.random.default_rng(0).integers(2, 65536, (HEIGHT, WIDTH), np.uint16)
COLOUR = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
TAGS = [(33550, "d", 3, (0.5, 0.5, 0.0), True)]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(geotiff, "_SIDE", 32)


def raster(pixels, **more):
    asked = []

    def read(start, stop):
        asked.append((start, stop))
        return pixels[start:stop]

    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    return Raster(read, pixels.shape[:2], pixels.dtype, channels, **more), asked


def reduced(pixels, largest):
    """A level of the pyramid by the book: each pixel from 2 x 2, at the border from what there is, repeated."""
    height, width = (-(-side // 2) for side in pixels.shape[:2])
    result = np.empty((height, width, *pixels.shape[2:]), pixels.dtype)
    for y, x in np.ndindex(height, width):
        ys, xs = ([2 * i, min(2 * i + 1, side - 1)] for i, side in zip((y, x), pixels.shape[:2], strict=True))
        square = pixels[np.ix_(ys, xs)].astype(np.uint32)
        result[y, x] = square.max((0, 1)) if largest else (square.sum((0, 1)) + 2) // 4
    return result


@pytest.mark.parametrize(("pixels", "largest"), [(GREY, True), (COLOUR, False)])
def test_pixels_tags_and_overviews(tmp_path, pixels, largest):
    given, asked = raster(pixels, largest=largest)
    write_tiled(tmp_path / "a.tif", given, tmp_path, TAGS, nodata=1 if largest else None)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        pages = list(file.pages)
        assert [page.subfiletype for page in pages] == [0, 1, 1, 1]
        assert all(page.is_tiled and page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE for page in pages)
        expected = pixels
        for page in pages:
            np.testing.assert_array_equal(page.asarray(), expected)
            expected = reduced(expected, largest)
        assert max(expected.shape[:2]) <= 16  # so the last page is the first that fits into a tile
        assert pages[0].tags[33550].value == (0.5, 0.5, 0.0)
        assert not any(33550 in page.tags for page in pages[1:])
        assert {page.tags[42113].value if 42113 in page.tags else None for page in pages} == {"1" if largest else None}
    assert max(stop - start for start, stop in asked) <= 64
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_small_one_has_no_overviews(tmp_path):
    given, _ = raster(GREY[:20, :31])
    write_tiled(tmp_path / "a.tif", given, tmp_path)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert len(file.pages) == 1
        np.testing.assert_array_equal(file.pages[0].asarray(), GREY[:20, :31])


def test_one_that_four_gigabytes_may_not_hold_is_a_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr(geotiff, "_BIG", GREY.nbytes - 1)
    given, _ = raster(GREY)
    write_tiled(tmp_path / "a.tif", given, tmp_path)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff
        np.testing.assert_array_equal(file.pages[0].asarray(), GREY)


def test_rows_that_cannot_be_read_leave_no_overviews_behind(tmp_path, monkeypatch):
    given, _ = raster(GREY)

    def unreadable(self, start, stop):
        raise OSError("the disk")

    monkeypatch.setattr(RowFile, "read", unreadable)
    with pytest.raises(OSError, match="the disk"):
        write_tiled(tmp_path / "a.tif", given, tmp_path)
    assert not list(tmp_path.glob("overview*"))
