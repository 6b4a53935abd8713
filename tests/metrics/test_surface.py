"""Surface distances: the released numbers, the plain form and MONAI on random masks, by hand, edge cases."""

import numpy as np
import pytest
import torch
from monai.metrics.utils import get_edge_surface_distance

from csbsr.metrics import functional as F
from csbsr.metrics import surface
from tests import golden
from tests.metrics.conftest import as_batch
from tests.oracles.surface_distance import PACKAGE, plain_surface_distances, surface_distances

PERCENTILES = (95, 50, 100, 12.5)


def test_distances_are_the_released_ones():
    measured = golden.load("metrics")
    prediction, target = torch.from_numpy(measured["prediction"]), torch.from_numpy(measured["target"])
    for percentile, key in ((95, "hd95"), (50, "hd50")):
        hausdorff, mean = F.surface_distance_by_threshold(prediction, target, percentile)
        assert hausdorff.shape == mean.shape == (4, 99)
        np.testing.assert_allclose(hausdorff, measured[key], rtol=0, atol=1e-9)
        np.testing.assert_allclose(mean, measured["msd"], rtol=0, atol=1e-9)


def test_several_percentiles_are_one_pass_each_alone():
    measured = golden.load("metrics")
    prediction, target = torch.from_numpy(measured["prediction"]), torch.from_numpy(measured["target"])
    together, mean = F.surface_distance_by_threshold(prediction, target, [50, 95])
    assert together.shape == (2, 4, 99)
    for values, percentile in zip(together, (50, 95), strict=True):
        alone, mean_alone = F.surface_distance_by_threshold(prediction, target, percentile)
        assert torch.equal(values, alone)
        assert torch.equal(mean, mean_alone)


def _check(probabilities, mask, package=False):
    hausdorff, mean = F.surface_distance_by_threshold(as_batch(probabilities), as_batch(mask), PERCENTILES)
    known = {}
    for index, threshold in enumerate(F.THRESHOLDS):
        prediction = probabilities > probabilities.dtype.type(threshold)
        key = prediction.tobytes()
        if key not in known:
            known[key] = surface_distances(prediction, mask, PERCENTILES)
        np.testing.assert_allclose(hausdorff[:, 0, index], known[key][0], rtol=0, atol=1e-9)
        np.testing.assert_allclose(mean[0, index], known[key][1], rtol=0, atol=1e-9)
    if package:
        expected = plain_surface_distances(probabilities, mask, PERCENTILES)
        np.testing.assert_allclose(hausdorff[:, 0], expected[0], rtol=0, atol=1e-9)


def test_agrees_with_the_plain_form_on_random_masks(pairs):
    for index, (probabilities, mask) in enumerate(pairs):
        _check(probabilities, mask, package=PACKAGE and index % 10 == 0)


@pytest.mark.parametrize("dense", [1, 10**9])
def test_tree_and_transform_agree(pairs, monkeypatch, dense):
    monkeypatch.setattr(surface, "_DENSE", dense)
    for probabilities, mask in pairs[:40]:
        _check(probabilities, mask)


def test_agrees_with_monai_where_its_definition_is_the_same(pairs):
    compared = 0
    for probabilities, mask in pairs:
        prediction = probabilities > 0.5
        if not prediction.any() or not mask.any():
            continue
        hausdorff, mean = F.surface_distance_by_threshold(as_batch(probabilities), as_batch(mask), 100)
        _, distances, lengths = get_edge_surface_distance(
            torch.from_numpy(prediction), torch.from_numpy(mask), spacing=(1, 1), use_subvoxels=True, symmetric=True
        )
        edges = [length[length > 0].double() for length in lengths]
        means = [(d * length).sum() / length.sum() for d, length in zip(distances, edges, strict=True)]
        assert hausdorff[0, 49] == pytest.approx(max(float(d.max()) for d in distances), abs=1e-5)
        assert mean[0, 49] == pytest.approx(float(sum(means)) / 2, abs=1e-5)
        compared += 1
    assert compared > 100


def test_by_hand():
    # One pixel each, three columns and four rows apart: four corners each, all of length √2/2. Seen from either pixel,
    # one corner is (2, 3) away, one (3, 3), one (2, 4), one (3, 4).
    mask, prediction = torch.zeros(1, 1, 9, 11), torch.zeros(1, 1, 9, 11)
    mask[..., 1, 2], prediction[..., 5, 5] = 1, 0.705
    distances = sorted(np.hypot([2, 3, 2, 3], [3, 3, 4, 4]))
    for percentile, place in ((25, 0), (26, 1), (50, 1), (75, 2), (100, 3)):
        hausdorff, mean = F.surface_distance_by_threshold(prediction, mask, percentile)
        assert hausdorff[0, :70].unique().tolist() == pytest.approx([distances[place]], abs=1e-12)
        assert hausdorff[0, 70:].unique().tolist() == [11]  # nothing predicted: the width
        assert mean[0, 0].item() == pytest.approx(np.mean(distances), abs=1e-12)


def test_empty_masks_and_predictions():
    nothing, something = torch.zeros(1, 1, 6, 8), torch.zeros(1, 1, 6, 8)
    something[..., 2, 3] = 0.505
    for values in F.surface_distance_by_threshold(nothing, nothing):
        assert values.eq(0).all()
    for values in F.surface_distance_by_threshold(nothing, something.ceil()):
        assert values.eq(8).all()
    for values in F.surface_distance_by_threshold(something, nothing):
        assert values[0, :50].eq(8).all()
        assert values[0, 50:].eq(0).all()
    for values in F.surface_distance_by_threshold(torch.ones(1, 1, 6, 8), torch.ones(1, 1, 6, 8)):
        assert values.eq(0).all()


def test_equal_masks_are_computed_once(monkeypatch):
    segmentation, mask = torch.zeros(1, 1, 12, 12), torch.zeros(1, 1, 12, 12)
    segmentation[..., 2:9, 3], segmentation[..., 4, 3:9] = 0.305, 0.705
    mask[..., 2:9, 5] = 1
    asked = []
    original = surface._Surfaces.distances
    monkeypatch.setattr(surface._Surfaces, "distances", lambda *args: asked.append(args[1]) or original(*args))
    F.surface_distance_by_threshold(segmentation, mask)
    assert asked == [0, 30]


@pytest.mark.parametrize("shape", [(60, 2030), (60, 2100)])
def test_exact_on_large_images(shape):
    # Just below and just above the size up to which the single-precision transform serves.
    draw = np.random.default_rng(0)
    mask, probabilities = np.zeros(shape, bool), np.zeros(shape, np.float32)
    mask[2:5, 3:40] = True
    for row, column in zip(*(draw.integers(0, side, 60) for side in shape), strict=True):
        probabilities[row, column] = draw.choice([0.205, 0.505])
    hausdorff, mean = F.surface_distance_by_threshold(as_batch(probabilities), as_batch(mask), PERCENTILES)
    for index in (0, 30):
        expected = surface_distances(probabilities > F.THRESHOLDS[index], mask, PERCENTILES)
        assert hausdorff[:, 0, index].tolist() == expected[0]
        assert mean[0, index].item() == pytest.approx(expected[1], abs=1e-9)


def test_an_image_does_not_see_its_batch(pairs):
    chosen = [(np.resize(p, (30, 33)), np.resize(m, (30, 33))) for p, m in pairs[:6]]
    segmentation, mask = (torch.cat([as_batch(pair[side]) for pair in chosen]) for side in (0, 1))
    one = F.surface_distance_by_threshold(segmentation, mask, [95])
    for index in range(6):
        alone = F.surface_distance_by_threshold(segmentation[index : index + 1], mask[index : index + 1], [95])
        assert torch.equal(one[0][:, index], alone[0][:, 0])
        assert torch.equal(one[1][index], alone[1][0])


@pytest.mark.parametrize("percentile", [0, -5, 101, [], [95, 0]])
def test_wrong_percentile_is_named(percentile):
    with pytest.raises(ValueError, match="percentile"):
        F.surface_distance_by_threshold(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), percentile)
