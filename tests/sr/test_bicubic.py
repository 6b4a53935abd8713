"""Bicubic up-sampling against the released numbers and the cubic's formula; the identity."""

import numpy as np
import pytest
import torch

from csbsr.sr import Bicubic, NoSR
from tests import golden


def cubic(distance: float, a: float = -0.75) -> float:
    """Keys' convolution kernel."""
    d = abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def test_released_system() -> None:
    recorded = golden.load("bicubic_pspnet")
    sr, kernel = Bicubic(4)(golden.network_input(int(recorded["seed"])))
    assert kernel is None
    np.testing.assert_allclose(sr.clamp(0, 1), recorded["sr"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_impulse_response_is_the_cubic(scale: int) -> None:
    lr = torch.zeros(1, 3, 1, 9, dtype=torch.float64)
    lr[..., 4] = 1.0
    sr = Bicubic(scale)(lr).sr[0, 0, 0]
    expected = [cubic((column + 0.5) / scale - 0.5 - 4) for column in range(9 * scale)]
    np.testing.assert_allclose(sr, expected, atol=1e-12)


def test_result_is_not_clamped() -> None:
    lr = torch.zeros(1, 3, 4, 4)
    lr[..., 2:] = 1.0
    sr = Bicubic(2)(lr).sr
    assert sr.min() < 0
    assert sr.max() > 1


def test_given_kernel_is_ignored() -> None:
    lr = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    kernel = torch.full((1, 1, 3, 3), 1 / 9)
    assert torch.equal(Bicubic(2)(lr, kernel).sr, Bicubic(2)(lr).sr)


def test_scale_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"scale: .* got 0"):
        Bicubic(0)


def test_no_super_resolution_is_the_identity() -> None:
    lr = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0)) * 3 - 1
    sr, kernel = NoSR()(lr)
    assert torch.equal(sr, lr)
    assert kernel is None


def test_no_super_resolution_refuses_another_scale() -> None:
    with pytest.raises(ValueError, match="got 4; set scale=1"):
        NoSR(scale=4)
