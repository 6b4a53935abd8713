"""Images that a stranger might send: small files that claim much."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def png(path: Path, width: int, height: int, bits: int = 8, colour: int = 2, rows: int | None = None) -> Path:
    """A PNG whose head says width x height, with ``rows`` rows of zeros (None: all of them)."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    line = bytes(1 + width * channels * bits // 8)
    packer, data = zlib.compressobj(9), b""
    for _ in range(height if rows is None else rows):
        data += packer.compress(line)
    data += packer.flush()
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = (chunk(b"IHDR", head), chunk(b"IDAT", data), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def chunk(kind: bytes, data: bytes) -> bytes:
    """One part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def jpeg_that_claims(path: Path, width: int, height: int) -> Path:
    """A sound small JPEG whose frame header says another size."""
    Image.fromarray(np.full((16, 16, 3), 128, np.uint8)).save(path, "jpeg")
    data = bytearray(path.read_bytes())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    path.write_bytes(bytes(data))
    return path


def tiff_that_claims(path: Path, width: int, height: int, bands: int = 3) -> Path:
    """An uncompressed TIFF of a few bytes whose directory says another size."""
    fields = {256: width, 257: height, 258: 8, 259: 1, 262: 2, 273: 8, 277: bands, 278: height, 279: 4}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields.items())
    path.write_bytes(b"II*\0" + struct.pack("<IIH", 12, 0, len(fields)) + entries + b"\0\0\0\0")
    return path


def bmp_that_claims(path: Path, width: int, height: int) -> Path:
    """A BMP of a few bytes whose head says another size."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    path.write_bytes(b"BM" + struct.pack("<IHHI", 54 + 4, 0, 0, 54) + head + b"\0" * 4)
    return path


def webp_that_claims(path: Path) -> Path:
    """A lossless WebP whose head says 4096 x 4096 pixels and that ends there."""
    bits = 0x2F | (4095 << 8) | (4095 << 22)
    body = b"VP8L" + struct.pack("<I", 5) + struct.pack("<Q", bits)[:5] + b"\0"
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body)
    return path


def sparse(path: Path, size: int, beginning: bytes = b"") -> Path:
    """A file of ``size`` bytes that takes no room on the disk."""
    with path.open("wb") as file:
        file.write(beginning)
        file.truncate(size)
    return path
