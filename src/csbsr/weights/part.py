"""What one network's table of released names holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Shapes = Mapping[str, tuple[int, ...]]


class ReleasedPart(NamedTuple):
    """How the released state dict of one network becomes ours (names without the part's prefix)."""

    matches: Callable[[Shapes], bool]  #: do these entries belong to this network?
    spec: Callable[[Shapes], dict[str, Any]]  #: the network's description for `csbsr.build`, read off the shapes
    renames: tuple[tuple[str, str], ...] = ()  #: (pattern, replacement), applied in order with `re.sub`
    unused: tuple[str, ...] = ()  #: patterns of released entries that no computation reads; dropped

    def rename(self, name: str) -> str | None:
        """Our name of the released entry ``name``, None if it is known to be unused."""
        if any(re.fullmatch(pattern, name) for pattern in self.unused):
            return None
        for pattern, replacement in self.renames:
            name = re.sub(pattern, replacement, name)
        return name
