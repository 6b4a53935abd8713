"""Photographs whose scale is known, made up: EXIF, XMP of a drone, GeoTIFFs, markers on a wall."""

import math
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image

WIDTH, HEIGHT = 400, 300


def photograph(
    path: Path, xmp: dict[str, str] | bytes | None = None, model: str | None = "FC6310", **detail: float
) -> Path:
    """A JPEG with EXIF (``focal``, ``film``, ``width``, ``altitude``) and DJI's entries in XMP."""
    exif = Image.Exif()
    if model:
        exif[0x0110] = model
    tags = {"focal": 0x920A, "film": 0xA405, "taken_width": 0xA002, "taken_height": 0xA003, "zoom": 0xA404}
    for name, tag in tags.items():
        if name in detail:
            exif.get_ifd(0x8769)[tag] = detail[name]
    if "altitude" in detail:
        exif.get_ifd(0x8825)[6] = detail["altitude"]
    if isinstance(xmp, dict):
        entries = " ".join(f'{name if ":" in name else f"drone-dji:{name}"}="{value}"' for name, value in xmp.items())
        xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {entries}/></x:xmpmeta>'.encode()
    image = Image.new("RGB", (WIDTH, HEIGHT), (130, 130, 130))
    image.save(path, exif=exif, **({} if xmp is None else {"xmp": xmp}))
    return path


def geotiff(
    path: Path,
    scale: tuple[float, float],
    at: tuple[float, float],
    keys: list[tuple[int, int]],
    pixels: np.ndarray | None = None,
) -> Path:
    """A GeoTIFF whose upper left corner lies ``at``; ``keys`` and their values."""
    directory = [1, 1, 0, len(keys), *(number for key, value in keys for number in (key, 0, 1, value))]
    tags = [
        (33550, "d", 3, (*scale, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, *at, 0.0), True),
        (34735, "H", len(directory), directory, True),
    ]
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8) if pixels is None else pixels
    tifffile.imwrite(path, pixels, photometric="rgb", extratags=tags)
    return path


def metres(code: int = 25832, unit: int | None = 9001) -> list[tuple[int, int]]:
    return [(1024, 1), (3072, code), *([] if unit is None else [(3076, unit)])]


DEGREES = [(1024, 2), (2048, 4326)]


def camera(angle: float, distance_mm: float = 1000, size: int = 900) -> np.ndarray:
    """(3, 3) from millimetres on a plane to pixels, of a camera turned by ``angle`` degrees about the vertical."""
    focal = size * 4 / 3
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    calibration = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    return calibration @ np.array([[c, 0, 0], [0, 1, 0], [s, 0, distance_mm]])


def marker(path: Path, angle: float, places: tuple[float, ...] = (-60.0,), side: float = 120, size: int = 900) -> Path:
    """Markers of ``side`` mm on a grey wall, each with its left edge at a place, seen by `camera`."""
    picture = np.full((size, size), 150, np.uint8)
    for number, place in enumerate(places):
        tile = cv2.aruco.generateImageMarker(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50), number, 600)
        tile = cv2.copyMakeBorder(tile, 100, 100, 100, 100, cv2.BORDER_CONSTANT, value=255)
        mm = np.array([[side / 600, 0, place - side / 6], [0, side / 600, -side / 2 - side / 6], [0, 0, 1]])
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        to_image = np.linalg.inv(half) @ camera(angle, size=size) @ mm @ half  # cv2 counts from the middles of pixels
        big = np.diag([4.0, 4.0, 1]) @ to_image
        drawn = cv2.resize(
            cv2.warpPerspective(tile, big, (4 * size, 4 * size)), (size, size), interpolation=cv2.INTER_AREA
        )
        there = cv2.warpPerspective(np.full_like(tile, 255), to_image, (size, size)) > 250
        picture[there] = drawn[there]
    Image.fromarray(picture).convert("RGB").save(path)
    return path
