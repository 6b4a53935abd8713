"""Results as tiled, deflated TIFFs with overviews, georeferenced where the photograph is; written by rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile

from csbsr.inspection.rowfiles import RowFile

_SIDE = 512  # of a tile
_BIG = 3 << 30  # bytes uncompressed, from which on 4 GB may not hold the file
_NODATA = 42113  # GDAL's tag

Tag = tuple[int, str, int, Any, bool]


class Raster(NamedTuple):
    """An image that is read by rows."""

    read: Callable[[int, int], np.ndarray]  #: from first and last row (excluded) to (n, W) or (n, W, C)
    shape: tuple[int, int]  #: H, W
    dtype: np.dtype
    channels: int = 1  #: 1 for grey, 4 for red, green, blue and opacity
    largest: bool = False  #: overviews hold the largest of 2 x 2 pixels, so that thin lines stay; else their mean


def write_tiled(path: Path, raster: Raster, folder: Path, tags: Sequence[Tag] = (), nodata: int | None = None) -> None:
    """Write a raster.

    Args:
        path: of the file.
        raster: its pixels.
        folder: for the overviews while they are made.
        tags: further tags of the image, as of `csbsr.data.reading.geo.placing_tags`.
        nodata: value of pixels without data.
    """
    own = [] if nodata is None else [(_NODATA, "s", 0, str(nodata), True)]
    height, width = raster.shape
    big = height * width * raster.channels * raster.dtype.itemsize > _BIG
    made: list[Path] = []
    try:
        with tifffile.TiffWriter(path, bigtiff=big) as writer:
            _write(writer, raster, [*tags, *own], reduced=False)
            while max(raster.shape) > _SIDE:
                made.append(folder / f"overview-{len(made)}.rows")
                raster = halved(raster, made[-1])
                _write(writer, raster, own, reduced=True)
    finally:
        for overview in made:
            overview.unlink(missing_ok=True)


def halved(raster: Raster, path: Path) -> Raster:
    """A raster of half the sides, rounded up, kept at ``path``."""
    path.unlink(missing_ok=True)
    (height, width), rows = raster.shape, 2 * _SIDE
    file = RowFile(path, -(-width // 2), raster.dtype, raster.channels)
    for start in range(0, height, rows):
        file.append(_halved(raster.read(start, min(start + rows, height)), raster.largest))
    return raster._replace(read=file.read, shape=(-(-height // 2), file.width))


def _halved(rows: np.ndarray, largest: bool) -> np.ndarray:
    odd = [(0, rows.shape[axis] % 2) for axis in (0, 1)]
    rows = np.pad(rows, (*odd, *[(0, 0)] * (rows.ndim - 2)), mode="edge")
    corners = [rows[y::2, x::2] for y in (0, 1) for x in (0, 1)]
    if largest:
        return np.asarray(np.maximum.reduce(corners))
    return np.asarray((np.add.reduce(corners, dtype=np.uint32) + 2) // 4)


def _write(writer: tifffile.TiffWriter, raster: Raster, tags: Sequence[Tag], reduced: bool) -> None:
    colour = raster.channels == 4
    writer.write(
        _tiles(raster),
        shape=(*raster.shape, 4) if colour else raster.shape,
        dtype=raster.dtype,
        tile=(_SIDE, _SIDE),
        compression="adobe_deflate",
        photometric="rgb" if colour else "minisblack",
        extrasamples=["unassalpha"] if colour else None,
        subfiletype=int(reduced),
        extratags=list(tags),
        metadata=None,
        maxworkers=1,
    )


def _tiles(raster: Raster) -> Iterator[np.ndarray]:
    height, width = raster.shape
    for top in range(0, height, _SIDE):
        rows = raster.read(top, min(top + _SIDE, height))
        for left in range(0, width, _SIDE):
            yield np.ascontiguousarray(rows[:, left : left + _SIDE], raster.dtype)
