"""clDice: by hand, against its plain form, edge cases."""

import numpy as np
import pytest
import torch
from skimage.morphology import skeletonize

from csbsr.metrics import functional as F
from tests.metrics.conftest import as_batch


def test_by_hand():
    mask, segmentation = torch.zeros(1, 1, 9, 20), torch.zeros(1, 1, 9, 20)
    mask[..., 4, 2:18] = 1  # 16 px long, one wide: its own skeleton
    segmentation[..., 4, 2:10] = 0.605  # half of it
    segmentation[..., 4, 10:14] = 0.305  # a further quarter, at low thresholds only
    segmentation[..., 8, 0:4] = 0.305  # four pixels astray
    values = F.cl_dice(segmentation, mask, [0.2, 0.5, 0.7])
    low = 2 * (12 / 16) * (12 / 16) / (12 / 16 + 12 / 16)
    assert values[0].tolist() == pytest.approx([low, 2 * 1 * 0.5 / 1.5, 0.0], abs=1e-12)


def test_does_not_mind_the_width():
    mask, segmentation = torch.zeros(1, 1, 21, 60), torch.zeros(1, 1, 21, 60)
    mask[..., 10, 5:55] = 1
    segmentation[..., 7:14, 5:55] = 1
    assert F.cl_dice(segmentation, mask, [0.5]).item() > 0.93
    assert F.iou_by_threshold(segmentation, mask)[0, 49].item() < 0.2


def test_agrees_with_the_plain_form(pairs):
    for probabilities, mask in pairs[:60]:
        values = F.cl_dice(as_batch(probabilities), as_batch(mask))
        assert values.shape == (1, 99)
        for index in (5, 50, 90):
            prediction = probabilities > np.float32(F.THRESHOLDS[index])
            if not prediction.any() or not mask.any():
                assert values[0, index] == float(not prediction.any() and not mask.any())
                continue
            p = mask[skeletonize(prediction)].mean()
            s = prediction[skeletonize(mask)].mean()
            assert values[0, index] == pytest.approx(2 * p * s / (p + s) if p + s else 0)


@pytest.mark.parametrize("threshold", [0.0, 1.0, 0.555, -0.5])
def test_a_threshold_off_the_grid_is_named(threshold):
    with pytest.raises(ValueError, match="threshold"):
        F.cl_dice(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), [threshold])
    assert [F.threshold_index(t) for t in F.THRESHOLDS] == list(range(99))
