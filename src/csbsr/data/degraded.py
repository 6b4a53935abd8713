"""Degraded test sets on disk: ground truth beside low-resolution images and the kernels that made them.

The published layout, ``name`` being one degradation::

    root/gt/images/*.jpg  root/gt/masks/*.jpg
    root/<name>/hr_images/*.png  root/<name>/lr_images/*.png  root/<name>/kernels/*.png

A kernel is an 8-bit image scaled by its largest entry; it is divided by its sum after reading.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from csbsr.data.errors import DataError
from csbsr.data.mask_values import IGNORED
from csbsr.data.reading import SUFFIXES, decode, read_image, read_mask

_IGNORED_GREY = 64
_SPELLINGS = ("test_blurred", "test_blured")  # the second is the authors' release's


class DegradedFiles(NamedTuple):
    """The files of one image of a degraded test set."""

    hr: Path
    mask: Path
    lr: Path
    kernel: Path


class DegradedPairs:
    """A degraded test set; a `csbsr.contracts.PairSource` with `read_degraded` besides.

    Args:
        root: the folder that holds ``gt`` and ``name``, or the one that holds that as ``test_blurred`` or
            ``test_blured``.
        name: the degradation's folder; None if there is only one.
    """

    def __init__(self, root: str | Path, name: str | None = None) -> None:
        self.root, self.degradation = Path(root), name

    @cached_property
    def files(self) -> list[DegradedFiles]:
        """Files of every low-resolution image, sorted by name.

        Raises:
            DataError: a folder or a file is missing.
        """
        root = next((self.root / spelling for spelling in _SPELLINGS if (self.root / spelling).is_dir()), self.root)
        if not (root / "gt" / "masks").is_dir():
            raise DataError.about(
                root,
                "no folder gt/masks" if root.is_dir() else "no such folder",
                "a degraded test set: gt/images, gt/masks, <name>/kernels, <name>/lr_images",
                "Set data.root=<folder>; csbsr-degrade makes such a folder from any test set.",
            )
        folder = root / self._choose(root)
        parts = {
            "lr": _by_stem(folder / "lr_images"),
            "kernel": _by_stem(folder / "kernels"),
            "mask": _by_stem(root / "gt" / "masks"),
            # the images that were degraded, if they are kept; those in gt may be larger and are JPEG files
            "hr": _by_stem(folder / "hr_images" if (folder / "hr_images").is_dir() else root / "gt" / "images"),
        }
        for stem, path in parts["lr"].items():
            for part, found in parts.items():
                if stem not in found:
                    raise DataError.about(
                        path, f"no {part} file of that name", "one for every low-resolution image", "Complete the set."
                    )
        return [DegradedFiles(**{part: found[stem] for part, found in parts.items()}) for stem in sorted(parts["lr"])]

    def __len__(self) -> int:
        return len(self.files)

    def name(self, index: int) -> str:
        """File name of the high-resolution image."""
        return self.files[index].hr.name

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) RGB and mask (H, W) in {0, 1}, the mask cut at the right and bottom to the image's size."""
        files = self.files[index]
        image, mask = read_image(files.hr), read_truth(files.mask)
        height, width = image.shape[:2]
        if mask.shape[0] < height or mask.shape[1] < width:
            raise DataError.about(
                files.mask,
                f"{mask.shape[1]} x {mask.shape[0]} pixels, but {files.hr} has {width} x {height}",
                "a mask at least as large as the image",
                "Check that the two belong together.",
            )
        return image, mask[:height, :width]

    def read_degraded(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Low-resolution image (h, w, 3) RGB and kernel (k, k) float32 summing to 1."""
        files = self.files[index]
        image = read_image(files.kernel)
        kernel = image[..., 0].astype(np.float32)
        if kernel.shape[0] != kernel.shape[1] or kernel.shape[0] % 2 == 0 or kernel.sum() <= 0:
            raise DataError.about(
                files.kernel,
                f"{kernel.shape[1]} x {kernel.shape[0]} pixels with the sum {kernel.sum():.3g}",
                "a square kernel of odd side with a sum above 0",
                "Degrade the set anew.",
            )
        return read_image(files.lr), kernel / kernel.sum(dtype=np.float64).astype(np.float32)

    def fingerprint(self) -> str:
        """Short hash of all names and file sizes."""
        lines = (f"{path.name} {path.stat().st_size}" for files in self.files for path in files)
        return hashlib.blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()

    def _choose(self, root: Path) -> str:
        choices = sorted(path.parent.name for path in root.glob("*/lr_images"))
        chosen = self.degradation or (choices[0] if len(choices) == 1 else None)
        if chosen not in choices:
            raise DataError.about(
                root,
                f"the degradations {', '.join(choices) or 'none'}",
                "exactly one" if chosen is None else f"one called {chosen}",
                "Name one of them with data.name=<name>.",
            )
        return chosen


def written_mask(labels: np.ndarray) -> np.ndarray:
    """A mask in {0, 1, 255 (ignored)} as it is written: white, black, and dark grey for what is ignored."""
    return np.select([labels == 1, labels == IGNORED], [np.uint8(255), np.uint8(_IGNORED_GREY)], np.uint8(0))


def read_truth(path: Path) -> np.ndarray:
    """A mask (H, W) uint8 in {0, 1, 255}: of `written_mask`, or a plain one."""
    levels = decode(path, grey=True).pixels
    if (
        levels.dtype == np.uint8
        and set(np.unique(levels)) <= {0, _IGNORED_GREY, 255}
        and (levels == _IGNORED_GREY).any()
    ):
        grey = levels[..., 0]
        return np.select([grey == 255, grey == _IGNORED_GREY], [np.uint8(1), np.uint8(IGNORED)], np.uint8(0))
    return read_mask(path)


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError.about(folder, "no such folder", "a folder of images", "Complete the set or degrade it anew.")
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}
