"""What makes training faster on a CPU leaves its results as they are, and is left alone where something was chosen."""

from functools import partial

import pytest
import torch

from csbsr import hardware
from csbsr.cli import train
from csbsr.predict import Predictor
from csbsr.training.cpu import fused, keep_channels_last, wants_channels_last
from tests.cli.inprocess import exit_code

ADAM = partial(torch.optim.Adam, lr=0.1, fused=None)


@pytest.mark.parametrize(
    ("settings", "device", "expected"),
    [
        ({"fused": None}, "cpu", True),
        ({"fused": None}, "cuda", None),
        ({"fused": False}, "cpu", None),
        ({}, "cpu", None),  # an optimiser that knows no such setting
    ],
)
def test_what_is_left_open_is_fused_on_a_cpu(settings, device, expected):
    made = fused(ADAM, settings, device)([torch.nn.Parameter(torch.ones(3))])
    assert made.param_groups[0]["fused"] is expected


def test_a_fused_update_is_the_same_to_rounding():
    results = []
    for settings in ({}, {"fused": None}):
        torch.manual_seed(0)
        weight = torch.nn.Parameter(torch.randn(50))
        optimizer = fused(ADAM, settings, "cpu")([weight])
        for _ in range(5):
            weight.grad = weight.detach().sin()
            optimizer.step()
        results.append(weight.detach())
    assert results[1].numpy() == pytest.approx(results[0].numpy(), rel=1e-5, abs=1e-6)


def test_weights_of_convolutions_are_laid_out_and_others_left():
    network = torch.nn.Sequential(torch.nn.Conv2d(8, 4, 3), torch.nn.Conv3d(4, 2, 1), torch.nn.Linear(2, 2))
    image, before = torch.rand(1, 8, 9, 9), {name: value.clone() for name, value in network.state_dict().items()}
    expected = network[0](image)
    keep_channels_last(network)
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert network[1].weight.is_contiguous()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.allclose(network[0](image), expected, atol=1e-6)


def test_channels_last_by_the_device_unless_it_was_said():
    assert [wants_channels_last(None, device) for device in ("cpu", "cuda")] == [True, False]
    assert [wants_channels_last(asked, "cpu") for asked in (True, False)] == [True, False]


@pytest.mark.parametrize(
    ("amx", "precision", "device", "told"),
    [
        (False, "bf16-mixed", "cpu", True),
        (False, "bfloat16", "cpu", True),
        (False, "16-mixed", "cpu", True),
        (False, "32-true", "cpu", False),
        (False, "float32", "cpu", False),
        (False, "bf16-mixed", "cuda", False),
        (True, "bf16-mixed", "cpu", False),
        (None, "bf16-mixed", "cpu", False),
    ],
)
def test_half_precision_on_a_cpu_without_amx_is_told(monkeypatch, amx, precision, device, told):
    monkeypatch.setattr(hardware, "has_amx", lambda: amx)
    line = hardware.slow_in_half_precision(precision, device)
    assert (line is not None) == told
    if told:
        assert line.startswith(f"precision {precision}: no faster on this CPU, which has no AMX")


def test_a_cpu_that_computes_bfloat16_wrongly_is_refused(monkeypatch):
    right = torch.nn.functional.conv2d

    def wrong(image, *arguments, **named):
        found = right(image, *arguments, **named)
        return found if image.dtype == torch.float32 else found.flip(-1)

    with monkeypatch.context() as patch:
        patch.setattr(hardware.functional, "conv2d", wrong)
        hardware.bfloat16_is_right.cache_clear()
        for precision, device in (("bf16-mixed", "cpu"), ("bfloat16", "cpu")):
            with pytest.raises(ValueError, match=r"wrongly on this CPU, got bf.*; use float32"):
                hardware.check_precision(precision, device)
        for precision, device in (("bf16-mixed", "cuda"), ("float32", "cpu"), ("16-mixed", "cpu"), ("32-true", "cpu")):
            hardware.check_precision(precision, device)
    hardware.bfloat16_is_right.cache_clear()


def test_commands_refuse_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(hardware, "bfloat16_is_right", lambda: False)
    with pytest.raises(ValueError, match="bfloat16 wrongly on this CPU"):
        Predictor.load("lite", device="cpu", precision="bfloat16")
    words = ["recipe=quick", "trainer.accelerator=cpu", "trainer.precision=bf16-mixed", f"output={tmp_path / 'run'}"]
    assert exit_code(train.main, *words) == 1
    assert "error: precision: torch" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
