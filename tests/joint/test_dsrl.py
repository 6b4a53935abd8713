"""DSRL against the released numbers of both variants, and what its training mode adds."""

import numpy as np
import pytest
import torch
from torch import nn

from csbsr.joint import DSRL, build
from csbsr.segmentor.base import pad_to
from csbsr.weights.dsrl import PART
from tests import golden

PREFIX = "parallel_model."
TOLERANCE = {"rtol": 0, "atol": 1e-6}


def small(variant: str = "dsrl", **arguments) -> DSRL:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return DSRL(variant, width=0.125, blocks=(1, 1, 1), **arguments)


def images(batch: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def train_with_frozen_statistics(network: nn.Module) -> nn.Module:
    """Training mode of the network, evaluation mode of all it consists of: no dropout, running statistics."""
    network.eval().training = True
    return network


@pytest.fixture(scope="module", params=["dsrl", "dsrl_x4"])
def released(request: pytest.FixtureRequest) -> tuple[str, DSRL]:
    entries = golden.state_dict(request.param, prefix=PREFIX)
    weights = {name.removeprefix(PREFIX): tensor for name, tensor in entries.items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    assert PART.matches(shapes)
    spec = PART.spec(shapes)
    assert spec == {"_target_": "csbsr.joint.DSRL", "variant": request.param, "width": 1.0, "blocks": [3, 4, 23]}
    network = build(spec).double()
    renamed = {PART.rename(name): tensor for name, tensor in weights.items()}
    assert len(renamed) == len(weights)
    network.load_state_dict(renamed, strict=True)
    return request.param, network


def test_released_system(released: tuple[str, DSRL]) -> None:
    name, network = released
    recorded = golden.load(name)
    with torch.no_grad():
        output = network.eval()(golden.network_input(int(recorded["seed"])))
    np.testing.assert_allclose(output.sr, recorded["sr"], **TOLERANCE)
    np.testing.assert_allclose(output.segmentation, recorded["segmentation"], **TOLERANCE)
    assert output.kernel is None
    assert output.auxiliaries == ()
    assert output.affinity_features is None


@pytest.mark.parametrize(
    "released", ["dsrl", pytest.param("dsrl_x4", marks=pytest.mark.slow)], indirect=True, scope="module"
)
def test_released_system_where_dilations_reach_inside(released: tuple[str, DSRL]) -> None:
    name, network = released
    recorded = golden.load(f"{name}_large")
    lr = torch.from_numpy(np.random.RandomState(int(recorded["seed"])).rand(1, 3, 320, 336))
    with torch.no_grad():
        output = train_with_frozen_statistics(network)(lr)
    assert recorded["sr_every_16"].max() > 1  # never clamped
    found = {
        "sr": output.sr,
        "segmentation": output.segmentation,
        "affinity_features_segmentation": output.affinity_features[0],
        "affinity_features_sr": output.affinity_features[1],
    }
    for entry, tensor in found.items():
        np.testing.assert_allclose(tensor[..., ::16, ::16], recorded[f"{entry}_every_16"], **TOLERANCE, err_msg=entry)


@pytest.mark.parametrize(("variant", "native"), [("dsrl", 2), ("dsrl_x4", 4)])
@pytest.mark.parametrize("size", [(16, 24), (17, 30), (3, 5)])
def test_shapes_at_any_size(variant: str, native: int, size: tuple[int, int]) -> None:
    network = small(variant).train()
    output = network(images(2, *size))
    height, width = size
    assert network.scale == 4
    assert output.sr.shape == (2, 3, 4 * height, 4 * width)
    assert output.segmentation.shape == (2, 1, 4 * height, 4 * width)
    assert [f.shape for f in output.affinity_features] == [(2, 3, native * height, native * width)] * 2
    assert output.segmentation.min() >= 0
    assert output.segmentation.max() <= 1


def test_odd_sizes_are_reflected_and_cropped() -> None:
    network = train_with_frozen_statistics(small("dsrl_x4").double())
    lr = images(1, 18, 21).double()
    with torch.no_grad():
        output, whole = network(lr), network(pad_to(lr, 4))
    assert whole.sr.shape[-2:] == (80, 96)
    torch.testing.assert_close(output.sr, whole.sr[..., :72, :84])
    torch.testing.assert_close(output.segmentation, whole.segmentation[..., :72, :84])


def test_segmentation_can_be_skipped() -> None:
    network = small().eval()
    lr = images(1, 16, 16)
    with torch.no_grad():
        whole, output = network(lr), network(lr, segment=False)
    assert output.segmentation is None
    assert torch.equal(output.sr, whole.sr)
    assert network.train()(images(2, 16, 16), segment=False).affinity_features is None


def test_gradients_reach_every_parameter() -> None:
    network = train_with_frozen_statistics(small("dsrl_x4"))
    output = network(images(2, 32, 48))
    generator = torch.Generator().manual_seed(1)
    terms = (output.sr, output.segmentation, *output.affinity_features)
    sum((term * torch.randn(term.shape, generator=generator)).sum() for term in terms).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_one_image_cannot_be_trained_on() -> None:
    network = small().train()
    with pytest.raises(ValueError, match=r"batch size: expected at least 2 .* got 1"):
        network(images(1, 32, 32))
    network(images(2, 16, 16))
    network.eval()(images(1, 32, 32))


def test_one_image_is_enough_with_frozen_statistics() -> None:
    network = train_with_frozen_statistics(small())
    assert network(images(1, 32, 32)).affinity_features is not None


@pytest.mark.parametrize("variant", ["dsrl", "dsrl_x4"])
def test_half_precision(variant: str) -> None:
    network = small(variant).eval()
    lr = images(1, 16, 24)
    with torch.no_grad():
        full = network(lr)
        with torch.autocast("cpu", torch.bfloat16):
            half = network(lr)
    assert half.segmentation.dtype == torch.float32
    torch.testing.assert_close(half.segmentation, full.segmentation, rtol=0, atol=0.05)
    torch.testing.assert_close(half.sr.float(), full.sr, rtol=0, atol=0.1)


def test_eval_mode_is_deterministic() -> None:
    network = small().eval()
    lr = images(2, 16, 24)
    with torch.no_grad():
        first, second = network(lr), network(lr)
        alone = network(lr[1:])
    assert torch.equal(first.sr, second.sr)
    assert torch.equal(first.segmentation, second.segmentation)
    torch.testing.assert_close(alone.segmentation, first.segmentation[1:], rtol=1e-4, atol=1e-5)


def test_exports() -> None:
    network = small().eval()
    program = torch.export.export(network, (images(1, 16, 24),))
    other = images(1, 16, 24, seed=1)
    with torch.no_grad():
        sr, segmentation = program.module()(other)[:2]
        expected = network(other)
    torch.testing.assert_close(sr, expected.sr, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(segmentation, expected.segmentation, rtol=1e-4, atol=1e-5)


def test_pretrained_encoder_from_a_file(tmp_path) -> None:
    weights = {name: torch.randn_like(t) if t.ndim == 4 else t for name, t in small().encoder.state_dict().items()}
    torch.save(weights, tmp_path / "encoder.pth")
    network = small(pretrained=str(tmp_path / "encoder.pth"))
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.encoder.state_dict().items())


def test_unknown_variant_is_refused() -> None:
    with pytest.raises(ValueError, match="dsrl, dsrl_x4, got 'dsrl_x8'"):
        DSRL("dsrl_x8")
