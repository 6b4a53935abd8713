"""Seeds of single items: every random draw is a function of what it is for, never of what was drawn before it.

In training the parts are (purpose, epoch, index), in validation and test (purpose, path within the split); so the draws
are the same for any batch size, number of workers, number of processes and after any restart.
"""

from __future__ import annotations

import hashlib

import torch


def item_seed(seed: int, *parts: str | int) -> int:
    """Seed of one draw: the first 63 bits of BLAKE2b over ``seed`` and ``parts``.

    Args:
        seed: the run's seed.
        parts: what the draw is for, e.g. ``"blur", epoch, index``; the number 1 and the text "1" differ.
    """
    text = "\x1f".join(f"text {part}" if isinstance(part, str) else f"{int(part)}" for part in (seed, *parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def item_generator(seed: int, *parts: str | int) -> torch.Generator:
    """CPU generator seeded with `item_seed`."""
    return torch.Generator().manual_seed(item_seed(seed, *parts))


def evaluation_generator(seed: int, name: str) -> torch.Generator:
    """The generator from which the blur of the validation or test image ``name`` (path within its split) is drawn."""
    return item_generator(seed, "blur", name)
