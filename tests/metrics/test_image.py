"""PSNR, SSIM and kernel PSNR: the released numbers, scikit-image, torchmetrics, by hand."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch.nn.functional import pad
from torchmetrics.functional.image import structural_similarity_index_measure

from csbsr.metrics import functional as F
from tests import golden


def images(seed, *shape):
    draw = torch.Generator().manual_seed(seed)
    hr = torch.rand(*shape, generator=draw, dtype=torch.float64)
    return (hr + 0.2 * torch.randn(*shape, generator=draw, dtype=torch.float64)).clamp(0, 1), hr


def test_are_the_released_ones():
    measured = golden.load("metrics")
    sr, hr = torch.from_numpy(measured["sr"]), torch.from_numpy(measured["hr"])
    np.testing.assert_allclose(F.psnr(sr, hr), measured["psnr"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(F.ssim(sr, hr), measured["ssim"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_agree_with_scikit_image(seed):
    sr, hr = images(seed, 2, 3, 24 + seed, 31)
    for a, b, psnr, ssim in zip(sr, hr, F.psnr(sr, hr), F.ssim(sr, hr), strict=True):
        assert psnr.item() == pytest.approx(peak_signal_noise_ratio(b.numpy(), a.numpy(), data_range=1), abs=1e-9)
        # It pads by reflection and leaves out the border by itself: compared on images padded by zeros.
        a, b = pad(a, (20,) * 4).numpy(), pad(b, (20,) * 4).numpy()
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
        _, values = structural_similarity(a, b, channel_axis=0, truncate=3.4, full=True, **options)
        assert ssim.item() == pytest.approx(values[:, 20:-20, 20:-20].mean(), abs=1e-9)


def test_ssim_agrees_with_torchmetrics():
    sr, hr = images(9, 3, 3, 20, 26)
    padded = [pad(image, (5,) * 4) for image in (sr, hr)]
    _, values = structural_similarity_index_measure(*padded, data_range=1.0, reduction="none", return_full_image=True)
    np.testing.assert_allclose(F.ssim(sr, hr), values[..., 5:-5, 5:-5].mean((1, 2, 3)), rtol=0, atol=1e-9)


def test_interior_leaves_out_the_frame():
    sr, hr = images(4, 2, 3, 60, 53)
    assert F.interior_psnr(sr, hr).tolist() == F.psnr(sr[..., 24:36, 24:29], hr[..., 24:36, 24:29]).tolist()
    assert F.interior_psnr(sr, hr, frame=0).tolist() == F.psnr(sr, hr).tolist()
    valid = torch.ones(2, 1, 60, 53)
    valid[..., 30:, :] = 0
    upper = F.psnr(sr[..., 24:30, 24:29], hr[..., 24:30, 24:29])
    np.testing.assert_allclose(F.interior_psnr(sr, hr, valid), upper, rtol=1e-12)
    assert F.interior_psnr(sr, hr, frame=27).isnan().all()
    with pytest.raises(ValueError, match="frame: expected a number of pixels >= 0, got -1"):
        F.interior_psnr(sr, hr, frame=-1)


def test_by_hand():
    hr = torch.zeros(2, 3, 5, 4)
    sr = torch.stack([hr[0] + 0.1, hr[1]])
    assert F.psnr(sr.double(), hr.double()).tolist() == pytest.approx([20, float("inf")], abs=1e-6)
    assert F.ssim(hr, hr).tolist() == [1, 1]
    # One pixel: the window's middle weight times the values.
    weights = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    w = (weights[5] / weights.sum()) ** 2
    x, y = 0.8, 0.5
    mean_x, mean_y, c1, c2 = w * x, w * y, 1e-4, 9e-4
    covariance, variances = w * x * y - mean_x * mean_y, w * (x * x + y * y) - mean_x**2 - mean_y**2
    expected = (2 * mean_x * mean_y + c1) * (2 * covariance + c2) / (mean_x**2 + mean_y**2 + c1) / (variances + c2)
    one = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    assert F.ssim(x * one, y * one).item() == pytest.approx(expected, abs=1e-12)


def test_kernel_psnr_counts_every_entry():
    true = torch.full((2, 1, 5, 5), 1 / 25, dtype=torch.float64)
    estimated = true.clone()
    estimated[0, 0, 2, 2] += 0.5
    assert F.kernel_psnr(estimated, true).tolist() == pytest.approx([10 * np.log10(25 / 0.25), np.inf])


def test_an_image_does_not_see_its_batch():
    sr, hr = images(3, 4, 3, 21, 17)
    for function in (F.psnr, F.ssim):
        together = function(sr, hr)
        assert together.tolist() == [function(sr[i : i + 1], hr[i : i + 1]).item() for i in range(4)]


@pytest.mark.parametrize("function", [F.psnr, F.ssim, F.kernel_psnr])
def test_wrong_shapes_are_named(function):
    with pytest.raises(ValueError, match="one shape"):
        function(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 5))
    with pytest.raises(ValueError, match="one shape"):
        function(torch.zeros(4, 4), torch.zeros(4, 4))
