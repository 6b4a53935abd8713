"""Pixels that ``valid`` leaves out count in no metric."""

import pytest
import torch

from csbsr.contracts import JointOutput
from csbsr.metrics import CrackMetrics
from csbsr.metrics import functional as F


def batch_of(width, valid=None, junk=0.0):
    draw = torch.Generator().manual_seed(0)
    hr, sr = torch.rand(1, 3, 40, 64, generator=draw), torch.rand(1, 3, 40, 64, generator=draw)
    segmentation, mask = torch.rand(1, 1, 40, 64, generator=draw), torch.zeros(1, 1, 40, 64)
    mask[..., 10:13, 4:60] = 1
    mask[..., 20:, 44:] = junk
    segmentation[..., 44:] = segmentation[..., 44:] * (1 - junk) + 0.7 * junk
    batch = {"name": ["a"], "hr": hr[..., :width], "mask": mask[..., :width]}
    if valid is not None:
        batch["valid"] = valid
    return JointOutput(sr[..., :width], segmentation[..., :width], None), batch


@pytest.fixture
def left():
    valid = torch.ones(1, 1, 40, 64)
    valid[..., 44:] = 0
    return valid


def computed(*arguments):
    metrics = CrackMetrics(["iou", "overlap", "tolerance", "surface", "image"])
    metrics.update(*batch_of(*arguments))
    return metrics.compute()


def test_what_stands_there_changes_nothing(left):
    assert computed(64, left, 0.0) == computed(64, left, 1.0)
    assert computed(64, None, 0.0)["f1"] != computed(64, None, 1.0)["f1"]


def test_counts_are_those_of_the_image_cut_there(left):
    whole, cut = computed(64, left), computed(44)
    for key in ("iou_max", "aiu", "precision", "recall", "f1", "ods", "ap", "psnr", "hd95_min"):
        assert whole[key] == pytest.approx(cut[key], rel=1e-9), key


def test_likeness_of_nothing_is_not_a_number():
    hr = torch.rand(1, 3, 12, 12)
    assert F.psnr(hr, hr + 0.1, torch.zeros(1, 1, 12, 12)).isnan().all()
    assert F.ssim(hr, hr, torch.ones(1, 1, 12, 12)).item() == pytest.approx(F.ssim(hr, hr).item())
