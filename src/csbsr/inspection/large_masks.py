"""Measures a probability that csbsr-predict wrote by windows as csbsr-predict does: by rows, however large it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile

from csbsr.data.reading.by_rows import RowReader, can_be_read_by_rows
from csbsr.data.reading.files import DAMAGED, damaged
from csbsr.data.reading.segments import Segments
from csbsr.inspection.corrections import leaves_out
from csbsr.inspection.measuring import Measuring
from csbsr.inspection.pieces import InPieces
from csbsr.inspection.record import Source
from csbsr.inspection.rowfiles import RowFile
from csbsr.inspection.sources import Mask
from csbsr.inspection.store import TILED
from csbsr.measure import BlurMap, Coverage, Measurement
from csbsr.measure.coverage import CoverageByRows
from csbsr.measure.ground import Scale
from csbsr.predict.rows import NO_DATA

_ROWS = 512  # of a raster that are read at a time


class MeasuredRaster(NamedTuple):
    """What is known of a raster."""

    measurement: Measurement
    finer: int  #: its pixels to one of the raster, along a side
    in_pieces: int  #: cracks that are too large to be measured whole
    coverage: Coverage | None  #: what of the image holds data; None: all


def is_by_windows(item: Mask) -> bool:
    """Is it a probability that csbsr-predict wrote by windows, and none of whose areas a person leaves out?"""
    own = item.correctable
    written = item.predicted and item.path.name.endswith(f"_probability{TILED['probability']}")
    return written and (own is None or not leaves_out(own.stem, own.photograph))


def measure_by_rows(
    measuring: Measuring, item: Mask, name: str, threshold: float, ground: Scale, folder: Path,
    read_as: tuple[Sequence[int] | None, int | None] = (None, None),
) -> MeasuredRaster:  # fmt: skip
    """Measure it.

    Args:
        measuring: the settings.
        item: the raster.
        name: by which it is listed.
        threshold: at and above which a probability is crack.
        ground: the scale of the image.
        folder: for its rows, uncompressed, while it is measured.
        read_as: bands and bits of the image.

    Raises:
        DataError: a file is damaged.
        csbsr.measure.TooNoisyError: it has more branches than the settings allow.
    """
    scale = round(item.scale or 1)
    with contextlib.ExitStack() as stack:
        rows = stack.enter_context(_unpacked(item.path, folder / "probability.rows"))
        height = rows.path.stat().st_size // (rows.width * rows.dtype.itemsize)
        shape, counted = (height, rows.width), 0
        coverage = CoverageByRows(shape, scale)
        for start in range(0, height, _ROWS):
            there = rows.read(start, min(start + _ROWS, height)) != NO_DATA
            coverage.add(there)
            counted += int(np.count_nonzero(there))
        variance = None
        if item.uncertainty is not None and item.uncertainty.is_file():
            variance = stack.enter_context(_unpacked(item.uncertainty, folder / "uncertainty.rows"))
        image = _image(item, shape, scale, read_as)
        if image is not None:
            stack.enter_context(image)

        def blur(part: tuple[int, int]) -> BlurMap | None:
            return None if item.kernels is None else BlurMap.of_numbers(item.kernels, part)

        pieces = InPieces(measuring, name, shape, scale, threshold, ground, rows, variance, image, blur)
        measurement, cut = pieces.measure(max(1, counted))
    return MeasuredRaster(measurement, pieces.finer, cut, None if counted == height * rows.width else coverage.result())


@contextlib.contextmanager
def _unpacked(path: Path, place: Path) -> Iterator[RowFile]:
    """The values of a tiled TIFF of one band, as rows in a file that is gone afterwards."""
    try:
        yield _rows_of(path, place)
    finally:
        place.unlink(missing_ok=True)


def _rows_of(path: Path, place: Path) -> RowFile:
    place.unlink(missing_ok=True)
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            if not isinstance(page, tifffile.TiffPage):
                raise ValueError("no page")
            segments = Segments(file, page)
            height, width = segments.size
            rows = RowFile(place, width, segments.dtype)
            for start in range(0, height, _ROWS):
                rows.append(segments.rows(start, min(start + _ROWS, height), slice(0, width))[0][..., 0])
    except DAMAGED as error:
        raise damaged(path, error) from error
    if segments.broken:
        raise damaged(path, f"{len(segments.broken)} tiles")
    return rows


def _image(
    item: Mask, shape: tuple[int, int], scale: int, read_as: tuple[Sequence[int] | None, int | None]
) -> RowReader | None:
    """The image to take widths from its light; None if it is no longer what was read."""
    path = item.photograph
    if path is None or item.noted is None or not item.noted.same_as(Source.of(path)) or not can_be_read_by_rows(path):
        return None
    image = RowReader(path, *read_as)
    if tuple(side * scale for side in image.shape) == shape:
        return image
    image.__exit__(None, None, None)
    return None
