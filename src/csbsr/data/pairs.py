"""Which image belongs to which mask: by their names, whatever their letter case, Unicode form and ending."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from csbsr.data.reading.formats import is_junk, unreadable

#: How a mask is named after its image's stem, in data sets that people have.
_HABITS = (
    "{stem}_mask", "{stem}_label", "{stem}_gt", "{stem}_seg", "{stem}_labels", "{stem}_masks", "{stem}-mask",
    "{stem}_groundtruth", "{stem}_GT", "{stem}_segmentation", "{stem}_annotation", "{stem}_crack", "{stem}_lab",
    "{stem}.mask", "mask_{stem}", "label_{stem}", "gt_{stem}",
)  # fmt: skip
STEM = "{stem}"


class Listing(NamedTuple):
    """Files below a folder."""

    files: dict[str, Path]  #: by path without suffix, with forward slashes, sorted
    unreadable: list[Path]  #: photographs in formats that are not read
    others: list[Path]  #: files of other kinds
    twins: list[tuple[Path, Path]]  #: files whose name up to the suffix another one has, and that one


def listing(folder: Path, suffixes: Iterable[str]) -> Listing:
    """Files with one of these suffixes below a folder, in any letter case.

    Hidden files, what systems leave (``@eaDir``, ``Thumbs.db``), pipes and devices are passed over.
    """
    wanted = frozenset(suffixes)
    found: dict[str, Path] = {}
    listed = Listing(found, [], [], [])
    for name in sorted(_regular(folder, "")):
        path = folder / name
        suffix = path.suffix.lower()
        if suffix not in wanted:
            (listed.unreadable if unreadable(path) else listed.others).append(path)
            continue
        stem = name[: -len(path.suffix)]
        if stem in found:
            listed.twins.append((path, found[stem]))
        else:
            found[stem] = path
    return listed


def _regular(folder: Path, below: str) -> Iterable[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_junk(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _regular(Path(entry.path), f"{below}{entry.name}/")
            elif entry.is_file():
                yield below + entry.name


class Matched(NamedTuple):
    """Images with their masks."""

    pairs: list[tuple[str, str]]  #: stems of (image, mask), sorted by image
    lonely: list[str]  #: stems of images without a mask
    unused: list[str]  #: stems of masks without an image


def matched(images: Sequence[str], masks: Sequence[str], mask_name: str = STEM) -> Matched:
    """Pair stems (paths without suffix): of equal names first, then of names equal but for case and Unicode form.

    Args:
        images: of the images.
        masks: of the masks.
        mask_name: name of a mask, with ``{stem}`` for that of its image.

    Raises:
        ValueError: ``mask_name`` has no ``{stem}``.
    """
    check_mask_name(mask_name)
    free = dict.fromkeys(masks)
    alike: dict[str, list[str]] = {}
    for stem in masks:
        alike.setdefault(folded(stem), []).append(stem)
    pairs, later = [], []
    for stem in images:
        name = _renamed(stem, mask_name)
        if name in free:
            pairs.append((stem, name))
            del free[name]
        else:
            later.append(stem)
    lonely = []
    for stem in later:
        choices = [name for name in alike.get(folded(_renamed(stem, mask_name)), ()) if name in free]
        if len(choices) == 1:
            pairs.append((stem, choices[0]))
            del free[choices[0]]
        else:
            lonely.append(stem)
    return Matched(sorted(pairs), lonely, list(free))


def hint(images: Sequence[str], masks: Sequence[str]) -> str:
    """The ``mask_name`` under which at least half of the images have a mask; empty if there is none."""
    known = {folded(stem) for stem in masks}
    counts = {name: sum(folded(_renamed(stem, name)) in known for stem in images) for name in _HABITS}
    best = max(counts, key=lambda name: counts[name])
    return best if images and 2 * counts[best] >= len(images) else ""


def check_mask_name(mask_name: str) -> None:
    """Raise ValueError unless ``{stem}`` stands in a pattern of names once and no folder does."""
    if mask_name.count(STEM) != 1 or "/" in mask_name or "\\" in mask_name:
        raise ValueError(f"mask_name: expected a name with {{stem}} in it, e.g. {{stem}}_mask, got {mask_name!r}")


def _renamed(stem: str, mask_name: str) -> str:
    place = PurePosixPath(stem)
    return str(place.with_name(mask_name.replace(STEM, place.name)))


def folded(stem: str) -> str:
    """A name in one letter case and one Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stem).casefold())
