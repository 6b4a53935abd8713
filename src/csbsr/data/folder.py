"""Folders of crack images and masks in the layout of khanhha/crack_segmentation."""

from __future__ import annotations

import hashlib
import logging
from functools import cached_property
from pathlib import Path

import numpy as np

from csbsr.data.errors import DataError
from csbsr.data.reading import SUFFIXES, read_image, read_mask

log = logging.getLogger(__name__)

LAYOUT = "{train,test}/images and {train,test}/masks, an image and its mask having the same name up to the suffix"


class FolderPairs:
    """Images and masks below ``root/split/{images,masks}``, a `csbsr.contracts.PairSource`.

    Pairs are found by their path without suffix (jpg, jpeg, png, bmp, tif, tiff in any case) and sorted by name;
    folders inside ``images`` and ``masks`` are searched as well.  Nothing is read before it is needed.

    Args:
        root: the data set's folder.
        split: its part, e.g. "train" or "test".
        origin: how to get the data set, for the error when it is missing.
    """

    def __init__(self, root: str | Path, split: str, origin: str = "") -> None:
        self.root, self.split, self.origin = Path(root), split, origin

    @cached_property
    def pairs(self) -> list[tuple[Path, Path]]:
        """Paths of (image, mask), sorted.

        Raises:
            DataError: a folder is missing or empty, an image has no mask, or a stem occurs twice.
        """
        images, masks = (self._by_stem(kind) for kind in ("images", "masks"))
        lonely = [path for stem, path in images.items() if stem not in masks]
        if lonely:
            raise DataError.about(
                self.root / self.split,
                f"{len(lonely)} of {len(images)} images without a mask ({_some(lonely)})",
                "a file of the same name, up to the suffix, under masks for every image",
                "Add the masks (all black where there is no crack) or move these images away.",
            )
        unused = [path for stem, path in masks.items() if stem not in images]
        if unused:
            log.warning(
                "%s: %d masks without an image are ignored (%s)", self.root / self.split, len(unused), _some(unused)
            )
        return [(images[stem], masks[stem]) for stem in sorted(images)]

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, index: int) -> str:
        """Path of the image below ``images``, with forward slashes."""
        return self.pairs[index][0].relative_to(self.root / self.split / "images").as_posix()

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 or float32 in [0, 1], RGB, and mask (H, W) uint8 in {0, 1}.

        Raises:
            DataError: a file cannot be read, or the two differ in size.
        """
        image_path, mask_path = self.pairs[index]
        image, mask = read_image(image_path), read_mask(mask_path)
        if image.shape[:2] != mask.shape:
            raise DataError.about(
                image_path,
                f"{_size(image)} pixels, but its mask {mask_path} has {_size(mask)}",
                "an image and a mask of the same size",
                "Export the mask at the size of the image, or check that the two belong together.",
            )
        return image, mask

    def fingerprint(self) -> str:
        """Short hash of all names and file sizes."""
        digest = hashlib.blake2b(digest_size=8)
        for index, pair in enumerate(self.pairs):
            digest.update(f"{self.name(index)} {[path.stat().st_size for path in pair]}\n".encode())
        return digest.hexdigest()

    def _by_stem(self, kind: str) -> dict[str, Path]:
        folder = self.root / self.split / kind
        if not folder.is_dir():
            missing = next(path for path in (self.root, self.root / self.split, folder) if not path.is_dir())
            raise DataError.about(
                missing,
                "no such folder",
                f"a data set with {LAYOUT}",
                f"{f'{self.origin} Then set' if self.origin else 'Set'} data.root=<folder> (or the environment "
                "variable CSBSR_DATA to the folder that holds it). data=synthetic needs no files.",
            )
        found: dict[str, Path] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in SUFFIXES or path.name.startswith(".") or not path.is_file():
                continue
            stem = path.relative_to(folder).with_suffix("").as_posix()
            if stem in found:
                raise DataError.about(
                    path,
                    f"the same name as {found[stem].name}",
                    "one file per name up to the suffix",
                    "Remove one of them.",
                )
            found[stem] = path
        if not found:
            raise DataError.about(
                folder, "no image file", f"files ending in {', '.join(sorted(SUFFIXES))}", "Check data.root."
            )
        return found


def _some(paths: list[Path]) -> str:
    return ", ".join(path.name for path in paths[:5]) + (", ..." if len(paths) > 5 else "")


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]} x {array.shape[0]}"
