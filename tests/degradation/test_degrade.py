"""Blur and down-scaling against the golden numbers and scipy's correlation."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import correlate

from csbsr.degradation import at_least_float32, blur, degrade, degrade_large, delta_kernel, downscale
from tests import golden


def uneven(batch: int = 2, size: int = 5, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Kernels without any symmetry."""
    kernel = torch.from_numpy(np.random.RandomState(seed).rand(batch, 1, size, size)).to(dtype)
    return kernel / kernel.sum((2, 3), keepdim=True)


def images(batch: int = 2, height: int = 16, width: int = 24) -> torch.Tensor:
    return torch.from_numpy(np.random.RandomState(1).rand(batch, 3, height, width))


@pytest.mark.parametrize("index", range(4))
def test_blur_and_lr_are_the_released_ones(index):
    numbers = golden.load("degradation")
    hr, kernel = torch.from_numpy(numbers["hr"])[None], torch.from_numpy(numbers["kernels"][index])[None, None]
    np.testing.assert_allclose(blur(hr, kernel)[0], numbers[f"blurred_{index}"], rtol=1e-9)
    for antialias in (False, True):
        lr = degrade(hr, kernel, scale=4, padding="zeros", antialias=antialias)
        np.testing.assert_allclose(lr[0], numbers[f"lr_{index}_aa{int(antialias)}"], rtol=1e-9)


@pytest.mark.parametrize(("padding", "mode"), [("zeros", "constant"), ("reflect", "mirror")])
def test_blur_correlates_every_channel_with_its_images_kernel(padding, mode):
    hr, kernel = images(), uneven()
    blurred = blur(hr, kernel, padding)
    for image in range(2):
        for channel in range(3):
            expected = correlate(hr[image, channel].numpy(), kernel[image, 0].numpy(), mode=mode)
            np.testing.assert_allclose(blurred[image, channel], expected, rtol=1e-12)


def test_one_kernel_serves_all_images():
    hr, kernel = images(3), uneven(1)
    torch.testing.assert_close(degrade(hr, kernel), degrade(hr, kernel.expand(3, 1, 5, 5)), rtol=0, atol=0)


def test_images_do_not_mix():
    hr, kernel = images(), uneven()
    alone = torch.cat([degrade(hr[i : i + 1], kernel[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(degrade(hr, kernel), alone, rtol=1e-12, atol=0)


def test_delta_kernel_leaves_bicubic_alone():
    hr = images()
    expected = F.interpolate(hr, scale_factor=0.25, mode="bicubic", align_corners=False)
    for padding in ("zeros", "reflect"):
        torch.testing.assert_close(degrade(hr, delta_kernel(hr, 5), padding=padding), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_scale_divides_the_size(scale):
    assert degrade(images(), uneven(), scale).shape == (2, 3, 16 // scale, 24 // scale)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 6, 8, 12])
@pytest.mark.parametrize("padding", ["zeros", "reflect"])
@pytest.mark.parametrize("size", [1, 3, 5, 11])
def test_one_step_equals_blur_then_downscale(scale, padding, size):
    hr, kernel = images(2, 12 if scale in (3, 6, 12) else 16, 24), uneven(2, size)
    for antialias in (False, True):
        expected = F.interpolate(blur(hr, kernel, padding), scale_factor=1 / scale, mode="bicubic", antialias=antialias)
        torch.testing.assert_close(degrade(hr, kernel, scale, padding, antialias), expected, rtol=1e-11, atol=1e-13)


def test_scale_one_only_blurs():
    hr, kernel = images(), uneven()
    torch.testing.assert_close(degrade(hr, kernel, 1), blur(hr, kernel), rtol=0, atol=0)


def test_zeros_darken_the_border_and_reflection_does_not():
    white, kernel = torch.ones(1, 1, 16, 16), uneven(1, dtype=torch.float32)
    assert blur(white, kernel, "zeros")[0, 0, 0, 0] < 0.7
    torch.testing.assert_close(blur(white, kernel, "reflect"), white)


def test_lr_is_not_clamped():
    step = torch.zeros(1, 1, 16, 16)
    step[..., 8:] = 1
    lr = degrade(step, delta_kernel(step, 3), 2)
    assert lr.min() < 0
    assert lr.max() > 1


def test_gradients_reach_image_and_kernel():
    hr, kernel = images(2, 4, 8).requires_grad_(), uneven(2, 3).requires_grad_()
    for padding in ("zeros", "reflect"):
        for scale in (2, 4):
            torch.autograd.gradcheck(lambda h, k, s=scale, p=padding: degrade(h, k, s, p), (hr, kernel))


def test_autocast_and_16_bit_inputs_are_computed_in_float32():
    hr, kernel = images().float(), uneven(dtype=torch.float32)
    expected, blurred = degrade(hr, kernel), blur(hr, kernel)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(degrade(hr, kernel), expected, rtol=0, atol=0)
        torch.testing.assert_close(blur(hr, kernel), blurred, rtol=0, atol=0)
        half = degrade(hr.bfloat16(), kernel)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, degrade(hr.bfloat16().float(), kernel), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(torch.float16, torch.float32), (torch.float64, torch.float64), (torch.uint8, torch.float32)],
)
def test_at_least_float32(dtype, expected):
    assert at_least_float32(torch.zeros(1, dtype=dtype)).dtype == expected


@pytest.mark.parametrize(
    ("scale", "size", "shape"),
    [(4, 21, (64, 80)), (4, 21, (20, 36)), (4, 1, (40, 48)), (6, 15, (60, 42)), (8, 21, (96, 200)), (10, 9, (50, 50)),
     (4, 51, (120, 80)), (2, 21, (40, 40)), (3, 21, (30, 33))],
)  # fmt: skip
def test_large_images_are_degraded_alike(scale, size, shape):
    hr = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(size), dtype=torch.float64)
    kernel = uneven(1, size).double()
    torch.testing.assert_close(degrade_large(hr, kernel, scale), degrade(hr, kernel, scale), rtol=0, atol=1e-12)


def test_large_images_are_degraded_in_blocks_where_that_is_possible(monkeypatch):
    """Reflection, antialiasing and a kernel for each image go the usual way."""
    hr, asked = torch.rand(2, 3, 32, 48), []
    monkeypatch.setitem(degrade_large.__globals__, "degrade", lambda *arguments: asked.append(arguments) or hr)
    degrade_large(hr, uneven(1, 21))
    assert not asked
    for kernel, arguments in ((uneven(2, 21), ()), (uneven(1, 21), (4, "reflect")), (uneven(1), (4, "zeros", True))):
        degrade_large(hr, kernel, *arguments)
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("hr", "kernel", "arguments", "message"),
    [
        (torch.rand(1, 3, 18, 16), uneven(1), {}, "multiples of scale = 4, got 18 x 16; crop to 16 x 16"),
        (torch.rand(1, 3, 16, 17), uneven(1), {}, "got 16 x 17; crop to 16 x 16"),
        (torch.rand(3, 16, 16), uneven(1), {}, r"hr: expected a floating-point batch.*\(3, 16, 16\)"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), uneven(1), {}, "hr: expected a floating-point.*uint8"),
        (torch.rand(3, 3, 16, 16), uneven(2), {}, r"kernel: expected .*B = 3.*\(2, 1, 5, 5\)"),
        (torch.rand(1, 3, 16, 16), uneven(1, 4), {}, r"kernel: expected .*odd k.*\(1, 1, 4, 4\)"),
        (torch.rand(1, 3, 16, 16), uneven(1)[:, :, :3], {}, r"kernel: expected .*\(1, 1, 3, 5\)"),
        (
            torch.rand(1, 3, 16, 16),
            uneven(1),
            {"padding": "wrap"},
            "padding: expected one of zeros, reflect, got 'wrap'",
        ),
        (
            torch.rand(1, 3, 8, 16),
            uneven(1, 21),
            {"padding": "reflect"},
            "more than 10 pixels.*got 8 x 16.*padding=zeros",
        ),
        (torch.rand(1, 3, 16, 16), uneven(1), {"scale": 0}, "scale: expected a whole number >= 1, got 0"),
    ],
)
def test_what_does_not_fit_is_named(hr, kernel, arguments, message):
    with pytest.raises(ValueError, match=message):
        degrade(hr, kernel, **arguments)


def test_downscale_follows_antialias():
    hr = images()
    expected = F.interpolate(hr, (8, 12), mode="bicubic", antialias=True)
    torch.testing.assert_close(downscale(hr, 2, antialias=True), expected, rtol=0, atol=0)
    assert (downscale(hr, 2) - expected).abs().max() > 0.05
