"""Place, time and orientation from EXIF; nonsense gives None."""

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

from csbsr.data.reading.head import exif_of
from csbsr.inspection.metadata import Metadata, read_metadata
from tests.strangers.images import chunk, png


def photograph(path, gps=None, detail=None, **base):
    image = Image.fromarray(np.zeros((4, 6, 3), np.uint8))
    tiff = path.suffix == ".tif"
    exif = ImageFileDirectory_v2() if tiff else image.getexif()
    for key, value in base.items():
        exif[int(key[1:])] = value
    exif[0x8825], exif[0x8769] = gps or {}, detail or {}
    image.save(path, **{"tiffinfo" if tiff else "exif": exif})
    return path


GPS = {1: "S", 2: (33.0, 51.0, 25.2), 3: "E", 4: (151.0, 12.0, 36.0), 5: b"\x01", 6: 3.5}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_everything(tmp_path, suffix):
    path = photograph(
        tmp_path / f"a{suffix}", GPS, {0x9003: "2024:05:03 12:30:01", 0x9011: "+02:00"},
        t274=6, t271="Nikon ", t272="D850\x00",
    )  # fmt: skip
    found = read_metadata(path)
    assert found == Metadata(6, "2024-05-03T12:30:01+02:00", -33.857, 151.21, -3.5, "Nikon D850")


def test_the_date_of_the_file_stands_in(tmp_path):
    found = read_metadata(photograph(tmp_path / "a.jpg", t306="2023:01:02 03:04:05"))
    assert found.taken == "2023-01-02T03:04:05"
    assert found.latitude is None


@pytest.mark.parametrize(
    ("gps", "detail", "base"),
    [
        ({1: "N", 2: (99.0, 0.0, 0.0), 3: "E"}, {0x9003: "yesterday"}, {"t274": 9}),
        ({2: (IFDRational(1, 0), 1.0, 1.0), 4: (181.0, 0.0, 0.0)}, {0x9003: "0000:00:00 00:00:00"}, {"t274": 0}),
        ({6: IFDRational(0, 0)}, {0x9003: "2024:05:03"}, {}),
    ],
)
def test_nonsense_is_none(tmp_path, gps, detail, base):
    assert read_metadata(photograph(tmp_path / "a.jpg", gps, detail, **base)) == Metadata()


def test_no_image(tmp_path):
    (tmp_path / "a.jpg").write_text("no image")
    assert read_metadata(tmp_path / "a.jpg") == Metadata()
    assert read_metadata(tmp_path / "missing.jpg") == Metadata()


@pytest.mark.parametrize("behind", [False, True])
def test_pixels_of_a_png_stay_undecoded(tmp_path, behind):
    path = png(tmp_path / "a.png", 100_000, 100_000, rows=2)
    exif = Image.Exif()
    exif[0x0110] = "D850"
    part, data = chunk(b"eXIf", exif.tobytes()[6:]), path.read_bytes()  # without "Exif\0\0", which a JPEG has
    place = len(data) - 12 if behind else 33  # before IEND, behind IHDR
    path.write_bytes(data[:place] + part + data[place:])
    assert read_metadata(path) == Metadata(camera="D850")


def test_a_png_without_exif_stays_undecoded_and_can_be_read_after(tmp_path):
    assert read_metadata(png(tmp_path / "a.png", 100_000, 100_000, rows=2)) == Metadata()
    assert read_metadata(png(tmp_path / "cut.png", 10, 10)) == Metadata()
    with Image.open(tmp_path / "cut.png") as image:
        assert not exif_of(image)
        assert np.asarray(image).shape == (10, 10, 3)
