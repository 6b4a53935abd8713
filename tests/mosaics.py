"""Georeferenced mosaics, made up: a concrete wall with cracks at known places, transparent corners; of any size.

``python -m tests.mosaics FILE WIDTH HEIGHT`` writes one, tile by tile, in little memory.  If FILE is the
``cracks.geojson`` of one, it tells how much of the lines in it lies where a crack was drawn.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tifffile
from scipy.signal import lfilter
from scipy.spatial import cKDTree

from csbsr.data.synthetic.surface import SURFACES

EPSG, PIXEL, CORNER = 25832, 0.0008, (500000.0, 5500000.0)  # metres
_TEXTURE = 1024
_DARK = 0.15  # of the light that comes out of a crack


class DrawnCrack(NamedTuple):
    """A crack as it was drawn."""

    points: np.ndarray  #: (n, 2), x and y in pixels from the upper left corner of the image
    width: float  #: pixels


def cracks_of(width: int, height: int, count: int, seed: int = 0) -> list[DrawnCrack]:
    """Rough cracks of 1.5 to 5 pixels away from the border, one below the other.

    They wander as cracks do, by 0.9 pixels in every two: straight lines are joints to a network.
    """
    rng = np.random.default_rng(seed)
    found = []
    for k in range(count):
        long = rng.uniform(0.35, 0.6) * width
        x = rng.uniform(0.15 * width, 0.85 * width - long)
        y = height * (0.15 + 0.7 * (k + 0.5) / count)
        along = np.arange(0.0, long, 2.0)
        wander = lfilter([1.0], [1.0, -0.995], rng.normal(0, 0.9, len(along)))
        room = 0.3 * height / count
        points = np.stack([x + along, y + (wander - wander.mean()).clip(-room, room)], axis=1)
        found.append(DrawnCrack(points, float(rng.uniform(1.5, 5))))
    return found


def distance(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """(n,) from points (n, 2) to the nearest place of a line (m, 2) of straight pieces."""
    best = np.full(len(points), np.inf)
    for start, stop in pairwise(line):
        along = stop - start
        share = ((points - start) @ along / (along @ along)).clip(0, 1)
        best = np.minimum(best, np.hypot(*(points - start - share[:, None] * along).T))
    return best


class Agreement(NamedTuple):
    """How far lines that were found and cracks that were drawn agree."""

    found: float  #: share of the drawn length that a found line comes within a pixel of
    within: float  #: of the found length that belongs to a drawn crack, the share within a pixel of it
    foreign: float  #: share of the found length that belongs to none: further than 10 pixels


def agreement(geojson: Path, drawn: list[DrawnCrack]) -> Agreement:
    """Compare the ``cracks.geojson`` of a mosaic with its cracks."""
    features = json.loads(geojson.read_text(encoding="utf-8"))["features"]
    lines = [np.asarray(line) for feature in features for line in feature["geometry"]["coordinates"]]
    x0, y0 = CORNER
    found = np.concatenate([_dense(np.stack([line[:, 0] - x0, y0 - line[:, 1]], 1) / PIXEL) for line in lines])
    truth = np.concatenate([_dense(crack.points) for crack in drawn])
    to_truth, to_found = cKDTree(truth).query(found)[0], cKDTree(found).query(truth)[0]
    own = to_truth < 10
    return Agreement(float((to_found < 1).mean()), float((to_truth[own] < 1).mean()), float((~own).mean()))


def _dense(line: np.ndarray, step: float = 0.2) -> np.ndarray:
    """Points (n, 2) on a line (m, 2), ``step`` or less apart."""
    counts = np.maximum(1, np.ceil(np.hypot(*np.diff(line, axis=0).T) / step)).astype(int)
    return np.concatenate(
        [np.linspace(a, b, n, endpoint=False) for (a, b), n in zip(pairwise(line), counts, strict=True)]
    )


def write_mosaic(
    path: Path, width: int, height: int, cracks: list[DrawnCrack], side: int = 256, **more: object
) -> Path:
    """A tiled, deflated GeoTIFF of red, green, blue and opacity: EPSG:25832, 0.8 mm, the corners transparent.

    Args:
        path: of the file.
        width: in pixels.
        height: in pixels.
        cracks: drawn on it.
        side: of its tiles.
        more: further arguments of tifffile's ``write``; ``extratags`` takes the place of the georeference.
    """
    texture = SURFACES["concrete"](np.random.default_rng(5), (_TEXTURE, _TEXTURE)).colour
    texture = np.concatenate([texture, texture[:, ::-1]], axis=1)
    texture = np.concatenate([texture, texture[:, :, ::-1]], axis=2).transpose(1, 2, 0)

    def tiles() -> Iterator[np.ndarray]:
        for top in range(0, height, side):
            for left in range(0, width, side):
                yield _tile(texture, cracks, (width, height), top, left, side)

    keys = (1, 1, 0, 4, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, EPSG, 3076, 0, 1, 9001)
    tags = [
        (33550, "d", 3, (PIXEL, PIXEL, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, *CORNER, 0.0), True),
        (34735, "H", len(keys), keys, True),
    ]
    with tifffile.TiffWriter(path, bigtiff=width * height > 5e8) as writer:
        writer.write(
            tiles(), shape=(height, width, 4), dtype=np.uint8, tile=(side, side), photometric="rgb",
            extrasamples=["unassalpha"], metadata=None, **{"compression": "adobe_deflate", "extratags": tags, **more},
        )  # fmt: skip
    return path


def transparent(x: np.ndarray, y: np.ndarray, width: int, height: int) -> np.ndarray:
    """Which pixels lie in the corners: a flight's strips rarely run along the axes of a map."""
    return np.abs(x - width / 2) / width + np.abs(y - height / 2) / height > 0.8


def _tile(
    texture: np.ndarray, cracks: list[DrawnCrack], size: tuple[int, int], top: int, left: int, side: int
) -> np.ndarray:
    border = 4
    y, x = np.mgrid[top - border : top + side + border, left - border : left + side + border]
    colour = texture[np.ix_(y[:, 0] % len(texture), x[0] % len(texture))]
    for crack in cracks:
        reach = crack.width + border + 2
        low, high = crack.points.min(0) - reach, crack.points.max(0) + reach
        if high[0] < left or low[0] > left + side or high[1] < top or low[1] > top + side:
            continue
        near = np.flatnonzero(np.abs(crack.points[:, 0] - left - side / 2) < side / 2 + reach)
        line = crack.points[max(0, near[0] - 1) : near[-1] + 2] if len(near) else crack.points
        rows = slice(
            *np.clip(np.array([line[:, 1].min() - reach, line[:, 1].max() + reach]) - y[0, 0], 0, None).astype(int)
        )
        centres = np.stack([x[rows].ravel() + 0.5, y[rows].ravel() + 0.5], axis=1)
        cover = np.zeros(x.shape)
        cover[rows] = (0.5 + crack.width / 2 - distance(centres, line)).clip(0, 1).reshape(-1, x.shape[1])
        colour = colour * (1 - (1 - _DARK) * cover[..., None])
    colour = cv2.GaussianBlur(colour.astype(np.float32), (0, 0), 0.8)[border:-border, border:-border]
    inner = slice(border, -border)
    opaque = ~transparent(x[inner, inner] + 0.5, y[inner, inner] + 0.5, *size)
    levels = np.rint(colour.clip(0, 1) * 255).astype(np.uint8) * opaque[..., None]
    return np.concatenate([levels, opaque[..., None].astype(np.uint8) * np.uint8(255)], axis=2)


if __name__ == "__main__":
    place, across, down = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    cracks = cracks_of(across, down, max(2, down // 500))
    if place.suffix == ".geojson":
        sys.stdout.write(f"{agreement(place, cracks)}\n")
    else:
        write_mosaic(place, across, down, cracks)
