"""Segmentation losses against the golden numbers, pixels computed by hand, and their gradients."""

import math

import numpy as np
import pytest
import torch

from csbsr.loss import functional
from tests import golden

NUMBERS = golden.load("losses")
FULL = 3  # the pair with a full mask: the release's boundary terms are NaN there
EXACT = 1e-9
FLOAT32 = 5e-8  # the release evaluates the boundary term in float32


def pairs() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(NUMBERS["prediction"]), torch.from_numpy(NUMBERS["target"])


def small(batch: int = 2, maps: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.RandomState(0)
    mask = (random.rand(batch, 1, 5, 6) < 0.4).astype("float64")
    return torch.from_numpy(0.05 + 0.9 * random.rand(batch, maps, 5, 6)), torch.from_numpy(mask)


LOSSES = {
    "wbce_1_1": (functional.weighted_bce, {}, EXACT),
    "wbce_20_1": (functional.weighted_bce, {"pos_weight": (20, 1)}, EXACT),
    "dice": (functional.dice, {}, EXACT),
    "generalised_dice": (functional.generalized_dice, {}, EXACT),
    "boundary": (functional.boundary, {}, FLOAT32),
    "boundary64": (functional.boundary, {}, EXACT),
    "boundary_combo_alpha1.0": (functional.boundary_combo, {"alpha": 1.0}, EXACT),
    "boundary_combo_alpha0.5": (functional.boundary_combo, {"alpha": 0.5}, FLOAT32),
    "boundary_combo_alpha0.01": (functional.boundary_combo, {"alpha": 0.01}, FLOAT32),
    "boundary_combo_alpha0.3_pos20_w1_3": (
        functional.boundary_combo,
        {"alpha": 0.3, "pos_weight": (20, 1), "weights": (1, 3)},
        FLOAT32,
    ),
    "bce_dice_combo": (functional.bce_dice, {}, EXACT),
    "generalised_boundary_combo_alpha0.4": (functional.generalized_boundary_combo, {"alpha": 0.4}, FLOAT32),
    "boundary_gdice_alpha0.4": (functional.boundary_generalized_dice, {"alpha": 0.4}, FLOAT32),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_the_released_ones(name):
    loss, arguments, tolerance = LOSSES[name]
    prediction, target = pairs()
    values = loss(prediction, target, **arguments)
    assert values.shape == (4,)
    assert values.isfinite().all()
    known = ~np.isnan(NUMBERS[name])
    assert known[:FULL].all()
    np.testing.assert_allclose(values[known], NUMBERS[name][known], rtol=tolerance)


def test_full_mask_leaves_the_region_part():
    prediction, target = (tensor[FULL:] for tensor in pairs())
    assert functional.boundary(prediction, target).item() == 0
    region = NUMBERS["bce_dice_combo"][FULL]
    assert functional.boundary_combo(prediction, target, 0.3).item() == pytest.approx(0.3 * region, rel=EXACT)


def test_auxiliary_prediction_against_plain_numpy():
    p, y = NUMBERS["auxiliary"], NUMBERS["target"].astype("float64")
    entropy = -(3 * y * np.log(p + 1e-8) + 2 * (1 - y) * np.log(1 - p + 1e-8)).mean((1, 2, 3)) / 5
    overlap = 1 - 2 * (p * y).sum((1, 2, 3)) / ((p**2).sum((1, 2, 3)) + y.sum((1, 2, 3)))
    values = functional.bce_dice(torch.from_numpy(p), torch.from_numpy(y), pos_weight=(3, 2))
    np.testing.assert_allclose(values, (entropy + overlap) / 2, rtol=1e-7)


# Four pixels by hand: p = .9 .2 .5 .1 against y = 1 0 1 0
P = torch.tensor([[[[0.9, 0.2], [0.5, 0.1]]]], dtype=torch.float64)
Y = torch.tensor([[[[1, 0], [1, 0]]]])


def test_weighted_bce_by_hand():
    crack, background = math.log(0.9) + math.log(0.5), math.log(0.8) + math.log(0.9)
    assert functional.weighted_bce(P, Y).item() == pytest.approx(-(crack + background) / 8, rel=1e-7)
    assert functional.weighted_bce(P, Y, (3, 1)).item() == pytest.approx(-(3 * crack + background) / 16, rel=1e-7)
    assert functional.weighted_bce(P, Y, (0, 2)).item() == pytest.approx(-background / 4, rel=1e-7)


def test_dice_by_hand():
    assert functional.dice(P, Y).item() == pytest.approx(1 - 2 * 1.4 / (0.81 + 0.04 + 0.25 + 0.01 + 2), rel=1e-6)


def test_generalized_dice_by_hand():
    expected = 1 - 2 * (1.4 / 4 + 1e-5) / ((1.7 + 2) / 4 + 1e-5)
    assert functional.generalized_dice(P, Y).item() == pytest.approx(expected, rel=1e-9)


def test_boundary_by_hand():
    # both crack pixels touch background; both background pixels are the farthest, at distance one
    assert functional.boundary(P, Y).item() == pytest.approx((0.2 + 0.1) / 4, rel=1e-12)
    given = torch.tensor([[[[1.0, 2], [3, 4]]]])
    assert functional.boundary(P, Y, given).item() == pytest.approx((0.9 + 0.4 + 1.5 + 0.4) / 4, rel=1e-12)


def test_combinations_by_hand():
    bce, dice, general, edge = (
        loss(P, Y).item()
        for loss in (functional.weighted_bce, functional.dice, functional.generalized_dice, functional.boundary)
    )
    heavy = functional.weighted_bce(P, Y, (5, 1)).item()
    given = torch.tensor([[[[1.0, 2], [3, 4]]]])

    def check(loss, expected, *arguments, **named):
        assert loss(P, Y, *arguments, **named).item() == pytest.approx(expected, rel=1e-12)

    check(functional.boundary_combo, 0.7 * (bce + dice) / 2 + 0.3 * edge, 0.7)
    check(functional.boundary_combo, 0.7 * (2 * heavy + dice) / 3 + 0.3 * edge, 0.7, (5, 1), (2, 1))
    check(functional.boundary_combo, 0.5 * (bce + dice) / 2 + 0.5 * 0.8, 0.5, distance=given)
    check(functional.generalized_boundary_combo, 0.7 * (heavy + general) / 2 + 0.3 * edge, 0.7, (5, 1))
    check(functional.generalized_boundary_combo, 0.8, 0.0, distance=given)
    check(functional.boundary_generalized_dice, 0.2 * general + 0.8 * edge, 0.2)
    check(functional.boundary_generalized_dice, 0.8, 0.0, distance=given)
    check(functional.bce_dice, (heavy + dice) / 2, (5, 1))


def test_a_stack_is_one_large_map_with_the_mask_repeated():
    stack, mask = small(maps=3)
    wide, repeated = (torch.cat(list(maps.unbind(1)), -1)[:, None] for maps in (stack, mask.expand(-1, 3, -1, -1)))
    for loss in (functional.weighted_bce, functional.dice, functional.generalized_dice):
        torch.testing.assert_close(loss(stack, mask), loss(wide, repeated), rtol=1e-12, atol=0)
    separate = torch.stack([functional.boundary(stack[:, i : i + 1], mask) for i in range(3)]).mean(0)
    torch.testing.assert_close(functional.boundary(stack, mask), separate, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_saturated_probabilities_and_uniform_masks_stay_finite(value):
    prediction = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 1, 4, 4).clone().requires_grad_()
    mask = torch.full((2, 1, 4, 4), value)
    right, wrong = int(value), 1 - int(value)
    bce, dice = functional.weighted_bce(prediction, mask), functional.dice(prediction, mask)
    assert bce[right].item() == pytest.approx(0, abs=1e-7)
    assert bce[wrong].item() == pytest.approx(-math.log(1e-8) / 2, rel=0.05)
    assert dice[right].item() == pytest.approx(0, abs=1e-6)
    assert dice[wrong].item() == pytest.approx(1, abs=1e-6)
    total = functional.generalized_boundary_combo(prediction, mask, 0.5) + functional.boundary_combo(
        prediction, mask, 0.5
    )
    total.sum().backward()
    assert total.isfinite().all()
    assert prediction.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name):
    loss, arguments, _ = LOSSES[name]
    stack, mask = small(maps=2)
    torch.autograd.gradcheck(lambda p: loss(p, mask, **arguments), stack.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_probabilities_are_computed_in_float32(dtype):
    prediction, mask = small()
    half = prediction.to(dtype)
    for loss, arguments, _ in LOSSES.values():
        values = loss(half, mask.to(dtype), **arguments)
        assert values.dtype == torch.float32
        torch.testing.assert_close(values, loss(half.float(), mask.float(), **arguments), rtol=0, atol=0)


def test_images_do_not_mix():
    prediction, target = pairs()
    for loss, arguments, _ in LOSSES.values():
        alone = torch.cat([loss(prediction[i : i + 1], target[i : i + 1], **arguments) for i in range(4)])
        torch.testing.assert_close(loss(prediction, target, **arguments), alone, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: functional.dice(P[0], Y), r"segmentation: expected probabilities.*\(1, 2, 2\)"),
        (lambda: functional.dice(Y, Y), "segmentation: expected probabilities.*int64"),
        (lambda: functional.dice(P, Y[:, 0]), r"mask: expected \(1, 1, 2, 2\).*got \(1, 2, 2\).*crop or resize"),
        (lambda: functional.boundary(P, Y, P[..., :1]), r"distance: expected \(1, 1, 2, 2\)"),
        (
            lambda: functional.weighted_bce(P, Y, (0, 0)),
            r"pos_weight: expected 2 numbers >= 0, not all 0, got \[0, 0\]",
        ),
        (lambda: functional.weighted_bce(P, Y, (1,)), "pos_weight: expected 2 numbers"),
        (lambda: functional.boundary_combo(P, Y, 1.5), r"alpha: expected a number in \[0, 1\], got 1.5"),
        (lambda: functional.boundary_combo(P, Y, 0.5, weights=(1, -1)), r"weights: expected 2 numbers.*\[1, -1\]"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
