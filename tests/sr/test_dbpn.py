"""DBPN against the released numbers and, for other members of the family, against its plain form."""

import numpy as np
import pytest
import torch

from csbsr.joint import build
from csbsr.sr import DBPN
from csbsr.weights.dbpn import PART
from tests import golden
from tests.oracles import dbpn as oracle

PREFIX = "sr_model."


def released() -> dict[str, torch.Tensor]:
    entries = golden.state_dict("cssr_pspnet", prefix=PREFIX)
    return {name.removeprefix(PREFIX): tensor for name, tensor in entries.items()}


def from_released(weights: dict[str, torch.Tensor]) -> DBPN:
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    assert PART.matches(shapes)
    network = build(PART.spec(shapes)).double().eval()
    renamed = {PART.rename(name): tensor for name, tensor in weights.items()}
    assert len(renamed) == len(weights)  # nothing unused, no two entries under one name
    network.load_state_dict(renamed, strict=True)
    return network


def test_released_system() -> None:
    weights = released()
    network = from_released(weights)
    assert PART.spec({n: tuple(t.shape) for n, t in weights.items()}) == {
        "_target_": "csbsr.sr.DBPN",
        "scale": 4,
        "stages": 4,
        "width": 1.0,
    }
    recorded = golden.load("cssr_pspnet")
    with torch.no_grad():
        sr, kernel = network(golden.network_input(int(recorded["seed"])))
    assert kernel is None
    np.testing.assert_allclose(sr.clamp(0, 1), recorded["sr"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("scale", "stages", "channels"), [(2, 2, 16), (4, 3, 8), (4, 6, 8), (8, 2, 8), (2, 10, 8)])
def test_family_equals_its_plain_form(scale: int, stages: int, channels: int) -> None:
    shapes = oracle.shapes(scale, stages, channels, extracted=4 * channels)
    weights = {name: torch.from_numpy(golden.fill(name, shape)) for name, shape in shapes.items()}
    network = from_released(weights)
    assert (network.scale, len(network.up), len(network.down)) == (scale, stages, stages - 1)
    lr = golden.network_input(3, 5, 4)
    with torch.no_grad():
        sr = network(lr).sr
    assert sr.std() > 1e-3
    torch.testing.assert_close(sr, oracle.dbpn(weights, lr, scale, stages), rtol=1e-10, atol=1e-12)


def test_oracle_has_the_published_shapes() -> None:
    expected = {
        name.removeprefix(PREFIX): tuple(shape)
        for name, shape in golden.keys("cssr_pspnet").items()
        if name.startswith(PREFIX)
    }
    assert oracle.shapes(4, 4, 64, 256) == expected


def test_other_systems_are_not_taken_for_dbpn() -> None:
    for system in ("csbsr_pspnet", "srcnet"):
        names = {n.removeprefix(PREFIX): tuple(s) for n, s in golden.keys(system).items() if n.startswith(PREFIX)}
        assert not PART.matches(names)


def test_unknown_kernel_side_is_refused() -> None:
    shapes = oracle.shapes(4, 2, 8, 32) | {"up1.up_conv1.deconv.weight": (8, 8, 7, 7)}
    with pytest.raises(ValueError, match="got 7"):
        PART.spec(shapes)


def test_width_scales_the_channels() -> None:
    assert DBPN(width=0.5, stages=2).extract.conv.out_channels == 128
    assert DBPN(width=0.5, stages=2).reduce.conv.out_channels == 32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"scale": 3}, "2, 4, 8 for DBPN, got 3"), ({"stages": 1}, "2 to 10, got 1"), ({"stages": 11}, "got 11")],
)
def test_refuses_what_it_cannot_build(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DBPN(**arguments, width=0.1)
