"""Losses for thin structures, and of the kernel's shape."""

import pytest
import torch

from csbsr.contracts import JointOutput
from csbsr.degradation import anisotropic_gaussian_kernel
from csbsr.loss import SegmentationLoss, SuperResolutionLoss, functional


def test_batch_dice_pools_the_batch():
    p = torch.tensor([[0.5, 0.5], [1.0, 0.0]]).reshape(2, 1, 1, 2)
    y = torch.tensor([[0.0, 0.0], [1.0, 0.0]]).reshape(2, 1, 1, 2)
    # 1 - (2·1 + 1)/(2 + 1 + 1)
    torch.testing.assert_close(functional.batch_dice(p, y), torch.tensor([0.25, 0.25]))
    torch.testing.assert_close(functional.batch_dice(y, y), torch.zeros(2))


def test_cl_dice_asks_for_the_line_not_the_width():
    y = torch.zeros(1, 1, 24, 24)
    y[..., 10:14, 2:22] = 1
    thin, broken, beside = torch.zeros_like(y), y.clone(), y.roll(8, 2)
    thin[..., 11:13, 2:22] = 1
    broken[..., :, 8:14] = 0
    losses = [float(functional.soft_cl_dice(p, y)) for p in (y, thin, broken, beside)]
    assert losses[0] == pytest.approx(0, abs=0.01)
    assert losses[1] < 0.1 < losses[2] < losses[3]
    assert losses[3] > 0.8


def test_cl_dice_has_a_gradient_and_reads_its_iterations():
    torch.manual_seed(0)
    p = torch.rand(2, 1, 16, 16, requires_grad=True)
    y = torch.zeros(2, 1, 16, 16)
    y[..., 4:12, :] = 1
    functional.soft_cl_dice(p, y).sum().backward()
    assert p.grad.abs().sum() > 0
    assert functional.soft_cl_dice(p, y, iterations=1)[0] != functional.soft_cl_dice(p, y)[0]


@pytest.mark.parametrize("loss", [functional.batch_dice, functional.soft_cl_dice])
def test_pixels_that_do_not_count_change_nothing(loss):
    torch.manual_seed(0)
    p, y, valid = torch.rand(2, 1, 16, 16), (torch.rand(2, 1, 16, 16) < 0.3).float(), torch.ones(2, 1, 16, 16)
    valid[..., :8] = 0
    torch.testing.assert_close(loss(p, y, valid), loss(torch.where(valid > 0, p, 0.9), y * valid, valid))
    assert (loss(p, y, valid) - loss(p, y)).abs().max() > 1e-3


def test_the_shape_error_is_in_pixels():
    first, second = anisotropic_gaussian_kernel(2.0, 2.0, 0.0), anisotropic_gaussian_kernel(3.0, 2.0, 0.0)
    # mean σ differs by 0.5, half the difference by 0.5, its sine by 0: a third of 1
    assert float(functional.kernel_shape_error(first, second)) == pytest.approx(1 / 3, abs=0.01)


def test_the_objects_reach_them():
    terms = SegmentationLoss({"batch_dice": 1.0, "soft_cl_dice": 3.0}, boundary=False)
    p, y = torch.rand(2, 1, 16, 16), (torch.rand(2, 1, 16, 16) < 0.3).float()
    found = terms(p, y)
    expected = (functional.batch_dice(p, y) + 3 * functional.soft_cl_dice(p, y)) / 4
    torch.testing.assert_close(found.total, expected)
    kernel, true = (anisotropic_gaussian_kernel(s, 1.0, 30.0).float() for s in (1.0, 2.0))
    image = torch.rand(1, 3, 32, 32)
    batch = {"hr": image, "lr": torch.rand(1, 3, 8, 8), "kernel": true}
    output = JointOutput(image, None, kernel)
    plain, shaped = (SuperResolutionLoss((1.0, 0.0, 5.0), shape=shape)(output, batch) for shape in (0.0, 2.0))
    error = functional.kernel_shape_error(kernel, true)
    torch.testing.assert_close(shaped.total - plain.total, 2 * error)
    torch.testing.assert_close(plain.total, 5 * (kernel - true).square().mean((1, 2, 3)))
    assert set(shaped.terms) == {"l1", "kernel", "shape"}
    with pytest.raises(ValueError, match="shape: expected a weight"):
        SuperResolutionLoss(shape=-1)
