"""Sources made from other sources: a part of one, and one kept decoded in memory."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from csbsr.contracts import DegradedSource, PairSource

log = logging.getLogger(__name__)


class Subset:
    """The pairs of ``source`` at ``indices``, in that order; a `csbsr.contracts.PairSource`."""

    def __init__(self, source: PairSource, indices: Sequence[int]) -> None:
        self.source, self.indices = source, [int(index) for index in indices]

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """Path of the pair within its split."""
        return self.source.name(self.indices[index])

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image and mask as ``source`` reads them."""
        return self.source.read(self.indices[index])


class DegradedSubset(Subset):
    """A `Subset` of a source that also holds low-resolution images and kernels."""

    def __init__(self, source: DegradedSource, indices: Sequence[int]) -> None:
        super().__init__(source, indices)
        self.degraded = source

    def read_degraded(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Low-resolution image and kernel as ``source`` reads them."""
        return self.degraded.read_degraded(self.indices[index])


def subset(source: PairSource, indices: Sequence[int]) -> PairSource:
    """The pairs of ``source`` at ``indices``, with whatever else ``source`` can read."""
    return DegradedSubset(source, indices) if isinstance(source, DegradedSource) else Subset(source, indices)


def traced(source: PairSource) -> tuple[PairSource, list[int]]:
    """The source that a subset of a subset … comes from, and the indices there."""
    indices = list(range(len(source)))
    while isinstance(source, Subset):
        indices = [source.indices[index] for index in indices]
        source = source.source
    return source, indices


class InMemory:
    """``source`` decoded once and kept in memory; a `csbsr.contracts.PairSource`.

    It is read when it is made, by several threads, so that worker processes started by fork share one copy; where
    processes are started by spawn every worker gets its own.  The size is logged.
    """

    def __init__(self, source: PairSource) -> None:
        self.source = source
        count = len(source)
        log.info("reading %d images into memory (data.cache=ram)", count)
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            self.pairs = list(pool.map(source.read, range(count)))
        log.info("%d images take %.0f MB of memory", count, self.nbytes / 1e6)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(image.nbytes + mask.nbytes for image, mask in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, index: int) -> str:
        """Path of the pair within its split."""
        return self.source.name(index)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image and mask; the arrays are shared, so they must not be written to."""
        return self.pairs[index]


def fingerprint(source: PairSource) -> str:
    """Short hash that changes with the data: the source's own, else one over its names."""
    own = getattr(source, "fingerprint", None)
    if own is not None:
        return own()
    names = "\n".join(source.name(index) for index in range(len(source)))
    return hashlib.blake2b(names.encode(), digest_size=8).hexdigest()
