"""The work on images that are read by windows, in memory that does not grow with them.

The rows are kept in a folder of their own until all are there (`csbsr.inspection.rowfiles`); then the tiled TIFFs, the
pictures and the measurement are made from them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from csbsr.data.reading import eight_bit
from csbsr.data.reading.by_rows import Looked, RowReader
from csbsr.data.reading.geo import placing_tags, told_of_place
from csbsr.files import write_text
from csbsr.inspection.corrections import MaskDigest, leaves_out
from csbsr.inspection.geotiff import Raster, write_tiled
from csbsr.inspection.lines import Frame
from csbsr.inspection.measuring import Measuring
from csbsr.inspection.photographs import Photograph
from csbsr.inspection.pictures import kernel_sheet, overlay
from csbsr.inspection.pieces import InPieces, told_of_pieces
from csbsr.inspection.record import Handled, Measured, Record, Source
from csbsr.inspection.rowfiles import RowFiles
from csbsr.inspection.store import KINDS, GrowingFiles
from csbsr.inspection.views import LARGEST
from csbsr.measure import BlurMap, TooNoisyError
from csbsr.measure.coverage import CoverageByRows
from csbsr.measure.ground import Scale
from csbsr.memory import give_back_memory
from csbsr.predict import Predictor
from csbsr.predict.by_rows import ByRows, RowOutcome
from csbsr.predict.passes import Outcome
from csbsr.predict.rows import LEVELS, NO_DATA, Shrinker

_ROWS = 512  # of a result that are read at a time


class ByWindows:
    """One image from its file to its results.

    Args:
        predictor: what runs.
        measuring: how cracks are measured; None if they are not.
        item: the image.
        files: of its results.
        record: to fill.
        scale: pixels of the results to one of the image, along a side.
        told: something more for the person who gave the image.
    """

    def __init__(
        self,
        predictor: Predictor,
        measuring: Measuring | None,
        item: Photograph,
        files: GrowingFiles,
        record: Record,
        scale: int,
        told: str | None = None,
    ) -> None:
        self._told = told
        self.predictor, self.measuring, self.item, self.scale = predictor, measuring, item, scale
        self.files, self.record = files, record
        self.threshold = predictor.threshold

    def run(
        self,
        settings: dict[str, Any],
        tick: Callable[[float], None],
        bands: Sequence[int] | None = None,
        bits: int | None = None,
    ) -> Outcome:
        """Do all of it.

        Args:
            settings: what the rows hang on.
            tick: called with the share of the work just done.
            bands: as for `csbsr.data.reading.read_photograph`.
            bits: as there.
        """
        if leaves_out(self._stem, self.item.path):
            raise ValueError(
                f"{self.item.path}: areas to be left out cannot be taken from an image that is read by windows; make "
                "them transparent in the image, or use windows=false"
            )
        with RowReader(self.item.path, bands, bits) as reader:
            found = reader.look()
            self.shape = reader.shape[0] * self.scale, reader.shape[1] * self.scale
            ground = Scale() if self.measuring is None else self.measuring.ground(self.item.name, self.item.path)
            rows, outcome, tile = self._rows(reader, settings, tick)
            self.rows = rows
            give_back_memory()  # of the tiles: what follows takes windows of its own
            view, cracks = self._view(reader), self._looked_through(found.share == 1)
            counted = max(1, round(found.share * math.prod(self.shape)))
            result = Outcome(
                self.shape, (0, 0), outcome.kernels, None, self.crack_pixels / counted, tile, self.scale
            )  # fmt: skip
            self._rasters()
            if "overlay" in self.files.kinds:
                picture = overlay(view / np.float32(255), cracks)
                Image.fromarray(picture).save(self.files.temporary("overlay"), quality=90)
            if "kernel" in self.files.kinds and outcome.kernels is not None:
                Image.fromarray(kernel_sheet(outcome.kernels)).save(self.files.temporary("kernel"))
            self.record.handled = Handled(
                missing_share=None if found.share == 1 else float(f"{1 - found.share:.4g}"),
                note="; ".join(self._notes(found, outcome, ground)) or None,
                scale_refused="; ".join(ground.refused) or None,
            )
            if self.measuring is not None:
                self._measure(self.measuring, reader, ground, result, view, counted)
        return result

    @property
    def _stem(self) -> Path:
        place = self.files.place("cracks")
        return place.with_name(place.name.removesuffix(f"_cracks{KINDS['cracks']}"))

    def _rows(
        self, reader: RowReader, settings: dict[str, Any], tick: Callable[[float], None]
    ) -> tuple[RowFiles, RowOutcome, int]:
        """The rows of the result: those that an earlier run left, and the others."""
        source = asdict(Source.of(self.item.path))
        wanted = {"settings": settings, "bytes": source["bytes"], "modified_ns": source["modified_ns"]}
        flips = self.predictor.options.flips > 1
        rows = RowFiles(self.files.rows, wanted, self.shape[1], "sr" in self.files.kinds, flips)
        run = ByRows(self.predictor, reader, self.scale, rows.sr is not None, rows.tile)
        rows.tile = run.tile
        share = 1.0 if self.measuring is None else 0.95
        return rows, run.run(rows, rows.state, lambda done: tick(share * done)), run.tile

    def _notes(self, found: Looked, outcome: RowOutcome, ground: Scale) -> list[str]:
        """For the person who gave the image."""
        notes = [*found.notes, *([] if self._told is None else [self._told])]
        if outcome.skipped:
            notes.append(f"{outcome.skipped} of {outcome.tiles} tiles hold no data and were skipped")
        if found.broken:
            pixels = sum(box.pixels for box in found.broken)
            area = f"{pixels / 1e6:.3g} megapixels"
            if ground.sampling is not None:
                area += f", {pixels * float(ground.sampling) ** 2 / 1e6:.3g} m²"
            places = ", ".join(f"x {box.left} y {box.top}" for box in found.broken[:3])
            more = ", …" if len(found.broken) > 3 else ""
            what = "tile is" if len(found.broken) == 1 else "tiles are"
            notes.append(f"{len(found.broken)} {what} damaged and missing from the result ({area}; at {places}{more})")
        notes += told_of_place(self.item.path)
        return notes

    # ---- what is made of the rows ----

    def _mask_levels(self, start: int, stop: int) -> np.ndarray:
        levels = self.rows.probability.read(start, stop)
        found = np.where(levels > self.threshold * LEVELS, np.uint8(255), np.uint8(0))
        found[levels == NO_DATA] = NO_DATA
        return found

    def _coloured(self, start: int, stop: int) -> np.ndarray:
        assert self.rows.sr is not None
        opaque = self.rows.probability.read(start, stop) != NO_DATA
        return np.concatenate([self.rows.sr.read(start, stop), opaque[..., None] * np.uint8(255)], axis=2)

    def _rasters(self) -> None:
        """Write the tiled TIFFs."""
        tags = placing_tags(self.item.path, self.scale)
        byte, word = np.dtype(np.uint8), np.dtype(np.uint16)
        rasters = {
            "probability": Raster(self.rows.probability.read, self.shape, word, largest=True),
            "mask": Raster(self._mask_levels, self.shape, byte, largest=True),
        }
        if self.rows.sr is not None:
            rasters["sr"] = Raster(self._coloured, self.shape, byte, 4)
        if self.rows.uncertainty is not None:
            rasters["uncertainty"] = Raster(self.rows.uncertainty.read, self.shape, word, largest=True)
        for kind, raster in rasters.items():
            if kind in self.files.kinds:
                nodata = NO_DATA if kind in ("probability", "mask") else None
                write_tiled(self.files.temporary(kind), raster, self.rows.folder, tags, nodata)

    def _view(self, reader: RowReader) -> np.ndarray:
        """The image with sides of at most `LARGEST`, (h, w, 3) uint8."""
        height, width = reader.shape
        shrinker = Shrinker(height, width, -(-max(height, width) // LARGEST))
        for start, stop in reader.strips():
            shrinker.add(eight_bit(reader.rows(start, stop)[0]))
        return np.rint(shrinker.result()).astype(np.uint8)

    def _looked_through(self, complete: bool) -> np.ndarray:
        """The cracks at the size of the view; their pixels, the mask's digest and the coverage are noted."""
        height, width = self.shape
        factor = -(-max(height, width) // self.scale // LARGEST) * self.scale
        cracks, digest = Shrinker(height, width, factor, largest=True), MaskDigest(width)
        coverage = CoverageByRows(self.shape, self.scale)
        self.crack_pixels = 0
        for start in range(0, height, _ROWS):
            levels = self.rows.probability.read(start, min(start + _ROWS, height))
            mask = np.asarray(levels > self.threshold * LEVELS)
            coverage.add(levels != NO_DATA)
            digest.add(mask)
            cracks.add(mask)
            self.crack_pixels += int(np.count_nonzero(mask))
        self.record.digest = digest.text()
        self.coverage = None if complete else coverage.result()
        return cracks.result()

    def _measure(
        self, measuring: Measuring, reader: RowReader, ground: Scale, outcome: Outcome, view: np.ndarray, counted: int
    ) -> None:
        name, record = self.item.name, self.record
        numbers: Measured | None = None

        def blur(shape: tuple[int, int]) -> BlurMap | None:
            kernels = outcome.kernels
            return None if kernels is None else BlurMap.of_kernels(kernels, self.predictor.scale, shape)

        pieces = InPieces(
            measuring, name, self.shape, self.scale, self.threshold, ground, self.rows.probability,
            self.rows.uncertainty, reader, blur,
        )  # fmt: skip
        try:
            measurement, cut = pieces.measure(counted)
            numbers = measuring.numbers(measurement)
            record.handled = (record.handled or Handled()).noting(told_of_pieces(cut))
        except TooNoisyError as error:
            measurement = pieces.nothing()
            record.handled = replace(record.handled or Handled(), not_measured=str(error))
        frame = Frame(self.scale * pieces.finer, ground.shown, self.coverage)
        table = measuring.save(measurement, name, self.files, None, view, frame)
        write_text(self.files.pictures.cracks, table)
        record.stem, record.measured = self.item.stem, numbers
