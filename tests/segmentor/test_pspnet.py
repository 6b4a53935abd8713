import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from csbsr.segmentor import PSPNet
from csbsr.segmentor.enlarge import EnlargingConv2d
from csbsr.segmentor.pyramid import PyramidPooling, enlarging_matrix, pooling_matrix
from csbsr.weights.pspnet import PART
from tests import golden
from tests.segmentor.contract import SegmentorContract
from tests.segmentor.released import released_segmentor, segment_golden


class TestContract(SegmentorContract):
    auxiliaries = 1

    def make(self):
        return PSPNet(width=0.125, blocks=(1, 2, 1, 2))


def test_golden():
    ours, golden_segmentation = segment_golden(PART, "csbsr_pspnet")
    torch.testing.assert_close(ours, golden_segmentation, rtol=0, atol=1e-6)


def test_golden_behind_bicubic_upsampling():
    numbers = golden.load("bicubic_pspnet")
    sr = F.interpolate(golden.network_input(int(numbers["seed"])), scale_factor=4, mode="bicubic").clamp(0, 1)
    with torch.no_grad():
        segmentation = released_segmentor(PART, "bicubic_pspnet")(F.instance_norm(sr, eps=1e-5)).segmentation
    torch.testing.assert_close(segmentation, torch.from_numpy(numbers["segmentation"]).double(), rtol=0, atol=1e-6)


def test_dropout_is_a_fraction_of_the_published_rates():
    image = torch.randn(2, 3, 32, 32)
    for fraction, varies in ((0.0, False), (1.0, True)):
        network = PSPNet(width=0.125, blocks=(1, 1, 1, 1), dropout=fraction).train()
        assert torch.equal(network(image).segmentation, network(image).segmentation) is not varies
    assert PSPNet(width=0.125, dropout=0.5).pyramid_dropout.p == 0.15


def test_parameters_as_published():
    assert round(sum(p.numel() for p in PSPNet().parameters()) / 1e6, 1) == 28.1


def test_released_width_depth_and_auxiliary_are_read_off_the_shapes():
    network = PSPNet(width=0.25, blocks=(1, 2, 1, 1), auxiliary=False)
    to_released = {"encoder.": "feats.", "pyramid.bottleneck.": "psp.bottleneck."}
    shapes = {
        released + name.removeprefix(ours): tuple(tensor.shape)
        for name, tensor in network.state_dict().items()
        for ours, released in to_released.items()
        if name.startswith(ours)
    }
    expected = {"_target_": "csbsr.segmentor.PSPNet", "width": 0.25, "blocks": [1, 2, 1, 1], "auxiliary": False}
    assert PART.matches(shapes)
    assert PART.spec(shapes) == expected


def test_without_auxiliary_head():
    network = PSPNet(width=0.125, blocks=(1, 1, 1, 1), auxiliary=False).train()
    assert network(torch.rand(2, 3, 16, 16)).auxiliaries == ()
    assert not any("auxiliary" in name for name in network.state_dict())


def test_auxiliary_follows_the_third_layer():
    network = PSPNet(width=0.125, blocks=(1, 1, 1, 1)).train()
    network(torch.rand(2, 3, 16, 16)).auxiliaries[0].sum().backward()
    assert network.encoder.layer3[0].conv1.weight.grad is not None
    assert network.encoder.layer4[0].conv1.weight.grad is None


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 13, 28, 97])
def test_pyramid_matrices_are_adaptive_pooling_and_bilinear_enlargement(size):
    line = torch.randn(1, 1, size, dtype=torch.float64, generator=torch.Generator().manual_seed(size))
    pooled, enlarged = pooling_matrix(size, (1, 2, 3, 6), line), enlarging_matrix(size, (1, 2, 3, 6), line)
    start = 0
    for n in (1, 2, 3, 6):
        bins = F.adaptive_avg_pool1d(line, n)
        torch.testing.assert_close(line @ pooled[start : start + n].mT, bins, rtol=0, atol=1e-12)
        again = F.interpolate(bins, size, mode="linear", align_corners=False)
        torch.testing.assert_close(bins @ enlarged[:, start : start + n].mT, again, rtol=0, atol=1e-12)
        start += n


@pytest.mark.parametrize(
    ("inputs", "size", "reordered"),
    [(16, (1, 1), True), (16, (1, 8), True), (16, (5, 7), True), (16, (9, 2), False), (15, (5, 7), False)],
)
def test_enlarging_convolution_is_the_convolution_of_the_enlarged_map(inputs, size, reordered, monkeypatch):
    layer = EnlargingConv2d(inputs, 4).double()
    x = torch.randn(2, inputs, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    enlarged = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    plain = F.conv2d(enlarged, layer.weight, layer.bias, padding=1)
    used = []
    mixed_first = layer._mixed_first
    monkeypatch.setattr(layer, "_mixed_first", lambda x: (used.append(True), mixed_first(x))[1])
    fast = layer(x)
    assert bool(used) == reordered
    torch.testing.assert_close(fast, plain, rtol=0, atol=1e-12)
    wanted = [x, layer.weight, layer.bias]
    for ours, theirs in zip(
        torch.autograd.grad(fast.square().sum(), wanted), torch.autograd.grad(plain.square().sum(), wanted), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-11)
    if size != (1, 1):
        last = layer(x.detach().contiguous(memory_format=torch.channels_last))
        assert last.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(last, plain, rtol=0, atol=1e-12)


@pytest.mark.parametrize("blur_skip", [None, "modified"])
def test_one_exported_graph_serves_every_size(blur_skip):
    network = PSPNet(width=0.125, blocks=(1, 1, 1, 1), blur_skip=blur_skip, kernel_size=5).eval()
    height, width = (8 * torch.export.Dim(name, min=2, max=64) for name in ("height", "width"))
    shapes = ({2: height, 3: width},) if blur_skip is None else ({2: height, 3: width}, {})
    exported = torch.export.export(network, inputs(48, 64)[: len(shapes)], dynamic_shapes=shapes).module()
    for size in ((48, 64), (16, 200), (320, 32)):
        arguments = inputs(*size)[: len(shapes)]
        with torch.no_grad():
            torch.testing.assert_close(
                exported(*arguments).segmentation, network(*arguments).segmentation, rtol=1e-4, atol=1e-5
            )


def inputs(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(height)
    return torch.randn(1, 3, height, width, generator=generator), torch.rand(1, 1, 5, 5, generator=generator)


def test_operations():
    """LR 56×56 at scale 4: the release needs 61.9 GFLOP."""
    with FakeTensorMode(), FlopCounterMode(display=False) as counter:
        PSPNet().train()(torch.empty(1, 3, 224, 224))
    assert 0 < counter.get_total_flops() <= 46e9


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 6), (28, 41)])
def test_pyramid_is_the_published_one(size):
    pyramid = PyramidPooling(5, 7).double()
    x = torch.randn(2, 5, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    maps = [
        F.interpolate(stage(F.adaptive_avg_pool2d(x, n)), size, mode="bilinear", align_corners=False)
        for n, stage in zip(pyramid.levels, pyramid.stages, strict=True)
    ]
    plain = F.relu(pyramid.bottleneck(torch.cat([*maps, x], dim=1)))
    fast = pyramid(x)
    torch.testing.assert_close(fast, plain, rtol=0, atol=1e-12)
    wanted = [x, *pyramid.parameters()]
    for ours, theirs in zip(
        torch.autograd.grad(fast.square().sum(), wanted), torch.autograd.grad(plain.square().sum(), wanted), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-11)
