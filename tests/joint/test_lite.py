"""The lite system: the joint contract, what its pieces compute, and tiles that equal the whole."""

import pytest
import torch
from torch.nn import functional as F

from csbsr.degradation import anisotropic_gaussian_kernel, degrade, kernel_of_shape, shape_of_blur
from csbsr.joint import LiteNetwork
from csbsr.joint.lite_encoder import ConvNorm, InvertedBottleneck, folded
from csbsr.joint.lite_parts import Redegradation, enlarged


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = LiteNetwork(channels=8, widths=(8, 8, 8))
    with torch.no_grad():  # what training moves away from zero
        network.reconstruct[-1].weight.normal_(0, 0.05)
        for block in (*network.before, *network.after):
            block.modulation.weight.normal_(0, 0.1)
    network(torch.rand(4, 3, 24, 24))  # statistics of the BatchNorms
    return network.eval()


def lr(height=20, width=27, batch=1):
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(height))


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (5, 40), (16, 16)])
def test_any_size_and_scale(scale, size):
    network = LiteNetwork(scale=scale, channels=8, widths=(8, 8, 8)).eval()
    with torch.no_grad():
        output = network(lr(*size))
    assert output.sr.shape == (1, 3, scale * size[0], scale * size[1])
    assert output.segmentation.shape == (1, 1, scale * size[0], scale * size[1])
    assert output.kernel.shape == (1, 1, 21, 21)
    assert output.kernel.sum() == pytest.approx(1, abs=1e-5)
    for tensor in (output.sr, output.segmentation):
        assert tensor.isfinite().all()
        assert 0 <= tensor.min() <= tensor.max() <= 1


def test_untrained_it_is_bicubic_with_rare_cracks():
    network = LiteNetwork(channels=8, widths=(8, 8, 8))
    output = network.train()(lr(24, 24, 2))
    torch.testing.assert_close(output.sr, F.interpolate(lr(24, 24, 2), scale_factor=4, mode="bicubic"))
    assert output.segmentation.mean() < 0.2


def test_images_of_a_batch_do_not_see_each_other(network):
    images = lr(24, 24, 3)
    with torch.no_grad():
        together, alone = network(images), network(images[1:2])
    torch.testing.assert_close(together.segmentation[1:2], alone.segmentation, atol=1e-5, rtol=0)
    torch.testing.assert_close(together.sr[1:2], alone.sr, atol=1e-5, rtol=0)


def test_brightness_and_contrast_pass_through(network):
    """The input is standardised: a photograph that is darker and flatter gives the same cracks, and its own SR."""
    image = 0.2 + 0.5 * lr(32, 32)
    with torch.no_grad():
        first, second = network(image), network(0.1 + 0.5 * image)
    torch.testing.assert_close(second.segmentation, first.segmentation, atol=2e-3, rtol=0)
    torch.testing.assert_close(second.sr, 0.1 + 0.5 * first.sr, atol=2e-3, rtol=0)


def test_a_given_kernel_replaces_the_estimate(network):
    kernel = anisotropic_gaussian_kernel(3.0, 1.0, 30.0).float()
    with torch.no_grad():
        given, estimated = network(lr(), kernel), network(lr())
        shape = shape_of_blur(*(torch.tensor([value]) for value in (3.0, 1.0, 30.0)))
        handed = network(lr(), appearance=network.appearance(lr())._replace(shape=shape))
    assert given.kernel is kernel
    assert (given.sr - estimated.sr).abs().max() > 1e-3
    torch.testing.assert_close(given.sr, handed.sr, atol=1e-3, rtol=0)
    torch.testing.assert_close(handed.kernel, kernel, atol=1e-6, rtol=0)


def test_tiles_equal_the_whole_away_from_their_borders(network):
    """Given the photograph's appearance, a tile's middle is what the whole photograph gives there."""
    image = lr(160, 168)
    with torch.no_grad():
        whole, appearance = network(image), network.appearance(image)
        tile = network(image[..., :, :136], appearance=appearance)
    inner = slice(0, 4 * 64)
    torch.testing.assert_close(tile.sr[..., inner], whole.sr[..., inner], atol=1e-5, rtol=0)
    torch.testing.assert_close(tile.segmentation[..., inner], whole.segmentation[..., inner], atol=1e-5, rtol=0)
    torch.testing.assert_close(tile.kernel, whole.kernel)


def test_the_shape_learns_from_the_kernel_alone_unless_asked():
    for supervised in (True, False):
        network = LiteNetwork(channels=8, widths=(8, 8, 8), supervised=supervised).train()
        with torch.no_grad():
            network.reconstruct[-1].weight.normal_(0, 0.05)
        output = network(lr(24, 24, 2))
        parameters = list(network.estimator.parameters())
        found = torch.autograd.grad(output.sr.sum(), parameters, retain_graph=True, allow_unused=True)
        assert any(gradient is not None for gradient in found) is not supervised
        assert all(g is not None for g in torch.autograd.grad(output.kernel.square().sum(), parameters))


def test_without_blindness_there_is_neither_kernel_nor_super_resolution():
    network = LiteNetwork(channels=8, widths=(8, 8, 8), blind=False).eval()
    with torch.no_grad():
        output = network(lr())
    assert output.kernel is None
    assert not network.estimates_kernel
    torch.testing.assert_close(output.sr, F.interpolate(lr(), scale_factor=4, mode="bicubic").clamp(0, 1))


def test_the_kernel_skip_changes_the_segmentation_alone():
    torch.manual_seed(0)
    network = LiteNetwork(channels=8, widths=(8, 8, 8), kernel_skip=True).eval()
    with torch.no_grad():
        network.skip.modulation.weight.normal_()
        narrow, wide = (network(lr(), anisotropic_gaussian_kernel(s, s, 0.0).float()) for s in (0.3, 3.5))
    # neither the heads nor the other modulations are trained: only the skip tells the blurs apart in the segmentation
    assert (narrow.segmentation - wide.segmentation).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 1}, "scale: expected a whole number of at least 2"),
        ({"widths": (8, 8)}, "widths, blocks: expected three"),
        ({"kernel_skip": True, "blind": False}, "kernel_skip: needs a blur kernel"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LiteNetwork(**{"channels": 8, "widths": (8, 8, 8), **arguments})


def test_the_error_of_redegradation_is_that_of_enlarging_blurring_and_scaling_down():
    kernel = torch.cat([anisotropic_gaussian_kernel(a, b, t) for a, b, t in ((0.4, 2.0, 20.0), (3.0, 1.0, 120.0))])
    kernel[0] = kernel[0].roll(2, -1)  # not symmetric: correlation and convolution differ
    x = torch.rand(2, 3, 40, 40, dtype=kernel.dtype)
    for scale in (2, 4, 8):
        plain = x
        for k in (0, 1):
            error = Redegradation(scale)(x, kernel)[:, 3 * k : 3 * k + 3]
            again = degrade(F.interpolate(plain, scale_factor=scale, mode="bicubic"), kernel, scale)
            plain = plain - again
            torch.testing.assert_close(error[..., 18:-18, 18:-18], plain[..., 18:-18, 18:-18], atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_shuffled_it_is_the_bicubic_enlargement(scale):
    image = torch.rand(2, 3, 5, 7, dtype=torch.float64)
    expected = F.interpolate(image, scale_factor=scale, mode="bicubic", align_corners=False)
    torch.testing.assert_close(F.pixel_shuffle(enlarged(image, scale), scale), expected, rtol=0, atol=1e-12)


def test_folding_a_norm_changes_nothing():
    layer = ConvNorm(6, 6, 3, groups=6)
    x = torch.rand(2, 6, 9, 9)
    layer(x)
    expected = layer[1].eval()(layer[0](x)).clamp(0, 6)
    torch.testing.assert_close(layer.eval()(x), expected, atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match="running statistics"):
        folded(layer[0], torch.nn.BatchNorm2d(6, track_running_stats=False))


def test_a_bottleneck_adds_its_input_where_it_can():
    block = InvertedBottleneck(4, 4, 3, 1, 2).eval()
    with torch.no_grad():
        block.project[1].weight.zero_()
        block.project[1].bias.zero_()
        x = torch.rand(1, 4, 6, 6)
        torch.testing.assert_close(block(x), x)
        assert InvertedBottleneck(4, 6, 5, 2, 3).eval()(x).shape == (1, 6, 3, 3)


def test_the_nearest_kernel_of_a_gaussian_is_itself(network):
    kernel = anisotropic_gaussian_kernel(2.0, 1.0, 40.0).float()
    torch.testing.assert_close(network.nearest_kernel(kernel), kernel, atol=1e-4, rtol=0)


def test_the_kernel_is_the_gaussian_of_the_estimated_shape(network):
    with torch.no_grad():
        appearance = network.appearance(lr())
        torch.testing.assert_close(network(lr()).kernel, kernel_of_shape(appearance.shape), atol=1e-5, rtol=0)
