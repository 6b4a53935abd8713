"""Which blurs a system can express at all."""

import pytest
import torch
from torch import nn

from csbsr.degradation import Degradation, NoBlur, anisotropic_gaussian_kernel
from csbsr.metrics.representable import beyond_reach, nearest_kernel
from csbsr.sr.kernel_estimation import nearest_on_grid


class Grid(nn.Module):
    def nearest_kernel(self, kernel):
        return nearest_on_grid(kernel, 7)


def test_the_part_that_estimates_says_it():
    serial = nn.Module()
    serial.sr = Grid()
    kernel = anisotropic_gaussian_kernel(2.0, 1.0, 20.0)
    for network in (serial, serial.sr):
        torch.testing.assert_close(nearest_kernel(network, kernel), nearest_on_grid(kernel, 7))
    assert nearest_kernel(nn.Identity(), kernel) is None
    assert beyond_reach(nn.Identity(), Degradation(4)) is None


@pytest.mark.parametrize("scale", [1, 3, 4])
def test_narrow_blurs_are_beyond_a_coarse_grid(scale):
    wide, narrow = (Degradation(scale, sigma=sigma, padding="reflect") for sigma in ((1.5, 4.0), (0.2, 0.6)))
    assert beyond_reach(Grid(), wide) == 0
    assert beyond_reach(Grid(), narrow) == 1
    assert beyond_reach(Grid(), NoBlur(scale)) == 1
    assert 0.1 < beyond_reach(Grid(), Degradation(scale)) < 0.6
