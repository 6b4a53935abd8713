"""Learning-rate schedules, against rates by hand."""

import pytest
import torch

from csbsr.training.schedules import constant, warmup_cosine


def rates(make, updates):
    """The rate at each update, with a peak of 2."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = make(optimizer)
    found = []
    for _ in range(updates):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_constant():
    assert rates(constant, 3) == [2, 2, 2]


def test_warm_up_then_half_a_cosine_down_to_the_floor():
    found = rates(lambda optimizer: warmup_cosine(optimizer, total_steps=8, warmup_steps=4, floor=0.1), 10)
    half = 2 * (0.1 + 0.9 * 0.5)
    eighths = [2 * (0.1 + 0.9 * 0.5 * (1 + sign * 0.5**0.5)) for sign in (1, -1)]
    assert found == pytest.approx([0.5, 1, 1.5, 2, 2, eighths[0], half, eighths[1], 0.2, 0.2])


@pytest.mark.parametrize("warmup_steps", [-1, 8, 9])
def test_a_warm_up_that_never_ends(warmup_steps):
    with pytest.raises(ValueError, match=rf"warmup_steps: expected between 0 and the 8 steps.*got {warmup_steps}"):
        rates(lambda optimizer: warmup_cosine(optimizer, total_steps=8, warmup_steps=warmup_steps), 1)
