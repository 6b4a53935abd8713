"""PNG by rows: read back by Pillow and cv2."""

import cv2
import numpy as np
import pytest
from PIL import Image

from csbsr.inspection.png import PngWriter


@pytest.mark.parametrize("step", [1, 5, 40])
@pytest.mark.parametrize(("channels", "bits"), [(1, 8), (3, 8), (1, 16), (3, 16)])
def test_two_readers_agree(tmp_path, channels, bits, step):
    shape = (37, 21) if channels == 1 else (37, 21, 3)
    image = np.random.default_rng(0).integers(0, 2**bits, shape).astype(f"uint{bits}")
    with PngWriter(tmp_path / "a.png", 37, 21, channels, bits) as png:
        for start in range(0, 37, step):
            png.write(image[start : start + step])
    read = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert read.dtype == image.dtype
    np.testing.assert_array_equal(read[..., ::-1] if channels == 3 else read, image)
    if not (channels == 3 and bits == 16):  # which Pillow cuts to 8 bits
        with Image.open(tmp_path / "a.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture), image)


def test_many_chunks(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (1500, 2000), np.uint8)  # does not compress: several chunks
    with PngWriter(tmp_path / "a.png", 1500, 2000) as png:
        for part in np.array_split(image, 7):
            png.write(part)
    assert (tmp_path / "a.png").read_bytes().count(b"IDAT") > 1
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED), image)


def test_wrong_rows(tmp_path):
    with pytest.raises(ValueError, match="expected 3, got 2"), PngWriter(tmp_path / "a.png", 3, 4) as png:
        png.write(np.zeros((2, 4), np.uint8))
    png = PngWriter(tmp_path / "a.png", 3, 4)
    for rows, message in (
        (np.zeros((2, 5), np.uint8), r"\(2, 4\) of uint8, got \(2, 5\)"),
        (np.zeros((2, 4), np.uint16), "of uint16"),
        (np.zeros((4, 4), np.uint8), "expected 3 in all, got 4"),
    ):
        with pytest.raises(ValueError, match=message):
            png.write(rows)
    for arguments in ((3, 4, 2), (3, 4, 1, 4), (0, 4)):
        with pytest.raises(ValueError, match="expected"):
            PngWriter(tmp_path / "b.png", *arguments)
