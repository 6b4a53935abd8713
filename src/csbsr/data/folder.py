"""Folders of crack images and masks in the layout of khanhha/crack_segmentation."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from csbsr.data.coco_files import Coco, is_coco
from csbsr.data.errors import DataError
from csbsr.data.heads import read_head
from csbsr.data.limits import MAX_MEGAPIXELS
from csbsr.data.mask_values import IGNORED, MaskRule
from csbsr.data.masks import MASK_SUFFIXES, read_labels
from csbsr.data.pairs import STEM, Listing, check_mask_name, hint, listing, matched
from csbsr.data.reading import SUFFIXES, at_most, filled, is_junk, read_photograph, unreadable
from csbsr.words import first_names, printable

log = logging.getLogger(__name__)

LAYOUT = "{train,test}/images and {train,test}/masks, an image and its mask having the same name up to the suffix"
_COCO = ("masks.json", "annotations.json", "instances.json", "_annotations.coco.json", "images/_annotations.coco.json")


class Found(NamedTuple):
    """The files of one part of a data set."""

    pairs: list[tuple[Path, Path]]  #: of image and mask, sorted
    lonely: list[Path]  #: images without a mask
    unused: list[Path]  #: masks without an image
    images: Listing
    masks: Listing | None  #: None with a COCO file
    habit: str  #: ``mask_name`` under which the lonely ones would have a mask; empty if there is none

    def unreadable(self, source: FolderPairs) -> DataError | None:
        """The error for photographs in formats that are not read."""
        files = self.images.unreadable
        if not files:
            return None
        return DataError.about(
            source.root / source.split,
            f"{len(files)} photographs in formats that cannot be read ({_some(files)})",
            f"files ending in {', '.join(sorted(SUFFIXES))}",
            f"{files[0].name} is {unreadable(files[0])}.",
        )

    def twin(self) -> DataError | None:
        """The error for two files of one name up to the suffix."""
        for listed in (self.images, self.masks):
            if listed is not None and listed.twins:
                path, other = listed.twins[0]
                return twin_error(path, other)
        return None

    def lonely_error(self, source: FolderPairs) -> DataError | None:
        """The error for images without a mask; says under which names masks are there."""
        if not self.lonely:
            return None
        if self.masks is None:
            what, remedy = "that the COCO file does not list", "Export it again with all images, or move these away."
        else:
            what, remedy = "without a mask", self._remedy(source.mask_name, self.masks)
        return DataError.about(
            source.root / source.split,
            f"{len(self.lonely)} of {len(self.images.files)} images {what} ({_some(self.lonely)})",
            "a file of the same name, up to the suffix, under masks for every image",
            remedy,
        )

    def _remedy(self, mask_name: str, masks: Listing) -> str:
        if self.habit and self.habit != mask_name:
            example = self.habit.replace(STEM, self.lonely[0].stem)
            return f"Masks called like {example} are there: say data.mask_name={self.habit}."
        remedy = "Add the masks (all black where there is no crack) or move these images away."
        if masks.unreadable:
            first = masks.unreadable[0]
            remedy += f" Masks in formats that are not read are there: {printable(first.name)} is {unreadable(first)}."
        if masks.others:
            remedy += f" Files of other kinds are there, which are no masks: {_some(masks.others)}."
        return remedy


def twin_error(path: Path, other: Path) -> DataError:
    """The error for a file whose name up to the suffix another one has."""
    return DataError.about(path, f"the same name as {other.name}", "one file per name up to the suffix", "Remove one.")


class FolderPairs:
    """Images and masks below ``root/split/{images,masks}``, a `csbsr.contracts.PairSource`.

    Pairs are found by their path without suffix, whatever their letter case and Unicode form, and sorted by name;
    folders inside ``images`` and ``masks`` are searched as well.  Nothing is read before it is needed.  Masks may also
    be polygons: LabelMe's ``.json`` in ``masks`` or beside the images, or one COCO file ``root/split/masks.json``.

    Args:
        root: the data set's folder.
        split: its part, e.g. "train" or "test".
        origin: how to get the data set, for the error when it is missing.
        mask_name: a mask's name, with ``{stem}`` for its image's.
        rule: which values of the masks are crack, and which are left out.
        bands: of the images' files to read, counted from 1; None for red, green and blue.
        bits: of the images' numbers; None to tell them from each file.
        check: how much is looked at before a run, see `csbsr.data.survey.check_before`.
        max_megapixels: a larger image is refused by its head.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        origin: str = "",
        mask_name: str = STEM,
        rule: MaskRule | None = None,
        bands: Sequence[int] | None = None,
        bits: int | None = None,
        check: str = "full",
        max_megapixels: float = MAX_MEGAPIXELS,
    ) -> None:
        check_mask_name(mask_name)
        self.root, self.split, self.origin = Path(root), split, origin
        self.mask_name, self.rule = mask_name, rule or MaskRule()
        self.bands, self.bits, self.check = None if bands is None else list(bands), bits, check
        self.max_megapixels = max_megapixels

    @cached_property
    def pairs(self) -> list[tuple[Path, Path]]:
        """Paths of (image, mask), sorted; the mask of COCO polygons is their file.

        Raises:
            DataError: a folder is missing or empty, an image has no mask, or a stem occurs twice.
        """
        found = self.found
        for error in (found.unreadable(self), found.twin(), found.lonely_error(self)):
            if error is not None:
                raise error
        if found.unused:
            where = self.root / self.split
            log.warning("%s: %d masks without an image are ignored (%s)", where, len(found.unused), _some(found.unused))
        return found.pairs

    @cached_property
    def found(self) -> Found:
        """All files of the part, also those without a partner.

        Raises:
            DataError: a folder is missing or empty, or a COCO file cannot be read.
        """
        images = self._listing("images", SUFFIXES)
        if self.coco is not None:
            return self._of_coco(images, self.coco)
        masks = self._masks(images)
        met = matched(list(images.files), list(masks.files), self.mask_name)
        pairs = [(images.files[image], masks.files[mask]) for image, mask in met.pairs]
        return Found(
            pairs,
            [images.files[stem] for stem in met.lonely],
            [masks.files[stem] for stem in met.unused],
            images,
            masks,
            hint(met.lonely, list(masks.files)) if met.lonely else "",
        )

    @cached_property
    def coco(self) -> Coco | None:
        """The set's COCO file; None if the masks are files of their own."""
        folder = self.root / self.split
        places = [folder / name for name in _COCO]
        if (folder / "masks").is_dir():
            within = listing(folder / "masks", MASK_SUFFIXES).files
            places += list(within.values()) if len(within) == 1 else []
        elif not folder.is_dir():
            return None
        path = next((place for place in places if place.suffix == ".json" and is_coco(place)), None)
        return None if path is None else Coco(path, self.rule)

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, index: int) -> str:
        """Path of the image below ``images``, with forward slashes."""
        return self.pairs[index][0].relative_to(self.root / self.split / "images").as_posix()

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 or float32 in [0, 1], RGB, and mask (H, W) uint8: 0, 1, or 255 where it is ignored.

        Ignored are also pixels where the image's file holds no photograph (alpha, no-data).

        Raises:
            DataError: a file cannot be read, the mask's values mean something else, or the two differ in size.
        """
        image_path, mask_path = self.pairs[index]
        with at_most(self.max_megapixels):
            image, valid, _ = read_photograph(image_path, self.bands, self.bits)
        mask = self.read_mask(index, (image.shape[0], image.shape[1]))
        if image.shape[:2] != mask.shape:
            raise other_size(image_path, mask_path, (image.shape[0], image.shape[1]), (mask.shape[0], mask.shape[1]))
        if valid is not None:
            mask = np.where(valid, mask, np.uint8(IGNORED))
            image = filled(image, valid)  # no edge, and no odd colour in the statistics of a crop
        return image, mask

    def read_mask(self, index: int, size: tuple[int, int] | None = None) -> np.ndarray:
        """The mask alone, (H, W) uint8 in {0, 1, 255}; ``size`` is for polygons that do not tell it."""
        if self.coco is not None:
            return self.coco.mask(self.coco.named(self.name(index)))
        path = self.pairs[index][1]
        with at_most(self.max_megapixels):
            return read_labels(path, self.rule, size if path.suffix.lower() == ".json" else None)

    def fingerprint(self) -> str:
        """Short hash of all names and file sizes, and of how masks are read if that is said."""
        digest = hashlib.blake2b(digest_size=8)
        for index, pair in enumerate(self.pairs):
            digest.update(
                f"{self.name(index)} {[path.stat().st_size for path in pair]}\n".encode(errors="surrogateescape")
            )
        if self.rule.given:
            digest.update(repr(self.rule).encode())
        return digest.hexdigest()

    def _of_coco(self, images: Listing, coco: Coco) -> Found:
        folder = self.root / self.split / "images"
        lonely = [path for path in images.files.values() if coco.named(path.relative_to(folder).as_posix()) is None]
        pairs = [(images.files[stem], Path(coco.path)) for stem in sorted(images.files)]
        return Found([pair for pair in pairs if pair[0] not in set(lonely)], lonely, [], images, None, "")

    def _masks(self, images: Listing) -> Listing:
        """Files that may be masks: in ``masks``, or polygons beside the images."""
        if not (self.root / self.split / "masks").is_dir():
            beside = listing(self.root / self.split / "images", {".json"})
            if beside.files:
                return beside
        return self._listing("masks", MASK_SUFFIXES)

    def _listing(self, kind: str, suffixes: frozenset[str]) -> Listing:
        folder = self.root / self.split / kind
        if not folder.is_dir():
            missing = next(path for path in (self.root, self.root / self.split, folder) if not path.is_dir())
            beside = _folders(missing.parent)
            raise DataError.about(
                missing,
                f"no such folder, but {beside}" if beside else "no such folder",
                f"a data set with {LAYOUT}",
                f"{f'{self.origin} Then set' if self.origin else 'Set'} data.root=<folder> (or the environment "
                "variable CSBSR_DATA to the folder that holds it). data=synthetic needs no files.",
            )
        found = listing(folder, suffixes)
        if not found.files and not found.unreadable:
            what = f"no image file, but {_some(found.others)}" if found.others else "no image file"
            raise DataError.about(folder, what, f"files ending in {', '.join(sorted(suffixes))}", "Check data.root.")
        return found


def other_size(image: Path, mask: Path, size: tuple[int, int], mask_size: tuple[int, int]) -> DataError:
    """The error for an image and a mask that differ in size (H, W); says whether the EXIF orientation is why."""
    remedy = "Export the mask at the size of the image, or check that the two belong together."
    if size == mask_size[::-1]:
        turned = read_head(image).orientation
        if turned != 1:
            remedy = (
                f"The image is turned by its EXIF orientation ({turned}) and the mask is not: turn the mask, or write "
                "the image upright and without it (mogrify -auto-orient)."
            )
        else:
            remedy = "One of the two lies on its side: turn it, or check that they belong together."
    return DataError.about(
        image,
        f"{size[1]} x {size[0]} pixels, but its mask {mask} has {mask_size[1]} x {mask_size[0]}",
        "an image and a mask of the same size",
        remedy,
    )


def _folders(place: Path) -> str:
    """The first folders in one, for a hint."""
    if not place.is_dir():
        return ""
    names = sorted(path.name for path in place.iterdir() if path.is_dir() and not is_junk(path.name))
    return first_names(names, 5)


def _some(paths: Sequence[Path]) -> str:
    return ", ".join(printable(path.name) for path in paths[:5]) + (", ..." if len(paths) > 5 else "")
