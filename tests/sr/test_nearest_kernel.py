"""Which kernels KBPN's coarse grid can represent."""

import numpy as np
import torch

from csbsr.degradation import anisotropic_gaussian_kernel, delta_kernel, motion_kernel
from csbsr.metrics.functional import kernel_psnr
from csbsr.sr import KBPN
from csbsr.sr.kernel_estimation import nearest_on_grid, normalized, resized


def test_what_a_grid_makes_is_its_own_nearest():
    made = normalized(resized(torch.rand(2, 49, generator=torch.Generator().manual_seed(0)), 21)).unflatten(
        1, (1, 21, 21)
    )
    torch.testing.assert_close(nearest_on_grid(made, 7), made, atol=1e-6, rtol=0)


def test_wide_blur_fits_a_seven_by_seven_grid_and_narrow_motion_does_not():
    psnr = [
        float(kernel_psnr(nearest_on_grid(kernel, 7), kernel))
        for kernel in (
            anisotropic_gaussian_kernel(2.0, 2.0, 0.0),
            anisotropic_gaussian_kernel(1.0, 1.0, 0.0),
            motion_kernel(9.0, 30.0),
            delta_kernel(torch.zeros(1), 21),
        )
    ]
    np.testing.assert_allclose(psnr, [70.9, 46.8, 40.7, 27.3], atol=0.15)


def test_nearest_is_the_least_squares_solution_divided_by_its_sum():
    kernel = motion_kernel(7.0, 80.0, 90.0, size=9)
    basis = resized(torch.eye(9, dtype=torch.float64), 9).numpy().T
    weights = np.linalg.lstsq(basis, kernel.double().flatten().numpy(), rcond=None)[0]
    expected = basis @ weights
    found = nearest_on_grid(kernel, 3).flatten().numpy()
    np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-6)
    network = KBPN(scale=4, width=0.03125, stages=2, kernel_size=9, coarse_size=3)
    torch.testing.assert_close(network.nearest_kernel(kernel), nearest_on_grid(kernel, 3))
