"""Which files are photographs by their names, which of these can be read, and what a file is by its first bytes."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import PurePath

HEIC_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
_ALWAYS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".avif", ".jp2", ".j2k", ".jpf"}
)

#: Files that are read, by suffix in small letters; HEIC where the extra ``csbsr[heic]`` is installed.
SUFFIXES: frozenset[str] = _ALWAYS | (HEIC_SUFFIXES if importlib.util.find_spec("pi_heif") else frozenset())

_RAW = "raw of a camera; develop it to TIFF or JPEG, e.g. with darktable or RawTherapee"
_HEIC = "HEIC; pip install 'csbsr[heic]', or convert it to JPEG or PNG, e.g. with heif-convert or ImageMagick"
#: Suffixes of photographs that cannot be read, with what they are and how to convert them.
UNREADABLE: Mapping[str, str] = {
    **dict.fromkeys(HEIC_SUFFIXES - SUFFIXES, _HEIC),
    **dict.fromkeys(
        (".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".raf", ".orf", ".rw2", ".pef",
         ".3fr", ".iiq", ".x3f", ".rwl", ".srw", ".raw"), _RAW,
    ),
    ".jxl": "JPEG XL; convert it to PNG, e.g. with djxl",
    ".jxr": "JPEG XR; convert it to PNG",
    ".psd": "a Photoshop document; export it as TIFF or PNG",
    ".xcf": "a GIMP document; export it as TIFF or PNG",
    ".gif": "GIF; convert it to PNG",
    ".ecw": "ECW; convert it to TIFF, e.g. with gdal_translate",
    ".sid": "MrSID; convert it to TIFF, e.g. with gdal_translate",
    ".exr": "OpenEXR; convert it to TIFF or PNG",
    ".tga": "TGA; convert it to PNG",
}  # fmt: skip
#: Suffixes of photographs, readable or not.
PHOTOGRAPHS = SUFFIXES | frozenset(UNREADABLE)

#: Folders and files that systems leave beside photographs, in small letters; hidden ones begin with a dot.
_JUNK = frozenset(
    {"@eadir", "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "#recycle", "@recycle",
     "#snapshot", "@recently-snapshot", "system volume information", "lost+found", "@tmp", "icon\r"}
)  # fmt: skip

#: First bytes of formats that are not read, or carry another's suffix: offset, bytes, name.
_SIGNATURES = (
    (0, b"\xff\x0a", "JPEG XL"), (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"), (0, b"8BPS", "a Photoshop document"),
    (0, b"gimp xcf", "a GIMP document"), (0, b"%PDF", "PDF"), (0, b"GIF8", "GIF"), (0, b"\xd7\xcd\xc6\x9a", "WMF"),
    (0, b"PK\x03\x04", "a ZIP archive"), (0, b"\x1f\x8b", "a gzip archive"), (0, b"<!DOC", "a web page"),
    (0, b"<html", "a web page"), (0, b"<?xml", "XML"), (0, b"<svg", "SVG"), (0, b"{", "JSON text"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"), (0, b"II\xbc", "JPEG XR"), (0, b"FUJIFILM", "raw of a camera"),
    (0, b"IIRO", "raw of a camera"), (0, b"IIU\x00", "raw of a camera"), (4, b"ftypcrx", "raw of a camera"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, without the file itself (git lfs pull fetches it)"),
)  # fmt: skip
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"mif1", b"msf1")


def is_junk(name: str) -> bool:
    """Is a file or folder of this name hidden, or one that systems leave (``@eaDir``, ``__MACOSX``, ``Thumbs.db``)?"""
    return name.startswith(".") or name.casefold() in _JUNK or name.upper().startswith("SYNOPHOTO_THUMB")


def unreadable(path: str | PurePath) -> str:
    """What a photograph that cannot be read is and how to convert it, by its suffix; empty for all other files."""
    return UNREADABLE.get(PurePath(path).suffix.lower(), "")


def is_heif(data: bytes) -> bool:
    """Do these first bytes belong to HEIC (not AVIF)?"""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS and b"avif" not in data[8:32]


def named(data: bytes) -> str:
    """What a file is by its first bytes, as far as it is no photograph that is read; empty if that is not known."""
    if is_heif(data):
        return "HEIC"
    return next((name for offset, mark, name in _SIGNATURES if data[offset : offset + len(mark)] == mark), "")
