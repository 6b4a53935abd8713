"""The numbers of a blur: ranges, determinism, independence."""

import pytest
import torch

from csbsr.degradation import GaussianBlurSampler


def draws(sampler: GaussianBlurSampler, count: int = 2000, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([sampler(generator) for _ in range(count)])


def test_numbers_fill_their_ranges_independently():
    numbers = draws(GaussianBlurSampler(sigma=(0.5, 3.0), theta=(20.0, 60.0)))
    assert numbers.dtype == torch.float32
    low, high = torch.tensor([0.5, 0.5, 20.0]), torch.tensor([3.0, 3.0, 60.0])
    unit = (numbers - low) / (high - low)
    assert unit.min() >= 0
    assert unit.max() < 1
    torch.testing.assert_close(unit.mean(0), torch.full((3,), 0.5), atol=0.03, rtol=0)
    torch.testing.assert_close(unit.std(0), torch.full((3,), 12**-0.5), atol=0.02, rtol=0)
    torch.testing.assert_close(torch.corrcoef(unit.T), torch.eye(3), atol=0.08, rtol=0)


def test_published_ranges_are_the_default():
    numbers = draws(GaussianBlurSampler())
    assert numbers[:, :2].min() < 0.25
    assert 3.95 < numbers[:, :2].max() <= 4.0
    assert 178 < numbers[:, 2].max() < 180


def test_isotropic_is_round_and_draws_the_same_sigma():
    numbers = draws(GaussianBlurSampler(isotropic=True), 20)
    assert (numbers[:, 0] == numbers[:, 1]).all()
    assert (numbers[:, 2] == 0).all()
    torch.testing.assert_close(numbers[:, 0], draws(GaussianBlurSampler(), 20)[:, 0])


def test_draws_follow_the_generator_alone():
    sampler = GaussianBlurSampler()
    torch.manual_seed(1)
    first = draws(sampler, 5, seed=7)
    torch.manual_seed(2)
    torch.testing.assert_close(draws(sampler, 5, seed=7), first, rtol=0, atol=0)
    assert not torch.equal(draws(sampler, 5, seed=8), first)


def test_a_range_may_be_one_number():
    assert draws(GaussianBlurSampler((1.5, 1.5), (30, 30)), 3).tolist() == [[1.5, 1.5, 30.0]] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigma": (0.0, 1.0)}, "sigma: expected standard deviations > 0.*degradation=none"),
        ({"sigma": (2.0, 1.0)}, r"sigma: expected \[lowest, highest\], got \[2.0, 1.0\]"),
        ({"theta": (0.0, 90.0, 180.0)}, r"theta: expected \[lowest, highest\]"),
        ({"sigma": (0.2, float("inf"))}, "sigma: expected"),
    ],
)
def test_wrong_ranges_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianBlurSampler(**arguments)
