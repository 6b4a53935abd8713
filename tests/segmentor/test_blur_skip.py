import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from csbsr.joint.network import JointNetwork
from csbsr.segmentor import PSPNet
from csbsr.segmentor.blur_skip import BlurSkip
from csbsr.sr import Bicubic
from csbsr.weights.pspnet import PART
from tests.oracles.blur_skip import plain_blur_skip
from tests.segmentor.contract import SegmentorContract
from tests.segmentor.released import segment_golden

VARIANTS = ["modified", "origin", "reduced"]


class BlurSkipContract(SegmentorContract):
    auxiliaries = 1
    kernel_size = 5
    variant: str

    def make(self):
        return PSPNet(width=0.125, blocks=(1, 1, 1, 1), blur_skip=self.variant, kernel_size=5)


class TestModified(BlurSkipContract):
    variant = "modified"


class TestOrigin(BlurSkipContract):
    variant = "origin"


class TestReduced(BlurSkipContract):
    variant = "reduced"


@pytest.mark.parametrize(
    "system", ["csbsr_pspnet_blurskip", "csbsr_pspnet_blurskip_origin", "csbsr_pspnet_blurskip_reduct"]
)
def test_golden(system):
    ours, golden_segmentation = segment_golden(PART, system)
    torch.testing.assert_close(ours, golden_segmentation, rtol=0, atol=1e-6)


def inputs(features: int, kernel_size: int, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(size[0] * 100 + size[1])
    r = torch.randn(2, features, *size, dtype=torch.float64, generator=generator)
    kernel = torch.rand(2, 1, kernel_size, kernel_size, dtype=torch.float64, generator=generator)
    # Large entries, so that the condition matters as much as the features do.
    return r.requires_grad_(), kernel.requires_grad_()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [(1, 2), (3, 4), (5, 6), (8, 8), (16, 24), (17, 31), (40, 56)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_equals_the_plain_form(variant, size, training):
    torch.manual_seed(0)
    kernel_size = 21 if max(size) < 20 else 5  # the algebra does not depend on it, the plain form's time does
    module = BlurSkip(3, kernel_size, variant).double().train(training)
    tensors = module.state_dict(keep_vars=True)
    r, kernel = inputs(3, kernel_size, size)
    plain = plain_blur_skip(tensors, r, kernel, variant, training)
    fast = module(r, kernel)
    assert relative(fast, plain) < 1e-10
    weight = torch.randn(plain.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    wanted = {"r": r, "kernel": kernel, **dict(module.named_parameters())}
    expected = torch.autograd.grad((plain * weight).sum(), list(wanted.values()))
    for name, ours, theirs in zip(
        wanted, torch.autograd.grad((fast * weight).sum(), list(wanted.values())), expected, strict=True
    ):
        assert theirs.abs().max() > 0, name
        assert relative(ours, theirs) < 1e-10, name


def relative(ours, theirs):
    return float(((ours - theirs).abs().max() / theirs.abs().max()).detach())


@pytest.mark.parametrize(("variant", "share"), [("modified", 0.25), ("origin", 0.01), ("reduced", 0.76)])
def test_operations(variant, share):
    """LR 56×56 at scale 4: share of the plain form's operations that is left."""
    with torch.device("meta"):
        module = BlurSkip(64, variant=variant)
        r, kernel = torch.empty(1, 64, 224, 224), torch.empty(1, 1, 21, 21)
    with FlopCounterMode(display=False) as fast:
        module(r, kernel)
    with FlopCounterMode(display=False) as plain:
        plain_blur_skip(module.state_dict(), r, kernel, variant)
    assert 0 < fast.get_total_flops() <= share * plain.get_total_flops()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_kernel_changes_the_result(variant):
    module = BlurSkip(4, variant=variant).eval()
    r = torch.rand(1, 4, 9, 9)
    narrow, wide = torch.zeros(1, 1, 21, 21), torch.full((1, 1, 21, 21), 1 / 441)
    narrow[..., 10, 10] = 1
    assert (module(r, narrow) - module(r, wide)).abs().max() > 1e-4


def test_other_kernel_sizes():
    module = BlurSkip(4, kernel_size=5).eval()
    assert module(torch.rand(1, 4, 8, 8), torch.rand(1, 1, 5, 5)).shape == (1, 4, 8, 8)
    with pytest.raises(ValueError, match=r"expects \(1, 1, 5, 5\), got \(1, 1, 21, 21\)"):
        module(torch.rand(1, 4, 8, 8), torch.rand(1, 1, 21, 21))


def test_unknown_variant_lists_the_choices():
    with pytest.raises(ValueError, match="modified, origin, reduced, got 'released'"):
        PSPNet(width=0.125, blocks=(1, 1, 1, 1), blur_skip="released")


def test_needs_a_kernel():
    network = PSPNet(width=0.125, blocks=(1, 1, 1, 1), blur_skip="modified")
    with pytest.raises(ValueError, match="needs a blur kernel"):
        network(torch.rand(1, 3, 16, 16))
    with pytest.raises(ValueError, match="sr=kbpn"):
        JointNetwork(Bicubic(4), network)


def test_is_a_part_that_can_be_trained_alone():
    network = PSPNet(width=0.125, blocks=(1, 1, 1, 1), blur_skip="modified")
    alone = {name for name in network.state_dict() if name.startswith("blur_skip.")}
    without = PSPNet(width=0.125, blocks=(1, 1, 1, 1))
    assert without.blur_skip is None
    assert set(network.state_dict()) - alone == set(without.state_dict())


def test_released_blur_skip_of_unknown_width_is_refused():
    shapes = {"feats.conv1.weight": (64, 3, 7, 7), "blur_skip.0.conv_scale.1.layer.weight": (64, 100, 3, 3)}
    with pytest.raises(ValueError, match="expected 505, 441, 113 input channels, got 100"):
        PART.spec(shapes)
