"""Cameras: kernels from given numbers, the convention, noise, 8 bits, JPEG, and what a run draws."""

import io
import math
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from PIL import Image

from csbsr.degradation import (
    NUMBERS,
    Camera,
    DefocusRanges,
    LensRanges,
    MotionRanges,
    SensorRanges,
    anisotropic_gaussian_kernel,
    blur,
    camera_kernel,
    degrade,
    delta_kernel,
    disc_kernel,
    downscale,
    eight_bit,
    jpeg,
    motion_kernel,
    one_after_another,
    polygon_kernel,
    sensor_noise,
)


def moments(kernel: torch.Tensor) -> tuple[float, float, float, float, float]:
    """Mean x, mean y, variances of x and y, covariance; y points down."""
    kernel = kernel[0, 0].double()
    at = torch.arange(kernel.shape[-1]).double() - kernel.shape[-1] // 2
    x, y = (kernel.sum(0) * at).sum(), (kernel.sum(1) * at).sum()
    xx, yy = (kernel.sum(0) * at**2).sum() - x**2, (kernel.sum(1) * at**2).sum() - y**2
    xy = (kernel * at[:, None] * at[None]).sum() - x * y
    return tuple(float(value) for value in (x, y, xx, yy, xy))


def picture(height: int = 48, width: int = 64) -> torch.Tensor:
    smooth = torch.rand(2, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(smooth, size=(height, width), mode="bilinear")


def numbers(**values: float) -> torch.Tensor:
    assert set(values) <= set(NUMBERS)
    return torch.tensor([[float(values.get(name, 0)) for name in NUMBERS]])


def test_straight_motion_is_a_line_of_its_length_and_direction():
    for length, angle in ((5.0, 0.0), (9.0, 90.0), (15.0, 30.0), (9.0, 135.0)):
        x, y, xx, yy, xy = moments(motion_kernel(length, angle))
        assert (x, y) == pytest.approx((0, 0), abs=1e-4)
        along = length**2 / 12  # variance of a line
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        assert xx == pytest.approx(along * cosine**2, abs=0.26)  # spread over neighbouring pixels adds up to 1/4
        assert yy == pytest.approx(along * sine**2, abs=0.26)
        assert xy == pytest.approx(-along * cosine * sine, abs=0.05)  # counter-clockwise with y down
    torch.testing.assert_close(motion_kernel(0.0, 20.0, size=5), delta_kernel(torch.zeros(1), 5))


def test_curved_motion_bends_to_the_left_of_its_direction():
    kernel = motion_kernel(14.0, 0.0, 120.0)
    x, y, xx, yy, _ = moments(kernel)
    assert (x, y) == pytest.approx((0, 0), abs=1e-4)
    assert xx < 14.0**2 / 12  # shorter across
    assert yy > 0.5
    rows = kernel[0, 0].sum(1)
    # it turns from 60 degrees down to 60 degrees up: a bowl, whose bottom lies below the mean and whose arms rise
    assert rows[:9].sum() > 0
    assert int(rows.nonzero().max()) - 10 < 10 - int(rows.nonzero().min())
    torch.testing.assert_close(kernel, kernel.flip(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(motion_kernel(14.0, 0.0, -120.0), kernel.flip(2), atol=1e-5, rtol=0)


def test_a_kernel_is_correlated_not_flipped():
    kernel = motion_kernel(14.0, 25.0, 100.0)
    assert (kernel - kernel.flip(2, 3)).abs().max() > 0.02  # asymmetric
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1
    torch.testing.assert_close(blur(point, kernel)[..., 10:31, 10:31], kernel.flip(2, 3))
    scene = torch.rand(1, 1, 41, 41, generator=torch.Generator().manual_seed(1))
    by_hand = (scene[0, 0, 8:29, 12:33] * kernel[0, 0]).sum()
    torch.testing.assert_close(blur(scene, kernel)[0, 0, 18, 22], by_hand)


def test_one_after_another_is_two_blurs():
    first, second = motion_kernel(6.0, 20.0, 90.0), anisotropic_gaussian_kernel(1.5, 0.7, 40.0)
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    both = blur(image, one_after_another(first, second))[..., 20:-20, 20:-20]
    torch.testing.assert_close(both, blur(blur(image, first), second)[..., 20:-20, 20:-20], atol=2e-6, rtol=0)
    with pytest.raises(ValueError, match="second: expected the shape"):
        one_after_another(first, second[..., 1:-1, 1:-1])


def test_disc_and_polygon_have_their_areas_and_sides():
    for radius in (2.0, 4.0, 7.5):
        disc = disc_kernel(radius)
        assert float(1 / disc.max()) == pytest.approx(math.pi * radius**2, rel=0.05)
        assert moments(disc)[2] == pytest.approx(radius**2 / 4, abs=0.18)
        torch.testing.assert_close(polygon_kernel(radius, 0), disc)
        for blades in (3, 4, 6):
            area = blades / 2 * radius**2 * math.sin(2 * math.pi / blades)
            assert float(1 / polygon_kernel(radius, blades).max()) == pytest.approx(area, rel=0.1, abs=1)
    square = polygon_kernel(8.0, 4, 0.0)[0, 0]  # corners to the right, above, left and below
    assert square[10, 18] > 0
    assert square[7, 14] > 0.9 * square[10, 10]
    assert square[5, 15] == 0
    triangle = polygon_kernel(8.0, 3, 90.0)[0, 0]  # a corner above
    assert triangle[3].sum() > 0
    assert triangle[17].sum() == 0
    torch.testing.assert_close(disc_kernel(0.0, 5), delta_kernel(torch.zeros(1), 5))


def test_batches_are_their_images():
    given = torch.stack([numbers(sigma_1=2, sigma_2=1, theta=30), numbers(length=9, angle=70, turn=40),
                         numbers(radius=3, blades=6, rotation=20), numbers()])[:, 0]  # fmt: skip
    together = camera_kernel(given)
    torch.testing.assert_close(together, torch.cat([camera_kernel(one[None]) for one in given]))
    torch.testing.assert_close(together.sum((1, 2, 3)), torch.ones(4))
    torch.testing.assert_close(together[:1], anisotropic_gaussian_kernel(2.0, 1.0, 30.0), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(together[1:2], motion_kernel(9.0, 70.0, 40.0), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(together[3:], delta_kernel(together[3:], 21), atol=1e-6, rtol=0)


def test_kernels_that_do_not_fit_are_refused():
    for make in (lambda: motion_kernel(21.0, 0.0), lambda: disc_kernel(11.0), lambda: polygon_kernel(-1.0, 5)):
        with pytest.raises(ValueError, match="expected pixels from 0 to"):
            make()
    with pytest.raises(ValueError, match=r"motion\.length"):
        Camera(4, motion=MotionRanges(length=(1, 15)), size=11)


def test_noise_has_the_given_variance_and_is_a_function_of_the_seed():
    image = torch.full((3, 3, 200, 200), 0.5)
    image[1] = 0.1
    shot, read, seed = torch.tensor([0.001, 0.001, 0.0]), torch.tensor([0.0, 0.02, 0.03]), torch.tensor([1.0, 2, 3])
    noise = sensor_noise(image, shot, read, seed) - image
    for index, variance in enumerate((0.0005, 0.0001 + 0.0004, 0.0009)):
        assert float(noise[index].var()) == pytest.approx(variance, rel=0.02)
        assert float(noise[index].mean()) == pytest.approx(0, abs=3e-4)
    again = sensor_noise(image[1:2], shot[1:2], read[1:2], seed[1:2]) - image[1:2]
    torch.testing.assert_close(again, noise[1:2])
    unit = noise / noise.std((1, 2, 3), keepdim=True)
    assert float((unit.abs() < 1).double().mean()) == pytest.approx(0.6827, abs=0.005)
    assert abs(float((unit[0] * unit[2]).mean())) < 0.01
    assert abs(float((unit[0, :, :, 1:] * unit[0, :, :, :-1]).mean())) < 0.01
    assert abs(float((unit[0, 0] * unit[0, 1]).mean())) < 0.02
    near = sensor_noise(image[:1], shot[:1], read[:1], seed[:1] + 1) - image[:1]
    assert abs(float((near / near.std() * unit[:1]).mean())) < 0.01


def test_eight_bit_rounds_and_passes_gradients():
    image = torch.tensor([-0.1, 0.0, 0.3, 0.5, 1.2], requires_grad=True)
    rounded = eight_bit(image)
    torch.testing.assert_close(rounded, torch.tensor([0.0, 0.0, 76 / 255, 128 / 255, 1.0]), atol=0.51 / 255, rtol=0)
    rounded.sum().backward()
    assert image.grad.tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("quality", [20, 60, 90])
@pytest.mark.parametrize("size", [(48, 64), (45, 59)])
def test_jpeg_is_a_real_encoders(quality, size):
    image = eight_bit(picture()[:1, :, : size[0], : size[1]] * 0.8 + 0.1)
    pixels = (image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=2)
    real = np.asarray(Image.open(file)).astype(float)
    ours = jpeg(image, torch.tensor([float(quality)]))[0].permute(1, 2, 0).numpy() * 255
    lost = np.abs(real - pixels).mean()
    inner = np.s_[: size[0] // 16 * 16 - 8, : size[1] // 16 * 16 - 8]  # encoders pad unlike each other
    assert np.abs(ours - real)[inner].mean() < 0.3 * lost
    assert np.abs(ours - ours.round()).max() < 1e-3


def test_jpeg_quality_is_per_image_and_zero_means_none():
    image = eight_bit(picture())
    both = jpeg(image, torch.tensor([0.0, 10.0]))
    torch.testing.assert_close(both[0], image[0], rtol=0, atol=0)
    errors = [float((jpeg(image[1:], torch.tensor([q])) - image[1:]).abs().mean()) for q in (10.0, 30.0, 60.0, 90.0)]
    assert errors == sorted(errors, reverse=True)
    torch.testing.assert_close(both[1:], jpeg(image[1:], torch.tensor([10.0])))
    image.requires_grad_()
    jpeg(image, torch.tensor([50.0, 90.0])).square().sum().backward()
    assert 0.1 < float(image.grad.abs().mean()) < 10


def camera(**options) -> Camera:
    return Camera(
        4, LensRanges(chance=0.8), MotionRanges(chance=0.5), DefocusRanges(chance=0.5), SensorRanges(), **options
    )


def test_a_drawn_camera_is_its_steps():
    degradation = camera()
    generator = torch.Generator().manual_seed(3)
    drawn = torch.stack([degradation.draw(generator) for _ in range(2)])
    assert drawn.shape == (2, len(NUMBERS))
    lr, kernel = degradation(picture(), drawn)
    torch.testing.assert_close(kernel, camera_kernel(drawn))
    expected = degrade(picture(), kernel, 4, "reflect")
    expected = eight_bit(sensor_noise(expected, *drawn[:, [9, 10, 12]].unbind(1)))
    torch.testing.assert_close(lr, jpeg(expected, drawn[:, 11]))
    assert 0 <= lr.min() <= lr.max() <= 1


def test_ranges_and_chances_reach_the_draw():
    generator = torch.Generator().manual_seed(0)
    degradation = camera()
    drawn = torch.stack([degradation.draw(generator) for _ in range(400)])
    column = dict(zip(NUMBERS, drawn.unbind(1), strict=True))
    assert 0.7 < (column["sigma_1"] > 0).double().mean() < 0.9
    assert 0.4 < (column["length"] > 0).double().mean() < 0.6
    assert 0.4 < (column["quality"] > 0).double().mean() < 0.6
    assert set(column["blades"].tolist()) == {0, 5, 6, 8}
    assert 14 < column["length"].max() <= 15
    assert column["shot"].max() <= 0.0008
    assert len(set(column["seed"].tolist())) == 400
    states = []
    for one in (degradation, Camera(4)):
        generator = torch.Generator().manual_seed(3)
        one.draw(generator)
        states.append(generator.get_state())
    assert torch.equal(*states)
    assert (Camera(4).draw(generator) == 0).all()


def test_without_anything_it_is_bicubic_and_a_single_pixel():
    lr, kernel = Camera(4)(picture(), torch.zeros(2, 13))
    torch.testing.assert_close(kernel, delta_kernel(kernel, 21), atol=1e-6, rtol=0)
    torch.testing.assert_close(lr, downscale(picture(), 4), atol=1e-5, rtol=0)


def test_blur_may_vary_across_the_image():
    drawn = numbers(radius=4.0).repeat(2, 1)
    lr, kernel = Camera(4, varying=1.0)(picture(), drawn)
    sharp, blurred = downscale(picture(), 4), Camera(4)(picture(), drawn)[0]
    assert (lr - sharp)[..., 0].abs().mean() < 0.2 * (lr - blurred)[..., 0].abs().mean()
    assert (lr - blurred)[..., -1].abs().mean() < 0.2 * (lr - sharp)[..., -1].abs().mean()
    torch.testing.assert_close(
        kernel, (delta_kernel(kernel, 21) + disc_kernel(torch.tensor([4.0, 4.0]))) / 2, atol=1e-5, rtol=0
    )


def test_the_step_reads_no_value_on_the_device(monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    lr, kernel = camera()(picture().to("meta"), torch.empty(2, 13, device="meta"))
    assert lr.shape == (2, 3, 12, 16)
    assert kernel.shape == (2, 1, 21, 21)


def test_wrong_ranges_are_named_at_once():
    for make, name in (
        (lambda: LensRanges(sigma=(0, 1)), "sigma"),
        (lambda: MotionRanges(length=(3, 1)), "length"),
        (lambda: DefocusRanges(blades=(2,)), "blades"),
        (lambda: SensorRanges(quality=(0, 50)), "quality"),
        (lambda: MotionRanges(chance=1.5), "chance"),
        (lambda: Camera(4, varying=2), "varying"),
        (lambda: Camera(4, padding="zero"), "padding"),
    ):
        with pytest.raises(ValueError, match=name):
            make()
