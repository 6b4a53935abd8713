"""A folder of csbsr-predict whose masks a person corrected, as training data: as it is, beside its photographs."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from csbsr.contracts import Degradation
from csbsr.data.datamodule import CrackDataModule
from csbsr.data.errors import DataError
from csbsr.data.mask_values import IGNORED
from csbsr.data.masks import read_labels
from csbsr.data.reading import read_photograph
from csbsr.inspection.corrections import left_out
from csbsr.inspection.record import DONE, Record
from csbsr.inspection.store import PREDICT, read_summary
from csbsr.predict.rows import NO_DATA
from csbsr.words import first_names

_HALF = 0.5  # share of a pixel of the photograph from which it is crack


class Corrected(NamedTuple):
    """A photograph with what is known of its cracks."""

    name: str
    photograph: Path
    mask: Path  #: a picture or polygons, whichever was changed last
    stem: Path  #: of the results


class CorrectedPairs:
    """Photographs with the masks of a folder of csbsr-predict, a `csbsr.contracts.PairSource`.

    Masks are brought to the size of the photographs: a pixel is crack if half of it is, and ignored where a person left
    an area out or labelled it so.

    Args:
        root: folder with the ``summary.json``; masks or polygons must have been saved.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    @cached_property
    def files(self) -> list[Corrected]:
        """The photographs, by name.

        Raises:
            DataError: there is no such folder, or photographs or masks are gone.
        """
        try:
            summary = read_summary(self.root) if self.root.is_dir() else None
        except (OSError, ValueError) as error:
            raise DataError.about(self.root, f"a summary that cannot be read ({error})", "one of csbsr-predict",
                                  "Restore it.") from error  # fmt: skip
        if summary is None or summary.command != PREDICT:
            raise DataError.about(
                self.root, "no summary.json of csbsr-predict", "a folder that csbsr-predict wrote",
                "Set data.root=<output of csbsr-predict>.",
            )  # fmt: skip
        done = [record for record in summary.records if record.status == DONE and record.source is not None]
        found = [(record, self._mask(record)) for record in done]
        chosen = [
            Corrected(record.file, Path(record.source.path), mask, self._stem(record, mask))
            for record, mask in found
            if mask is not None and record.source is not None
        ]
        if not chosen:
            raise DataError.about(
                self.root, "no mask or polygons", "those of its photographs", "Predict with save=mask or save=labelme."
            )
        gone = [item.name for item in chosen if not item.photograph.is_file()]
        if gone:
            raise DataError.about(
                self.root, f"{len(gone)} photographs that are no longer where they were ({first_names(gone)})",
                "them", "Put them back, or predict them anew where they are.",
            )  # fmt: skip
        return sorted(chosen)

    def _mask(self, record: Record) -> Path | None:
        results = record.results or {}
        there = [self.root / results[kind] for kind in ("mask", "labelme") if kind in results]
        there = [path for path in there if path.is_file()]
        return max(there, key=lambda path: path.stat().st_mtime_ns) if there else None

    def _stem(self, record: Record, mask: Path) -> Path:
        kind = "labelme" if mask.suffix == ".json" else "mask"
        return mask.with_name(mask.stem.removesuffix(f"_{kind}"))

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        """The photograph's name in the summary."""
        return self.files[index].name

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) and mask (H, W) uint8: 0, 1, or 255 where it is ignored.

        Raises:
            DataError: a file cannot be read, or the mask's size is no multiple of the photograph's.
        """
        item = self.files[index]
        image, valid, _ = read_photograph(item.photograph)
        height, width = image.shape[:2]
        labels = read_labels(item.mask, dark=NO_DATA)
        factor = labels.shape[0] // height
        if not factor or labels.shape != (height * factor, width * factor):
            raise DataError.about(
                item.mask, f"{labels.shape[1]} x {labels.shape[0]} pixels", f"a multiple of {width} x {height}",
                "Save it at the size it had.",
            )  # fmt: skip
        squares = labels.reshape(height, factor, width, factor)
        mask = ((squares == 1).mean((1, 3)) >= _HALF).astype(np.uint8)
        mask[(squares == IGNORED).any((1, 3))] = IGNORED
        excluded = left_out(item.stem, item.photograph, (height, width))
        if excluded is not None:
            mask[excluded] = IGNORED
        if valid is not None:
            mask[~valid] = IGNORED
        return image, mask

    def fingerprint(self) -> str:
        """Short hash of all names and of the sizes and times of their files."""
        digest = hashlib.blake2b(digest_size=8)
        for item in self.files:
            states = [path.stat() for path in (item.photograph, item.mask)]
            digest.update(f"{item.name} {[(state.st_size, state.st_mtime_ns) for state in states]}\n".encode())
        return digest.hexdigest()


def corrected_data(root: str, degradation: Degradation, **options: Any) -> CrackDataModule:
    """Data module of a corrected folder: all of it for training and validation, no test part.

    Args:
        root: see `CorrectedPairs`.
        degradation: see `CrackDataModule`, as for ``options``.
        options: further arguments of `CrackDataModule`.
    """
    return CrackDataModule(CorrectedPairs(root), None, degradation, **options)
