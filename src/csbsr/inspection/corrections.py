"""What a person corrected in a folder of results: masks drawn anew, polygons, and areas to be left out.

Beside the photograph or its results may lie ``<stem>_exclude.png`` (white is left out) or polygons of LabelMe labelled
``exclude``, in ``<stem>_exclude.json``, ``<stem>_labelme.json`` or ``<stem>.json``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from csbsr.data.annotations import EXCLUDE
from csbsr.data.errors import DataError
from csbsr.data.labelme_files import areas
from csbsr.data.mask_values import IGNORED
from csbsr.data.masks import read_labels
from csbsr.measure import above
from csbsr.predict.rows import NO_DATA

_PICTURES = (".png", ".tif", ".tiff", ".bmp", ".webp", ".jpg")
#: What follows the stem of a picture of an area that is left out.
EXCLUDED = f"_{EXCLUDE}"


class MaskDigest:
    """A hash of a mask's pixels that comes row by row; however its file is compressed, it stays."""

    def __init__(self, width: int) -> None:
        self._hash = hashlib.blake2b(str(width).encode(), digest_size=16)

    def add(self, rows: np.ndarray) -> None:
        """Take in rows (n, W) bool."""
        self._hash.update(np.packbits(np.ascontiguousarray(rows), axis=1).tobytes())

    def text(self) -> str:
        """The hash of all rows so far."""
        return self._hash.hexdigest()

    @classmethod
    def of(cls, mask: np.ndarray) -> str:
        """That of a mask (H, W) bool."""
        digest = cls(mask.shape[1])
        digest.add(mask)
        return digest.text()


@dataclass(frozen=True)
class Correctable:
    """What of a photograph's results a person may have corrected.

    Attributes:
        stem: path of the results without kind and ending.
        size: (H, W) of the results.
        photograph: its file, which may be gone.
        mask: file of the mask, if one was saved.
        labelme: file of the polygons, if they were saved.
        digest: of the mask as it was written; None in folders of earlier versions.
    """

    stem: Path
    size: tuple[int, int]
    photograph: Path | None = None
    mask: Path | None = None
    labelme: Path | None = None
    digest: str | None = None


class Correction(NamedTuple):
    """A mask that a person corrected."""

    path: Path  #: its file
    labels: np.ndarray  #: (H, W) uint8 in {0, 1, 255}


def corrected(item: Correctable, probability: Path | None, threshold: float) -> Correction | None:
    """The mask or the polygons that were changed since they were written, the newest first; None if none were.

    Args:
        item: what may have been corrected.
        probability: file from whose levels above ``threshold`` the mask was made: it tells where there is no digest.
        threshold: of it.

    Raises:
        DataError: a file cannot be read, or has another size.
    """
    files = [path for path in (item.mask, item.labelme) if path is not None and path.is_file()]
    written = item.digest
    for path in sorted(files, key=lambda path: -path.stat().st_mtime_ns):
        labels = read_labels(path, size=item.size if path.suffix == ".json" else None, dark=NO_DATA)
        if labels.shape != item.size:
            raise DataError.about(
                path, f"{labels.shape[1]} x {labels.shape[0]} pixels", f"{item.size[1]} x {item.size[0]}, as written",
                "Save it at the size it had.",
            )  # fmt: skip
        if written is None and probability is not None and probability.is_file():
            written = MaskDigest.of(above(probability, threshold))
        if (labels == IGNORED).any() or (written is not None and MaskDigest.of(labels == 1) != written):
            return Correction(path, labels)
    return None


def left_out(stem: Path, photograph: Path | None, size: tuple[int, int]) -> np.ndarray | None:
    """Pixels (H, W) bool that a person wants left out; None if there is no file that says so.

    Args:
        stem: path of the results without kind and ending.
        photograph: its file.
        size: (H, W) of the map; a file may have this size or, by a whole factor, a smaller one.

    Raises:
        DataError: a file cannot be read, or has another size.
    """
    found: np.ndarray | None = None
    for path in _places(stem, photograph):
        part = areas(path, EXCLUDE, size) if path.suffix == ".json" else _picture(path, size)
        found = part if found is None else found | part
    return found if found is not None and found.any() else None


def leaves_out(stem: Path, photograph: Path | None) -> bool:
    """Whether there may be an area to be left out: a file that may say so, as for `left_out`."""
    return next(_places(stem, photograph), None) is not None


def is_exclusion(path: Path) -> bool:
    """Is a picture the area to be left out of another one beside it?"""
    stem = path.stem
    if not stem.endswith(EXCLUDED):
        return False
    own = stem.removesuffix(EXCLUDED)
    return any(
        other.stem in (own, f"{own}_mask", f"{own}_probability") for other in path.parent.glob(f"{_escaped(own)}*")
    )


def _places(stem: Path, photograph: Path | None) -> Iterator[Path]:
    bases = [stem]
    if photograph is not None and photograph.parent / photograph.stem != stem:
        bases.append(photograph.parent / photograph.stem)
    for base in bases:
        for ending in (*(f"{EXCLUDED}{suffix}" for suffix in _PICTURES), f"{EXCLUDED}.json", "_labelme.json", ".json"):
            path = base.with_name(base.name + ending)
            if _is_there(path):
                yield path


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long
        return False


def _picture(path: Path, size: tuple[int, int]) -> np.ndarray:
    labels = read_labels(path)
    height, width = labels.shape
    factor = size[0] // height
    if not factor or (height * factor, width * factor) != size:
        raise DataError.about(
            path, f"{width} x {height} pixels", f"those of the photograph, or of its result, {size[1]} x {size[0]}",
            "Draw it on the photograph, or on its mask.",
        )  # fmt: skip
    large = cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(large == 1)


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
