"""What every segmentor must do, as tests to inherit: subclass `SegmentorContract` and give ``make``."""

import copy
import io

import pytest
import torch
from torch import nn

from csbsr.segmentor.base import Segmentor

STOCHASTIC = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


class SegmentorContract:
    """Inherit, give ``make``, and change the attributes where the network differs.

    Attributes:
        auxiliaries: how many auxiliary probabilities the network returns in training.
        exportable: whether ``torch.export`` takes the network in evaluation mode.
        odd_sizes: sizes that are no multiples of anything.
        kernel_size: side of the kernel for a network that needs one.
        train_size: size of the images for the tests in training mode.
        without_gradient: names of parameters that no output depends on in training mode.
        reduced_precision: largest change of a probability under bfloat16 autocast.
    """

    auxiliaries: int = 0
    exportable: bool = True
    odd_sizes: tuple[tuple[int, int], ...] = ((33, 47), (5, 7), (1, 1))
    kernel_size: int = 21
    train_size: tuple[int, int] = (40, 56)
    without_gradient: tuple[str, ...] = ()
    reduced_precision: float = 0.1

    def make(self) -> Segmentor:
        """A small network of the kind under test."""
        raise NotImplementedError

    def network(self, seed: int = 0, train: bool = False) -> Segmentor:
        """A network with weights drawn from ``seed``."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return self.make().train(train)

    def example(self, network: Segmentor, height: int, width: int, batch: int = 2, dtype=torch.float32):
        """Arguments of ``forward``: an image and, where the network needs one, a kernel."""
        generator = torch.Generator().manual_seed(height * 1000 + width)
        image = torch.randn(batch, 3, height, width, generator=generator, dtype=torch.float64).to(dtype)
        kernel = torch.rand(batch, 1, self.kernel_size, self.kernel_size, generator=generator, dtype=torch.float64)
        kernel = (kernel / kernel.sum((2, 3), keepdim=True)).to(dtype)
        return image, (kernel if network.uses_kernel else None)

    def test_any_size_in_the_same_size_out(self):
        network = self.network()
        for height, width in self.odd_sizes:
            with torch.no_grad():
                segmentation, auxiliaries = network(*self.example(network, height, width))
            assert segmentation.shape == (2, 1, height, width)
            assert segmentation.dtype == torch.float32
            assert auxiliaries == ()
            assert ((segmentation >= 0) & (segmentation <= 1)).all()

    def test_segment_sees_admissible_sizes_only(self):
        network = self.network()
        seen = []
        segment = network.segment
        network.segment = lambda image, kernel: (seen.append(image.shape[-2:]), segment(image, kernel))[1]
        for height, width in self.odd_sizes:
            with torch.no_grad():
                network(*self.example(network, height, width))
            for size, given in zip(seen.pop(), (height, width), strict=True):
                assert size >= max(given, network.minimum_size)
                assert size % network.size_multiple == 0

    def test_not_constant_and_not_saturated(self):
        network = self.network()
        with torch.no_grad():
            segmentation = network(*self.example(network, *self.train_size)).segmentation
        assert segmentation.std() > 1e-4
        assert ((segmentation > 1e-6) & (segmentation < 1 - 1e-6)).any()

    def test_auxiliaries_in_training_only(self):
        network = self.network(train=True)
        segmentation, auxiliaries = network(*self.example(network, *self.train_size))
        assert len(auxiliaries) == self.auxiliaries
        for output in (segmentation, *auxiliaries):
            assert output.shape == (2, 1, *self.train_size)
            assert ((output >= 0) & (output <= 1)).all()
        network.eval()
        assert network(*self.example(network, *self.train_size)).auxiliaries == ()

    def test_gradients_reach_every_parameter_and_the_inputs(self):
        network = self.network(train=True)
        for module in network.modules():  # a bias before a BatchNorm in training has none; a dropped channel neither
            if isinstance(module, STOCHASTIC):
                module.eval()
        image, kernel = self.example(network, *self.train_size)
        inputs = [image.requires_grad_()] + ([] if kernel is None else [kernel.requires_grad_()])
        segmentation, auxiliaries = network(image, kernel)
        generator = torch.Generator().manual_seed(1)
        sum((o * torch.randn(o.shape, generator=generator)).sum() for o in (segmentation, *auxiliaries)).backward()
        reached = {name: p.grad is not None and bool(p.grad.abs().max() > 0) for name, p in network.named_parameters()}
        assert {name for name, yes in reached.items() if not yes} == set(self.without_gradient)
        assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None)
        for tensor in inputs:
            assert tensor.grad.abs().max() > 0

    def test_autocast_returns_float32(self):
        network = self.network()
        image, kernel = self.example(network, *self.train_size)
        with torch.no_grad():
            full = network(image, kernel).segmentation
            with torch.autocast("cpu", torch.bfloat16):
                mixed = network(image, kernel).segmentation
        assert mixed.dtype == torch.float32
        assert (mixed - full).abs().max() < self.reduced_precision
        assert not torch.equal(mixed, full)

    def test_autocast_trains(self):
        network = self.network(train=True)
        with torch.autocast("cpu", torch.bfloat16):
            segmentation, auxiliaries = network(*self.example(network, *self.train_size))
        assert all(output.dtype == torch.float32 for output in (segmentation, *auxiliaries))
        sum(output.mean() for output in (segmentation, *auxiliaries)).backward()
        assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_dtype_of_the_module_is_kept(self, dtype):
        network = self.network().to(dtype)
        with torch.no_grad():
            segmentation = network(*self.example(network, *self.train_size, dtype=dtype)).segmentation
        assert segmentation.dtype == dtype
        assert torch.isfinite(segmentation).all()

    def test_float64_agrees_with_float32(self):
        network = self.network()
        with torch.no_grad():
            single = network(*self.example(network, *self.train_size)).segmentation
            double = copy.deepcopy(network).double()
            exact = double(*self.example(network, *self.train_size, dtype=torch.float64)).segmentation
        assert (single - exact).abs().max() < 1e-4

    def test_save_and_load(self):
        first, second = self.network(seed=0), self.network(seed=1)
        arguments = self.example(first, *self.train_size)
        file = io.BytesIO()
        torch.save(first.state_dict(), file)
        file.seek(0)
        with torch.no_grad():
            assert not torch.equal(first(*arguments).segmentation, second(*arguments).segmentation)
            second.load_state_dict(torch.load(file, weights_only=True))
            assert torch.equal(first(*arguments).segmentation, second(*arguments).segmentation)

    def test_evaluation_is_deterministic(self):
        network = self.network()
        arguments = self.example(network, *self.train_size)
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        random_state = torch.get_rng_state()
        with torch.no_grad():
            assert torch.equal(network(*arguments).segmentation, network(*arguments).segmentation)
        assert torch.equal(torch.get_rng_state(), random_state)
        assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())

    def test_images_of_a_batch_do_not_mix(self):
        network = self.network().double()
        image, kernel = self.example(network, *self.train_size, dtype=torch.float64)
        with torch.no_grad():
            together = network(image, kernel).segmentation
            alone = [network(image[i : i + 1], None if kernel is None else kernel[i : i + 1])[0] for i in range(2)]
        torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-9)

    def test_export(self):
        network = self.network()
        arguments = self.example(network, *self.train_size)
        if not self.exportable:
            with pytest.raises(Exception):  # noqa: B017 - which error depends on the version of torch
                torch.export.export(network, arguments)
            return
        exported = torch.export.export(network, arguments).module()
        other = tuple(None if tensor is None else tensor.flip(0) for tensor in arguments)
        with torch.no_grad():
            torch.testing.assert_close(
                exported(*other).segmentation, network(*other).segmentation, rtol=1e-4, atol=1e-5
            )
