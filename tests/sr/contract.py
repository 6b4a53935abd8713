"""What every super-resolution network must do: inherit `SRContract`, give `make`, and the tests run."""

import io
from collections.abc import Callable

import pytest
import torch

from csbsr.sr import SRNetwork
from tests.hardware import needs_bfloat16


def images(batch: int = 2, height: int = 5, width: int = 7, seed: int = 0) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


class SRContract:
    """Tests of one network; a subclass named ``Test...`` gives `make` and, where it differs, the attributes."""

    scale = 4
    estimates_kernel = False
    #: Does `torch.export` capture the network, and does the capture agree on other images of the same size?
    exportable = True
    #: And with free height and width, on images of other sizes?
    exportable_at_any_size = True

    def make(self) -> SRNetwork:
        """A small network with its random initial weights."""
        raise NotImplementedError

    @pytest.fixture
    def network(self) -> SRNetwork:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.make().eval()

    @pytest.mark.parametrize("size", [(5, 7), (1, 3), (8, 8)])
    def test_output_is_scale_times_the_input(self, network: SRNetwork, size: tuple[int, int]) -> None:
        assert network.scale == self.scale
        with torch.no_grad():
            sr, kernel = network(images(2, *size))
        assert sr.shape == (2, 3, self.scale * size[0], self.scale * size[1])
        assert network.estimates_kernel is self.estimates_kernel
        if not self.estimates_kernel:
            assert kernel is None
            return
        assert kernel.shape[:2] == (2, 1)
        assert kernel.shape[2] == kernel.shape[3]
        torch.testing.assert_close(kernel.sum((1, 2, 3)), torch.ones(2))

    def test_gradients_reach_every_parameter(self, network: SRNetwork) -> None:
        network.train()
        sr, kernel = network(images())
        loss = (sr - images(2, *sr.shape[-2:], seed=1)).square().mean()
        if kernel is not None:
            loss = loss + kernel.square().sum()
        if any(True for _ in network.parameters()):
            loss.backward()
        dead = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
        assert dead == []
        assert all(p.grad.isfinite().all() for p in network.parameters())

    def test_kernel_predictors_are_parts_of_the_network(self, network: SRNetwork) -> None:
        parts = list(network.kernel_predictors())
        assert bool(parts) is self.estimates_kernel
        assert {id(part) for part in parts} <= {id(module) for module in network.modules()}

    @needs_bfloat16
    def test_half_precision_is_finite_and_near(self, network: SRNetwork) -> None:
        lr = images()
        with torch.no_grad():
            expected = network(lr).sr
            with torch.autocast("cpu", dtype=torch.bfloat16):
                sr = network(lr).sr
        assert sr.isfinite().all()
        # bfloat16 keeps 8 bits: a few per cent after a stack of layers, of the image's largest value
        torch.testing.assert_close(sr.float(), expected, rtol=0, atol=0.1 * float(expected.abs().max()))

    def test_double_precision_follows_the_input(self, network: SRNetwork) -> None:
        lr = images()
        with torch.no_grad():
            expected = network(lr).sr
            sr = network.double()(lr.double()).sr
        assert sr.dtype == torch.float64
        torch.testing.assert_close(sr.float(), expected, rtol=1e-4, atol=1e-4)

    def test_state_dict_round_trip(self, network: SRNetwork) -> None:
        file = io.BytesIO()
        torch.save(network.state_dict(), file)
        file.seek(0)
        other = self.make().eval()
        other.load_state_dict(torch.load(file, weights_only=True), strict=True)
        with torch.no_grad():
            assert torch.equal(network(images()).sr, other(images()).sr)

    def test_eval_mode_is_deterministic_and_changes_nothing(self, network: SRNetwork) -> None:
        lr = images()
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        with torch.no_grad():
            first = network(lr).sr
            second = network(lr).sr
        assert torch.equal(first, second)
        assert torch.equal(lr, images())
        assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())

    def test_images_of_a_batch_do_not_mix(self, network: SRNetwork) -> None:
        lr = images()
        with torch.no_grad():
            alone = torch.cat([network(image[None]).sr for image in lr])
            torch.testing.assert_close(network(lr).sr, alone, rtol=1e-4, atol=1e-5)

    def test_export(self, network: SRNetwork) -> None:
        check(self.exportable, lambda: compare_export(network, None, images(seed=1)))

    def test_export_at_any_size(self, network: SRNetwork) -> None:
        free = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
        check(self.exportable_at_any_size, lambda: compare_export(network, (free,), images(2, 9, 6)))


def compare_export(network: SRNetwork, dynamic_shapes: tuple | None, other: torch.Tensor) -> None:
    """Capture ``network`` on one example and compare on ``other``."""
    program = torch.export.export(network, (images(),), dynamic_shapes=dynamic_shapes)
    with torch.no_grad():
        torch.testing.assert_close(program.module()(other)[0], network(other).sr, rtol=1e-4, atol=1e-5)


def check(possible: bool, comparison: Callable[[], None]) -> None:
    """Run ``comparison``; where it is noted to be impossible, it must fail."""
    if possible:
        comparison()
        return
    try:
        comparison()
    except Exception:  # whatever the exporter raises, it is the answer
        return
    pytest.fail("exports and agrees: the class attribute says it does not")
