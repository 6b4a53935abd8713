"""The shape of a blur kernel: from numbers, from kernels, and back."""

import pytest
import torch

from csbsr.degradation import (
    anisotropic_gaussian_kernel,
    blur_of_shape,
    kernel_of_shape,
    motion_kernel,
    shape_of_blur,
    shape_of_kernel,
)

BLUR = torch.tensor([[0.5, 2.5, 20.0], [3.0, 1.0, 100.0], [1.5, 1.5, 37.0], [2.0, 0.9, 0.0]], dtype=torch.float64)


def test_a_kernel_from_its_shape_is_the_rotated_gaussian():
    expected = anisotropic_gaussian_kernel(*BLUR.unbind(1))
    torch.testing.assert_close(kernel_of_shape(shape_of_blur(*BLUR.unbind(1))), expected, atol=1e-7, rtol=0)


def test_the_shape_of_a_sampled_gaussian_is_that_of_its_numbers():
    kernel = anisotropic_gaussian_kernel(*BLUR[1:].unbind(1))
    found = shape_of_kernel(kernel)
    torch.testing.assert_close(found, shape_of_blur(*BLUR[1:].unbind(1)), atol=5e-3, rtol=0)


def test_the_numbers_come_back_with_the_wider_axis_first():
    sigma_1, sigma_2, theta = blur_of_shape(shape_of_blur(*BLUR.unbind(1))).unbind(1)
    torch.testing.assert_close(sigma_1, BLUR[:, :2].amax(1))
    torch.testing.assert_close(sigma_2, BLUR[:, :2].amin(1))
    # σ₂ was the wider one in the first: its axis stands 90° from θ; a round kernel has no direction
    torch.testing.assert_close(theta[[0, 1, 3]], torch.tensor([110.0, 100.0, 0.0], dtype=torch.float64))


def test_the_square_root_squares_to_the_covariance():
    kernel = motion_kernel(torch.tensor([9.0]), torch.tensor([30.0]), torch.tensor([40.0])).double()
    m, p, q = shape_of_kernel(kernel)[0]
    root = torch.stack((torch.stack((m + p, -q)), torch.stack((-q, m - p))))
    offset = torch.arange(21.0, dtype=torch.float64) - 10
    weight = kernel[0, 0]
    x, y = (weight.sum(0) * offset).sum(), (weight.sum(1) * offset).sum()
    xx, yy = (weight.sum(0) * (offset - x) ** 2).sum(), (weight.sum(1) * (offset - y) ** 2).sum()
    xy = (weight * (offset[:, None] - y) * (offset[None] - x)).sum()
    torch.testing.assert_close(root @ root, torch.stack((torch.stack((xx, xy)), torch.stack((xy, yy)))))


def test_gradients_are_finite_where_shapes_degenerate():
    shape = torch.zeros(2, 3, requires_grad=True)
    kernel_of_shape(shape + torch.tensor([[0.0, 0, 0], [1.5, 0, 0]])).square().sum().backward()
    assert shape.grad.isfinite().all()
    pulse = torch.zeros(1, 1, 21, 21)
    pulse[..., 10, 10] = 1
    pulse.requires_grad_()
    shape_of_kernel(pulse).sum().backward()
    assert pulse.grad.isfinite().all()


def test_an_even_size_is_refused():
    with pytest.raises(ValueError, match="size: expected an odd number"):
        kernel_of_shape(torch.ones(1, 3), 20)
