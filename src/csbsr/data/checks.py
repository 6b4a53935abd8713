"""Looks through whole data sets for what would spoil a training or an evaluation."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from typing import NamedTuple

from csbsr.contracts import PairSource
from csbsr.data.errors import DataError


class Problem(NamedTuple):
    """One thing that is wrong."""

    split: str  #: which part of the data set
    name: str  #: the image, or the empty text for the part as a whole
    kind: str  #: "unreadable", "warning", "duplicate", "leak" (the same image in two parts) or "no cracks"
    message: str


def check(sources: Mapping[str, PairSource]) -> list[Problem]:
    """Read everything in ``sources`` (name of the part to its pairs) and report all problems instead of the first.

    Found are files that cannot be read, images whose mask is missing or of another size, masks with values that mean
    nothing (`csbsr.data.reading.read_mask`), images that occur twice, also in different parts, and parts whose masks
    are all empty.
    """
    problems: list[Problem] = []
    seen: dict[bytes, tuple[str, str]] = {}
    for split, source in sources.items():
        try:
            count = len(source)
        except DataError as error:
            problems.append(Problem(split, "", "unreadable", str(error)))
            continue
        read = cracked = 0
        for index in range(count):
            name = source.name(index)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    image, mask = source.read(index)
                except DataError as error:
                    problems.append(Problem(split, name, "unreadable", str(error)))
                    continue
            problems += [Problem(split, name, "warning", str(warning.message)) for warning in caught]
            read, cracked = read + 1, cracked + bool(mask.any())
            content = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
            if content in seen:
                other_split, other = seen[content]
                kind = "duplicate" if other_split == split else "leak"
                problems.append(Problem(split, name, kind, f"{name} shows the same pixels as {other} in {other_split}"))
            else:
                seen[content] = (split, name)
        if read and not cracked:
            problems.append(Problem(split, "", "no cracks", f"none of the {read} masks of {split} holds a crack pixel"))
    return problems
