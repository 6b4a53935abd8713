"""SegNet against the released numbers (behind SrcNet) and, at sizes the pools do not divide, against its plain form."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from csbsr.joint import JointNetwork, build
from csbsr.segmentor import SegNet
from csbsr.segmentor.segnet import unpool
from csbsr.weights import segnet, srcnet
from csbsr.weights.part import ReleasedPart
from tests import golden
from tests.segmentor.contract import SegmentorContract

PREFIX = "segmentation_model."


class TestContract(SegmentorContract):
    def make(self) -> SegNet:
        return SegNet(width=0.125)


def load(part: ReleasedPart, weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    assert part.matches(shapes)
    network = build(part.spec(shapes)).double().eval()
    renamed = {part.rename(name): tensor for name, tensor in weights.items()}
    renamed.pop(None, None)
    network.load_state_dict(renamed, strict=True)
    return network


def released(prefix: str) -> dict[str, torch.Tensor]:
    return {n.removeprefix(prefix): t for n, t in golden.state_dict("srcnet", prefix=prefix).items()}


def plain(weights: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The probability, on the released names."""

    def conv(kind: str, name: str, x: torch.Tensor) -> torch.Tensor:
        x = F.conv2d(x, weights[f"Conv{kind}{name}.weight"], weights[f"Conv{kind}{name}.bias"], padding=1)
        if f"{kind}{name}" == "De11":
            return x
        bn = {k: weights[f"BN{kind}{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")}
        return F.relu(F.batch_norm(x, **bn))

    pools = []
    for level, count in enumerate((2, 2, 3, 3, 3), start=1):
        for place in range(1, count + 1):
            x = conv("En", f"{level}{place}", x)
        size = x.shape
        x, positions = F.max_pool2d(x, 2, return_indices=True)
        pools.append((level, count, positions, size))
    for level, count, positions, size in reversed(pools):
        x = F.max_unpool2d(x, positions, 2, output_size=size)
        for place in range(count, 0, -1):
            x = conv("De", f"{level}{place}", x)
    return x.sigmoid()


def test_released_system() -> None:
    weights = released(PREFIX)
    assert segnet.PART.spec({n: tuple(t.shape) for n, t in weights.items()}) == {
        "_target_": "csbsr.segmentor.SegNet",
        "width": 1.0,
    }
    dropped = {name for name in weights if segnet.PART.rename(name) is None}
    assert dropped == {name for name in weights if name.startswith("BNDe11.")}
    network = JointNetwork(load(srcnet.PART, released("sr_model.")), load(segnet.PART, weights)).eval()
    recorded = golden.load("srcnet")
    with torch.no_grad():
        output = network(golden.network_input(int(recorded["seed"])))
    np.testing.assert_allclose(output.sr, recorded["sr"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(output.segmentation, recorded["segmentation"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (63, 50)])
def test_equals_its_plain_form_at_any_size(size: tuple[int, int]) -> None:
    weights = {}
    for name, shape in golden.keys("srcnet").items():
        if name.startswith(PREFIX):
            name = name.removeprefix(PREFIX)
            # an eighth of the channels, except the image's 3 and the output's 1
            shape = tuple(n // 8 if i < 2 and n >= 64 else n for i, n in enumerate(shape))
            weights[name] = torch.from_numpy(np.asarray(golden.fill(name, shape)))
    network = load(segnet.PART, weights)
    assert network.encoder[0][0].conv.out_channels == 8
    image = torch.from_numpy(np.random.RandomState(0).randn(2, 3, *size))
    with torch.no_grad():
        segmentation = network(image).segmentation
    assert segmentation.std() > 1e-3
    torch.testing.assert_close(segmentation, plain(weights, image), rtol=0, atol=1e-12)


def test_unpool_puts_values_back() -> None:
    x = torch.tensor([[[[1.0, 5.0, 0.0], [2.0, 3.0, 0.0], [9.0, 9.0, 9.0]]]])
    pooled, positions = F.max_pool2d(x, 2, return_indices=True)
    expected = torch.tensor([[[[0.0, 5.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]])
    assert torch.equal(unpool(pooled, positions, (3, 3)), expected)
