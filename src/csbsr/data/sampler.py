"""Which images make up which training batch: an endless sequence that can be entered anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from torch.utils.data import Sampler

from csbsr.data.errors import DataError
from csbsr.data.seeds import item_seed


class BatchSequence(Sampler[list[tuple[int, int]]]):
    """Batches of keys (epoch, index) for one of ``world_size`` processes.

    Batch number t, counted over the whole training from 0, belongs to epoch e = t // n (n batches an epoch, the rest of
    the images left out) and holds entries [b·w·(t mod n), b·w·(t mod n + 1)) of the permutation that belongs to
    (seed, e), for b images on each of w processes; process r takes b of them in a row.  So the batches are the same
    after any restart, and for any w with equal b·w, the same images make up a step.

    An iteration starts at batch ``position()`` and yields n batches; after a resume within an epoch they reach into the
    next one, and the Trainer, which knows how many of its epoch are done, takes only those that are left.

    Args:
        length: number of images.
        seed: the run's seed.
        batch_size: images per process.
        rank: this process, from 0.
        world_size: number of processes.
        position: how many batches this training has already used (per process).

    Raises:
        DataError: fewer images than one batch of all processes.
    """

    def __init__(
        self,
        length: int,
        seed: int,
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
        position: Callable[[], int] = lambda: 0,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
        if not 0 <= rank < world_size:
            raise ValueError(f"rank: expected 0 to {world_size - 1}, got {rank}")
        self.length, self.seed, self.batch_size = length, seed, batch_size
        self.rank, self.world_size, self.position = rank, world_size, position
        if len(self) == 0:
            raise DataError.about(
                "training set",
                f"{length} images",
                f"at least one batch, that is {batch_size} images on each of {world_size} processes",
                f"Set data.batch_size to at most {max(1, length // world_size)}, or add images.",
            )

    def __len__(self) -> int:
        return self.length // (self.batch_size * self.world_size)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return self._batches(self.position())  # asked now: workers fetch ahead of the training

    def _batches(self, first: int) -> Iterator[list[tuple[int, int]]]:
        order, ordered_epoch = np.empty(0, int), -1
        for number in range(first, first + len(self)):
            epoch, batch = divmod(number, len(self))
            if epoch != ordered_epoch:
                order = np.random.default_rng(item_seed(self.seed, "order", epoch)).permutation(self.length)
                ordered_epoch = epoch
            start = (batch * self.world_size + self.rank) * self.batch_size
            yield [(epoch, int(index)) for index in order[start : start + self.batch_size]]
