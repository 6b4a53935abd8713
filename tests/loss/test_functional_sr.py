"""The super-resolution loss and the feature affinity against the golden numbers and plain forms."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import correlate

from csbsr.loss import functional
from csbsr.loss.functional import feature_affinity, pseudo_lr, super_resolution_loss
from tests import golden

NUMBERS = golden.load("losses")


def tensor(name: str) -> torch.Tensor:
    return torch.from_numpy(NUMBERS[name])


def released() -> tuple[torch.Tensor, ...]:
    """sr, hr, lr, predicted kernel (not normalised), true kernel."""
    kernel = tensor("kl_kernel_vector").reshape(2, 1, 21, 21)
    return tensor("kl_sr"), tensor("kl_hr"), tensor("kl_lr"), kernel, tensor("kl_kernel_target")


def weight_maps() -> dict[str, torch.Tensor]:
    prediction, target = tensor("prediction")[:2], tensor("target")[:2]
    return {
        "crack": functional.crack_oriented_weight(target, 2),
        "fail": functional.fail_oriented_weight(prediction, target, 1),
    }


def small(scale: int = 2) -> tuple[torch.Tensor, ...]:
    random = np.random.RandomState(0)
    sizes = ((2, 3, 8, 12), (2, 3, 8, 12), (2, 3, 8 // scale, 12 // scale), (2, 1, 3, 3), (2, 1, 3, 3))
    return tuple(torch.from_numpy(random.rand(*size)) for size in sizes)


@pytest.mark.parametrize("antialias", [0, 1])
@pytest.mark.parametrize("weights", [(0.4, 0.4, 0.2), (0.4, 0.4, 0.0), (0, 1, 0), (0, 0, 1), (1, 0, 0)])
def test_loss_is_the_released_one(antialias, weights):
    loss = super_resolution_loss(*released(), weights=weights, antialias=bool(antialias))
    expected = NUMBERS[f"kbpn_loss_aa{antialias}_" + "_".join(map(str, weights))]
    np.testing.assert_allclose(loss.total, expected, rtol=1e-9)


@pytest.mark.parametrize("antialias", [0, 1])
def test_single_terms_are_the_released_ones(antialias):
    loss = super_resolution_loss(*released(), antialias=bool(antialias))
    for values, weights in ((loss.l1, "1_0_0"), (loss.pseudo_lr, "0_1_0"), (loss.kernel, "0_0_1")):
        np.testing.assert_allclose(values, NUMBERS[f"kbpn_loss_aa{antialias}_{weights}"], rtol=1e-9)
    sr, _, _, kernel, _ = released()
    degraded = pseudo_lr(sr, kernel, 4, antialias=bool(antialias))
    np.testing.assert_allclose(degraded, NUMBERS[f"pseudo_lr_aa{antialias}"], rtol=1e-9)


@pytest.mark.parametrize("antialias", [0, 1])
@pytest.mark.parametrize("which", ["crack", "fail", "both"])
def test_weighted_losses_are_the_released_ones(antialias, which):
    maps = weight_maps()
    maps = list(maps.values()) if which == "both" else [maps[which]]
    loss = super_resolution_loss(*released(), weight_maps=maps, antialias=bool(antialias))
    expected = NUMBERS[f"kbpn_loss_aa{antialias}_weighted_{which}"]
    np.testing.assert_allclose(loss.total, expected, rtol=1e-9 if which == "fail" else 5e-8)


@pytest.mark.parametrize(("padding", "mode"), [("zeros", "constant"), ("reflect", "mirror")])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_every_argument_against_a_plain_form(padding, mode, antialias, scale):
    sr, hr, lr, kernel, true_kernel = small(scale)
    weight = torch.from_numpy(np.random.RandomState(2).rand(2, 1, 8, 12))
    loss = super_resolution_loss(
        sr, hr, lr, kernel, true_kernel, (0.5, 0.3, 0.7), [weight], padding=padding, antialias=antialias
    )
    for image in range(2):
        k = (kernel[image, 0] / kernel[image, 0].sum()).numpy()
        blurred = torch.from_numpy(np.stack([correlate(channel.numpy(), k, mode=mode) for channel in sr[image]]))
        degraded = F.interpolate(blurred[None], lr.shape[-2:], mode="bicubic", antialias=antialias)[0]
        small_weight = F.interpolate(weight[image : image + 1], lr.shape[-2:], mode="bilinear")[0]
        l1 = ((sr[image] - hr[image]).abs() * weight[image]).mean()
        lr_error = ((degraded - lr[image]).abs() * small_weight).mean()
        kernel_error = ((torch.from_numpy(k) - true_kernel[image, 0]) ** 2).mean()
        expected = 0.5 * l1 + 0.3 * lr_error + 0.7 * kernel_error
        for value, wanted in zip(
            (loss.total[image], loss.l1[image], loss.pseudo_lr[image], loss.kernel[image]),
            (expected, l1, lr_error, kernel_error),
            strict=True,
        ):
            torch.testing.assert_close(value, wanted, rtol=1e-12, atol=0)


def test_a_perfect_result_costs_nothing():
    _, hr, _, kernel, _ = small()
    kernel = kernel / kernel.sum((2, 3), keepdim=True)
    loss = super_resolution_loss(hr, hr, pseudo_lr(hr, kernel, 2), 3 * kernel, kernel)
    assert max(term.abs().max().item() for term in loss) < 1e-15


def test_without_a_kernel_the_pixel_error_counts_whole():
    sr, hr, lr, _, true_kernel = small()
    loss = super_resolution_loss(sr, hr, lr, None, true_kernel)
    torch.testing.assert_close(loss.total, (sr - hr).abs().mean((1, 2, 3)))
    assert loss.pseudo_lr is None
    assert loss.kernel is None


def test_image_and_kernel_both_learn_through_the_pseudo_lr():
    sr, hr, lr, kernel, true_kernel = (values.requires_grad_(i in (0, 3)) for i, values in enumerate(small()))
    weight = weight_maps()["fail"][..., :8, :12]
    torch.autograd.gradcheck(
        lambda s, k: super_resolution_loss(s, hr, lr, k, true_kernel, weight_maps=[weight]).total, (sr, kernel)
    )
    gradient = torch.autograd.grad(
        super_resolution_loss(sr, hr, lr, kernel, true_kernel, (0, 1, 0)).total.sum(), kernel
    )
    assert (gradient[0] != 0).all()


@pytest.mark.parametrize("total", [0.0, 1e-9, -1e-9])
def test_kernel_that_sums_to_nothing_stays_finite(total):
    sr, hr, lr, _, true_kernel = small()
    kernel = torch.zeros(2, 1, 3, 3, dtype=torch.float64)
    kernel[..., 0, 0], kernel[..., 2, 2] = 0.5 + total, -0.5
    loss = super_resolution_loss(sr, hr, lr, kernel.requires_grad_(), true_kernel)
    loss.total.sum().backward()
    assert loss.total.isfinite().all()
    assert kernel.grad.isfinite().all()


def test_autocast_and_16_bit_tensors_are_computed_in_float32():
    tensors = [values.float() for values in small()]
    expected = super_resolution_loss(*tensors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for value, wanted in zip(super_resolution_loss(*tensors), expected, strict=True):
            torch.testing.assert_close(value, wanted, rtol=0, atol=0)
        features = torch.rand(1, 4, 8, 8), torch.rand(1, 3, 8, 8)
        affinity = feature_affinity(*features, pool=2)
    torch.testing.assert_close(affinity, feature_affinity(*features, pool=2), rtol=0, atol=0)
    half = super_resolution_loss(*(values.bfloat16() for values in tensors))
    assert all(term.dtype == torch.float32 for term in half)
    torch.testing.assert_close(half.total, expected.total, rtol=0.02, atol=0)


def test_feature_affinity_is_the_released_one():
    value = feature_affinity(tensor("fa_seg"), tensor("fa_sr"))
    assert value.shape == (1,)
    np.testing.assert_allclose(value[0], NUMBERS["fa_loss"], rtol=1e-9)


@pytest.mark.parametrize("pool", [2, 4])
def test_feature_affinity_against_loops(pool):
    random = np.random.RandomState(4)
    first, second = random.rand(2, 3, 9, 8), random.rand(2, 2, 9, 8)

    def gram(features):  # (C, H, W)
        rows, columns = features.shape[1] // pool, features.shape[2] // pool
        cells = [
            features[:, r * pool : (r + 1) * pool, c * pool : (c + 1) * pool].mean((1, 2))
            for r in range(rows)
            for c in range(columns)
        ]
        return np.array([[a @ b for b in cells] for a in cells])

    expected = [np.abs(gram(a) - gram(b)).mean() for a, b in zip(first, second, strict=True)]
    value = feature_affinity(torch.from_numpy(first), torch.from_numpy(second), pool=pool)
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_feature_affinity_gradients():
    features = [torch.rand(1, 2, 4, 6, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    torch.autograd.gradcheck(lambda a, b: feature_affinity(a, b, pool=2), features)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": (1, 1)}, r"weights: expected three numbers >= 0.*got \[1, 1\]"),
        ({"weights": (1, -1, 1)}, r"weights: expected three numbers >= 0"),
        ({"sr": torch.rand(2, 3, 4, 6)}, r"sr: expected the shape of hr \(2, 3, 8, 12\), got \(2, 3, 4, 6\)"),
        ({"lr": torch.rand(2, 3, 3, 6)}, r"lr: expected hr .* divided by a whole scale, got \(2, 3, 3, 6\)"),
        ({"true_kernel": None}, "true_kernel: expected the shape of kernel .*got None"),
        ({"true_kernel": torch.rand(2, 1, 5, 5)}, r"true_kernel: .*\(2, 1, 5, 5\).*degradation.size"),
        ({"padding": "wrap"}, "padding: expected one of"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    arguments = dict(zip(("sr", "hr", "lr", "kernel", "true_kernel"), small(), strict=True)) | change
    with pytest.raises(ValueError, match=message):
        super_resolution_loss(**arguments)


def test_affinity_of_maps_that_do_not_fit():
    with pytest.raises(ValueError, match=r"at least pool = 16 pixels each, got \(1, 3, 8, 8\) .*use larger crops"):
        feature_affinity(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))
    with pytest.raises(ValueError, match="two maps of one height and width"):
        feature_affinity(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 48))
