"""Sizes of images from the heads of their files, without decoding, many at a time."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import tifffile
from PIL import Image

from csbsr.data.errors import DataError
from csbsr.data.looked import Looked
from csbsr.data.reading.files import EXPECTED
from csbsr.data.reading.formats import is_heif, named
from csbsr.data.reading.head import PNG, exif_of
from csbsr.data.reading.jpeg import frame, is_jpeg, orientation_of
from csbsr.data.reading.pixels import decode
from csbsr.data.reading.tiff import check_whole, is_tiff
from csbsr.data.regular import check_regular

_FIRST = 65536  # bytes that hold the heads of most files
_LAST = 4096  # bytes in which a whole file has its end mark
_ORIENTATION = 274
_WORKERS = 8  # files are waited for, not computed


class Head(NamedTuple):
    """What the head of an image file tells."""

    width: int = 0  #: pixels, upright
    height: int = 0
    orientation: int = 1  #: of EXIF
    error: str = ""  #: why it cannot be read

    @property
    def size(self) -> tuple[int, int]:
        """(H, W), upright."""
        return self.height, self.width


def read_head(path: str | Path) -> Head:
    """Size and orientation of an image, or of LabelMe's polygons; whatever is wrong ends up in ``error``."""
    data = b""
    try:
        check_regular(path)
        if str(path).lower().endswith(".json"):
            return _polygons(path)
        with open(path, "rb") as file:
            data = file.read(_FIRST)
            if not data:
                raise DataError.about(path, "an empty file", EXPECTED, "Copy it again or remove it.")
            if is_jpeg(data):
                if (found := frame(data)) is None:
                    data += file.read()
                    found = frame(data)
                if found is None:
                    raise ValueError("a JPEG without a frame header")
                head = _turned(found[3], found[2], orientation_of(data))
            else:
                file.seek(0)
                head = _other(path, file, data)
            cut = _looks_cut(file, data)
        if cut:
            decode(path)  # says what is missing, or that nothing is
        return head
    except OSError as error:
        return Head(error=str(DataError.about(path, f"no readable file ({error.strerror or error})", EXPECTED,
                                              "Check the path and your rights to read it.")))  # fmt: skip
    except DataError as error:
        return Head(error=str(error))
    except Exception as error:  # decoders raise all kinds of errors on what they cannot read
        what = named(data) or f"a file without a readable head ({error or type(error).__name__})"
        return Head(error=str(DataError.about(path, what, EXPECTED, "Convert it, copy it again or remove it.")))


def read_heads(paths: Sequence[Path], cache: Looked | None = None) -> list[Head]:
    """The heads of many files, each looked at once: what the cache knows of an unchanged file is not read again."""
    known: dict[Path, object] = {} if cache is None else cache.known("head", paths)
    unknown = [path for path in paths if path not in known]
    heads = {path: Head(*values) for path, values in known.items() if isinstance(values, (list, tuple))}
    unknown += [path for path in known if path not in heads]
    fresh = dict(zip(unknown, _all(unknown), strict=True))
    if cache is not None:
        cache.remember("head", {path: list(head) for path, head in fresh.items() if not head.error})
    heads |= fresh
    return [heads[path] for path in paths]


def _all(paths: Sequence[Path]) -> Iterable[Head]:
    if len(paths) < 64:
        return [read_head(path) for path in paths]
    chunks = [paths[start : start + 256] for start in range(0, len(paths), 256)]
    with ThreadPoolExecutor(_WORKERS) as pool:
        return [head for chunk in pool.map(lambda part: [read_head(path) for path in part], chunks) for head in chunk]


def _other(path: str | Path, file: io.BufferedReader, data: bytes) -> Head:
    if data.startswith(PNG) and data[12:16] == b"IHDR" and b"eXIf" not in data[:_FIRST]:
        width, height = struct.unpack(">II", data[16:24])
        if not width or not height:
            raise ValueError("a PNG without pixels")
        return Head(width, height)
    if is_tiff(data):
        return _tiff(file)
    if is_heif(data):
        return _heic(file.read())
    with Image.open(file) as image:
        width, height = image.size
        return _turned(width, height, exif_of(image).get(_ORIENTATION, 1))


def _looks_cut(file: io.BufferedReader, data: bytes) -> bool:
    """May the end of a JPEG or PNG be missing?  Then it is worth decoding."""
    mark = b"\xff\xd9" if is_jpeg(data) else b"IEND" if data.startswith(PNG) else b""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _LAST))
    return mark not in file.read(_LAST)


def _tiff(file: io.BufferedReader) -> Head:
    with tifffile.TiffFile(file) as tiff:
        page = next((page for page in tiff.pages[:8] if not int(getattr(page, "subfiletype", 0)) & 5), tiff.pages[0])
        if isinstance(page, tifffile.TiffPage):
            check_whole(file.name, page, file.seek(0, io.SEEK_END))
        tag = page.tags.get(_ORIENTATION) if isinstance(page, tifffile.TiffPage) else None
        return _turned(int(page.imagewidth), int(page.imagelength), 1 if tag is None else int(tag.value))


def _heic(data: bytes) -> Head:
    try:
        import pi_heif
    except ImportError:
        raise ValueError("HEIC; pip install 'csbsr[heic]', or convert it to JPEG or PNG") from None
    width, height = pi_heif.open_heif(data).size
    return Head(width, height)


def _polygons(path: str | Path) -> Head:
    from csbsr.data.labelme_files import size_of

    size = size_of(path)
    return Head() if size is None else Head(size[1], size[0])


def _turned(width: int, height: int, orientation: int) -> Head:
    if not width or not height:
        raise ValueError("no pixels")
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return Head(width, height, orientation if orientation in range(1, 9) else 1)
