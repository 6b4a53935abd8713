"""All that is wrong with a data set in folders, at once: files, pairs, sizes, values, doubles, and widths of cracks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from csbsr.data.alike import Print, near, print_of, same
from csbsr.data.errors import DataError
from csbsr.data.folder import FolderPairs, Found, other_size, twin_error
from csbsr.data.heads import Head, read_heads
from csbsr.data.looked import Looked
from csbsr.data.mask_values import IGNORED
from csbsr.data.masks import MaskLook, judge_set, look_at_mask
from csbsr.data.reading import any_size, at_most, read_photograph, unreadable

#: Kinds of faults, in the order in which they are told.
FAULTS = (
    "folder", "format", "name twice", "no mask", "no image", "unreadable image", "unreadable mask", "size", "values",
    "no cracks", "inverted", "duplicate", "leak", "near duplicate", "near leak",
)  # fmt: skip
_EDGES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # pixels, of the histogram of widths


class Fault(NamedTuple):
    """One thing that is wrong."""

    part: str  #: of the data set
    name: str  #: the image's, or the mask's if it has none; empty for the part as a whole
    kind: str  #: of `FAULTS`
    message: str


@dataclass
class Part:
    """What one part of a data set holds.

    Attributes:
        name: of the part.
        images: number of image files.
        pairs: images with a mask.
        read: pairs that could be looked at.
        cracked: masks with a crack.
        crack_share: of the pixels that count.
        ignored_share: of all pixels, by a label.
        missing_share: of all pixels, where the images hold no photograph.
        notes: what was assumed of files, with how often.
        widths: length of cracks by their width: pixels of centrelines in each interval of `edges`.
        measured: masks whose widths were measured.
    """

    name: str
    images: int = 0
    pairs: int = 0
    read: int = 0
    cracked: int = 0
    crack_share: float = 0.0
    ignored_share: float = 0.0
    missing_share: float = 0.0
    notes: dict[str, int] = field(default_factory=dict)
    widths: list[int] = field(default_factory=lambda: [0] * len(_EDGES))
    measured: int = 0

    edges = _EDGES

    def narrower(self, width: float) -> float | None:
        """Share of the length of cracks narrower than ``width`` pixels, one of `edges`; None without cracks."""
        total = sum(self.widths)
        return sum(self.widths[: _EDGES.index(int(width))]) / total if total and int(width) in _EDGES else None


@dataclass
class Audit:
    """What is known of a data set.

    Attributes:
        parts: of it.
        faults: in the order of `FAULTS`, by part and name.
    """

    parts: list[Part]
    faults: list[Fault]

    def counts(self) -> dict[str, int]:
        """How many faults there are of each kind that occurs."""
        found = {kind: sum(fault.kind == kind for fault in self.faults) for kind in FAULTS}
        return {kind: count for kind, count in found.items() if count}


def audit(
    sources: Mapping[str, FolderPairs],
    widths: int = 500,
    pictures: bool = True,
    cache: Looked | None = None,
    tick: Callable[[int], None] = lambda count: None,
) -> Audit:
    """Look at everything in ``sources`` (name of the part to its pairs) and report all faults.

    Args:
        sources: the parts.
        widths: in so many masks of each part, spread evenly over those with a crack, widths are measured.
        pictures: decode the images too: damage inside them and doubles are found.
        cache: of heads that were read earlier.
        tick: called with the number of pairs just done.
    """
    faults: list[Fault] = []
    parts, seen = [], []
    for name, source in sources.items():
        part = Part(name)
        parts.append(part)
        try:
            found = source.found
        except DataError as error:
            faults.append(Fault(name, "", "folder", str(error)))
            continue
        faults += _files(name, source, found)
        seen += _pairs(part, source, found, faults, widths, pictures, cache, tick)
    if pictures:
        faults += _doubles(seen)
    order = {name: place for place, name in enumerate(sources)}
    faults.sort(key=lambda fault: (FAULTS.index(fault.kind), order[fault.part], fault.name))
    return Audit(parts, faults)


class _Looked(NamedTuple):
    """What was seen of one pair."""

    look: MaskLook
    own: Print | None
    missing: int  #: pixels without a photograph
    pixels: int
    notes: tuple[str, ...]
    error: str  #: of the image
    widths: np.ndarray | None  #: pixels of centrelines by interval


def _files(name: str, source: FolderPairs, found: Found) -> list[Fault]:
    faults = [
        Fault(name, path.name, "format", f"{path.name} is {unreadable(path)}") for path in found.images.unreadable
    ]
    for listed in (found.images, found.masks):
        if listed is not None:
            faults += [
                Fault(name, path.name, "name twice", str(twin_error(*pair)))
                for pair in listed.twins
                for path in pair[:1]
            ]
    hint = (
        f"; masks are there for data.mask_name={found.habit}" if found.habit and found.habit != source.mask_name else ""
    )
    faults += [Fault(name, path.name, "no mask", f"{path.name} has no mask{hint}") for path in found.lonely]
    faults += [Fault(name, path.name, "no image", f"the mask {path.name} has no image") for path in found.unused]
    return faults


def _pairs(
    part: Part,
    source: FolderPairs,
    found: Found,
    faults: list[Fault],
    widths: int,
    pictures: bool,
    cache: Looked | None,
    tick: Callable[[int], None],
) -> list[tuple[str, str, Print]]:
    """Look at all pairs of a part; faults are added, the prints of its images returned."""
    part.images, part.pairs = len(found.images.files), len(found.pairs)
    heads = read_heads([image for image, _ in found.pairs], cache)
    masks = [None] * len(heads) if found.masks is None else read_heads([mask for _, mask in found.pairs], cache)
    every = max(1, len(found.pairs) // max(1, widths)) if widths else 0
    folder = source.root / source.split / "images"
    names = [image.relative_to(folder).as_posix() for image, _ in found.pairs]

    def one(place: int) -> _Looked:
        measured = bool(every) and place % every == 0
        looked = _look(source, found, place, heads[place], pictures, measured)
        tick(1)
        return looked

    with any_size(), ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        looked = list(pool.map(one, range(len(found.pairs))))
    prints, totals = [], np.zeros(4, np.int64)
    for place, seen in enumerate(looked):
        name, head, mask = names[place], heads[place], masks[place]
        if seen.error or head.error:
            faults.append(Fault(part.name, name, "unreadable image", seen.error or head.error))
        if seen.look.error:
            kind = "unreadable mask" if seen.look.kind == "unreadable" else "values"
            faults.append(Fault(part.name, name, kind, seen.look.error))
        elif not head.error and mask is not None and not mask.error and mask.width and head.size != mask.size:
            faults.append(Fault(part.name, name, "size", str(other_size(*found.pairs[place], head.size, mask.size))))
        if not seen.look.error:
            part.read += 1
            part.cracked += bool(seen.look.cracks)
            totals += (seen.look.cracks, seen.look.ignored, seen.look.pixels, seen.missing)
        for note in seen.notes:
            part.notes[note] = part.notes.get(note, 0) + 1
        if seen.widths is not None:
            part.measured += 1
            part.widths = (np.array(part.widths) + seen.widths).tolist()
        if seen.own is not None:
            prints.append((part.name, name, seen.own))
    cracks, ignored, pixels, missing = totals.tolist()
    if pixels:
        part.crack_share, part.ignored_share = cracks / max(1, pixels - ignored), ignored / pixels
        part.missing_share = missing / pixels
    verdict = judge_set([seen.look for seen in looked])
    if verdict.error:
        faults.append(Fault(part.name, "", verdict.kind, verdict.error))
    return prints


def _look(source: FolderPairs, found: Found, place: int, head: Head, pictures: bool, measured: bool) -> _Looked:
    image_path, mask_path = found.pairs[place]
    if found.masks is None and source.coco is not None:
        name = image_path.relative_to(source.root / source.split / "images").as_posix()
        look, labels = _of_coco(source, name)
    else:
        size = head.size if mask_path.suffix.lower() == ".json" and not head.error else None
        look, labels = look_at_mask(mask_path, source.rule, size)
    own, missing, notes, error = None, 0, [], ""
    if pictures and not head.error:
        try:
            with at_most(source.max_megapixels):
                image, valid, told = read_photograph(image_path, source.bands, source.bits)
            own, notes = print_of(image), [f"images: {note}" for note in told]
            missing = 0 if valid is None else int(np.count_nonzero(~valid))
        except (DataError, MemoryError) as problem:
            error = str(problem)
    if look.note:
        notes.append("masks: grey levels as of a probability, cut in the middle")
    widths = _widths(labels == 1) if measured and labels is not None and look.cracks else None
    return _Looked(look, own, missing, look.pixels, tuple(notes), error, widths)


def _of_coco(source: FolderPairs, name: str) -> tuple[MaskLook, np.ndarray | None]:
    coco = source.coco
    try:
        labels = coco.mask(coco.named(name)) if coco is not None else np.zeros((1, 1), np.uint8)
    except DataError as error:
        return MaskLook("unreadable", error=str(error)), None
    cracks, ignored = int((labels == 1).sum()), int((labels == IGNORED).sum())
    return MaskLook("sound", cracks, ignored, labels.size), labels


def _widths(mask: np.ndarray) -> np.ndarray:
    """Pixels of the centrelines by the width there: twice the distance to the background, less one."""
    from skimage.morphology import skeletonize

    distance = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    widths = 2 * distance[skeletonize(mask)] - 1
    return np.histogram(widths, [*_EDGES, np.inf])[0]


def _doubles(prints: Sequence[tuple[str, str, Print]]) -> list[Fault]:
    only = [own for _, _, own in prints]
    faults = []
    for earlier, later in same(only):
        (other_part, other, _), (part, name, _) = prints[earlier], prints[later]
        kind = "duplicate" if part == other_part else "leak"
        faults.append(Fault(part, name, kind, f"{name} shows the same pixels as {other} in {other_part}"))
    for earlier, later, likeness in near(only):
        (other_part, other, _), (part, name, _) = prints[earlier], prints[later]
        kind = "near duplicate" if part == other_part else "near leak"
        message = f"{name} shows nearly the same as {other} in {other_part} (correlation {likeness:.3f})"
        faults.append(Fault(part, name, kind, message))
    return faults


def parts_of(root: Path, splits: Sequence[str], **options: object) -> dict[str, FolderPairs]:
    """The parts of a data set in folders, by name; see `FolderPairs` for the options."""
    return {split: FolderPairs(root, split, **options) for split in dict.fromkeys(splits)}  # type: ignore[arg-type]
