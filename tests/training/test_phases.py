"""Phases: step ranges, α, and what freezing does."""

import pytest
import torch
from torch import nn

from csbsr.training.phases import PhaseSchedule, freeze_all_but

PAPER = {
    "sr_true_kernel": {
        "steps": 10_000, "trains": "sr_without_kernel_predictors", "segments": False, "true_kernel": True,
    },
    "kernel": {"steps": 10_000, "trains": "kernel_predictors", "segments": False},
    "sr": {"steps": 10_000, "trains": "sr", "segments": False},
    "joint": {"trains": "all"},
}  # fmt: skip


class SR(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 3, 1)
        self.predictor = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))

    def kernel_predictors(self):
        return [self.predictor]


class System(nn.Module):
    def __init__(self):
        super().__init__()
        self.sr = SR()
        self.segmentor = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.5))


def trained(network):
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


def test_the_paper_s_borders():
    phases = PhaseSchedule(PAPER, total_steps=700_000)
    at = {step: phases.at(step).name for step in (0, 9_999, 10_000, 19_999, 20_000, 29_999, 30_000, 699_999)}
    assert list(at.values()) == ["sr_true_kernel", "sr_true_kernel", "kernel", "kernel", "sr", "sr", "joint", "joint"]
    assert phases.joint_start == 30_000
    assert phases.phases[-1].steps == 670_000
    assert phases.at(5).true_kernel
    assert not phases.at(5).segments
    assert not phases.at(10_000).true_kernel
    assert phases.at(30_000).segments


def test_alpha_counts_epochs_of_joint_training():
    phases = PhaseSchedule(PAPER, total_steps=700_000)
    epoch = 100
    assert phases.alpha(0, epoch) == 1
    assert phases.alpha(30_099, epoch) == 1
    assert phases.alpha(30_100, epoch) == pytest.approx(0.99)
    assert phases.alpha(30_000 + 57 * epoch, epoch) == pytest.approx(0.43)
    assert phases.alpha(699_999, epoch) == 0.01
    overridden = PhaseSchedule(PAPER, total_steps=700_000, steps_per_epoch=10)
    assert overridden.alpha(30_100, epoch) == pytest.approx(0.9)


def test_fractions_and_the_rest_fill_the_steps():
    phases = PhaseSchedule({"sr": {"fraction": 0.1, "trains": "sr", "segments": False}, "joint": {}}, total_steps=55)
    assert [phase.steps for phase in phases.phases] == [6, 49]
    cut = PhaseSchedule(PAPER, total_steps=10_002)
    assert [(phase.name, phase.steps) for phase in cut.phases] == [("sr_true_kernel", 10_000), ("kernel", 2)]
    assert cut.joint_start == 10_002


@pytest.mark.parametrize(
    ("phases", "total", "message"),
    [
        ({"joint": {"steps": 5}}, 6, "fill 5 of 6"),
        ({}, 6, "none fill 0 of 6"),
        ({"joint": {"trains": "everything"}}, 6, "trains: expected one of"),
        ({"joint": {}}, 0, "total_steps: expected at least 1"),
    ],
)
def test_impossible_schedules_say_why(phases, total, message):
    with pytest.raises(ValueError, match=message):
        PhaseSchedule(phases, total_steps=total)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("sr_without_kernel_predictors", {"sr.body.weight", "sr.body.bias"}),
        ("kernel_predictors", {f"sr.predictor.{n}" for n in ("0.weight", "0.bias", "1.weight", "1.bias")}),
        ("segmentor", {f"segmentor.{n}" for n in ("0.weight", "0.bias", "1.weight", "1.bias")}),
    ],
)
def test_only_the_part_learns(part, expected):
    network = System()
    freeze_all_but(network, part)
    assert trained(network) == expected


def test_all_thaws_again():
    network = System()
    freeze_all_but(network, "sr")
    freeze_all_but(network, "all")
    assert trained(network) == {name for name, _ in network.named_parameters()}


def test_frozen_batch_norm_keeps_its_statistics():
    network = System().train()
    freeze_all_but(network, "sr_without_kernel_predictors")
    before = {name: value.clone() for name, value in network.state_dict().items() if "running" in name}
    image = torch.rand(2, 3, 4, 4)
    network.sr.predictor(image)
    network.segmentor(image)
    after = network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert network.training
    assert network.sr.training
    assert not network.segmentor[2].training  # dropout of a frozen part is off too


@pytest.mark.parametrize("part", ["blur_skip", "kernel_predictors"])
def test_a_part_that_is_not_there_is_named(part):
    network = System()
    network.sr.predictor = nn.Identity()
    with pytest.raises(ValueError, match="phases=joint"):
        freeze_all_but(network, part)


SEGMENTOR_ALONE = {"segmentor": {"trains": "segmentor"}}
APART = {"sr": {"steps": 3, "trains": "sr", "segments": False}, **SEGMENTOR_ALONE}


def test_from_scratch_nothing_rests_on_random_weights():
    network = System()
    for phases in (PAPER, APART, {"sr": {"trains": "sr", "segments": False}}):
        PhaseSchedule(phases, total_steps=40_000).check(network, from_scratch=True)
    alone = PhaseSchedule(SEGMENTOR_ALONE, total_steps=5)
    alone.check(network, from_scratch=False)
    with pytest.raises(ValueError, match=r"'segmentor' on top of 6 parameters that nothing .*sr\.body\.weight.*init="):
        alone.check(network, from_scratch=True)
    network.sr = nn.Module()  # up-sampling without parameters
    alone.check(network, from_scratch=True)


def test_every_phase_is_looked_at():
    network = System()
    network.sr.predictor = nn.Identity()
    with pytest.raises(ValueError, match=r"'kernel_predictors', but SR \+ Sequential has no parameters"):
        PhaseSchedule(PAPER, total_steps=40_000).check(network, from_scratch=True)
    PhaseSchedule(PAPER, total_steps=10_000).check(network, from_scratch=True)  # ends before it
