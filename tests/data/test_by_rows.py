"""TIFFs read by rows hold what they hold when they are read whole; damage and missing tiles are told."""

import io

import numpy as np
import pytest
import tifffile

from csbsr.data.errors import DataError
from csbsr.data.reading import at_most, read_photograph
from csbsr.data.reading.by_rows import RowReader, can_be_read_by_rows, head_by_rows, sample_of
from csbsr.data.reading.segments import Box

HEIGHT, WIDTH = 150, 210
PIXELS = np.random.default_rng(0).integers(1, 255, (HEIGHT, WIDTH, 4), np.uint8)
PIXELS[..., 3] = np.where(np.arange(WIDTH) < 60, 0, 255)
DEFLATE = {"compression": "adobe_deflate", "metadata": None}
TILES = {"tile": (32, 48), **DEFLATE}

KINDS = {
    "tiles": (PIXELS[..., :3], {"photometric": "rgb", **TILES}),
    "strips": (PIXELS[..., :3], {"photometric": "rgb", "rowsperstrip": 7, **DEFLATE}),
    "plain": (PIXELS[..., :3], {"photometric": "rgb", "rowsperstrip": 7, "metadata": None}),
    "big": (PIXELS[..., :3], {"photometric": "rgb", "bigtiff": True, **TILES}),
    "planes": (
        np.ascontiguousarray(PIXELS[..., :3].transpose(2, 0, 1)),
        {"photometric": "rgb", "planarconfig": "separate", **TILES},
    ),
    "alpha": (PIXELS, {"photometric": "rgb", "extrasamples": ["unassalpha"], **TILES}),
    "grey": (PIXELS[..., 0], {"photometric": "minisblack", **TILES}),
    "white is 0": (PIXELS[..., 0], {"photometric": "miniswhite", **TILES}),
    "white is 0, 16 bits": (PIXELS[..., 0].astype(np.uint16) * 257, {"photometric": "miniswhite", **TILES}),
    "12 bits": (PIXELS[..., 0].astype(np.uint16) * 15, {"photometric": "minisblack", **TILES}),
    "no data": (
        PIXELS[..., 0] // 64,
        {"photometric": "minisblack", "extratags": [(42113, "s", 0, "2", True)], **TILES},
    ),
    "numbers": (PIXELS[..., :3] / np.float32(255), {"photometric": "rgb", **TILES}),
}  # fmt: skip


def written(folder, name):
    pixels, options = KINDS[name]
    path = folder / "image.tif"
    with tifffile.TiffWriter(path, bigtiff=options.get("bigtiff", False)) as writer:
        writer.write(pixels, **{key: value for key, value in options.items() if key != "bigtiff"})
    return path


@pytest.mark.parametrize("name", KINDS)
def test_rows_are_those_of_the_whole(tmp_path, name):
    path = written(tmp_path, name)
    assert can_be_read_by_rows(path)
    whole = read_photograph(path)
    valid = np.ones((HEIGHT, WIDTH), bool) if whole.valid is None else whole.valid
    with RowReader(path) as reader:
        assert reader.shape == (HEIGHT, WIDTH)
        for start, stop in ((0, 150), (31, 65), (149, 150)):
            image, there = reader.rows(start, stop)
            assert image.dtype == whole.image.dtype
            assert (there == valid[start:stop]).all()
            assert (image[there] == whole.image[start:stop][there]).all()
        image, there = reader.rows(40, 60, slice(50, 97))
        assert (there == valid[40:60, 50:97]).all()
        assert (image[there] == whole.image[40:60, 50:97][there]).all()
        looked = reader.look()
    seen = whole.image[valid].astype(np.float64) / (255 if whole.image.dtype == np.uint8 else 1)
    assert looked.mean == pytest.approx(seen.mean(0), abs=1e-6)
    assert looked.variance == pytest.approx(((seen - seen.mean(0)) ** 2).mean(), rel=1e-5)
    assert looked.share == pytest.approx(valid.mean())
    assert looked.notes == whole.notes
    part = slice((HEIGHT - 9) // 2, (HEIGHT - 9) // 2 + 9), slice((WIDTH - 9) // 2, (WIDTH - 9) // 2 + 9)
    assert (sample_of(path, 9) == whole.image[part])[valid[part]].all()


COLOURS = {
    "PALETTE": (
        PIXELS[..., 0],
        {"photometric": "palette", "colormap": np.arange(768, dtype=np.uint16).reshape(3, 256)},
    ),
    "SEPARATED": (PIXELS, {"photometric": "separated"}),
    "CIELAB": (PIXELS[..., :3], {"photometric": "cielab"}),
    "YCBCR": (PIXELS[..., :3], {"photometric": "ycbcr"}),
}


@pytest.mark.parametrize("name", COLOURS)
def test_colours_that_are_no_rgb_are_read_whole(tmp_path, name):
    pixels, options = COLOURS[name]
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, pixels, **options, **TILES)
    assert head_by_rows(path).whole_because == f"its colours are stored as {name}; save it as RGB"


@pytest.mark.parametrize("compress", ["lzw", "jpeg", "zstd"])
def test_other_compressions_are_left_to_gdal(tmp_path, compress):
    rasterio = pytest.importorskip("rasterio")
    path = tmp_path / "image.tif"
    profile = {"width": WIDTH, "height": HEIGHT, "count": 3, "dtype": "uint8", "photometric": "RGB"}
    with rasterio.open(
        path, "w", driver="GTiff", tiled=True, blockxsize=64, blockysize=32, compress=compress, **profile
    ) as file:
        file.write(PIXELS[..., :3].transpose(2, 0, 1))
    with rasterio.open(path) as file:
        expected = file.read().transpose(1, 2, 0)
    with RowReader(path) as reader:
        assert (reader.rows(20, 101)[0] == expected[20:101]).all()
        assert (reader.rows(20, 101, slice(70, 200))[0] == expected[20:101, 70:200]).all()


@pytest.mark.parametrize("compress", ["deflate", "lzw"])
def test_a_mask_band_says_where_there_is_a_photograph(tmp_path, compress):
    rasterio = pytest.importorskip("rasterio")
    path = tmp_path / "image.tif"
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:90, 30:] = 255
    profile = {"width": WIDTH, "height": HEIGHT, "count": 3, "dtype": "uint8", "photometric": "RGB"}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", driver="GTiff", tiled=True, blockxsize=64, blockysize=32, compress=compress, **profile
        ) as file,
    ):
        file.write(PIXELS[..., :3].transpose(2, 0, 1))
        file.write_mask(mask)
    with RowReader(path) as reader:
        assert (reader.rows(10, 100)[1] == (mask[10:100] > 0)).all()


def test_a_damaged_tile_and_one_left_out_hold_nothing(tmp_path):
    path = written(tmp_path, "tiles")
    with tifffile.TiffFile(path) as file:
        offset, across = file.pages[0].dataoffsets[6], file.pages[0].tags[325].valueoffset  # counts of bytes
        form = "<H" if file.pages[0].tags[325].dtype == 3 else "<I"
    data = bytearray(path.read_bytes())
    data[offset : offset + 20] = b"\xff" * 20
    width = 2 if form == "<H" else 4
    data[across + 2 * width : across + 3 * width] = b"\0" * width
    path.write_bytes(data)
    with RowReader(path) as reader:
        image, valid = reader.rows(0, HEIGHT)
        broken = reader.look().broken
    assert broken == (Box(32, 48, 32, 48),)
    missing = np.zeros((HEIGHT, WIDTH), bool)
    missing[32:64, 48:96] = missing[:32, 96:144] = True
    assert (valid == ~missing).all()
    assert (image[valid] == PIXELS[..., :3][valid]).all()


def test_a_file_that_ends_early_lacks_its_last_tiles(tmp_path):
    path = tmp_path / "image.tif"
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(PIXELS[..., :3], photometric="rgb", **TILES)
    data = stream.getvalue()
    path.write_bytes(data[: len(data) - 3000])
    with RowReader(path) as reader:
        looked = reader.look()
    assert 1 <= len(looked.broken) < 10
    assert looked.share == pytest.approx(1 - sum(box.pixels for box in looked.broken) / (HEIGHT * WIDTH))


def test_levels_of_a_pyramid_are_not_the_image(tmp_path):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, PIXELS[..., :3], photometric="rgb", subfiletype=1, **TILES)
    assert not can_be_read_by_rows(path)
    with pytest.raises(DataError, match="only reduced copies of an image"):
        RowReader(path)
    with pytest.raises(DataError, match="only reduced copies of an image"):
        read_photograph(path)


def test_nothing_but_transparency(tmp_path):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, PIXELS * 0, photometric="rgb", extrasamples=["unassalpha"], **TILES)
    with RowReader(path) as reader, pytest.raises(DataError, match="no pixel that holds data"):
        reader.look()


def test_no_limit_of_size_holds(tmp_path):
    path = written(tmp_path, "tiles")
    with at_most(0.001), RowReader(path) as reader:
        assert reader.rows(0, 1)[0].shape == (1, WIDTH, 3)
