"""Light, tone and colour: what each number does."""

import numpy as np
import pytest
import torch

from csbsr.data import CrackData, SyntheticPairs, degrade_batch
from csbsr.data.augment import Augmentation
from csbsr.data.collate import stack
from csbsr.data.photometric import LUMA, NUMBERS, Photometric, toned
from csbsr.degradation import NoBlur


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


def test_a_strength_scales_them_and_reaches_training_batches_alone():
    assert Photometric.of_strength(0.5).strengths == (0.15, 0.2, 0.15, 0.4, 0.05, 0.025)
    with pytest.raises(ValueError, match="photometric: expected a strength from 0 to 2"):
        Photometric.of_strength(3)
    settings = {"crop": 32, "batch_size": 2, "seed": 1, "validation_fraction": 0.25, "distances": ()}
    plain, changed = (
        CrackData(SyntheticPairs("train", 8, (40, 40)), None, NoBlur(4), photometric=strength, **settings)
        for strength in (0.0, 1.0)
    )
    for data in (plain, changed):
        data.setup("fit")
    sample, other = plain.training[(0, 1)], changed.training[(0, 1)]
    assert "tone" not in sample
    torch.testing.assert_close(sample["hr"], other["hr"])  # the same draws but for the tone
    batch = degrade_batch(changed.degradation, stack([other]))
    torch.testing.assert_close(batch["hr"], toned(other["hr"][None], other["tone"][None]))
    torch.testing.assert_close(batch["lr"], NoBlur(4)(batch["hr"], batch["blur"])[0])
    assert "tone" not in changed.validation[0]


def test_quarter_turns_turn_image_and_mask_alike():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    mask = (image > 40).astype(np.uint8)
    still = Augmentation(8, 0, 0, 0)(image[..., None].repeat(3, 2), mask, 0)
    assert (still[1] == mask).all()
    seen = set()
    for seed in range(12):
        turned, marked = Augmentation(8, 0, 0, 0, quarter_turns=1.0)(image[..., None].repeat(3, 2), mask, seed)
        assert ((turned[..., 0] > 40) == marked).all()
        seen.add(int(turned[0, 0, 0]))
    assert seen == {0, 7, 56, 63}
