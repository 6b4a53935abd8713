"""Overlap at 99 thresholds: the released numbers, torchmetrics, MONAI, scikit-learn's formulas by hand, edge cases."""

import numpy as np
import pytest
import torch
from monai.metrics import DiceMetric
from scipy import ndimage
from torchmetrics.functional.classification import binary_jaccard_index, binary_precision, binary_recall

from csbsr.metrics import functional as F
from tests import golden
from tests.metrics.conftest import as_batch


def test_iou_is_the_released_one():
    measured = golden.load("metrics")
    iou = F.iou_by_threshold(torch.from_numpy(measured["prediction"]), torch.from_numpy(measured["target"]))
    assert iou.dtype == torch.float64
    np.testing.assert_allclose(iou, measured["iou_image_by_threshold"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_probability_equal_to_a_threshold_is_not_above_it(dtype):
    thresholds = torch.tensor(F.THRESHOLDS, dtype=dtype)
    counts = F.counts_by_threshold(thresholds[None, None, None], torch.ones(1, 1, 1, 99))
    compared = thresholds.float() if dtype.itemsize == 2 else thresholds
    expected = (compared[:, None] > torch.tensor(F.THRESHOLDS, dtype=compared.dtype)).sum(0)
    assert counts.predicted[0].tolist() == expected.tolist()
    if dtype.itemsize > 2:
        assert counts.predicted[0].tolist() == list(range(98, -1, -1))


def test_agrees_with_torchmetrics_and_monai(pairs):
    dice = DiceMetric(ignore_empty=True)
    for probabilities, mask in pairs:
        counts = F.counts_by_threshold(as_batch(probabilities), as_batch(mask))
        iou, precision, recall, f1 = (f(counts)[0] for f in (F.iou, F.precision, F.recall, F.f1))
        for index in (0, 28, 56, 98):
            prediction = torch.from_numpy(probabilities > np.float32(F.THRESHOLDS[index]))
            target = torch.from_numpy(mask)
            if not prediction.any() or not target.any():
                both = float(not prediction.any() and not target.any())
                assert f1[index] == both
                assert iou[index] == pytest.approx(both, abs=1e-4)
                continue
            flat = prediction.flatten().int(), target.flatten().int()
            assert iou[index] == pytest.approx(float(binary_jaccard_index(*flat)), abs=2e-5)
            assert precision[index] == pytest.approx(float(binary_precision(*flat)), abs=1e-6)
            assert recall[index] == pytest.approx(float(binary_recall(*flat)), abs=1e-6)
            expected = dice(prediction[None, None].float(), target[None, None].float())
            assert f1[index] == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("tolerance", [0.0, 1.0, 1.5, 2.0, 3.0])
def test_tolerance_is_a_euclidean_distance(pairs, tolerance):
    for probabilities, mask in pairs[:60]:
        counts = F.counts_by_threshold(as_batch(probabilities), as_batch(mask), tolerance)
        for index in (0, 40, 80):
            prediction = probabilities > np.float32(F.THRESHOLDS[index])
            to_mask = ndimage.distance_transform_edt(~mask) if mask.any() else np.full(mask.shape, np.inf)
            to_prediction = (
                ndimage.distance_transform_edt(~prediction) if prediction.any() else np.full(mask.shape, np.inf)
            )
            assert counts.correct[0, index] == (prediction & (to_mask <= tolerance)).sum()
            assert counts.found[0, index] == (mask & (to_prediction <= tolerance)).sum()
            assert counts.predicted[0, index] == prediction.sum()
            assert counts.positive[0, 0] == mask.sum()


def test_by_hand_on_four_pixels():
    segmentation = torch.tensor([[0.9, 0.6], [0.4, 0.1]], dtype=torch.float64)[None, None]
    mask = torch.tensor([[1, 0], [1, 0]])[None, None]
    counts = F.counts_by_threshold(segmentation, mask)
    at = F.THRESHOLDS.index(0.5)
    assert [c[0, at].item() for c in counts[:3]] == [2, 1, 1]
    assert F.iou(counts)[0, at].item() == pytest.approx((1 + 1e-5) / (3 + 1e-5), abs=1e-15)
    assert (F.precision(counts)[0, at], F.recall(counts)[0, at], F.f1(counts)[0, at]) == (0.5, 0.5, 0.5)
    # recall 1/2 at precision 1 (from the .9), then 1 at precision 2/3 (down to the .4)
    assert F.average_precision(counts).item() == pytest.approx(0.5 * 1 + 0.5 * 2 / 3, abs=1e-15)


def test_pooled_counts_are_sums():
    segmentation = torch.rand(3, 1, 8, 9, generator=torch.Generator().manual_seed(0))
    mask = (segmentation > 0.3).float()
    counts = F.counts_by_threshold(segmentation, mask)
    joined = F.counts_by_threshold(segmentation.reshape(1, 1, 24, 9), mask.reshape(1, 1, 24, 9))
    for one, other in zip(F.pooled(counts), joined, strict=True):
        assert torch.equal(one, other[0])


@pytest.mark.parametrize(
    ("segmentation", "mask", "message"),
    [
        (torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 5), "one shape"),
        (torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), "one shape"),
        (torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4), "one shape"),
        (torch.full((1, 1, 2, 2), 3.0), torch.zeros(1, 1, 2, 2), "sigmoid"),
        (torch.full((1, 1, 2, 2), float("nan")), torch.zeros(1, 1, 2, 2), "NaN"),
        (torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 255), "binarise"),
    ],
)
def test_wrong_input_is_named(segmentation, mask, message):
    for function in (F.iou_by_threshold, F.surface_distance_by_threshold, F.cl_dice):
        with pytest.raises(ValueError, match=message):
            function(segmentation, mask)


def test_wrong_tolerance_is_named():
    with pytest.raises(ValueError, match="tolerance"):
        F.counts_by_threshold(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), -1)
