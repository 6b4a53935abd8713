"""Takes the rows of one photograph's prediction: writes the kinds asked for, keeps what is measured and shown."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
from PIL import Image

from csbsr.data.coco_files import coco
from csbsr.data.labelme_files import labelme
from csbsr.data.reading import eight_bit
from csbsr.files import write_text
from csbsr.inspection.corrections import MaskDigest
from csbsr.inspection.pictures import consistency_picture, kernel_sheet, overlay
from csbsr.inspection.png import PngWriter
from csbsr.inspection.spread import VARIANCE_WHITE
from csbsr.inspection.store import GrowingFiles
from csbsr.inspection.views import LARGEST
from csbsr.measure import reduction
from csbsr.predict.passes import Outcome, Sink
from csbsr.predict.rows import LEVELS, Shrinker, as_levels

_WHOLE_IMAGES = (("sr", 3, 8), ("probability", 1, 16), ("mask", 1, 8), ("uncertainty", 1, 16))  # kind, channels, bits
_POLYGONS = {"labelme": labelme, "coco": coco}


class ResultFiles:
    """A sink that writes files.

    Args:
        files: of the photograph; those of measurements are written by others.
        photograph: its file, which polygons name.
    """

    def __init__(self, files: GrowingFiles, photograph: Path | None = None) -> None:
        self.files, self.photograph = files, photograph
        self.digest = MaskDigest(0)
        self._mask: list[np.ndarray] = []  # packed rows, for the polygons
        self._size = (0, 0)
        self._polygons = {kind: make for kind, make in _POLYGONS.items() if kind in files.kinds}
        self._writers: dict[str, PngWriter] = {}
        self._overlay: tuple[View, Shrinker] | None = None  # of the image and of its cracks
        self.shrinks = 0

    def begin(self, height: int, width: int) -> None:
        """Open the files, anew if there were any."""
        self.abandon()
        self.digest, self._mask, self._size = MaskDigest(width), [], (height, width)
        for kind, channels, bits in _WHOLE_IMAGES:
            if kind in self.files.kinds:
                self._writers[kind] = PngWriter(self.files.temporary(kind), height, width, channels, bits)
        if "overlay" in self.files.kinds:
            view = View(height, width)
            self._overlay = view, Shrinker(height, width, view.factor, largest=True)
        self.shrinks = 1 if "sr" in self._writers else 0 if self._overlay is None else self._overlay[0].factor

    def sr(self, rows: np.ndarray) -> None:
        """Write super-resolved rows."""
        if "sr" in self._writers or self._overlay is not None:
            pixels = eight_bit(rows).transpose(1, 2, 0)
            if "sr" in self._writers:
                self._writers["sr"].write(pixels)
            if self._overlay is not None:
                self._overlay[0].add(pixels)

    def segmentation(self, levels: np.ndarray, mask: np.ndarray, variance: np.ndarray | None) -> None:
        """Write segmented rows."""
        if "probability" in self._writers:
            self._writers["probability"].write(levels)
        self.digest.add(mask)
        if self._polygons:
            self._mask.append(np.packbits(mask, axis=1))
        if "mask" in self._writers:
            self._writers["mask"].write(mask.astype(np.uint8) * np.uint8(255))
        if "uncertainty" in self._writers and variance is not None:
            self._writers["uncertainty"].write(as_levels(variance / np.float32(VARIANCE_WHITE)))
        if self._overlay is not None:
            self._overlay[1].add(mask)

    def complete(self, outcome: Outcome) -> None:
        """Complete the files under their temporary names."""
        for writer in self._writers.values():
            writer.close()
        if self._overlay is not None:
            picture = overlay(self._overlay[0].result() / np.float32(255), self._overlay[1].result())
            Image.fromarray(picture).save(self.files.temporary("overlay"), quality=90)
        if self._polygons and outcome.scale:
            self._write_polygons(outcome.scale)
        if "kernel" in self.files.kinds and outcome.kernels is not None:
            Image.fromarray(kernel_sheet(outcome.kernels)).save(self.files.temporary("kernel"))
        if "consistency" in self.files.kinds and outcome.consistency is not None:
            Image.fromarray(consistency_picture(outcome.consistency.map)).save(self.files.temporary("consistency"))

    def _write_polygons(self, scale: int) -> None:
        height, width = self._size
        mask = np.unpackbits(np.concatenate(self._mask), axis=1, count=width).view(bool)
        for kind, make in self._polygons.items():
            place, image = self.files.places[kind], ""
            if self.photograph is not None:
                image = os.path.relpath(self.photograph.absolute(), place.absolute().parent)
            content = make(mask, Path(image).as_posix(), (height // scale, width // scale), scale)
            write_text(self.files.temporary(kind), json.dumps(content, ensure_ascii=False))

    def abandon(self) -> None:
        """Close what is unfinished."""
        for writer in self._writers.values():
            writer.abandon()
        self._writers, self._overlay = {}, None


class View:
    """The super-resolved image (H, W) shrunken to sides of at most `LARGEST`.

    Attributes:
        factor: by which it is shrunken, whole.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.factor = -(-max(height, width) // LARGEST)
        self._shrinker: Shrinker | None = None

    def add(self, pixels: np.ndarray) -> None:
        """Take in rows (n, W/k, 3) uint8, means of k × k pixels, k a divisor of `factor` and the same in every call."""
        if self._shrinker is None:
            k = self.width // pixels.shape[1]
            self._shrinker = Shrinker(self.height // k, self.width // k, self.factor // k)
        self._shrinker.add(pixels)

    def result(self) -> np.ndarray:
        """(⌈H/factor⌉, ⌈W/factor⌉, 3) float32 of 0 to 255, after the last row."""
        return np.empty((0, 0, 3), np.float32) if self._shrinker is None else self._shrinker.result()


class KeptRows:
    """A sink that passes rows on and keeps the probability and a view, both shrunken where they are large.

    Args:
        sink: gets everything too; None keeps the probability alone.
        megapixels: most of them in the probability that is kept.
        factor: by which it is shrunken; None for the smallest that fits.
    """

    def __init__(self, sink: Sink | None, megapixels: float, factor: int | None = None) -> None:
        self._sink, self._megapixels, self._given = sink, megapixels, factor
        self.factor, self.shrinks = 1, 0
        self._variance: Shrinker | None = None

    def begin(self, height: int, width: int) -> None:
        """Make room, anew if memory ran out."""
        self.factor = self._given or reduction((height, width), self._megapixels * 1e6)
        self._shape = (height, width)
        self._probability, self._variance = self._kept(), None
        if self._sink is not None:
            self._view = View(height, width)
            self._sink.begin(height, width)
            self.shrinks = math.gcd(self._view.factor, self._sink.shrinks)

    def sr(self, rows: np.ndarray) -> None:
        """Keep super-resolved rows in the view."""
        if self._sink is not None:
            self._view.add(eight_bit(rows).transpose(1, 2, 0))
            self._sink.sr(rows)

    def segmentation(self, levels: np.ndarray, mask: np.ndarray, variance: np.ndarray | None) -> None:
        """Keep segmented rows."""
        if self._sink is not None:
            self._sink.segmentation(levels, mask, variance)
        self._probability.add(levels * np.float32(1 / LEVELS))
        if variance is not None:
            self._variance = self._variance or self._kept()
            self._variance.add(variance)

    def probability(self) -> np.ndarray:
        """(H, W) float16, after the last row."""
        return self._probability.result()

    def spread(self) -> np.ndarray | None:
        """(H, W) float16, its standard deviation over flips; None with one flip."""
        return None if self._variance is None else np.sqrt(self._variance.result())

    def forget_probability(self) -> None:
        """Give its memory back, and that of its spread."""
        self._shape = (0, 0)
        self._probability, self._variance = self._kept(), None

    def view(self) -> np.ndarray:
        """The super-resolved image, (H, W, 3) uint8, its sides at most `LARGEST`."""
        return np.rint(self._view.result()).astype(np.uint8)

    def _kept(self) -> Shrinker:
        return Shrinker(*self._shape, self.factor, dtype=np.float16)
