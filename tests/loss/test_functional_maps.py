"""Distance maps as tensors and the weights of the SR loss."""

import math

import numpy as np
import pytest
import torch

from csbsr.data import distance
from csbsr.loss import functional
from tests import golden

NUMBERS = golden.load("losses")
MASK = torch.from_numpy(NUMBERS["target"])


@pytest.mark.parametrize("name", ["normalized_signed_distance", "distance_to_crack"])
def test_maps_are_the_numpy_ones_image_by_image(name):
    expected = np.stack([getattr(distance, name)(mask, np.float64) for mask in NUMBERS["target"][:, 0]])[:, None]
    for dtype, result in (
        (torch.uint8, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float64, torch.float64),
    ):
        values = getattr(functional, name)(MASK.to(dtype))
        torch.testing.assert_close(values, torch.from_numpy(expected).to(result), rtol=0, atol=0)


def test_released_signed_distance():
    values = functional.normalized_signed_distance(MASK.double())
    np.testing.assert_allclose(values[:3], NUMBERS["sdm_normalised"][:3], rtol=1e-9)
    assert (values[3] == 0).all()


def test_released_weights():
    prediction = torch.from_numpy(NUMBERS["prediction"][:2])
    np.testing.assert_allclose(functional.crack_oriented_weight(MASK[:2], 2), NUMBERS["crack_weight_m2"], rtol=5e-7)
    np.testing.assert_allclose(
        functional.fail_oriented_weight(prediction, MASK[:2], 1), NUMBERS["fail_weight_m1"], rtol=1e-9
    )


def test_crack_weight_by_hand():
    mask = torch.tensor([[[[1.0, 0, 0]]]])
    for m in (0.5, 3.0):
        expected = torch.tensor([[[[2.0, 2 * math.exp(-m), 2 * math.exp(-2 * m)]]]])
        torch.testing.assert_close(functional.crack_oriented_weight(mask, m), expected)
    given = functional.crack_oriented_weight(mask, 1.0, crack_distance=torch.tensor([[[[0.0, 5, 0]]]]).half())
    torch.testing.assert_close(given, torch.tensor([[[[2.0, 2 * math.exp(-5), 2.0]]]]))


def test_empty_mask_weighs_two_everywhere():
    assert (functional.crack_oriented_weight(torch.zeros(1, 1, 3, 3), 2.0) == 2).all()


def test_fail_weight_by_hand():
    segmentation = torch.tensor([[[[0.25, 1.0, 0.5]]]], requires_grad=True)
    weight = functional.fail_oriented_weight(segmentation, torch.tensor([[[[0, 1, 1]]]]), 2.0)
    torch.testing.assert_close(weight, torch.tensor([[[[math.exp(0.5), 1.0, math.e]]]]))
    assert not weight.requires_grad


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"mask: expected \(B, 1, H, W\), got \(4, 48, 64\)"):
        functional.normalized_signed_distance(MASK[:, 0])
    with pytest.raises(ValueError, match="m: expected a number >= 0, got -1"):
        functional.crack_oriented_weight(MASK, -1)
    with pytest.raises(ValueError, match="m: expected a number >= 0, got -2"):
        functional.fail_oriented_weight(MASK.float(), MASK, -2)
    with pytest.raises(ValueError, match=r"segmentation: expected the shape of mask.*\(4, 5, 48, 64\)"):
        functional.fail_oriented_weight(MASK.float().expand(-1, 5, -1, -1), MASK, 1)
