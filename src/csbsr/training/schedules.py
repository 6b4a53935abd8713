"""Learning-rate schedules."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def constant(optimizer: Optimizer) -> LambdaLR:
    """The rate stays as it is (as published)."""
    return LambdaLR(optimizer, lambda step: 1.0)


def warmup_cosine(optimizer: Optimizer, total_steps: int, warmup_steps: int = 0, floor: float = 0.0) -> LambdaLR:
    """Linear warm-up from 0 over ``warmup_steps`` updates, then half a cosine down to ``floor`` times the rate.

    Args:
        optimizer: whose rates are the peak.
        total_steps: update at which the floor is reached.
        warmup_steps: update at which the peak is reached.
        floor: final rate as a fraction of the peak, in [0, 1].

    Raises:
        ValueError: the warm-up does not end before the schedule does.
    """
    if not 0 <= warmup_steps < total_steps:
        raise ValueError(
            f"scheduler.warmup_steps: expected between 0 and the {total_steps} steps of all phases, got {warmup_steps}"
        )

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        progress = min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))

    return LambdaLR(optimizer, factor)
