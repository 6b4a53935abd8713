"""Blur kernels against the golden numbers, scipy's normal density and pixels computed by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from csbsr.degradation import anisotropic_gaussian_kernel, delta_kernel
from tests import golden


def test_kernels_are_the_released_ones():
    numbers = golden.load("degradation")
    parameters = torch.from_numpy(numbers["sigma_x_sigma_y_theta_degrees"])
    kernels = anisotropic_gaussian_kernel(*parameters.unbind(1))
    assert kernels.shape == (7, 1, 21, 21)
    np.testing.assert_allclose(kernels[:, 0], numbers["kernels"], atol=6e-8)  # stored in float32


@pytest.mark.parametrize(("size", "theta"), [(21, 30.0), (21, 123.4), (9, 77.0)])
def test_kernel_is_a_sampled_normal_density(size, theta):
    angle = math.radians(theta)
    axes = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])  # rows: u, v of (x, y)
    covariance = axes.T @ np.diag([3.1**2, 0.9**2]) @ axes
    offset = np.arange(size) - size // 2
    density = multivariate_normal(cov=covariance).pdf(np.stack(np.meshgrid(offset, offset), -1))
    kernel = anisotropic_gaussian_kernel(3.1, 0.9, torch.tensor([theta], dtype=torch.float64), size=size)
    np.testing.assert_allclose(kernel[0, 0], density / density.sum(), rtol=1e-10)


def test_sigma_1_lies_along_the_horizontal_and_theta_turns_counter_clockwise():
    kernel = anisotropic_gaussian_kernel(3.0, 0.5, 0.0)[0, 0]
    assert kernel[10, 13] > 100 * kernel[13, 10]  # to the right against below
    kernel = anisotropic_gaussian_kernel(3.0, 0.5, 45.0)[0, 0]
    assert kernel[7, 13] > 100 * kernel[13, 13]  # right and up against right and down


def test_three_by_three_by_hand():
    kernel = anisotropic_gaussian_kernel(torch.tensor(2.0, dtype=torch.float64), 1.0, 0.0, size=3)[0, 0]
    x, y = math.exp(-1 / 8), math.exp(-1 / 2)
    plain = torch.tensor([[x * y, y, x * y], [x, 1, x], [x * y, y, x * y]], dtype=torch.float64)
    torch.testing.assert_close(kernel, plain / ((1 + 2 * x) * (1 + 2 * y)), rtol=1e-14, atol=0)


def test_a_batch_equals_its_kernels_one_by_one():
    sigma_1, theta = torch.tensor([0.2, 1.7, 4.0]), torch.tensor([0.0, 20.0, 170.0])
    batch = anisotropic_gaussian_kernel(sigma_1, 1.5, theta)
    single = [anisotropic_gaussian_kernel(float(s), 1.5, float(t)) for s, t in zip(sigma_1, theta, strict=True)]
    torch.testing.assert_close(batch, torch.cat(single))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.int64, torch.float32),
    ],
)
def test_dtype_follows_the_inputs(given, expected):
    assert anisotropic_gaussian_kernel(torch.tensor([2], dtype=given), 1.0, 30.0).dtype == expected


@pytest.mark.parametrize("sigma", [1e-30, 0.05, 0.2, 4.0, 1e6])
def test_every_kernel_sums_to_one(sigma):
    kernel = anisotropic_gaussian_kernel(sigma, sigma, 10.0)
    assert torch.isfinite(kernel).all()
    assert kernel.sum().item() == pytest.approx(1, abs=1e-6)


def test_kernel_is_differentiable():
    numbers = [torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in (1.3, 2.1, 40.0)]
    torch.autograd.gradcheck(lambda *v: anisotropic_gaussian_kernel(*v, size=5), numbers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 1.0, 0.0), r"sigma_1: expected standard deviations > 0.*\[0.0\].*degradation=none"),
        ((1.0, torch.tensor([1.0, -2.0]), 0.0), r"sigma_2: .*-2.0"),
        ((1.0, float("nan"), 0.0), "sigma_2: .*nan"),
        ((1.0, 1.0, 0.0, 20), "size: expected an odd number.*got 20"),
        ((torch.ones(2), torch.ones(3), 0.0), r"one length, got sigma_1 \(2,\), sigma_2 \(3,\)"),
        ((torch.ones(2, 2), 1.0, 0.0), r"sigma_1 \(2, 2\)"),
    ],
)
def test_wrong_numbers_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        anisotropic_gaussian_kernel(*arguments)


def test_delta_kernel_is_one_in_the_centre():
    kernel = delta_kernel(torch.zeros(2, 3, 8, 8, dtype=torch.float64), size=5)
    assert kernel.shape == (2, 1, 5, 5)
    assert kernel.dtype == torch.float64
    assert (kernel[:, 0, 2, 2] == 1).all()
    assert kernel.sum() == 2
    with pytest.raises(ValueError, match="size: expected an odd number"):
        delta_kernel(torch.zeros(1), size=4)
