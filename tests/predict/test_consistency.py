"""Does the super-resolved image explain the photograph: a true one, an invented crack, the kernel's shape."""

import numpy as np
import pytest
import torch

from csbsr.degradation import anisotropic_gaussian_kernel, degrade, delta_kernel
from csbsr.inspection.pictures import consistency_picture, kernel_sheet, overlay
from csbsr.memory import available_memory
from csbsr.predict.consistency import LIMIT, Consistency, difference, flagged, kernel_shape, summarised
from csbsr.predict.memory import PeakMemory, out_of_memory


def smooth(size=128):
    image = torch.rand(1, 3, size // 8, size // 8, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(image, (size, size), mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("antialias", [False, True])
def test_the_true_image_explains_its_photograph(antialias):
    hr, kernel = smooth(), anisotropic_gaussian_kernel(2.0, 1.0, 30.0)
    lr = degrade(hr, kernel, 4, antialias=antialias)
    found = difference(lr, hr, kernel, 4, antialias)[0]
    assert found.shape == (32, 32)
    assert found[4:-4, 4:-4].max() < 1e-6
    assert found.max() > 0.05  # there the photograph was blurred with zeros beyond the border
    assert difference(lr, hr, kernel, 4, not antialias)[0][4:-4, 4:-4].max() > 1e-4


def test_borders_do_not_darken():
    grey = torch.full((1, 3, 64, 64), 0.5)
    kernel = anisotropic_gaussian_kernel(4.0, 4.0, 0.0)
    assert difference(torch.full((1, 3, 16, 16), 0.5), grey, kernel, 4).max() < 1e-6


def test_without_a_kernel_only_the_size_changes():
    hr = smooth()
    lr = degrade(hr, delta_kernel(hr), 4)
    assert difference(lr, hr, None, 4)[0].max() < 1e-6


def test_the_root_of_the_mean_square_over_channels():
    lr = torch.zeros(1, 3, 4, 4)
    sr = torch.zeros(1, 3, 4, 4)
    sr[0, :, 1, 2] = torch.tensor([0.3, 0.0, 0.4])
    found = difference(lr, sr, None, 1)
    assert found[0, 1, 2] == pytest.approx((0.25 / 3) ** 0.5)
    assert np.count_nonzero(found) == 1


def test_an_invented_crack_is_flagged_where_it_is_marked():
    hr, kernel = smooth(512), anisotropic_gaussian_kernel(1.0, 1.0, 0.0)
    lr = degrade(hr, kernel, 4)
    invented = hr.clone()
    invented[..., 100:106, 50:450] *= 0.6
    cracks = np.zeros((128, 128), bool)
    cracks[25:27, 12:113] = True
    honest, dishonest = (summarised(difference(lr, sr, kernel, 4)[0], cracks) for sr in (hr, invented))
    assert not flagged(honest)
    assert dishonest.whole < LIMIT < dishonest.cracks  # one crack hardly changes the whole
    assert flagged(dishonest)


def test_numbers_by_hand():
    differences = np.full((20, 20), 0.1)
    differences[:4] = 0.9  # the border is left out
    differences[10, 10] = 0.5
    found = summarised(differences, np.eye(20, dtype=bool))
    assert found.whole == pytest.approx(np.sqrt((143 * 0.01 + 0.25) / 144))
    assert found.cracks == pytest.approx(np.sqrt((11 * 0.01 + 0.25) / 12))
    assert summarised(differences, np.zeros((20, 20), bool)).cracks is None
    assert summarised(differences[:1], np.zeros((1, 20), bool)).whole == pytest.approx(0.9)  # too small for a border
    assert not flagged(Consistency(differences, LIMIT, None))
    assert flagged(Consistency(differences, 1.01 * LIMIT, None))


@pytest.mark.parametrize(("sigma", "theta"), [((3.0, 1.5), 30.0), ((2.5, 1.0), 110.0), ((2.0, 1.0), 0.0)])
def test_the_shape_of_a_kernel(sigma, theta):
    kernel = anisotropic_gaussian_kernel(*sigma, theta, size=41)[0, 0].numpy()
    large, small, angle = kernel_shape(kernel)
    assert (large, small) == pytest.approx(sigma, rel=0.02)
    assert min(abs(angle - theta), 180 - abs(angle - theta)) < 0.5
    assert kernel_shape(np.eye(3) * 0 + (np.arange(9).reshape(3, 3) == 4))[:2] == pytest.approx((0, 0))


def test_pictures():
    sr = np.full((3, 4, 3), 0.5)
    crack = np.zeros((3, 4), bool)
    crack[1, 2] = True
    picture = overlay(sr, crack)
    assert picture[0, 0].tolist() == [128, 128, 128]
    assert picture[1, 2].tolist() == [179, 108, 51]  # 0.4 · 128 + 0.6 · (213, 94, 0)
    assert consistency_picture(np.array([[0, 0.1, 0.2, 5]])).tolist() == [[0, 128, 255, 255]]
    one = kernel_sheet(np.array([[[[0, 0.5], [-0.1, 0.25]]]]))
    assert one.shape == (16, 16)
    assert one[::8, ::8].tolist() == [[0, 255], [0, 128]]
    assert kernel_sheet(np.random.default_rng(0).random((3, 5, 21, 21))).shape == (3 * 169, 5 * 169)
    assert max(kernel_sheet(np.random.default_rng(0).random((30, 80, 21, 21))).shape) < 2048


def test_the_peak_of_memory():
    with PeakMemory() as memory:
        a = torch.empty(1000)  # 4000 bytes
        b = a + 1
        del a
        c = b.view(10, 100)[:5]  # no memory of its own
        d = c * 2  # 2000 bytes
        del b
        e = d.double()  # 4000 bytes: b's memory lives on in c
    assert memory.peak == 10000
    assert e.shape == (5, 100)


def test_what_memory_errors_are():
    assert available_memory() is None or available_memory() > 1e6
    assert out_of_memory(torch.OutOfMemoryError("x"))
    assert out_of_memory(MemoryError())
    assert out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate"))
    assert not out_of_memory(RuntimeError("shapes differ"))
    assert not out_of_memory(ValueError("out of memory"))
