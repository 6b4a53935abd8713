"""Light, tone and colour: what each number does."""

import pytest
import torch

from csbsr.data.photometric import LUMA, NUMBERS, Photometric, toned


@pytest.fixture
def image():
    return 0.3 + 0.4 * torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def numbers(**values):
    names = ("gain", "contrast", "gamma", "saturation", "warm", "green")
    return torch.tensor([[values.get(name, 0.0) for name in names]])


def test_zeros_change_nothing(image):
    torch.testing.assert_close(toned(image, torch.zeros(1, NUMBERS)), image, atol=1e-6, rtol=0)


def test_each_number_does_its_own(image):
    torch.testing.assert_close(toned(image, numbers(gain=0.1)), image * 2.718281828**0.1, atol=1e-5, rtol=0)
    flat = toned(image, numbers(contrast=-1.0))
    assert flat.std() < 1e-6
    assert flat.mean() == pytest.approx(float(image.mean()), abs=1e-5)
    torch.testing.assert_close(toned(image, numbers(gamma=0.3)), image**2.718281828**0.3, atol=1e-5, rtol=0)
    grey = toned(image, numbers(saturation=-1.0))
    luma = (image * torch.tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    torch.testing.assert_close(grey, luma.expand(-1, 3, -1, -1), atol=1e-6, rtol=0)
    warm = toned(image, numbers(warm=0.1)) / image
    assert warm.mean((0, 2, 3)).tolist() == pytest.approx([1.10517, 1, 0.904837], abs=1e-4)
    green = toned(image, numbers(green=0.1)) / image
    assert green.mean((0, 2, 3)).tolist() == pytest.approx([1, 1.10517, 1], abs=1e-4)


def test_results_stay_in_range_and_draws_within_their_strengths(image):
    photometric = Photometric(brightness=0.5, contrast=1.0, gamma=0.1, saturation=0.2, tint=0.4)
    generator = torch.Generator().manual_seed(1)
    draws = torch.stack([photometric.draw(generator) for _ in range(400)])
    assert (draws.abs().amax(0) <= torch.tensor([0.5, 1.0, 0.1, 0.2, 0.4, 0.2])).all()
    assert (draws.abs().amax(0) > 0.9 * torch.tensor([0.5, 1.0, 0.1, 0.2, 0.4, 0.2])).all()
    out = photometric(image.expand(400, -1, -1, -1), draws)
    assert 0 <= out.min() <= out.max() <= 1


@pytest.mark.parametrize("arguments", [{"gamma": -0.1}, {"contrast": 1.5}, {"saturation": 2}])
def test_impossible_strengths_are_refused(arguments):
    with pytest.raises(ValueError, match="expected a strength"):
        Photometric(**arguments)
