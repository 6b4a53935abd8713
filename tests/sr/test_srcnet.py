"""SrcNet's super-resolution half against the released numbers and a hand-computed attention block."""

import numpy as np
import pytest
import torch

from csbsr.joint import build
from csbsr.sr import SrcNet
from csbsr.sr.srcnet import AttentionBlock
from csbsr.weights.srcnet import PART
from tests import golden

PREFIX = "sr_model."


def test_released_system() -> None:
    weights = {n.removeprefix(PREFIX): t for n, t in golden.state_dict("srcnet", prefix=PREFIX).items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    assert PART.matches(shapes)
    spec = PART.spec(shapes)
    assert spec == {"_target_": "csbsr.sr.SrcNet", "scale": 4, "groups": 10, "blocks": 20, "width": 1.0}
    network = build(spec).double().eval()
    renamed = {PART.rename(name): tensor for name, tensor in weights.items()}
    assert len(renamed) == len(weights)
    network.load_state_dict(renamed, strict=True)
    recorded = golden.load("srcnet")
    with torch.no_grad():
        sr, kernel = network(golden.network_input(int(recorded["seed"])))
    assert kernel is None
    np.testing.assert_allclose(sr.clamp(0, 1), recorded["sr"], rtol=0, atol=1e-6)


def test_attention_block_by_hand() -> None:
    block = AttentionBlock(2).double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
        for conv in (block.features[0], block.features[2]):
            conv.weight[0, 0, 1, 1] = conv.weight[1, 1, 1, 1] = 1.0  # keeps its input
        block.gain[0].weight[0, :, 0, 0] = torch.tensor([1.0, 0.0])
        block.gain[2].weight[:, 0, 0, 0] = torch.tensor([4.0, -1.0])
        x = torch.tensor([[[[2.0, -2.0], [1.0, 1.0]], [[5.0, 5.0], [5.0, 5.0]]]], dtype=torch.float64)
        out = block(x)
    gain = 4 / (1 + np.exp(-1.0))  # the mean of ReLU(2, -2, 1, 1) is 1; a gain above 1 stays
    expected = np.array([[[[2 * gain, 0.0], [gain, gain]], [[0.0, 0.0], [0.0, 0.0]]]])  # a negative one becomes 0
    np.testing.assert_allclose(out, expected, rtol=1e-12)


def test_depth_is_read_off_the_names() -> None:
    small = SrcNet(scale=2, groups=2, blocks=3, width=0.5)
    assert len(small.trunk.parts) == 2
    assert len(small.trunk.parts[0].parts) == 3
    shapes = {
        "rir.res_groups.1.res_blocks.2.fe1.0.weight": (32, 32, 3, 3),
        "upscaling.weight": (32, 128, 6, 6),
    }
    assert PART.spec(shapes) == {"_target_": "csbsr.sr.SrcNet", "scale": 2, "groups": 2, "blocks": 3, "width": 0.5}


def test_unknown_kernel_side_is_refused() -> None:
    with pytest.raises(ValueError, match="got 5"):
        PART.spec({"rir.res_groups.0.res_blocks.0.fe1.0.weight": (64, 64, 3, 3), "upscaling.weight": (64, 256, 5, 5)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"scale": 3}, "for SrcNet, got 3"), ({"groups": 0}, "groups: .* got 0"), ({"blocks": 0}, "blocks: .* got 0")],
)
def test_refuses_what_it_cannot_build(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SrcNet(**arguments, width=0.1)
