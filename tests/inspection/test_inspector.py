"""Cracks measured from a prediction: millimetres after super-resolution, the bicubic comparison, bounded memory."""

import numpy as np
import pytest
import torch
from PIL import Image

from csbsr.contracts import SegmentorOutput, SROutput
from csbsr.inspection.measuring import Measuring
from csbsr.inspection.photographs import Photograph
from csbsr.inspection.predicting import PredictingAndMeasuring
from csbsr.inspection.record import MEASURED, MEASURED_BICUBIC, Record
from csbsr.inspection.store import GrowingFiles, PicturePlaces
from csbsr.inspection.writing import KeptRows
from csbsr.joint import JointNetwork
from csbsr.measure import IMAGE_COLUMNS, reduced
from csbsr.predict import Predictor
from csbsr.segmentor.base import Segmentor
from csbsr.sr.base import SRNetwork
from tests.measure.drawn import draw
from tests.predict.systems import BICUBIC, KBPN, parallel, serial

EXTRA = ("stem", "reduced")
TILE = {"tile": 128, "margin_sr": 16, "margin_segmentation": 32, "blend": 16, "device": "cpu", "threshold": 0.5}


class Blocks(SRNetwork):
    """Every pixel becomes a square of its colour, with cracks a fixed number of pixels wider to either side."""

    scale = 4

    def __init__(self, wider=0):
        super().__init__()
        self.wider = wider

    def forward(self, lr, kernel=None):
        sr = lr.repeat_interleave(4, -1).repeat_interleave(4, -2)
        if self.wider:
            sr = -torch.nn.functional.max_pool2d(-sr, 2 * self.wider + 1, 1, self.wider)
        return SROutput(sr, None)


class Dark(Segmentor):
    """Crack where it is dark, and with a kernel as far as that spreads."""

    def __init__(self, uses_kernel=False):
        super().__init__()
        self.uses_kernel = uses_kernel
        self.seen = []

    def segment(self, image, kernel):
        if kernel is not None:
            self.seen.append(kernel.clone())
        return SegmentorOutput((1 - image.mean(1, keepdim=True)).clamp(0, 1), ())


def photograph(width=5):
    """(60, 80, 3): a dark crack, ``width`` wide and 60 long, on white."""
    cover = draw([[(9.5, 29.5 + width % 2 / 2), (69.5, 29.5 + width % 2 / 2)]], width, (60, 80))
    return np.repeat((255 * (cover < 0.5)).astype(np.uint8)[..., None], 3, 2)


def inspected(predictor, image, tmp_path, measuring=None, **options):
    """What the record of a photograph tells of its measurement, and the shares of the work on both parts."""
    work = PredictingAndMeasuring(predictor, ["widths", "cracks"], "w", measuring or Measuring(min_pixels=4), **options)
    Image.fromarray(image).save(tmp_path / "a.png")
    item, record, shares = Photograph(tmp_path / "a.png", "a.jpg", "a"), Record("a.jpg"), []
    files = GrowingFiles({kind: tmp_path / kind for kind in work.kinds}, PicturePlaces.of(tmp_path, "a"), tmp_path)
    work.do(item, record, files, shares.append)
    assert all(files.temporary(kind).is_file() for kind in ("widths", "cracks"))
    known = {key: value for key, value in record.row().items() if key in (*MEASURED, *MEASURED_BICUBIC, *EXTRA)}
    assert sum(shares) == pytest.approx(1)
    return known, work


class Nothing:
    """A sink for what is not wanted."""

    shrinks = 1

    def begin(self, height, width): ...
    def sr(self, rows): ...
    def segmentation(self, levels, mask, variance): ...


def test_millimetres_are_those_of_the_photograph_divided_by_the_scale(tmp_path):
    predictor = Predictor(JointNetwork(Blocks(), Dark(), "none"), **TILE)
    record, work = inspected(predictor, photograph(5), tmp_path, Measuring(gsd={"a.jpg": 0.4}))
    assert record["mm_per_pixel"] == pytest.approx(0.1)
    assert (record["height_px"], record["width_px"], record["cracks"], record["reduced"]) == (240, 320, 1, 1)
    assert record["width_mean_px"] == pytest.approx(20, abs=0.3)
    assert record["width_mean_mm"] == pytest.approx(2.0, abs=0.03)
    assert record["length_mm"] == pytest.approx(24, rel=0.03)
    # The bicubic enlargement has soft edges, half-way at the same place.
    assert record["bicubic_width_mean_mm"] == pytest.approx(2.0, abs=0.06)
    assert record["bicubic_length_mm"] == pytest.approx(24, rel=0.03)
    assert work.share((60, 80)) == 0.75


@pytest.mark.parametrize(("megapixels", "factor"), [(64, 1), (0.02, 2), (0.005, 4)])
def test_specks_are_told_by_their_pixels_of_the_photograph(megapixels, factor, tmp_path):
    image = photograph()
    image[5:8, 5:10] = 0  # fifteen pixels
    image[50:54, 5:9] = 0  # sixteen
    predictor = Predictor(JointNetwork(Blocks(), Dark(), "none"), **TILE)
    record, _ = inspected(predictor, image, tmp_path, Measuring(min_pixels=16, megapixels=megapixels))
    assert (record["reduced"], record["cracks"]) == (factor, 2)


def test_what_super_resolution_changed_is_seen(tmp_path):
    predictor = Predictor(JointNetwork(Blocks(wider=3), Dark(), "none"), **TILE)
    record, _ = inspected(predictor, photograph(5), tmp_path)
    assert record["width_mean_px"] == pytest.approx(26, abs=0.3)
    assert record["bicubic_width_mean_px"] == pytest.approx(20, abs=0.6)
    assert set(MEASURED) | set(MEASURED_BICUBIC) | {"stem", "reduced"} == set(record)
    assert [column for column in IMAGE_COLUMNS if column not in MEASURED] == ["image", "threshold"]


@pytest.mark.parametrize("network", [serial(BICUBIC), parallel()])
def test_nothing_to_compare(network, tmp_path):
    predictor = Predictor(network, **TILE)
    record, work = inspected(predictor, photograph(), tmp_path, compare=True)
    assert not any(key.startswith("bicubic") for key in record)
    assert work.share((60, 80)) == 1


def test_comparing_is_a_choice(tmp_path):
    predictor = Predictor(JointNetwork(Blocks(), Dark(), "none"), **TILE)
    few = Measuring(megapixels=0.05)
    for compare, measuring, expected in (
        (False, Measuring(), False), (True, few, True), ("auto", few, False), ("auto", Measuring(), True)
    ):  # fmt: skip
        record, work = inspected(predictor, photograph(), tmp_path, measuring, compare=compare)
        assert ("bicubic_cracks" in record) == expected
        assert (work.share((60, 80)) < 1) == expected
    with pytest.raises(ValueError, match="compare_bicubic: expected true, false or auto"):
        PredictingAndMeasuring(predictor, [], "w", Measuring(), "often")


@pytest.mark.parametrize("flips", [1, 2])
def test_a_segmentor_that_sees_the_blur_gets_the_photographs(flips, tmp_path):
    network = serial(KBPN)
    network.segmentor, network.normalization = Dark(uses_kernel=True), "none"
    predictor = Predictor(network, flips=flips, **TILE)
    kept = KeptRows(Nothing(), 64)
    kernels = predictor.run(photograph(), kept).kernels
    network.segmentor.seen.clear()
    record, _ = inspected(predictor, photograph(), tmp_path)
    assert "bicubic_cracks" in record
    expected = torch.from_numpy(kernels.mean((0, 1)))
    mirrored = expected.flip(-1)
    for seen, kernel in zip(network.segmentor.seen[-flips:], (expected, mirrored), strict=False):
        torch.testing.assert_close(seen[0, 0], kernel)


def test_large_results_are_kept_shrunken(tmp_path):
    predictor = Predictor(JointNetwork(Blocks(), Dark(), "none"), **TILE)
    whole, small = KeptRows(Nothing(), 64), KeptRows(Nothing(), 0.01)
    for kept in (whole, small):
        predictor.run(photograph(4), kept)
    assert (whole.factor, small.factor) == (1, 3)
    assert small.probability().shape == (80, 107)
    np.testing.assert_allclose(small.probability(), reduced(whole.probability(), 3), atol=1e-3)
    assert small.probability() is small.probability()  # asking twice adds nothing
    record, _ = inspected(predictor, photograph(5), tmp_path, Measuring(gsd=0.4, megapixels=0.01))
    assert record["reduced"] == 3
    assert record["mm_per_pixel"] == pytest.approx(0.3)
    assert record["width_mean_mm"] == pytest.approx(2.0, abs=0.1)


def test_the_view_is_the_super_resolved_image(tmp_path):
    predictor = Predictor(JointNetwork(Blocks(), Dark(), "none"), **TILE)
    kept = KeptRows(Nothing(), 64)
    predictor.run(photograph(4), kept)
    assert kept.view().shape == (240, 320, 3)
    np.testing.assert_array_equal(kept.view()[::4, ::4], photograph(4))
