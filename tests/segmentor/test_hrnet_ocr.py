"""HRNet + OCR: the golden system, the head against general OCR, depths and widths, pretrained files."""

import copy

import pytest
import torch
from torch import nn

from csbsr.segmentor import HRNetOCR
from csbsr.segmentor.hrnet import ExchangeModule, HRNet
from csbsr.segmentor.hrnet_ocr import ObjectContext
from csbsr.weights.hrnet_ocr import PART
from tests import golden
from tests.segmentor.contract import SegmentorContract
from tests.segmentor.released import segment_golden


def small(**arguments) -> HRNetOCR:
    return HRNetOCR(**{"width": 0.125, "modules": (1, 1, 1), "blocks": 1, **arguments})


class TestHRNetOCRContract(SegmentorContract):
    auxiliaries = 1

    def make(self):
        return small()


def released_names() -> list[str]:
    prefix = "segmentation_model."
    return [name.removeprefix(prefix) for name in golden.keys("csbsr_hrnet_ocr") if name.startswith(prefix)]


def test_golden_with_released_weights():
    ours, expected = segment_golden(PART, "csbsr_hrnet_ocr")
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)


def test_description_is_read_off_the_shapes():
    shapes = {name.removeprefix("segmentation_model."): shape for name, shape in golden.keys("csbsr_hrnet_ocr").items()}
    assert PART.spec(shapes) == {
        "_target_": "csbsr.segmentor.HRNetOCR",
        "width": 1.0,
        "modules": [1, 4, 3],
        "blocks": 4,
    }


def test_only_the_branches_that_cannot_matter_are_unused():
    unused = [name for name in released_names() if PART.rename(name) is None]
    assert len(unused) == 2 * 2 * 7  # two branches of two convolutions with BatchNorm: 2 + 5 entries each
    assert {name.split(".")[2] for name in unused} == {"f_pixel", "f_object"}


def general_ocr(context: ObjectContext, merge: nn.Sequential, features, logits, f_pixel, f_object):
    """OCR for any number of classes, written out: Yuan et al. 2020, equations 2 to 4 and 6."""
    batch, _, height, width = features.shape
    masks = logits.flatten(2).softmax(-1)
    regions = torch.einsum("bcn,bkn->bck", features.flatten(2), masks)[..., None]
    query = f_pixel(features).flatten(2).transpose(1, 2)
    key = f_object(regions).flatten(2)
    value = context.reduce(regions).flatten(2).transpose(1, 2)
    relation = (query @ key * key.shape[1] ** -0.5).softmax(-1)
    described = (relation @ value).transpose(1, 2).reshape(batch, -1, height, width)
    return merge(torch.cat([context.expand(described), features], 1))


def test_head_equals_general_ocr_with_its_gradients_and_running_statistics():
    torch.manual_seed(0)
    network = small().double().train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    channels, keys = network.head.in_channels, network.context.reduce[0].out_channels
    f_pixel, f_object = (nn.Conv2d(channels, keys, 1).double() for _ in range(2))
    features = torch.randn(3, channels, 5, 6, dtype=torch.float64, requires_grad=True)
    logits = (3 * torch.randn(3, 1, 5, 6, dtype=torch.float64)).requires_grad_()
    plain = copy.deepcopy(network)
    expected = general_ocr(plain.context, plain.merge, features, logits, f_pixel, f_object)
    ours = network._merge(network.context(features, logits), features)
    torch.testing.assert_close(ours, expected)
    weight = torch.randn_like(expected)
    for ours_gradient, plain_gradient in zip(
        torch.autograd.grad((ours * weight).sum(), (features, logits, network.merge[0].weight)),
        torch.autograd.grad((expected * weight).sum(), (features, logits, plain.merge[0].weight)),
        strict=True,
    ):
        torch.testing.assert_close(ours_gradient, plain_gradient)
    for name, buffer in plain.named_buffers():
        torch.testing.assert_close(network.get_buffer(name), buffer, msg=name)


def test_exchange_by_hand():
    """Two branches of one channel, blocks that pass on, convolutions that take the middle tap."""
    module = ExchangeModule((1, 1), blocks=1).eval()
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    for norm in (m for m in module.fuse_layers.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.constant_(norm.weight, (1 + norm.eps) ** 0.5)
    nn.init.constant_(module.fuse_layers[0][1][0].weight, 1.0)
    module.fuse_layers[1][0][0][0].weight.data[0, 0, 1, 1] = -1.0
    fine = torch.arange(9.0).reshape(1, 1, 3, 3)
    coarse = torch.tensor([[1.0, 3.0], [5.0, 7.0]]).reshape(1, 1, 2, 2)
    with torch.no_grad():
        joined = module([fine, coarse])
    enlarged = torch.tensor([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0], [5.0, 6.0, 7.0]])  # corners stay corners
    torch.testing.assert_close(joined[0][0, 0], fine[0, 0] + enlarged)
    torch.testing.assert_close(joined[1][0, 0], torch.tensor([[1.0, 1.0], [0.0, 0.0]]))  # minus 0, 2, 6, 8, then ReLU


def test_branches_halve():
    maps = HRNet(width=0.125, modules=(1, 1, 1), blocks=1).eval()(torch.randn(1, 3, 72, 101))
    assert [tuple(x.shape[1:]) for x in maps] == [(8, 18, 26), (16, 9, 13), (32, 5, 7), (64, 3, 4)]


def test_one_image_cannot_train_and_says_so():
    image = torch.randn(1, 3, 32, 32)
    network = small()
    with pytest.raises(ValueError, match="batch of at least 2"):
        network.train()(image)
    assert network.eval()(image).segmentation.shape == (1, 1, 32, 32)


def test_two_images_of_the_smallest_size_train():
    segmentation, (auxiliary,) = small().train()(torch.randn(2, 3, 32, 32))
    (segmentation.mean() + auxiliary.mean()).backward()


def test_one_image_trains_with_frozen_batch_norm():
    network = small().train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    assert len(network(torch.randn(1, 3, 32, 32)).auxiliaries) == 1


def test_dropout_is_read():
    image = torch.randn(2, 3, 32, 32)
    for probability, varies in ((0.0, False), (0.5, True)):
        torch.manual_seed(0)
        network = small(dropout=probability).train()
        assert torch.equal(network(image).segmentation, network(image).segmentation) is not varies


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"modules": (1, 2, 1)}, "backbone.stage3.1.branches.2.0.conv1.weight"),
        ({"modules": (2, 1, 1)}, "backbone.stage2.1.branches.1.0.conv1.weight"),
        ({"modules": (1, 1, 2)}, "backbone.stage4.1.branches.3.0.conv1.weight"),
        ({"blocks": 2}, "backbone.layer1.1.conv1.weight"),
    ],
)
def test_depth_is_read(arguments, name):
    assert name in small(**arguments).state_dict()
    assert name not in small().state_dict()


def test_width_is_read():
    assert small(width=0.25).backbone.channels == (16, 32, 64, 128)
    assert small().backbone.channels == (8, 16, 32, 64)


@pytest.mark.parametrize("arguments", [{"modules": (1, 4)}, {"modules": (1, 0, 3)}, {"blocks": 0}, {"width": 0}])
def test_impossible_depths_and_widths(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        small(**arguments)


def test_pretrained_file_with_its_classifier(tmp_path):
    """The authors' ImageNet file has four more parts behind the backbone; it names the rest as we do."""
    published = {f"{name}": torch.randn_like(t) for name, t in small().backbone.state_dict().items() if t.ndim}
    extra = ("incre_modules.0.0.conv1.weight", "downsamp_modules.0.0.weight", "final_layer.0.weight", "classifier.bias")
    path = tmp_path / "hrnetv2_w48_imagenet_pretrained.pth"
    torch.save(published | {name: torch.zeros(3) for name in extra}, path)
    network = small(pretrained=str(path))
    for name, tensor in published.items():
        assert torch.equal(network.backbone.state_dict()[name], tensor), name


def test_backbone_has_the_published_names():
    names = {name for name in released_names() if name.startswith("backbone.")}
    with torch.device("meta"):
        assert names == {f"backbone.{name}" for name in HRNet().state_dict()}


def test_pretrained_imagenet_is_a_file_only():
    with pytest.raises(ValueError, match="path of a file"):
        small(pretrained="imagenet")
