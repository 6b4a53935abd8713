"""A look at all files of a data set before the first step: heads, sizes, and what the masks' values mean."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from csbsr.data.coco_files import Coco
from csbsr.data.errors import DataError
from csbsr.data.folder import FolderPairs, other_size
from csbsr.data.heads import Head, read_heads
from csbsr.data.limits import check_pixels
from csbsr.data.looked import Looked
from csbsr.data.masks import MaskLook, SetVerdict, judge_set, look_at_mask
from csbsr.data.reading import at_most

log = logging.getLogger(__name__)

CHECKS = ("full", "heads", "none")
_SHOWN = 5  # faults in an error


class Seen(NamedTuple):
    """What was seen of one pair."""

    name: str
    head: Head  #: of the image
    look: MaskLook | None  #: at the mask; None if only heads were looked at
    fault: str  #: why the pair cannot be used; empty if nothing is wrong


def survey(source: FolderPairs, indices: Sequence[int], full: bool = True, cache: Looked | None = None) -> list[Seen]:
    """Look at pairs: the heads of all files, and with ``full`` at the values of their masks.

    Args:
        source: of the pairs; finding them raises its own errors.
        indices: which.
        full: decode the masks.
        cache: of what was seen earlier in files that have not changed since.
    """
    chosen = [source.pairs[index] for index in indices]
    images = read_heads([image for image, _ in chosen], cache)
    coco = source.coco
    names = [source.name(index) for index in indices]
    if coco is not None:
        masks = [_listed(coco, name) for name in names]
        looks: Sequence[MaskLook | None] = [_drawn(coco, name) for name in names] if full else [None] * len(names)
    else:
        masks = read_heads([mask for _, mask in chosen], cache)
        looks = _looks(source, indices, images, cache) if full else [None] * len(names)
    return [
        Seen(name, image, look, _fault(pair, image, mask, look, source.max_megapixels))
        for name, pair, image, mask, look in zip(names, chosen, images, masks, looks, strict=True)
    ]


def check_before(
    source: FolderPairs, parts: Mapping[str, Sequence[int]], check: str = "full", cache: Looked | None = None
) -> dict[str, SetVerdict]:
    """Look at what a run will read, and refuse it before its first step if something cannot be read.

    Args:
        source: of the pairs.
        parts: indices of the pairs by what they are for; those called ``training`` must hold a crack.
        check: ``full`` looks at the values of masks too, ``heads`` at heads alone, ``none`` at nothing.
        cache: see `survey`.

    Returns:
        What the masks of each part are as a set; nothing is wrong with those of ``training``.

    Raises:
        DataError: a pair cannot be used, or there is no crack to learn from; says how many and which.
        ValueError: ``check`` is none of these.
    """
    if check not in CHECKS:
        raise ValueError(f"check: expected one of {', '.join(CHECKS)}, got {check!r}")
    if check == "none":
        return {part: SetVerdict("", "") for part in parts}
    every = sorted({index for indices in parts.values() for index in indices})
    seen = dict(zip(every, survey(source, every, check == "full", cache), strict=True))
    faults = [(seen[index].name, seen[index].fault) for index in every if seen[index].fault]
    if faults:
        lines = "".join(f"\n  {fault}" for _, fault in faults[:_SHOWN])
        more = f"\n  … and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise DataError(
            f"{source.root / source.split}: {len(faults)} of {len(every)} pairs cannot be used:{lines}{more}\n"
            "csbsr-check with the same data= lists all that is wrong; data.check=none starts without a look."
        )
    verdicts = {}
    for part, indices in parts.items():
        looks = [look for index in indices if (look := seen[index].look) is not None]
        verdicts[part] = judge_set(looks)
        if verdicts[part].error and (part == "training" or verdicts[part].kind == "inverted"):
            raise DataError(
                f"{source.root / source.split}: {verdicts[part].error}. data.check=none starts without a look."
            )
    notes = [f"{seen[index].name}: {look.note}" for index in every if (look := seen[index].look) and look.note]
    if notes:
        log.warning("%s: %d masks hold grey levels, as probabilities do; crack is what lies above the middle (%s)",
                    source.root / source.split, len(notes), notes[0])  # fmt: skip
    return verdicts


def _looks(
    source: FolderPairs, indices: Sequence[int], images: Sequence[Head], cache: Looked | None
) -> list[MaskLook | None]:
    """At masks that are files, by a few threads: decoding lets others work."""
    paths = [source.pairs[index][1] for index in indices]
    kind = f"mask {source.rule.crack_label!r} {source.rule.ignore_label!r}"
    known = {} if cache is None else cache.known(kind, paths)
    found: dict[int, MaskLook] = {}
    for place, path in enumerate(paths):
        value = known.get(path)
        if isinstance(value, list):
            found[place] = MaskLook(*value)
    todo = [place for place in range(len(paths)) if place not in found]

    def look(place: int) -> MaskLook:
        size = images[place].size if paths[place].suffix.lower() == ".json" and not images[place].error else None
        with at_most(source.max_megapixels):
            return look_at_mask(paths[place], source.rule, size)[0]

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        fresh = dict(zip(todo, pool.map(look, todo), strict=True))
    if cache is not None:
        cache.remember(kind, {paths[place]: list(seen) for place, seen in fresh.items() if not seen.error})
    found |= fresh
    return [found[place] for place in range(len(paths))]


def _fault(pair: tuple[Path, Path], image: Head, mask: Head, look: MaskLook | None, max_megapixels: float) -> str:
    if image.error:
        return image.error
    try:
        check_pixels(pair[0], image.width, image.height, max_megapixels)
    except DataError as error:
        return str(error)
    if look is not None and look.error:
        return look.error
    if mask.error:
        return mask.error
    if mask.width and image.size != mask.size:
        return str(other_size(pair[0], pair[1], image.size, mask.size))
    return ""


def _listed(coco: Coco, name: str) -> Head:
    height, width = coco.sizes[str(coco.named(name))]
    return Head(width, height)


def _drawn(coco: Coco, name: str) -> MaskLook:
    try:
        mask = coco.mask(coco.named(name))
    except DataError as error:
        return MaskLook("unreadable", error=str(error))
    return MaskLook("sound", int((mask == 1).sum()), int((mask == 255).sum()), mask.size)
