"""A folder of photographs shared out to several processes or machines, by the names alone."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

_FORM = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")
_FOLDER = re.compile(r"shard-([0-9]{1,6})-of-([0-9]{1,6})")


class Shard(NamedTuple):
    """The share ``number`` of ``of``, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def folder(self) -> str:
        """Name of the folder of its results, inside that of all."""
        return f"shard-{self.number}-of-{self.of}"

    def has(self, name: str) -> bool:
        """Whether a photograph, by its name below the input, is in this share."""
        return share_of(name, self.of) == self


def share_of(name: str, count: int) -> Shard:
    """The share of a photograph: the SHA-256 of its name modulo ``count``, whatever lies beside it."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return Shard(int.from_bytes(digest[:8], "big") % count + 1, count)


def shard_from(word: str) -> Shard:
    """From ``i/n``.

    Raises:
        ValueError: it is not that, or i is not one of 1 … n.
    """
    found = _FORM.fullmatch(str(word).strip())
    shard = None if found is None else Shard(int(found[1]), int(found[2]))
    if shard is None or not 1 <= shard.number <= shard.of:
        raise ValueError(f"shard: expected i/n with i from 1 to n, such as 1/4, got {word}")
    return shard


def shard_of_folder(name: str) -> Shard | None:
    """The share whose results are in a folder of this name; None for another folder."""
    found = _FOLDER.fullmatch(name)
    return None if found is None else Shard(int(found[1]), int(found[2]))
