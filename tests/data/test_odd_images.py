"""Photographs of odd kinds: each read to the right pixels, or refused with what it is and the way out."""

import base64
import io
import os

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from csbsr.data import DataError
from csbsr.data.heads import read_head
from csbsr.data.reading import filled, read_image, read_photograph

HEIGHT, WIDTH = 40, 56
RGB = np.random.RandomState(0).randint(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
RGB[0, 0], RGB[0, 1] = 255, 0
WIDE = RGB.astype(np.uint16) * 257
TILES = np.tile(RGB, (4, 4, 1))
GREY = np.repeat(RGB[..., :1], 3, 2)
OPAQUE = np.zeros((HEIGHT, WIDTH), np.uint8)
OPAQUE[10:] = 255
SMOOTH = cv2.resize(np.random.RandomState(1).randint(60, 200, (6, 8, 3)).astype(np.uint8), (WIDTH * 4, HEIGHT * 4))


def tiff(*arrays_, **options):
    data = io.BytesIO()
    with tifffile.TiffWriter(
        data, byteorder=options.pop("byteorder", None), bigtiff=options.pop("bigtiff", False)
    ) as file:
        for array in arrays_:
            keywords = {"photometric": "rgb", **options}
            if isinstance(array, tuple):
                array, more = array
                keywords |= more
            file.write(array, **keywords)
    return data.getvalue()


def pillow(array, kind, **options):
    data = io.BytesIO()
    Image.fromarray(array).save(data, kind, **options)
    return data.getvalue()


def by_cv2(array, suffix, *options):
    return cv2.imencode(suffix, array[..., ::-1] if array.ndim == 3 else array, list(options))[1].tobytes()


def planes(array):
    return np.ascontiguousarray(array.transpose(2, 0, 1))


NODATA = {"extratags": [(42113, "s", 0, "0", True)]}
FLOAT = RGB.astype(np.float32) / np.float32(255)
NO_ZERO = np.maximum(RGB, 1)
DARK_RED = np.where(OPAQUE[..., None] > 0, NO_ZERO, [0, 7, 7]).astype(np.uint8)
HOLED = np.where(OPAQUE[..., None] > 0, NO_ZERO, 0).astype(np.uint8)
TWELVE = (RGB.astype(np.float64) / 255 * 4095).round().astype(np.uint16)
SIGNED = np.where(OPAQUE[..., None] > 0, RGB.astype(np.int16) * 128, -9999).astype(np.int16)

#: name: bytes, pixels of 0 … 255, tolerance, whether the upper ten rows are no photograph, words of the notes
READ = {
    "planes of 16 bits": (tiff(planes(WIDE), planarconfig="separate"), RGB, 0, False, ""),
    "planes of 16 bits, deflated": (tiff(planes(WIDE), planarconfig="separate", compression="zlib", predictor=True),
                                    RGB, 0, False, ""),
    "planes of 8 bits": (tiff(planes(RGB), planarconfig="separate"), RGB, 0, False, ""),
    "planes of float": (tiff(planes(FLOAT), planarconfig="separate"), RGB, 1e-4, False, "0 … 1"),
    "planes in tiles": (tiff(planes(WIDE), planarconfig="separate", tile=(16, 16)), RGB, 0, False, ""),
    "16 bits, LZW with predictor": (by_cv2(WIDE, ".tif", cv2.IMWRITE_TIFF_COMPRESSION, 5), RGB, 0, False, ""),
    "16 bits, packed bits": (by_cv2(WIDE, ".tif", cv2.IMWRITE_TIFF_COMPRESSION, 32773), RGB, 0, False, ""),
    "16 bits, tiles": (tiff(WIDE, tile=(16, 32)), RGB, 0, False, ""),
    "16 bits, Motorola": (tiff(WIDE, byteorder=">"), RGB, 0, False, ""),
    "16 bits, BigTIFF": (tiff(WIDE, bigtiff=True), RGB, 0, False, ""),
    "16 bits, white is zero": (tiff(np.invert(WIDE[..., 0]), photometric="miniswhite"), GREY, 0, False, ""),
    "8 bits, white is zero": (tiff(np.invert(RGB[..., 0]), photometric="miniswhite"), GREY, 0, False, ""),
    "8 bits, LZW": (pillow(RGB, "TIFF", compression="tiff_lzw"), RGB, 0, False, ""),
    "int16": (tiff((RGB.astype(np.int32) * 32767 // 255).astype(np.int16)), RGB, 1, False, ""),
    "int16 of 8 bits": (tiff(RGB.astype(np.int16)), RGB, 1e-4, False, "taken as 0 … 255"),
    "int16 with no-data": (tiff(SIGNED, extratags=[(42113, "s", 0, "-9999", True)]), RGB, 1, True, ""),
    "float of 0 to 1": (tiff(FLOAT), RGB, 1e-4, False, "taken as 0 … 1"),
    "float of 0 to 255": (tiff(RGB.astype(np.float32)), RGB, 1e-4, False, "taken as 0 … 255"),
    "double": (tiff(FLOAT.astype(np.float64)), RGB, 1e-4, False, "0 … 1"),
    "half": (tiff(FLOAT.astype(np.float16)), RGB, 0.1, False, "0 … 1"),
    "float with NaN": (tiff(np.where(OPAQUE[..., None] > 0, FLOAT, np.nan)), RGB, 1e-4, True, "0 … 1"),
    "12 bits in 16": (tiff((RGB.astype(np.float64) / 255 * 4095).round().astype(np.uint16)), RGB, 0.1, False,
                      "no value above 4095: taken as 0 … 4095 \\(bits=16"),
    "8 bits in 16": (tiff(RGB.astype(np.uint16)), RGB, 1e-4, False, "taken as 0 … 255"),
    "12 bits in a 16-bit PNG": (by_cv2(TWELVE, ".png"), RGB, 0.1,
                                False, "bits=16"),
    "32 bits": (tiff(RGB.astype(np.uint32) * 16843009), RGB, 1e-4, False, ""),
    "four bands, the last infrared": (tiff(np.dstack([RGB, RGB[..., :1]]), extrasamples=["unspecified"]), RGB, 0, False,
                                      "holds 4 bands; the first three"),
    "four bands without names": (tiff(np.dstack([RGB, RGB[..., :1]]), photometric="minisblack", planarconfig="contig"),
                                 RGB, 0, False, "first three bands are taken as red, green and blue"),
    "grey and another band": (tiff(RGB[..., :2], photometric="minisblack", planarconfig="contig"), GREY, 0, False, ""),
    "alpha, TIFF": (tiff(np.dstack([RGB, OPAQUE]), extrasamples=["unassalpha"]), RGB, 0, True, ""),
    "alpha in the values of a grey TIFF": (
        tiff(np.dstack([RGB[..., 0], OPAQUE]), photometric="minisblack", extrasamples=["assocalpha"]),
        GREY, 0, True, ""),
    "alpha, TIFF of 16 bits": (tiff(np.dstack([WIDE, OPAQUE * np.uint16(257)]), extrasamples=["unassalpha"]),
                               RGB, 0, True, ""),
    "alpha, PNG": (pillow(np.dstack([RGB, OPAQUE]), "PNG"), RGB, 0, True, ""),
    "alpha, PNG of 16 bits": (cv2.imencode(".png", np.dstack([WIDE[..., ::-1], OPAQUE * np.uint16(257)]))[1].tobytes(),
                              RGB, 0, True, ""),
    "alpha, grey PNG": (pillow(np.dstack([RGB[..., 0], OPAQUE]), "PNG"), GREY, 0, True, ""),
    "alpha, WebP": (pillow(np.dstack([RGB, OPAQUE]), "WEBP", lossless=True, exact=True), RGB, 0, True, ""),
    "transparent colour, PNG": (pillow(HOLED, "PNG", transparency=(0, 0, 0)), HOLED, 0, True, ""),
    "opaque alpha": (pillow(np.dstack([RGB, np.full_like(OPAQUE, 255)]), "PNG"), RGB, 0, False, ""),
    "GDAL no-data": (tiff(HOLED, **NODATA), HOLED, 0, True, ""),
    "GDAL no-data in one band alone": (tiff(DARK_RED, **NODATA),
                                       DARK_RED, 0, False, ""),
    "GDAL mask band": (tiff(RGB, (OPAQUE > 0, {"subfiletype": 4, "photometric": "mask"})), RGB, 0, True, ""),
    "several pages": (tiff(RGB, RGB[::-1]), RGB, 0, False, "holds 2 pages; only the first"),
    "a preview first": (tiff((RGB[::2, ::2], {"subfiletype": 1}), RGB), RGB, 0, False, ""),
    "WebP": (pillow(RGB, "WEBP", lossless=True), RGB, 0, False, ""),
    "WebP, animated": (pillow(RGB, "WEBP", lossless=True, save_all=True, append_images=[Image.fromarray(RGB[::-1])]),
                       RGB, 0, False, "holds 2 pictures"),
    "JPEG 2000": (pillow(RGB, "JPEG2000"), RGB, 0, False, ""),
    "AVIF": (pillow(SMOOTH, "AVIF", quality=95), SMOOTH, 12, False, ""),
    "grey JPEG": (pillow(SMOOTH[..., 0], "JPEG", quality=98), np.repeat(SMOOTH[..., :1], 3, 2), 8, False, ""),
    "fine JPEG": (pillow(SMOOTH, "JPEG", quality=99, subsampling=0), SMOOTH, 8, False, ""),
    "progressive JPEG": (pillow(SMOOTH, "JPEG", quality=98, progressive=True), SMOOTH, 16, False, ""),
    "JPEG with bytes behind": (pillow(SMOOTH, "JPEG", quality=98) + b"maker's note", SMOOTH, 16, False, ""),
    "palette": (pillow(np.zeros((4, 4), np.uint8), "PNG"), np.zeros((4, 4, 3)), 0, False, ""),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", READ)
def test_the_right_pixels(tmp_path, kind):
    data, wanted, tolerance, holed, note = READ[kind]
    path = tmp_path / "odd"
    path.write_bytes(data)
    found = read_photograph(path)
    image = found.image.astype(np.float64) * (255 if found.image.dtype == np.float32 else 1)
    counts = np.ones(image.shape[:2], bool) if found.valid is None else found.valid
    assert image.shape == wanted.shape
    assert np.abs(image - wanted)[counts].max() <= tolerance + 1e-3
    if holed:
        np.testing.assert_array_equal(counts, OPAQUE > 0)
    else:
        assert found.valid is None
    if note:
        import re

        assert re.search(note, " ".join(found.notes)), found.notes
    else:
        assert not found.notes
    assert read_head(path).size == wanted.shape[:2]
    np.testing.assert_array_equal(read_image(path)[counts], found.image[counts])


#: 40 x 24 pixels of a ramp, written by another program: what reads HEIC here cannot write it.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9j"
    "AAAAAERAAAEAAQAAAAABoAABAAAAAAAAAREAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/Glw"
    "cnAAAADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AA"
    "AAMAkAAAAwAAAwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABA"
    "AAAAQAAAAChjbGFwAAAAKAAAAAEAAAAYAAAAAf///+gAAAAC////2AAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlwbWEAAAAAAAAAAQABBYEC"
    "AwWEAAABGW1kYXQAAAENKAGvBPIe7pRwcXvRKRSEam2z+FiCKztYO/yUZzNfJur2xvJQ/r/i/hyrY4hF/JX3pqrgSyZx+U8ns64ie3G7zy6K"
    "4NEvS/TPBlfIS/f38J9id+E+fmfyVQPuPNI9Tq+vwljBqdidFC2zNc9v+f+lkqW4th3SAJMtnZVdsuPQ9/JFwU9hOQGbwbn5NTj4ho+/zJAi"
    "YPTzMxQfDp13hZBNEVcJOa1ppH4Y1366VcOP8H+E+Wu9QHkjQqsAN7Jr66XRQsTc8LjfNvqq+0u5MzKFbfqvept2XEwRzfHrePsdTgmlJWKz"
    "iusCUexS4Vgd+Gt9zKHZX6BZUt46wpc07SzSVRXsrXm4WpogiyNxUPg="
)


def test_heic_by_the_extra(tmp_path):
    pytest.importorskip("pi_heif")
    (tmp_path / "a.heic").write_bytes(HEIC)
    y, x = np.mgrid[:24, :40]
    wanted = np.stack([60 + 3 * x, 60 + 5 * y, 128 + 0 * x], 2)
    assert np.abs(read_photograph(tmp_path / "a.heic").image.astype(int) - wanted).max() <= 6
    assert read_head(tmp_path / "a.heic").size == (24, 40)


def damaged_in_the_middle(data, share=0.5, count=300):
    middle = int(len(data) * share)
    return data[:middle] + b"\0" * count + data[middle + count :]


def jpeg_of(bits):
    data = bytearray(pillow(SMOOTH, "JPEG"))
    place = data.index(b"\xff\xc0")
    data[place + 4] = bits
    return bytes(data)


def compressed_by(code):
    data = bytearray(tiff(RGB))
    place = data.index(b"\x03\x01\x03\x00\x01\x00\x00\x00")  # the tag of the compression
    data[place + 8 : place + 10] = code.to_bytes(2, "little")
    return bytes(data)


REFUSED = {
    "WebP in TIFF": (compressed_by(50001), "a TIFF compressed by WEBP"),
    "JPEG XL in TIFF": (compressed_by(50002), "a TIFF compressed by JPEGXL"),
    "LERC in TIFF": (compressed_by(34887), "a TIFF compressed by LERC"),
    "JPEG damaged in its middle": (damaged_in_the_middle(pillow(TILES, "JPEG", quality=95)), "damaged"),
    "progressive JPEG damaged": (
        damaged_in_the_middle(pillow(TILES, "JPEG", quality=95, progressive=True), 0.4), "damaged"),
    "JPEG cut, end mark put on": (pillow(RGB, "JPEG", quality=95)[:-900] + b"\xff\xd9", "damaged"),
    "JPEG of 12 bits": (jpeg_of(12), "a JPEG of 12 bits"),
    "lossless JPEG": (pillow(SMOOTH, "JPEG").replace(b"\xff\xc0", b"\xff\xc3", 1), "a lossless JPEG"),
    "JPEG-LS": (pillow(SMOOTH, "JPEG").replace(b"\xff\xc0", b"\xff\xf7", 1), "JPEG-LS"),
    "JPEG head alone": (pillow(SMOOTH, "JPEG")[:60], "damaged"),
    "PNG damaged in its middle": (damaged_in_the_middle(pillow(RGB, "PNG")), "damaged"),
    "PNG cut": (pillow(RGB, "PNG")[:900], "damaged"),
    "TIFF of 16 bits cut": (tiff(WIDE)[:5000], "pixels end \\d+ bytes after the file"),
    "planes cut": (tiff(planes(RGB), planarconfig="separate")[:4000], "damaged"),
    "five bands": (tiff(np.dstack([RGB, RGB[..., :2]]), photometric="minisblack", planarconfig="contig"),
                   "5 bands.*bands=\\[3,2,1\\]"),
    "negative numbers": (tiff(RGB.astype(np.int16) - 100), "values from -100 to 155"),
    "large floats": (tiff(RGB.astype(np.float32) * 1000), "values up to 2.55e\\+05"),
    "transparent everywhere": (pillow(np.dstack([RGB, 0 * OPAQUE]), "PNG"), "without a single opaque pixel"),
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + os.urandom(300), "HEIC.*convert it to JPEG or PNG"),
    "JPEG XL": (b"\xff\x0a" + os.urandom(99), "JPEG XL that cannot be read.*Convert"),
    "Photoshop": (b"8BPS\0\1" + bytes(99), "Photoshop document"),
    "PDF": (b"%PDF-1.7\n" + bytes(99), "PDF that cannot be read"),
    "archive": (b"PK\3\4" + bytes(99), "ZIP archive"),
    "web page": (b"<!DOCTYPE html><html>", "a web page"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
    "text": (b"not an image at all", "no image"),
    "empty": (b"", "an empty file"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_it_is_and_the_way_out(tmp_path, kind):
    data, message = REFUSED[kind]
    path = tmp_path / "odd.jpg"
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"(?s)odd.jpg: found.*{message}"):
        read_photograph(path)


@pytest.mark.parametrize(
    ("suffix", "word"), [(".dng", "raw of a camera"), (".CR2", "develop it"), (".gif", "GIF"), (".psd", "PNG")]
)
def test_formats_that_are_not_read_say_how_to_convert(tmp_path, suffix, word):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(tiff(RGB))
    with pytest.raises(DataError, match=word):
        read_photograph(path)


def test_chosen_bands_and_bits(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(np.dstack([RGB, RGB[..., ::-1]]), photometric="minisblack", planarconfig="contig"))
    np.testing.assert_array_equal(read_photograph(path, bands=[4, 5, 6]).image, RGB[..., ::-1])
    np.testing.assert_array_equal(read_photograph(path, bands=[2]).image, np.repeat(RGB[..., 1:2], 3, 2))
    for bands in ([1, 2], [0, 1, 2], [5, 6, 7]):
        with pytest.raises(DataError, match="one or three of 1 to 6"):
            read_photograph(path, bands=bands)
    path.write_bytes(tiff(RGB.astype(np.uint16)))
    assert read_photograph(path, bits=16).image.max() == np.float32(255 / 65535)
    with pytest.raises(DataError, match="at most 127"):
        read_photograph(path, bits=7)
    with pytest.raises(ValueError, match="bits"):
        read_photograph(path, bits=0)


def test_pipes_and_devices_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to("/dev/zero")
    for name, word in (("a.jpg", "a pipe"), ("b.jpg", "a link to a device")):
        with pytest.raises(DataError, match=word):
            read_photograph(tmp_path / name)
        assert word in read_head(tmp_path / name).error


def test_where_there_is_no_photograph_the_nearest_colour_stands():
    image = np.zeros((5, 6, 3), np.uint8)
    image[:, :3] = np.arange(1, 6)[:, None, None] * 10
    image[:, 2] += 1
    valid = np.zeros((5, 6), bool)
    valid[:, :3] = True
    result = filled(image, valid)
    np.testing.assert_array_equal(result[:, :3], image[:, :3])
    np.testing.assert_array_equal(result[:, 3:, 0], np.repeat(np.arange(1, 6)[:, None] * 10 + 1, 3, 1))
    assert filled(image, None) is image


@settings(max_examples=40, deadline=None)
@given(
    image=arrays.arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])),
                        elements=st.integers(0, 65535)),
    separate=st.booleans(), deflated=st.booleans(), order=st.sampled_from("<>"),
)  # fmt: skip
def test_round_trip_of_tiff(tmp_path_factory, image, separate, deflated, order):
    image.flat[0] = 65535
    path = tmp_path_factory.mktemp("t") / "a.tif"
    colour = image.shape[2] == 3
    stored = planes(image) if separate and colour else image if colour else image[..., 0]
    options = {"planarconfig": "separate" if separate else "contig"} if colour else {}
    data = tiff(stored, photometric="rgb" if colour else "minisblack", compression="zlib" if deflated else None,
                byteorder=order, **options)  # fmt: skip
    path.write_bytes(data)
    wanted = np.repeat(image, 3 // image.shape[2], 2).astype(np.float32) / np.float32(65535)
    np.testing.assert_array_equal(read_image(path), wanted)
    assert read_head(path).size == image.shape[:2]
