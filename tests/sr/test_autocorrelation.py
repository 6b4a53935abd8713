"""The estimate of the blur from the autocorrelation: what its averages are, and that strips give the same."""

import numpy as np
import pytest
import torch

from csbsr.sr.autocorrelation import BORDER, LAGS, Autocorrelation


@pytest.fixture
def image():
    return torch.randn(2, 3, 40, 52, generator=torch.Generator().manual_seed(0))


def test_each_lag_is_the_product_of_pixels_that_far_apart(image):
    estimator = Autocorrelation()
    filtered = estimator.filtered(image)
    assert filtered.shape == (2, 2, 40 - 2 * BORDER - 4, 52 - 2 * BORDER - 4)
    sums, counts = estimator.sums(filtered)
    plain = filtered[1, 0].double().numpy()
    height, width = plain.shape
    for k, (dy, dx) in enumerate(LAGS):
        pairs = [
            plain[y, x] * plain[y + dy, x + dx]
            for y in range(height - dy) for x in range(max(0, -dx), width - max(0, dx))
        ]  # fmt: skip
        assert counts[k + 2] == len(pairs)
        assert float(sums[k + 2][1, 0]) == pytest.approx(np.sum(pairs), rel=1e-4, abs=1e-2)
    assert len(sums) == 42


def test_strips_give_the_estimate_of_the_whole(image):
    estimator = Autocorrelation().eval()
    filtered = estimator.filtered(image[:1])
    strips = [(filtered[..., start : start + 7 + 4, :], min(7, filtered.shape[2] - start)) for start in range(0, 28, 7)]
    with torch.no_grad():
        torch.testing.assert_close(estimator.shape_of_strips(iter(strips)), estimator(image[:1]), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="strips: expected at least one"):
        estimator.shape_of_strips([])


def test_the_mean_of_the_image_does_not_count_and_a_small_image_has_an_estimate(image):
    estimator = Autocorrelation().eval()
    with torch.no_grad():
        torch.testing.assert_close(estimator(image + 3), estimator(image), atol=1e-3, rtol=0)
        assert estimator(image[..., :3, :5]).isfinite().all()
        assert estimator(torch.zeros(1, 3, 64, 64)).isfinite().all()


def test_it_learns_the_direction_of_a_blur():
    """Two blurs that differ in direction only: their features must differ, which those of a mean power would not."""
    from csbsr.degradation import anisotropic_gaussian_kernel, degrade

    noise = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(1))
    angles = torch.tensor([45.0, 135.0])
    kernel = anisotropic_gaussian_kernel(torch.tensor([3.5, 3.5]), torch.tensor([0.8, 0.8]), angles)
    lr = degrade(noise.expand(2, -1, -1, -1), kernel, 4, "reflect")
    estimator = Autocorrelation()
    sums, counts = estimator.sums(estimator.filtered(lr))
    diagonal, other = (sums[2 + LAGS.index(lag)][:, 0] / sums[0][:, 0] for lag in ((1, 1), (1, -1)))
    assert counts[0] == 52 * 52
    # 45° counter-clockwise as seen: up to the right, so the pixel below to the left is the alike one
    assert other[0] > diagonal[0] + 0.1
    assert diagonal[1] > other[1] + 0.1
