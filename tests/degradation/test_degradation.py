"""The degradations a run can choose."""

from contextlib import nullcontext

import pytest
import torch

from csbsr.degradation import Degradation, NoBlur, anisotropic_gaussian_kernel, degrade, delta_kernel, downscale


def hr(batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, 32, 48, generator=torch.Generator().manual_seed(0))


def blurs(degradation, batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.stack([degradation.draw(generator) for _ in range(batch)])


@pytest.mark.parametrize("padding", ["zeros", "reflect"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(("scale", "size"), [(4, 21), (2, 9)])
def test_degradation_is_kernel_then_degrade(padding, antialias, scale, size):
    degradation = Degradation(scale, size=size, padding=padding, antialias=antialias)
    blur = blurs(degradation)
    lr, kernel = degradation(hr(), blur)
    expected = anisotropic_gaussian_kernel(*blur.unbind(1), size=size)
    torch.testing.assert_close(kernel, expected)
    torch.testing.assert_close(lr, degrade(hr(), expected, scale, padding, antialias))


def test_ranges_reach_the_draw():
    blur = blurs(Degradation(4, sigma=(1.0, 1.1), theta=(20, 21)), 20)
    assert ((blur >= torch.tensor([1.0, 1.0, 20.0])) & (blur <= torch.tensor([1.1, 1.1, 21.0]))).all()
    blur = blurs(Degradation(4, isotropic=True), 20)
    assert (blur[:, 0] == blur[:, 1]).all()


def test_kernel_follows_the_images_dtype():
    degradation = Degradation(4)
    assert degradation(hr().double(), blurs(degradation))[1].dtype == torch.float64
    lr, kernel = degradation(hr().half(), blurs(degradation))
    assert (lr.dtype, kernel.dtype) == (torch.float32, torch.float32)


@pytest.mark.parametrize("antialias", [False, True])
def test_no_blur_is_bicubic_alone(antialias):
    degradation = NoBlur(4, size=7, antialias=antialias)
    lr, kernel = degradation(hr(), blurs(degradation))
    torch.testing.assert_close(lr, downscale(hr(), 4, antialias), rtol=0, atol=0)
    torch.testing.assert_close(kernel, delta_kernel(hr(), 7), rtol=0, atol=0)
    assert (blurs(degradation) == 0).all()


def test_every_degradation_moves_the_generator_alike():
    states = []
    for degradation in (Degradation(4), Degradation(4, isotropic=True), NoBlur(4)):
        generator = torch.Generator().manual_seed(3)
        degradation.draw(generator)
        states.append(generator.get_state())
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])


def test_the_step_reads_no_value_on_the_device(monkeypatch):
    # tensors on the meta device have no values: looking at one raises; nor does that device know autocast
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    lr, kernel = Degradation(4, padding="reflect")(hr().to("meta"), torch.empty(2, 3, device="meta"))
    assert lr.shape == (2, 3, 8, 12)
    assert kernel.shape == (2, 1, 21, 21)


@pytest.mark.parametrize("make", [Degradation, NoBlur])
def test_wrong_arguments_are_named_at_once(make):
    with pytest.raises(ValueError, match="size: expected an odd number"):
        make(4, size=20)
    with pytest.raises(ValueError, match="padding: expected one of"):
        make(4, padding="zero")
