"""The algebra of constant maps, means and concatenations against the convolutions it replaces."""

import pytest
import torch
from torch.nn import functional as F

from csbsr.sr.constant_map import add_stretched, constant_map, convolve_parts, mean_of_convolution

SIZES = [(7, 9), (5, 5), (4, 6), (3, 8), (2, 3), (1, 1), (1, 6)]
FORMATS = [torch.contiguous_format, torch.channels_last]


def gradients(result, inputs):
    weights = torch.linspace(-1, 2, result.numel(), dtype=result.dtype).reshape(result.shape)
    return torch.autograd.grad((result * weights).sum(), inputs)


def assert_same(actual, expected, inputs):
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    for a, b in zip(gradients(actual, inputs), gradients(expected, inputs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("size", SIZES)
def test_convolutions_of_a_constant_map_are_its_small_map_stretched(size, memory_format):
    vector, first, second = random(2, 4), random(5, 4, 3, 3, seed=1), random(3, 5, 3, 3, seed=2)
    features = random(2, 3, *size, seed=3)

    small = constant_map(vector, size, border=2)
    small = F.conv2d(F.leaky_relu(F.conv2d(small, first, padding=1)), second, padding=1)
    actual = add_stretched(features.contiguous(memory_format=memory_format).clone(), small)

    full = vector[:, :, None, None].expand(-1, -1, *size)
    full = F.conv2d(F.leaky_relu(F.conv2d(full, first, padding=1)), second, padding=1)
    assert small.shape[-2:] == (min(size[0], 5), min(size[1], 5))
    assert_same(actual, features + full, (vector, first, second, features))


def test_stretching_repeats_the_middle_by_hand():
    small = torch.arange(9.0).reshape(1, 1, 3, 3)
    expected = torch.tensor([[0, 1, 1, 1, 2], [3, 4, 4, 4, 5], [3, 4, 4, 4, 5], [6, 7, 7, 7, 8]])
    torch.testing.assert_close(add_stretched(torch.zeros(1, 1, 4, 5), small), expected[None, None].float())


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("taps", [1, 3, 5])
@pytest.mark.parametrize("size", SIZES)
def test_mean_of_convolution_is_the_convolution_s_mean(size, taps, memory_format):
    image, weight = random(2, 4, *size), random(3, 4, taps, taps, seed=1)
    actual = mean_of_convolution(image.contiguous(memory_format=memory_format), weight)
    expected = F.conv2d(image, weight, padding=taps // 2).mean((2, 3))
    assert_same(actual, expected, (image, weight))


def test_mean_of_convolution_is_float32_for_half_precision():
    image = torch.rand(1, 8, 64, 64)
    weight = torch.randn(4, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    mean = mean_of_convolution(image.bfloat16(), weight.bfloat16())
    assert mean.dtype == torch.float32
    torch.testing.assert_close(mean, mean_of_convolution(image, weight), rtol=0, atol=0.05)


@pytest.mark.parametrize("channels", [(3,), (3, 1), (2, 4, 1)])
def test_convolving_parts_is_convolving_their_concatenation(channels):
    parts = [random(2, c, 5, 6, seed=c) for c in channels]
    weight, bias = random(4, sum(channels), 3, 3, seed=7), random(4, seed=8)
    expected = F.conv2d(torch.cat(parts, 1), weight, bias, padding=1)
    assert_same(convolve_parts(parts, weight, bias, padding=1), expected, (*parts, weight, bias))
