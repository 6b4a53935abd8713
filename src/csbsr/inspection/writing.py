"""Writes the results of one photograph: row by row under temporary names, moved to their places when all are whole."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import numpy as np
from PIL import Image

from csbsr.inspection.pictures import consistency_picture, kernel_sheet, overlay
from csbsr.inspection.png import PngWriter
from csbsr.predict.passes import Outcome
from csbsr.predict.rows import Shrinker

#: Kinds of results, and the ending of their files.
KINDS = {
    "sr": ".png",
    "probability": ".png",
    "mask": ".png",
    "overlay": ".jpg",
    "kernel": ".png",
    "consistency": ".png",
    "uncertainty": ".png",
    "widths": ".jpg",
    "cracks": ".csv",
}
#: Longest side of the overlay; a larger image is shrunk by a whole factor.
OVERLAY_SIDE = 4096
#: Bytes of a file name, in the usual file systems.
LONGEST_NAME = 255
_VARIANCE_WHITE = 0.25  # the largest variance of a probability


class Files:
    """A sink that writes the kinds asked for.

    Args:
        stem: path of the results without kind and ending, e.g. ``<output>/wall/P1``.
        kinds: of `KINDS`.
        partial: existing folder for the files while they grow, on the same file system.

    Raises:
        ValueError: a file name would be too long.
    """

    def __init__(self, stem: Path, kinds: Collection[str], partial: Path) -> None:
        self.kinds = [kind for kind in KINDS if kind in kinds]
        self.places = places_of(stem, self.kinds)
        self.partial = partial
        for place in self.places.values():
            if len(os.fsencode(place.name)) > LONGEST_NAME:
                raise ValueError(f"{place.name}: a name of more than {LONGEST_NAME} bytes; rename the photograph")
        self._writers: dict[str, PngWriter] = {}
        self._preview: Shrinker | None = None
        self._cracks: Shrinker | None = None

    def begin(self, height: int, width: int) -> None:
        """Open the files, anew if there were any."""
        self.abandon()
        for kind, channels, bits in (("sr", 3, 8), ("probability", 1, 16), ("mask", 1, 8), ("uncertainty", 1, 16)):
            if kind in self.kinds:
                self._writers[kind] = PngWriter(self.temporary(kind), height, width, channels, bits)
        if "overlay" in self.kinds:
            factor = -(-max(height, width) // OVERLAY_SIDE)
            self._preview = Shrinker(height, width, factor)
            self._cracks = Shrinker(height, width, factor, largest=True)

    def sr(self, rows: np.ndarray) -> None:
        """Write super-resolved rows."""
        if "sr" in self._writers or self._preview is not None:
            pixels = np.rint(rows * np.float32(255)).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
            if "sr" in self._writers:
                self._writers["sr"].write(pixels)
            if self._preview is not None:
                self._preview.add(pixels)

    def segmentation(self, levels: np.ndarray, mask: np.ndarray, variance: np.ndarray | None) -> None:
        """Write segmented rows."""
        if "probability" in self._writers:
            self._writers["probability"].write(levels)
        if "mask" in self._writers:
            self._writers["mask"].write(mask.astype(np.uint8) * np.uint8(255))
        if "uncertainty" in self._writers and variance is not None:
            share = (variance / np.float32(_VARIANCE_WHITE)).clip(0, 1)
            self._writers["uncertainty"].write(np.rint(share * np.float32(65535)).astype(np.uint16))
        if self._cracks is not None:
            self._cracks.add(mask)

    def complete(self, outcome: Outcome) -> None:
        """Complete the files under their temporary names."""
        for writer in self._writers.values():
            writer.close()
        if self._preview is not None:
            picture = overlay(self._preview.result() / np.float32(255), self._cracks.result())
            Image.fromarray(picture).save(self.temporary("overlay"), quality=90)
        if "kernel" in self.kinds:
            Image.fromarray(kernel_sheet(outcome.kernels)).save(self.temporary("kernel"))
        if "consistency" in self.kinds:
            Image.fromarray(consistency_picture(outcome.consistency.map)).save(self.temporary("consistency"))

    def move(self) -> None:
        """Move the complete files to their places."""
        for kind, place in self.places.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            _to_disk(self.temporary(kind))
            os.replace(self.temporary(kind), place)

    def abandon(self) -> None:
        """Close and remove what is unfinished."""
        for writer in self._writers.values():
            writer.abandon()
        self._writers = {}
        for kind in self.kinds:
            self.temporary(kind).unlink(missing_ok=True)

    def temporary(self, kind: str) -> Path:
        """Where a file grows.  Those of measurements are written there by others, before `move`."""
        return self.partial / f"{kind}{KINDS[kind]}"


def places_of(stem: Path, kinds: Collection[str]) -> dict[str, Path]:
    """Files of a photograph by kind, in the order of `KINDS`."""
    return {kind: stem.with_name(f"{stem.name}_{kind}{KINDS[kind]}") for kind in KINDS if kind in kinds}


def _to_disk(path: Path) -> None:
    """Have the file's contents on the disk before its name: a power cut leaves the name only with all of it."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
