"""KBPN against the released numbers and against its plain form."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from csbsr.build import build
from csbsr.sr import KBPN
from csbsr.sr.kernel_estimation import normalized
from csbsr.weights.kbpn import PART
from tests import golden
from tests.hardware import needs_bfloat16
from tests.oracles.kbpn import PlainKBPN

COMPACT = {"width": 1 / 16, "kernel_size": 7, "coarse_size": 3, "sft_hidden": 12}


def compact(seed=0, **arguments):
    torch.manual_seed(seed)
    return KBPN(**{**COMPACT, **arguments}).double()


def lr_and_kernel(size, kernel_size=7, batch=2, dtype=torch.float64):
    draw = torch.Generator().manual_seed(1)
    kernel = torch.rand(batch, 1, kernel_size, kernel_size, dtype=dtype, generator=draw)
    return torch.rand(batch, 3, *size, dtype=dtype, generator=draw), kernel / kernel.sum((2, 3), keepdim=True)


def outputs_and_gradients(network, lr, kernel):
    """Outputs, and the gradients of a fixed function of both outputs, the input's under the name ``lr``."""
    lr = lr.clone().requires_grad_()
    network.zero_grad()
    sr, estimate = network(lr, kernel)
    weights = [torch.linspace(-1, 2, x.numel(), dtype=x.dtype).reshape(x.shape) for x in (sr, estimate)]
    ((sr * weights[0]).sum() + 10 * (estimate * weights[1]).sum()).backward()
    gradients = {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
    return (sr.detach(), estimate.detach()), {**gradients, "lr": lr.grad}


def assert_equal_networks(one, other, lr, kernel, tolerance=1e-10):
    outputs, gradients = outputs_and_gradients(one, lr, kernel)
    expected_outputs, expected_gradients = outputs_and_gradients(other, lr, kernel)
    assert gradients.keys() == expected_gradients.keys()
    for actual, expected in zip(outputs, expected_outputs, strict=True):
        assert (actual - expected).norm() <= tolerance * expected.norm()
    for name, expected in expected_gradients.items():
        assert (gradients[name] - expected).norm() <= tolerance * expected.norm(), name


@pytest.mark.parametrize("system", ["csbsr_pspnet", "csbsr_pspnet_x2"])
def test_released_numbers(system):
    expected = golden.load(system)
    seed = int(expected["seed"])
    released = {
        name.removeprefix("sr_model."): value
        for name, value in golden.state_dict(system, float(expected["gain"]), prefix="sr_model.").items()
    }
    shapes = {name: tuple(value.shape) for name, value in released.items()}
    assert PART.matches(shapes)
    network = build(PART.spec(shapes)).double().eval()
    network.load_state_dict({PART.rename(name): value for name, value in released.items()})
    with torch.no_grad():
        blind = network(golden.network_input(seed))
        given = network(golden.network_input(seed), golden.given_kernel(seed))
    for actual, name in (
        (blind.sr, "sr_unclipped"),
        (blind.sr.clamp(0, 1), "sr"),
        (blind.kernel, "kernel"),
        (blind.kernel.flatten(1), "kernel_vector"),
        (given.sr, "sr_given_kernel"),
        (given.kernel.flatten(1), "kernel_vector_given_kernel"),
    ):
        torch.testing.assert_close(actual, torch.from_numpy(expected[name]).double(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("given", [False, True], ids=["blind", "given"])
@pytest.mark.parametrize("size", [(16, 24), (17, 31), (5, 7), (2, 3), (1, 1)], ids=str)
@pytest.mark.parametrize("scale", [2, 4, 8])
def test_equals_the_plain_form(scale, size, given):
    network = compact(scale=scale, stages=3)
    lr, kernel = lr_and_kernel(size, batch=2 if size[0] < 16 else 1)
    assert_equal_networks(network, PlainKBPN.from_fast(network), lr, kernel if given else None)


def test_equals_the_plain_form_at_published_width():
    torch.manual_seed(0)
    network = KBPN(stages=3).double()
    lr, _ = lr_and_kernel((5, 7), batch=1)
    assert_equal_networks(network, PlainKBPN.from_fast(network), lr, None)


@pytest.mark.parametrize("stages", [1, 2, 5])
def test_any_number_of_stages(stages):
    network = compact(stages=stages)
    lr, _ = lr_and_kernel((5, 6))
    assert_equal_networks(network, PlainKBPN.from_fast(network), lr, None)


def test_checkpointing_changes_no_number():
    lr, _ = lr_and_kernel((6, 7))
    assert_equal_networks(compact(checkpoint=True), compact(), lr, None, tolerance=1e-14)


def test_operation_count():
    with torch.device("meta"):
        network, lr = KBPN(), torch.empty(1, 3, 56, 56)
    counts = []
    for form in (network, PlainKBPN.from_fast(network)):
        with FlopCounterMode(display=False) as counter:
            form(lr)
        counts.append(counter.get_total_flops() / 1e9)
    assert counts[0] <= 306
    assert counts[1] == pytest.approx(502.0, abs=0.1)  # as counted on the release


def test_no_map_of_the_concatenation_s_width_is_made_at_full_size():
    network = compact().eval()
    sizes = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            result = function(*arguments, **(keywords or {}))
            if isinstance(result, torch.Tensor) and result.dim() == 4 and result.shape[-2:] == (20, 28):
                sizes.append(result.shape[1])
            return result

    lr, _ = lr_and_kernel((5, 7), batch=1)
    with torch.no_grad(), Watch():
        network(lr)
    channels = network.reconstruct.in_channels // 4
    assert max(sizes) < 2 * channels  # one stage's features, or the 3 · 4 channels of its reconstructions


def test_memory_format_of_the_input_does_not_matter():
    network = compact()
    lr, _ = lr_and_kernel((6, 7))
    torch.testing.assert_close(network(lr.contiguous(memory_format=torch.channels_last)), network(lr))
    converted = compact().to(memory_format=torch.channels_last)
    torch.testing.assert_close(converted(lr), network(lr))


def test_images_of_a_batch_do_not_mix():
    network = compact()
    lr, _ = lr_and_kernel((6, 7))
    for together, alone in zip(network(lr), network(lr[1:]), strict=True):
        torch.testing.assert_close(together[1:], alone, rtol=1e-12, atol=1e-12)


def test_kernel_sums_to_one_and_has_its_shape():
    lr, kernel = lr_and_kernel((6, 7))
    for output in (compact()(lr), compact()(lr, 3 * kernel)):
        assert output.kernel.shape == (2, 1, 7, 7)
        torch.testing.assert_close(output.kernel.sum((1, 2, 3)), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(compact()(lr, 3 * kernel).kernel, kernel)


def test_zero_kernel_sum_is_guarded_and_others_are_untouched():
    vectors = torch.randn(5, 49, generator=torch.Generator().manual_seed(0))
    assert torch.equal(normalized(vectors), vectors / vectors.sum(1, keepdim=True))
    zero_sum = torch.zeros(2, 49)
    zero_sum[1, :2] = torch.tensor([0.5, -0.5])
    zero_sum.requires_grad_()
    result = normalized(zero_sum)
    result.square().sum().backward()
    assert result.isfinite().all()
    assert zero_sum.grad.isfinite().all()


def test_kernel_predictors_are_all_that_a_given_kernel_leaves_without_gradient():
    network = compact()
    predictors = {id(p) for module in network.kernel_predictors() for p in module.parameters()}
    _, gradients = outputs_and_gradients(network, *lr_and_kernel((5, 6)))
    without = {id(p) for name, p in network.named_parameters() if name not in gradients}
    assert without == predictors
    assert len(predictors) == 6 + 40


def test_save_and_load(tmp_path):
    network, other = compact(seed=1), compact(seed=2)
    lr, _ = lr_and_kernel((5, 6))
    torch.save(network.state_dict(), tmp_path / "kbpn.pt")
    assert not torch.equal(other(lr).sr, network(lr).sr)
    other.load_state_dict(torch.load(tmp_path / "kbpn.pt", weights_only=True))
    assert torch.equal(other(lr).sr, network(lr).sr)


@needs_bfloat16
def test_bfloat16_autocast():
    network = compact().float()
    lr, kernel = lr_and_kernel((12, 14), dtype=torch.float32)
    exact = network(lr, kernel).sr
    for estimate in (None, kernel):
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            sr, vector = network(lr, estimate)
        (sr.float().square().mean() + vector.float().square().sum()).backward()
        assert vector.dtype == torch.float32
        assert sr.isfinite().all()
        assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)
    assert (sr - exact).norm() < 0.02 * exact.norm()


@needs_bfloat16
def test_bfloat16_weights():
    network = compact().float()
    lr, kernel = lr_and_kernel((12, 14), dtype=torch.float32)
    exact = network(lr, kernel).sr
    network.bfloat16()
    assert network(lr.bfloat16()).sr.isfinite().all()
    output = network(lr.bfloat16(), kernel.bfloat16())
    assert (output.sr.dtype, output.kernel.dtype) == (torch.bfloat16, torch.float32)
    assert (output.sr.float() - exact).norm() < 0.02 * exact.norm()


def test_compiles_in_one_graph():
    network = compact(stages=2)
    lr, kernel = lr_and_kernel((5, 6))
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(lr), network(lr))
    torch.testing.assert_close(compiled(lr, kernel), network(lr, kernel))


def test_initialisation_is_the_released_one():
    torch.manual_seed(0)
    network = KBPN(stages=2, width=0.25)
    convolution, transposed = network.features[2], network.stages[0].up.project.conv
    assert convolution.weight.std().item() == pytest.approx((2 / convolution.weight[0].numel()) ** 0.5, rel=0.05)
    assert transposed.weight.std().item() == pytest.approx((2 / transposed.weight[0].numel()) ** 0.5, rel=0.05)
    assert all(not p.any() for name, p in network.named_parameters() if name.endswith("bias"))
    assert network.stages[0].up.project.act.weight.tolist() == [0.25]


@pytest.mark.parametrize(
    ("arguments", "hidden", "channels"),
    [({}, 569, 128), ({"width": 0.5}, 288, 64), ({"sft_hidden": 40}, 40, 128), ({"kernel_size": 5}, 153, 128)],
)
def test_sft_width(arguments, hidden, channels):
    with torch.device("meta"):
        sft = KBPN(stages=2, **arguments).stages[0].sft
    assert (sft.scale.in_channels, sft.scale.out_channels) == (hidden, channels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 3}, "scale: expected one of 2, 4, 8 for KBPN, got 3"),
        ({"kernel_size": 20}, "kernel_size: expected an odd number"),
        ({"coarse_size": 0}, "coarse_size: expected at least 1"),
        ({"stages": 0}, "stages: expected at least 1"),
        ({"sft_hidden": 0}, "sft_hidden: expected at least 1"),
        ({"width": 0}, "width: expected a positive"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        KBPN(**arguments)


def test_kernel_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"kernel: expected shape \(2, 1, 7, 7\), got \(2, 1, 9, 9\)"):
        compact()(*lr_and_kernel((5, 6), kernel_size=9))


def test_reference_spec_names_what_the_shapes_show():
    network = KBPN(scale=8, kernel_size=11, coarse_size=5, stages=2, width=0.5)
    ours = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    names = [name.removeprefix("sr_model.") for name in golden.keys("csbsr_pspnet") if name.startswith("sr_model.")]
    shapes = {name: ours[PART.rename(name)] for name in names if PART.rename(name) in ours}
    assert PART.spec(shapes) == {
        "_target_": "csbsr.sr.KBPN",
        "scale": 8,
        "kernel_size": 11,
        "coarse_size": 5,
        "stages": 2,
        "width": 0.5,
    }
