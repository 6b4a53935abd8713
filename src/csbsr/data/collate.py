"""Samples to batches: training stacks, evaluation keeps sizes apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from csbsr.contracts import Batch, Sample


def stack(samples: Sequence[Sample]) -> Batch:
    """One batch of samples whose tensors agree in shape: tensors stacked, names listed, indices as int64 (B,).

    Where one sample leaves pixels out (``valid``), those that do not get a map of ones.
    """
    if any("valid" in sample for sample in samples):
        samples = [
            sample if "valid" in sample else {**sample, "valid": torch.ones_like(sample["mask"])} for sample in samples
        ]
    rows = cast("Sequence[dict[str, Any]]", samples)  # a TypedDict takes literal keys only
    batch: dict[str, Any] = {}
    for key in rows[0]:
        values = [row[key] for row in rows]
        if isinstance(values[0], Tensor):
            batch[key] = torch.stack(values)
        else:
            batch[key] = torch.tensor(values) if key == "index" else values
    return cast("Batch", batch)


def stack_by_size(samples: Sequence[Sample]) -> list[Batch]:
    """One batch per size, in order of first appearance, so that no image is padded for another's sake."""
    groups: dict[tuple[object, ...], list[Sample]] = {}
    for sample in samples:
        shapes = (tuple(value.shape) if isinstance(value, Tensor) else None for value in sample.values())
        groups.setdefault((*sample, *shapes), []).append(sample)
    return [stack(group) for group in groups.values()]
