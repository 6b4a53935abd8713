"""Pixels that ``valid`` leaves out change no loss: neither what stands there nor what is predicted there."""

import pytest
import torch

from csbsr.contracts import JointOutput
from csbsr.loss import DSRLLoss, JointLoss, SegmentationLoss, SuperResolutionLoss
from csbsr.loss import functional as F


@pytest.fixture
def case():
    draw = torch.Generator().manual_seed(0)
    segmentation, mask = (
        torch.rand(2, 1, 16, 20, generator=draw),
        (torch.rand(2, 1, 16, 20, generator=draw) > 0.8).float(),
    )
    valid = torch.ones_like(mask)
    valid[:, :, :, 13:] = 0
    return segmentation, mask, valid


LOSSES = {
    "weighted_bce": lambda p, y, d, v: F.weighted_bce(p, y, (3.0, 1.0), v),
    "dice": lambda p, y, d, v: F.dice(p, y, v),
    "generalized_dice": lambda p, y, d, v: F.generalized_dice(p, y, v),
    "boundary": lambda p, y, d, v: F.boundary(p, y, d, v),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_over_what_is_left_is_that_of_the_image_cut_there(case, name):
    segmentation, mask, valid = case
    distance = torch.linspace(-1, 1, mask.numel()).view_as(mask)
    whole = LOSSES[name](segmentation, mask, distance, valid)
    cut = LOSSES[name](*(part[..., :13] for part in (segmentation, mask, distance)), None)
    torch.testing.assert_close(whole, cut, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(LOSSES[name](segmentation, mask, distance, torch.ones_like(mask)),
                               LOSSES[name](segmentation, mask, distance, None))  # fmt: skip


def test_no_pixel_left_is_no_loss(case):
    segmentation, mask, valid = case
    nothing = torch.zeros_like(valid)
    assert F.weighted_bce(segmentation, mask, valid=nothing).tolist() == [0, 0]
    assert F.dice(segmentation, mask, nothing).tolist() == [0, 0]


def test_the_joint_loss_and_its_gradient_see_nothing_there():
    draw = torch.Generator().manual_seed(1)
    hr, lr = torch.rand(1, 3, 48, 48, generator=draw), torch.rand(1, 3, 12, 12, generator=draw)
    kernel = torch.rand(1, 1, 7, 7, generator=draw)
    kernel /= kernel.sum()
    mask, valid = (torch.rand(1, 1, 48, 48, generator=draw) > 0.9).float(), torch.ones(1, 1, 48, 48)
    valid[..., 30:] = 0
    loss = JointLoss(SuperResolutionLoss(), SegmentationLoss({"weighted_bce": 1, "dice": 1}), fail_weight=1.0)

    def total(change):
        sr = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(2))
        segmentation = torch.rand(1, 1, 48, 48, generator=torch.Generator().manual_seed(3))
        other = mask.clone()
        if change:
            sr[..., 30:], segmentation[..., 30:], other[..., 30:] = 0.9, 0.1, 1
        sr.requires_grad_(), segmentation.requires_grad_()
        output = JointOutput(sr, segmentation, kernel, (segmentation,))
        batch = {"hr": hr, "lr": lr, "kernel": kernel, "mask": other, "valid": valid,
                 "distance": torch.zeros_like(mask)}  # fmt: skip
        value = loss(output, batch, alpha=0.5, joint=True).total.sum()
        value.backward()
        return value, sr.grad, segmentation.grad

    first, changed = total(False), total(True)
    torch.testing.assert_close(first[0], changed[0])
    for gradient in first[1:]:
        assert gradient[..., :25].abs().max() > 0
        assert gradient[..., 30:].abs().max() == 0


def test_dsrl_leaves_out_positions_that_see_it():
    draw = torch.Generator().manual_seed(4)
    first, second = torch.rand(1, 4, 32, 48, generator=draw), torch.rand(1, 2, 32, 48, generator=draw)
    valid = torch.ones(1, 1, 32, 48)
    valid[..., 33] = 0
    torch.testing.assert_close(
        F.feature_affinity(first, second, 16, valid), F.feature_affinity(first[..., :32], second[..., :32], 16)
    )
    assert DSRLLoss(SegmentationLoss({"dice": 1}, boundary=False)) is not None
