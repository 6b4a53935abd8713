"""Odd photographs and masks are read properly or refused with a reason."""

import io
import struct
import warnings
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from csbsr.data import DataError, read_image, read_mask


@pytest.fixture
def picture():
    """Smooth picture (24, 36, 3) without symmetry."""
    y, x = np.mgrid[:24, :36]
    return np.stack([3 * y + 2 * x, 5 * x + 20, 8 * y], 2).astype(np.uint8)


def saved(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".TIFF", ".PNG"])
def test_lossless_formats_return_the_pixels(tmp_path, picture, suffix):
    read = read_image(saved(tmp_path / f"a{suffix}", picture))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, picture)


def test_jpeg_is_what_pillow_decodes_in_rgb_order(tmp_path, picture):
    path = saved(tmp_path / "a.jpg", picture, quality=95, subsampling=0)
    expected = np.asarray(Image.open(path)).astype(int)
    assert np.abs(read_image(path).astype(int) - expected).max() <= 2
    assert np.abs(read_image(path).astype(int) - picture).mean() < 3


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, picture, suffix, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    path = saved(tmp_path / f"a{suffix}", picture, exif=exif, **({"quality": 97} if suffix == ".jpg" else {}))
    expected = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.swapaxes(0, 1),
        6: np.rot90(picture, -1),
        7: np.rot90(picture, 2).swapaxes(0, 1),
        8: np.rot90(picture),
    }[orientation]
    read = read_image(path)
    assert read.shape == expected.shape
    assert np.abs(read.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("orientation", [1, 2, 6, 8])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_divided_by_65535(tmp_path, suffix, orientation, channels):
    values = np.random.RandomState(0).randint(0, 65536, (10, 14, 4)).astype(np.uint16)
    path = tmp_path / f"a{suffix}"
    stored = values[..., 0] if channels == 1 else values[..., :channels]
    expected = np.repeat(values[..., :1], 3, 2) if channels == 1 else values[..., :3]
    if suffix == ".tif":
        tag = [(274, "H", 1, orientation, True)]
        tifffile.imwrite(path, stored, extratags=tag, photometric="minisblack" if channels == 1 else "rgb")
    else:
        cv2.imwrite(
            str(path),
            stored if channels == 1 else cv2.cvtColor(stored, {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[channels]),
        )
        exif = Image.Exif()
        exif[274] = orientation
        block = b"eXIf" + exif.tobytes()[6:]
        chunk = struct.pack(">I", len(block) - 4) + block + struct.pack(">I", zlib.crc32(block))
        data = path.read_bytes()
        path.write_bytes(data[:33] + chunk + data[33:])  # after the header chunk
    expected = {1: expected, 2: expected[:, ::-1], 6: np.rot90(expected, -1), 8: np.rot90(expected)}[orientation]
    read = read_image(path)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, expected.astype(np.float32) / np.float32(65535))


def test_grey_palette_alpha_and_one_bit(tmp_path, picture):
    grey = picture[..., 0]
    np.testing.assert_array_equal(read_image(saved(tmp_path / "grey.png", grey)), np.repeat(grey[..., None], 3, 2))
    assert read_image(saved(tmp_path / "grey.jpg", grey)).shape == (24, 36, 3)
    alpha = np.random.RandomState(0).randint(0, 256, (24, 36, 1)).astype(np.uint8)
    rgba = saved(tmp_path / "rgba.png", np.concatenate([picture, alpha], 2))
    np.testing.assert_array_equal(read_image(rgba), picture)  # dropped, not composited
    grey_alpha = saved(tmp_path / "la.png", np.concatenate([grey[..., None], alpha], 2))
    np.testing.assert_array_equal(read_image(grey_alpha)[..., 1], grey)
    few = (picture // 64 * 64).astype(np.uint8)
    Image.fromarray(few).convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_image(tmp_path / "p.png"), few)
    Image.fromarray(grey > 60).save(tmp_path / "bit.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bit.png")[..., 2], (grey > 60) * np.uint8(255))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
@pytest.mark.parametrize("share", [0.4, 0.97])
@pytest.mark.parametrize("read", [read_image, read_mask])
def test_truncated_files_are_noticed(tmp_path, suffix, share, read):
    noise = np.random.RandomState(0).randint(0, 256, (60, 80, 3)).astype(np.uint8)
    path = saved(tmp_path / f"a{suffix}", noise)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=f"a{suffix}: found"):
        read(path)


def test_truncated_sixteen_bit_png_is_noticed(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.random.RandomState(0).randint(0, 65536, (60, 80, 3)).astype(np.uint16))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(DataError, match="damaged or truncated"):
        read_image(path)


def test_jpeg_followed_by_other_bytes_is_read(tmp_path, picture):
    """Cameras append previews and notes; Pillow finds the end of the picture itself."""
    path = saved(tmp_path / "a.jpg", picture)
    whole = read_image(path)
    for tail in (b"\x00" * 20, b"a maker's note" * 9):
        longer = tmp_path / "longer.jpg"
        longer.write_bytes(path.read_bytes() + tail)
        assert np.abs(read_image(longer).astype(int) - whole).max() <= 2


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_what_is_no_image_is_refused(tmp_path, read):
    cases = {"empty.jpg": b"", "text.png": b"not a picture", "head.jpg": b"\xff\xd8\xff\xe0 and \xff\xd9"}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            read(tmp_path / name)
    with pytest.raises(DataError, match=r"missing\.png: found no readable file"):
        read(tmp_path / "missing.png")


def test_float_images_are_read_in_their_range(tmp_path):
    values = np.random.RandomState(0).rand(5, 6).astype(np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), np.repeat(values[..., None], 3, 2))
    Image.fromarray(values * 255).save(tmp_path / "b.tif")
    np.testing.assert_allclose(read_image(tmp_path / "b.tif")[..., 1], values, atol=1e-6)


def test_mask_is_cut_above_127(tmp_path):
    values = np.array([[0, 1, 126, 127, 128, 200, 254, 255]], np.uint8)
    for name, array in {"grey.png": values, "rgb.png": np.repeat(values[..., None], 3, 2)}.items():
        mask = read_mask(saved(tmp_path / name, array))
        assert mask.dtype == np.uint8
        assert mask.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]


def test_jpeg_mask_recovers_a_thin_line(tmp_path):
    line = np.zeros((64, 64), np.uint8)
    cv2.line(line, (3, 8), (60, 50), 255, 3)
    path = saved(tmp_path / "a.jpg", line, quality=75)
    np.testing.assert_array_equal(read_mask(path), line // 255)


def test_sixteen_bit_and_palette_masks(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[0, 127 * 257, 128 * 257, 65535]], np.uint16))
    assert read_mask(tmp_path / "a.png").tolist() == [[0, 0, 1, 1]]
    palette = Image.fromarray(np.array([[0, 1, 1, 0]], np.uint8), "P")
    palette.putpalette([0, 0, 0, 255, 255, 255])
    palette.save(tmp_path / "p.png")
    assert read_mask(tmp_path / "p.png").tolist() == [[0, 1, 1, 0]]


@pytest.mark.parametrize("largest", [1, 38, 127])
def test_masks_of_labels_are_refused(tmp_path, largest):
    path = saved(tmp_path / "labels.png", np.array([[0, largest]], np.uint8))
    with pytest.raises(DataError, match=rf"labels.png: found a mask whose largest value is {largest}; .* 255"):
        read_mask(path)


def test_empty_mask_is_silent_and_full_mask_warns(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not read_mask(saved(tmp_path / "empty.png", np.zeros((4, 4), np.uint8))).any()
    with pytest.warns(UserWarning, match=r"full\.png"):
        assert read_mask(saved(tmp_path / "full.png", np.full((4, 4), 255, np.uint8))).all()


def test_cmyk_jpeg(tmp_path):
    flat = Image.new("RGB", (16, 16), (200, 120, 40)).convert("CMYK")
    flat.save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "a.jpg")[8, 8].astype(int) - (200, 120, 40)).max() < 8


def test_real_photographs_equal_pillow(photographs):
    for path in sorted((photographs / "photos").iterdir()):
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            expected = np.asarray(image.convert("RGB")).astype(int)
        assert np.abs(read_image(path).astype(int) - expected).mean() < 0.5
