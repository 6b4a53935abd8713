"""Widths from the light through both commands' work: with the kernels of the prediction, and again from its numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from csbsr.contracts import SegmentorOutput, SROutput
from csbsr.data.errors import DataError
from csbsr.degradation import anisotropic_gaussian_kernel
from csbsr.inspection.masks import MeasuringMasks
from csbsr.inspection.measuring import Measuring
from csbsr.inspection.photographs import Photograph
from csbsr.inspection.predicting import PredictingAndMeasuring
from csbsr.inspection.record import Record, Source
from csbsr.inspection.sources import Mask
from csbsr.inspection.store import GrowingFiles, PicturePlaces
from csbsr.joint import JointNetwork
from csbsr.measure import GroundSampling
from csbsr.pages.files import read_csv
from csbsr.predict import Predictor
from tests.inspection.test_inspector import TILE, Blocks, Dark
from tests.measure.drawn import draw

WIDTH = 3.0  # pixels of the photograph
KINDS = ["probability", "widths", "cracks"]


class Blurred(Blocks):
    """The same with an estimate of the blur: σ of 6 pixels across, 2 along."""

    estimates_kernel = True

    def forward(self, lr, kernel=None):
        given = anisotropic_gaussian_kernel(2.0, 6.0, 0.0, 41) if kernel is None else kernel
        return SROutput(super().forward(lr).sr, given.expand(len(lr), -1, -1, -1))

    def kernel_predictors(self):
        return ()


@pytest.fixture
def image(tmp_path) -> Path:
    cover = draw([[(8.0, 30.2), (72.0, 30.2)]], WIDTH, (60, 80))
    grey = gaussian_filter(200 - 185 * cover, (1.5, 0.5))  # σ 1.5 across: 6 pixels of the result
    path = tmp_path / "a.png"
    Image.fromarray(np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, 2)).save(path)
    return path


def files(folder: Path, kinds: list[str]) -> GrowingFiles:
    folder.mkdir()
    return GrowingFiles({kind: folder / kind for kind in kinds}, PicturePlaces.of(folder, "a"), folder)


def predicted(image: Path, folder: Path, measuring: Measuring) -> Record:
    predictor = Predictor(JointNetwork(Blurred(), Dark(), "none"), **TILE)
    work = PredictingAndMeasuring(predictor, KINDS, "w", measuring, False)
    record = Record("a.png")
    work.do(Photograph(image, "a.png", "a"), record, files(folder, work.kinds), lambda share: None)
    return record


def test_the_kernels_are_recorded_and_give_the_same_widths_again_without_the_network(image, tmp_path):
    measuring = Measuring(gsd=GroundSampling(0.5, 0.02), min_pixels=4)
    record = predicted(image, tmp_path / "o", measuring)
    assert record.kernels["covariances"][0][:2] == pytest.approx([0.25, 2.25], rel=0.05)
    found = record.measured
    assert found.width_reported_mean_value_px == pytest.approx(4 * WIDTH, abs=1.2)
    assert found.width_reported_mean_low_mm < WIDTH * 0.5 < found.width_reported_mean_high_mm
    assert found.gsd_mm_uncertainty == pytest.approx(0.02 / 4)
    again = Record.from_json(record.to_json())
    assert again.kernels == record.kernels
    assert "kernels" not in again.row()

    probability = next((tmp_path / "o").glob("probability*"))
    mask = Mask(
        probability, "a.png", "a", scale=4.0, threshold=0.5, predicted=True, size=(240, 320), photograph=image,
        kernels=again.kernels, noted=Source.of(image),
    )  # fmt: skip

    def measured(item: Mask, number: int, light: bool = True) -> Record:
        result = Record("a.png")
        own = replace(measuring, light=light)
        MeasuringMasks(own).do(item, result, files(tmp_path / str(number), ["widths", "cracks"]), lambda share: None)
        return result

    same = measured(mask, 0).measured
    for end in ("value", "low", "high"):
        key = f"width_reported_mean_{end}_px"
        assert getattr(same, key) == pytest.approx(getattr(found, key), rel=1e-3)
    of_mask = same.width_mean_px
    assert of_mask != pytest.approx(same.width_reported_mean_value_px, rel=1e-3)
    for number, item in enumerate((replace(mask, photograph=None), replace(mask, noted=Source(str(image), 1, 1))), 1):
        assert measured(item, number).measured.width_reported_mean_value_px == pytest.approx(of_mask)
    assert measured(mask, 3, light=False).measured.width_reported_mean_value_px == pytest.approx(of_mask)


class Leaning(Dark):
    """The same, but for a probability that falls from left to right: mirror images disagree."""

    def segment(self, image, kernel):
        slope = torch.linspace(1.1, 0.9, image.shape[-1])
        return SegmentorOutput((super().segment(image, kernel).segmentation * slope).clamp(0, 1), ())


def test_flips_enter_the_intervals_and_do_so_again_from_their_file(image, tmp_path):
    def intervals(table: Path) -> list[float]:
        row = read_csv(table)[0]
        return [float(row[f"width_mean_{end}_px"]) for end in ("low", "high")]

    measuring = Measuring(min_pixels=4, light=False)
    for flips in (1, 2):
        predictor = Predictor(JointNetwork(Blurred(), Leaning(), "none"), flips=flips, **TILE)
        save = [*KINDS, "uncertainty"] if flips > 1 else KINDS
        work, record = PredictingAndMeasuring(predictor, save, "w", measuring, False), Record("a.png")
        growing = files(tmp_path / f"flips {flips}", work.kinds)
        work.do(Photograph(image, "a.png", "a"), record, growing, lambda share: None)
    wide = intervals(tmp_path / "flips 2" / "cracks.csv")
    mask = Mask(
        tmp_path / "flips 2" / "probability.png", "a.png", "a", scale=4.0, threshold=0.5, predicted=True,
        size=(240, 320), uncertainty=tmp_path / "flips 2" / "uncertainty.png",
    )  # fmt: skip
    found = {}
    for name, item in {"with": mask, "without": replace(mask, uncertainty=None)}.items():
        own = files(tmp_path / name, ["cracks"])
        MeasuringMasks(measuring).do(item, Record("a.png"), own, lambda share: None)
        found[name] = intervals(tmp_path / name / "cracks.csv")
    assert found["with"] == pytest.approx(wide, abs=0.1)
    assert found["without"][0] > wide[0] + 0.3
    assert found["without"][1] < wide[1] - 0.3


def test_bands_and_bits_of_the_photograph_are_as_given_or_as_they_were_read(image, tmp_path):
    grey = np.asarray(Image.open(image))[..., 0]
    many = np.stack([np.full_like(grey, 9), grey, grey, grey, 255 - grey], axis=2).astype(np.uint16)
    tifffile.imwrite(tmp_path / "many.tif", many, photometric="minisblack", planarconfig="contig")
    Image.fromarray((draw([[(8.0, 30.2), (72.0, 30.2)]], WIDTH, (60, 80)) * 255).astype(np.uint8)).save(
        tmp_path / "m.png"
    )
    mask = Mask(tmp_path / "m.png", "m.png", "m", tmp_path / "many.tif", photograph=tmp_path / "many.tif")

    def measured(item: Mask, **options: object) -> float | None:
        number = len(list(tmp_path.iterdir()))
        work, record = MeasuringMasks(Measuring(min_pixels=4), **options), Record("m.png")
        work.do(item, record, files(tmp_path / str(number), ["cracks"]), lambda share: None)
        return float(read_csv(tmp_path / str(number) / "cracks.csv")[0]["width_light_mean_px"])

    with pytest.raises(DataError, match=r"5 bands that do not say .* bands=\[3,2,1\]"):
        measured(mask)
    expected = measured(replace(mask, picture=image, photograph=image))
    assert expected == pytest.approx(WIDTH, abs=0.6)
    assert measured(mask, bands=[2, 3, 4], bits=8) == pytest.approx(expected, abs=0.02)
    assert measured(replace(mask, bands=[2, 3, 4], bits=8)) == pytest.approx(expected, abs=0.02)
    assert measured(replace(mask, bands=[1], bits=16), bands=[2], bits=8) == pytest.approx(expected, abs=0.02)


def test_a_run_with_the_light_and_one_without_are_told_apart(image, tmp_path):
    with_it, without = (Measuring(gsd=0.5, light=light).recorded("a.png") for light in (True, False))
    assert with_it != without
    vague = Measuring(gsd=GroundSampling(0.5, 0.02)).recorded("a.png")
    assert (vague["gsd_mm"], vague["gsd_mm_uncertainty"]) == (0.5, 0.02)
    assert torch.tensor(vague["gsd_mm"]) == 0.5  # a plain number to everybody else
