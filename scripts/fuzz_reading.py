"""Feeds damaged files to the readers of photographs, masks and tables; anything but their own errors is a defect.

    pip install atheris
    python scripts/fuzz_reading.py corpus -max_total_time=600 -timeout=20 -rss_limit_mb=2500

``corpus`` is made and filled with small sound files of every format on the first run.  The first byte of an input
chooses the reader.  libFuzzer prints the executions, and stops at an exception, a hang or too much memory.
"""

import contextlib
import io
import json
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["csbsr", "tifffile", "PIL", "openpyxl"]):
    from csbsr.data.errors import DataError
    from csbsr.data.heads import read_head
    from csbsr.data.masks import look_at_mask, read_labels
    from csbsr.data.reading import read_photograph
    from csbsr.data.reading.files import at_most
    from csbsr.data.tables import number, read_table

import numpy as np
import tifffile
from PIL import Image

READERS = ("photograph", "mask", "polygons", "table")
_PLACE = Path(tempfile.mkdtemp(prefix="csbsr-fuzz-"))
warnings.simplefilter("ignore")


def one(data: bytes) -> None:
    """Read one input."""
    if len(data) < 2:
        return
    reader, content = READERS[data[0] % len(READERS)], data[1:]
    path = _PLACE / ("input.json" if reader == "polygons" else "input")
    path.write_bytes(content)
    with at_most(4):
        if reader == "photograph":
            _photograph(path)
        elif reader == "table":
            _table(path)
        else:
            _mask(path)


def _photograph(path: Path) -> None:
    head = read_head(path)
    try:
        image, valid, _ = read_photograph(path)
    except DataError:
        return
    if image.dtype == np.float32 and not (image.min() >= 0 and image.max() <= 1):
        raise AssertionError(f"values from {image.min()} to {image.max()}")
    if image.ndim != 3 or image.shape[2] != 3 or (valid is not None and valid.shape != image.shape[:2]):
        raise AssertionError(f"shape {image.shape}")
    if not head.error and head.size != image.shape[:2]:
        raise AssertionError(f"a head of {head.size} for an image of {image.shape[:2]}")


def _mask(path: Path) -> None:
    try:
        labels = read_labels(path)
    except DataError:
        labels = None
    look, seen = look_at_mask(path)
    if (labels is None) != bool(look.error) or (labels is not None and not np.array_equal(labels, seen)):
        raise AssertionError(f"looked at as {look.kind}")
    if labels is not None and not np.isin(labels, (0, 1, 255)).all():
        raise AssertionError("labels beside 0, 1 and 255")


def _table(path: Path) -> None:
    try:
        rows = read_table(path, ("file", "gsd_mm"))
    except ValueError:
        return
    for row in rows:
        with contextlib.suppress(ValueError):
            number(row.cells["gsd_mm"])


def seeds() -> dict[str, bytes]:
    """Small sound files, with the byte that chooses their reader."""
    rgb = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    mask, opaque = (rgb[..., 0] > 200).astype(np.uint8) * np.uint8(255), rgb[..., 1]
    found: dict[str, bytes] = {}
    for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000"):
        for reader, array in (("photograph", rgb), ("mask", mask)):
            file = io.BytesIO()
            Image.fromarray(array).save(file, kind)
            found[f"{reader}-{kind}"] = bytes([READERS.index(reader)]) + file.getvalue()
    wide = rgb.astype(np.uint16) * np.uint16(257)
    tiffs = {
        "planes": (np.moveaxis(wide, 2, 0).copy(), {"photometric": "rgb", "planarconfig": "separate"}),
        "float": (rgb.astype(np.float32), {"photometric": "rgb"}),
        "signed": (rgb.astype(np.int16), {"photometric": "rgb", "extratags": [(42113, "s", 0, "7", True)]}),
        "alpha": (np.dstack([rgb, opaque]), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        "deflated": (wide, {"photometric": "rgb", "compression": "zlib", "predictor": True}),
        "bands": (np.dstack([rgb, rgb]), {"photometric": "minisblack", "planarconfig": "contig"}),
    }
    for name, (array, options) in tiffs.items():
        file = io.BytesIO()
        tifffile.imwrite(file, array, **options)
        found[f"tiff-{name}"] = b"\0" + file.getvalue()
    shape = {"label": "crack", "points": [[1, 1], [9, 2], [5, 8]], "shape_type": "polygon"}
    found["labelme"] = b"\2" + json.dumps({"shapes": [shape], "imageHeight": 12, "imageWidth": 16}).encode()
    table = "file;gsd_mm\r\na.png;0,4\r\n;\r\n"
    for code in ("utf-8-sig", "utf-16", "cp1252"):
        found[f"table-{code}"] = b"\3" + table.encode(code)
    from openpyxl import Workbook

    book, file = Workbook(), io.BytesIO()
    book.active.append(["file", "gsd_mm"])
    book.active.append(["a.png", 0.4])
    book.save(file)
    found["table-xlsx"] = b"\3" + file.getvalue()
    return found


def main() -> None:
    """Fill the corpus and go."""
    corpus = Path(next((word for word in sys.argv[1:] if not word.startswith("-")), "corpus"))
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        for name, data in seeds().items():
            (corpus / name).write_bytes(data)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
