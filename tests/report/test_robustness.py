"""The robustness table: factor by factor, the same draws for every system, and what cannot be represented."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from csbsr.contracts import JointOutput
from csbsr.degradation import anisotropic_gaussian_kernel
from csbsr.degradation.factors import robustness_factors
from csbsr.metrics.representable import nearest_kernel
from csbsr.pages.bars import Bar, bar_chart
from csbsr.report.robustness import by_settings, robustness
from csbsr.report.robustness_table import COLUMNS, figure, section, table_rows, unsuited


class Darkness(nn.Module):
    """Enlarges bicubically and calls dark what is a crack; says that it knows one kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, lr, kernel=None, segment=True):
        assert not self.training
        self.seen.append(lr)
        sr = F.interpolate(lr, scale_factor=4, mode="bicubic").clamp(0, 1)
        kernel = anisotropic_gaussian_kernel(torch.full((len(lr),), 1.5), 1.5, 0.0)
        return JointOutput(sr, (1 - sr.mean(1, keepdim=True)).clamp(0, 1), kernel)

    def nearest_kernel(self, kernel):
        return anisotropic_gaussian_kernel(torch.full((len(kernel),), 1.5), 1.5, 0.0)


def samples(count: int = 3, size: int = 64) -> list:
    found = []
    for index in range(count):
        mask = torch.zeros(1, size, size)
        mask[:, 20 + 4 * index : 26 + 4 * index] = 1
        texture = 0.1 * torch.rand(3, size, size, generator=torch.Generator().manual_seed(index))
        found.append({"hr": 0.8 * (1 - mask) + texture, "mask": mask, "name": f"{index}.png", "lr": "not read"})
    return found


def test_one_row_per_factor():
    factors = robustness_factors(4)
    assert [factor.label for factor in factors if factor.group == "motion"] == [
        "motion, 5 px",
        "motion, 9 px",
        "motion, 15 px",
    ]
    assert {factor.group for factor in factors} == {
        "clean", "gaussian", "motion", "defocus", "noise", "jpeg", "mixed", "varying"}  # fmt: skip
    network = Darkness().train()
    rows = robustness(network, samples(), factors)
    assert network.training
    assert [row["factor"] for row in rows] == [factor.label for factor in factors]
    by = {row["factor"]: row for row in rows}
    clean = by["clean"]
    assert clean["images"] == 3
    assert clean["psnr"] == pytest.approx(clean["psnr_bicubic"])
    assert clean["iou_max"] > 0.8
    assert by["motion, 15 px"]["psnr"] < by["motion, 5 px"]["psnr"] < clean["psnr"]
    assert by["noise, σ 0.03"]["psnr"] < by["noise, σ 0.01"]["psnr"] < clean["psnr"]
    assert by["JPEG, quality 30"]["psnr"] < by["JPEG, quality 90"]["psnr"]
    assert by["Gaussian blur, σ 2 px"]["kernel_psnr"] > by["defocus, radius 4 px"]["kernel_psnr"]
    assert clean["kernel_psnr"] == pytest.approx(clean["kernel_psnr_best"])
    for row in rows:
        assert row.keys() == {"factor", "group", "value", "images", *(key for key, *_ in COLUMNS)}
        assert math.isfinite(row["consistency"])


def test_draws_are_of_the_seed_and_the_name():
    factors = [factor for factor in robustness_factors(4) if factor.group == "mixed"]
    one, again, other = Darkness(), Darkness(), Darkness()
    robustness(one, samples(3), factors, seed=1)
    robustness(again, samples(3)[1:], factors, seed=1)
    robustness(other, samples(3), factors, seed=2)
    torch.testing.assert_close(one.seen[1], again.seen[0], rtol=0, atol=0)
    assert not torch.equal(one.seen[1], other.seen[1])


def test_images_are_bounded_and_spread():
    network = Darkness()
    rows = robustness(network, samples(7, 32), robustness_factors(4, (), (), (), (), ())[:1], images=3)
    assert rows[0]["images"] == len(network.seen) == 3
    with pytest.raises(ValueError, match="images: expected at least 1"):
        robustness(network, samples(2), robustness_factors(4), images=0)


def test_what_a_system_cannot_represent_is_said():
    rows = robustness(Darkness(), samples(1), robustness_factors(4, jpeg=(), noise=()))
    sentence = unsuited(rows, 45.0)
    assert "defocus, radius 4 px" in sentence
    assert "σ 1 px" in sentence
    assert "grows" not in sentence
    assert unsuited(rows, 1.0) is None
    assert nearest_kernel(nn.Identity(), torch.zeros(1, 1, 5, 5)) is None


def test_table_and_figure_leave_out_what_is_unknown():
    unknown = dict.fromkeys([key for key, *_ in COLUMNS], math.nan)
    rows = [
        {**unknown, "factor": "clean", "group": "clean", "iou_max": 0.5},
        {**unknown, "factor": "a < b", "group": "motion"},
    ]
    heads, lines = table_rows(rows)
    assert heads == ["", "IoU max"]
    assert lines == [["clean", "0.500"], ["a < b", "–"]]
    assert table_rows([{**rows[0], "kernel_psnr_best": 123.4}])[1] == [["clean", "0.500", "> 80"]]
    drawn = figure(rows)
    assert "a &lt; b" in drawn
    assert drawn.count("<rect") == 2
    assert 'class="marked"' in drawn


def test_the_section_of_the_report_and_its_settings():
    assert section(()) is None
    assert by_settings(None, Darkness(), samples(), 0, None) == []
    network = Darkness()
    network.scale = 4
    settings = {"images": 1, "gaussian": [], "motion": [7], "defocus": [], "noise": [], "jpeg": [50]}
    rows = by_settings(settings, network, samples(), 0, 0.5)
    assert [row["group"] for row in rows] == ["clean", "motion", "jpeg", "mixed", "varying"]
    shown = section(rows)
    assert shown["images"] == 1
    assert shown["lines"][1][0] == "motion, 7 px"
    assert {heading for heading, _ in shown["meanings"]} == set(shown["headings"][1:])


def test_bars_are_as_long_as_their_values():
    drawn = bar_chart([Bar("one", 0.25), Bar("two", 0.5)], "IoU")
    assert 'width="160.0"' in drawn
    assert 'width="320.0"' in drawn
