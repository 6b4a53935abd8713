"""Tiles against the whole image, statistics of the whole image, flips, one kernel, memory that runs out."""

import json
import re
import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image

from csbsr.cli.config import config_folder
from csbsr.predict import PredictionOptions, Predictor
from csbsr.predict import rows as rows_module
from csbsr.predict.predictor import Arrays, checked
from csbsr.predict.system import System
from tests.hardware import needs_bfloat16
from tests.predict.systems import BICUBIC, KBPN, NONE, PSPNET, UNET, parallel, serial, whole


def noise(height, width, seed=0):
    """A photograph with structure at all scales and another brightness on each side."""
    generator = np.random.default_rng(seed)
    image = sum(
        np.kron(generator.random((-(-height // n), -(-width // n), 3)), np.ones((n, n, 1)))[:height, :width]
        for n in (1, 3, 9, 40)
    )
    return (image / 4 * np.linspace(0.4, 1, width)[:, None]).astype(np.float32)


@pytest.mark.parametrize("normalization", ["instance", "dataset", "none"])
def test_tiled_equals_whole_for_a_convolutional_system(normalization):
    network = serial(BICUBIC, UNET, normalization)
    photograph = noise(150, 117)
    found = Predictor(network, tile=192, device="cpu").predict(photograph)
    sr, probability, _ = whole(network, photograph)
    assert found.probability.std() > 0.02  # the network does answer to the image
    np.testing.assert_allclose(found.sr, sr.transpose(1, 2, 0), atol=1e-5)
    np.testing.assert_allclose(found.probability, probability, atol=1e-4)


def test_statistics_are_not_those_of_the_tile():
    """What the previous test would look like with the normalisation of each tile: the check that it can fail."""
    network = serial()
    photograph = noise(150, 117)
    _, probability, _ = whole(network, photograph)
    _, left, _ = whole(network, photograph[:, :60])
    assert np.abs(left[:, :100] - probability[:, :100]).max() > 0.05


def test_too_small_a_margin_shows():
    network = serial()
    photograph = noise(150, 117)
    found = Predictor(network, tile=192, margin_segmentation=16, device="cpu").predict(photograph)
    assert np.abs(found.probability - whole(network, photograph)[1]).max() > 1e-2


@pytest.mark.parametrize("sizes", [(150, 117), (1, 1), (3, 140), (100, 1)])
@pytest.mark.parametrize("system", ["kbpn", "dsrl", "none", "bicubic"])
def test_any_system_any_size(system, sizes):
    make = {
        "kbpn": lambda: serial(KBPN, PSPNET), "dsrl": parallel, "none": lambda: serial(NONE, UNET),
        "bicubic": lambda: serial(BICUBIC, PSPNET),
    }  # fmt: skip
    predictor = Predictor(make[system](), tile=192, device="cpu")
    found = predictor.predict(noise(*sizes))
    scale = 1 if system == "none" else 4
    assert found.scale == scale
    assert found.sr.shape == (scale * sizes[0], scale * sizes[1], 3)
    assert found.mask.shape == found.probability.shape == found.sr.shape[:2]
    assert all(np.isfinite(array).all() and 0 <= array.min() <= array.max() <= 1
               for array in (found.sr, found.probability))  # fmt: skip
    assert (found.mask == (found.probability > predictor.threshold)).all()
    assert (found.kernel is None) == (system != "kbpn")
    assert (found.consistency is None) == (system == "none")
    if found.consistency is not None:
        assert found.consistency.map.shape == sizes
    if sizes == (150, 117) and system == "kbpn":
        assert found.kernels.shape == (4, 3, 21, 21)
        np.testing.assert_allclose(found.kernels.sum((2, 3)), 1, atol=1e-4)


@pytest.mark.parametrize("make", [lambda: serial(KBPN, PSPNET), parallel, lambda: serial(NONE, UNET)])
def test_one_tile_is_what_the_network_says(make):
    network = make()
    photograph = noise(40, 52)
    found = Predictor(network, device="cpu").predict(photograph)
    sr, probability, kernel = whole(network, photograph)
    np.testing.assert_allclose(found.sr, sr.transpose(1, 2, 0), atol=1e-5)
    np.testing.assert_allclose(found.probability, probability, atol=1e-4)
    if kernel is not None:
        np.testing.assert_allclose(found.kernel, kernel[0, 0], atol=1e-5)


def test_one_kernel_of_one_tile_is_its_own():
    network = serial(KBPN, PSPNET)
    photograph = noise(30, 40)
    own, one = (Predictor(network, kernel=where, device="cpu").predict(photograph) for where in ("tile", "photograph"))
    np.testing.assert_allclose(one.kernels, own.kernels, atol=1e-7)  # divided by its sum once more
    np.testing.assert_allclose(one.sr, own.sr, atol=1e-5)


def test_what_estimates_the_kernel_does_not_run_where_its_estimate_is_given():
    system = System(serial(KBPN, PSPNET), "cpu")
    parts = list(system.network.sr.kernel_predictors())
    lr = system.tensor(noise(40, 32).transpose(2, 0, 1))
    own = system.upscale(lr)
    assert own.kernels.shape == (1, 2, 21, 21)  # one of each stage
    assert (own.kernels[:, 0] - own.kernels[:, 1]).abs().max() > 1e-5
    ran = []
    for part in parts:  # their first layers run only where they do
        next(layer for layer in part.modules() if isinstance(layer, torch.nn.Conv2d)).register_forward_hook(
            lambda *_: ran.append(1)
        )
    given = system.upscale(lr, own.kernels)
    assert not ran
    np.testing.assert_allclose(given.sr, own.sr, atol=1e-6)
    torch.testing.assert_close(given.kernel, own.kernel, atol=1e-7, rtol=0)
    assert np.abs(system.upscale(lr, own.kernels.flip(-1).roll(9, -1)).sr - own.sr).max() > 1e-4
    np.testing.assert_array_equal(system.upscale(lr).sr, own.sr)
    assert len(ran) == len(parts)


def test_kbpn_with_one_kernel_agrees_with_the_whole():
    network = serial(KBPN, PSPNET)
    photograph = noise(70, 40)
    predictor = Predictor(network, tile=128, kernel="photograph", device="cpu")
    seen, upscale = [], predictor.system.upscale
    predictor.memory_needed = lambda *_: 0  # it would run the network too
    predictor.system.upscale = lambda lr, *more: seen.append((lr, *more)) or upscale(lr, *more)
    found = predictor.predict(photograph)
    tiles = Predictor(network, tile=128, kernel="tile", device="cpu").predict(photograph)
    assert tiles.kernels.shape == (3, 2, 21, 21)
    assert found.kernels.shape == (1, 1, 21, 21)
    assert np.abs(tiles.kernels - found.kernel).max() > 1e-4  # each tile has a kernel of its own
    samples = [lr for lr, *more in seen if not more]
    assert len(samples) == 4  # of six tiles
    mean = torch.cat([upscale(lr).kernels for lr in samples]).mean(0, keepdim=True)
    with torch.no_grad():
        output = network.upscale(torch.from_numpy(photograph).permute(2, 0, 1)[None], mean)
    np.testing.assert_allclose(found.kernels[0, 0], mean[0, -1], atol=1e-6)
    np.testing.assert_allclose(found.sr, output.sr[0].permute(1, 2, 0), atol=1e-4)


@pytest.mark.parametrize(("spread", "one"), [(0.0, True), (0.01, True), (0.5, False)])
def test_one_kernel_where_the_estimates_are_alike(spread, one, monkeypatch):
    network = serial(KBPN, PSPNET)
    updater, count = list(network.sr.kernel_predictors())[-1], iter(range(1000))
    with torch.no_grad():
        (base,) = (kernels[:, -1].flatten(1) for kernels in [network.upscale(torch.rand(1, 3, 24, 24)).kernel])

    def estimate(image, vector):  # so that each tile ends with the base and its own shift of it
        return base.roll(next(count) % 7, 1) * spread + base - vector

    monkeypatch.setattr(updater, "forward", estimate)
    found = Predictor(network, tile=96, margin_sr=16, kernel="auto", device="cpu")
    found.memory_needed = lambda *_: 0
    assert (found.predict(noise(90, 80)).kernels.shape[:2] == (1, 1)) is one


def test_few_tiles_keep_their_own_kernels():
    network = serial(KBPN, PSPNET)
    found = Predictor(network, tile=128, margin_sr=16, device="cpu").predict(noise(60, 60))
    assert found.kernels.shape[:2] == (2, 2)


def test_the_blur_skip_sees_the_kernel_of_its_tile():
    network = serial(KBPN, {**PSPNET, "blur_skip": "reduced"})
    photograph = noise(40, 24)
    options = {"tile": 64, "margin_sr": 16, "margin_segmentation": 32, "device": "cpu"}
    found = Predictor(network, **options).predict(photograph)
    swapped = Predictor(network, **options)
    segment = swapped.system.segment
    swapped.system.segment = lambda sr, mean, variance, kernel: segment(sr, mean, variance, kernel.flip(-1))
    assert np.abs(swapped.predict(photograph).probability - found.probability).max() > 1e-5


@pytest.mark.parametrize("make", [lambda: serial(KBPN, {**PSPNET, "blur_skip": "reduced"}), parallel])
@pytest.mark.parametrize("flips", [2, 4])
def test_flips_are_averaged_and_their_variance_kept(make, flips):
    network = make()
    photograph = noise(24, 33)
    found = Predictor(network, flips=flips, device="cpu").predict(photograph)
    axes = [(), (1,), (0,), (0, 1)][:flips]
    versions = [whole(network, np.flip(photograph, a).copy()) for a in axes]
    sr = np.mean([np.flip(v[0].transpose(1, 2, 0), a) for v, a in zip(versions, axes, strict=True)], 0)
    probabilities = np.array([np.flip(v[1], a) for v, a in zip(versions, axes, strict=True)])
    np.testing.assert_allclose(found.sr, sr, atol=1e-4)
    np.testing.assert_allclose(found.probability, probabilities.mean(0), atol=1e-3)
    np.testing.assert_allclose(found.variance, probabilities.var(0), atol=1e-3)
    assert found.variance.max() > 1e-8
    assert Predictor(network, device="cpu").predict(photograph).variance is None


@needs_bfloat16
def test_bfloat16_is_near_float32():
    network = serial(KBPN, PSPNET)
    photograph = noise(40, 52)
    exact, short = (Predictor(network, precision=name, device="cpu").predict(photograph) for name in
                    ("float32", "bfloat16"))  # fmt: skip
    difference = np.abs(exact.sr - short.sr)
    assert 0 < difference.mean() < 0.02


def test_arrays_and_files_of_any_kind(tmp_path):
    predictor = Predictor(serial(segmentor=PSPNET), device="cpu")
    grey = np.random.default_rng(0).integers(0, 256, (20, 24), np.uint8)
    expected = predictor.predict(grey).sr
    assert np.ptp(expected, axis=2).max() == 0
    for array in (np.repeat(grey[..., None], 3, 2), grey / 255, (grey / np.float32(255)), grey.astype(np.uint16) * 257):
        np.testing.assert_allclose(predictor.predict(array).sr, expected, atol=2e-5)
    Image.fromarray(grey).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        np.testing.assert_array_equal(predictor.predict(path).sr, expected)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 5, 4), np.uint8), r"\(h, w, 3\) or \(h, w\), got \(4, 5, 4\)"),
        (np.zeros((0, 5), np.uint8), r"got \(0, 5, 3\)"),
        (np.zeros((4, 5), np.int64), "got int64"),
        (np.full((4, 5), 200.0), "divide by 255"),
        (np.full((4, 5), np.nan), r"\[0, 1\], got nan"),
    ],
)
def test_bad_arrays(array, message):
    with pytest.raises(ValueError, match=message):
        checked(array)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, "threshold: expected a number between 0 and 1, got 0"),
        ({"flips": 3}, "flips: expected one of 1, 2, 4, got 3"),
        ({"kernel": "image"}, "kernel: expected one of auto, tile, photograph"),
        ({"kernel": "photograph"}, "estimates no blur kernel"),
        ({"precision": "int8"}, "precision: expected one of float32, float16, bfloat16"),
        ({"tile": 0}, "tile: expected a whole number of pixels, at least 1"),
        ({"blend": -1}, "blend: expected a whole number"),
        ({"margin_sr": 1.5}, "margin_sr: expected a whole number"),
        ({"device": "abacus"}, "device: 'abacus' cannot be used here"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Predictor(serial(), **options)


def test_the_threshold_of_the_checkpoint_unless_given():
    network = serial()
    assert Predictor(network).threshold == 0.6
    assert Predictor(network, threshold=0.3).threshold == 0.3
    network.card = {}
    assert Predictor(network).threshold == 0.5


class Scarce:
    """Lets a system run out of memory on windows of more than so many pixels of the photograph."""

    def __init__(self, monkeypatch, most, error=torch.OutOfMemoryError):
        upscale, self.calls = System.upscale, 0

        def limited(system, lr, *more):
            self.calls += 1
            if lr.shape[-1] * lr.shape[-2] > most:
                raise error("CUDA out of memory. Tried to allocate 2 GiB")
            return upscale(system, lr, *more)

        monkeypatch.setattr(System, "upscale", limited)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_the_tile_is_halved_when_memory_runs_out(monkeypatch, error):
    predictor = Predictor(serial(segmentor=PSPNET), tile=512, margin_segmentation=64, device="cpu")
    predictor.memory_needed = lambda *_: 0
    photograph = noise(200, 160)
    expected = Predictor(serial(segmentor=PSPNET), tile=128, margin_segmentation=64, device="cpu").predict(photograph)
    Scarce(monkeypatch, 80 * 80, error)
    shares = []
    sink = Arrays(False)
    outcome = predictor.run(photograph, sink, tick=shares.append)
    assert outcome.tile == 128
    assert predictor.options.tile == 512  # the next photograph may be smaller
    assert outcome.tiles == (7, 5)
    assert sum(shares) == pytest.approx(1)
    np.testing.assert_array_equal(sink.probability, expected.probability)


def test_halving_ends(monkeypatch):
    predictor = Predictor(serial(segmentor=PSPNET), tile=512, device="cpu")
    predictor.memory_needed = lambda *_: 0
    scarce = Scarce(monkeypatch, 0)
    with pytest.raises(ValueError, match=r"memory: it ran out, also with tile=32 .*precision=bfloat16"):
        predictor.predict(noise(20, 20))
    assert scarce.calls == 5


@pytest.mark.parametrize("part", ["sr", "segmentor"])
def test_results_that_are_no_numbers_are_an_error(part):
    network = serial(KBPN, PSPNET)
    with torch.no_grad():
        list(getattr(network, part).parameters())[-1].fill_(float("nan"))
    with pytest.raises(ValueError, match=r"not finite; use precision=float32"):
        Predictor(network, device="cpu").predict(noise(20, 20))


def test_other_errors_are_not_taken_for_memory(monkeypatch):
    Scarce(monkeypatch, 0, KeyError)
    with pytest.raises(KeyError):
        Predictor(serial(segmentor=PSPNET), device="cpu").predict(noise(20, 20))


def test_on_a_cpu_the_need_is_estimated_first(monkeypatch, caplog):
    predictor = Predictor(serial(segmentor=PSPNET), device="cpu")
    photograph = noise(300, 250)
    smaller, need = (predictor.memory_needed(photograph.shape[:2], tile) for tile in (256, 768))
    assert smaller < need
    monkeypatch.setattr("csbsr.predict.predictor.available_memory", lambda: smaller / 0.79)
    outcome = predictor.run(photograph, Arrays(False))
    assert outcome.tile < 768
    assert predictor.memory_needed(photograph.shape[:2], outcome.tile) <= smaller / 0.79
    assert "GB needed" in caplog.text
    assert predictor.options.tile == 768
    monkeypatch.setattr("csbsr.predict.predictor.available_memory", lambda: 1000)
    with pytest.raises(ValueError, match=r"300 pixels needs about .* close other programs"):
        predictor.predict(photograph)


@pytest.mark.parametrize(
    ("shape", "tile"),
    [((192, 192), 768), ((200, 192), 832), ((384, 100), 1536), ((768, 768), 1536), ((40, 50), 768)],
)
def test_a_tile_that_may_grow_computes_least_twice(monkeypatch, shape, tile):
    predictor = Predictor(serial(segmentor=PSPNET), device="cpu", grow=True)
    predictor._bytes = (1.0, 1.0)
    monkeypatch.setattr("csbsr.predict.predictor.available_memory", lambda: 10**12)
    assert predictor._fitting_tile(shape, ()) == tile
    assert predictor._fitting_tile(shape, (), 384) == 384
    assert Predictor(serial(segmentor=PSPNET), device="cpu")._fitting_tile(shape, ()) == 768
    # What a larger one takes must leave room for others; 768 may take more, as one that is asked for.
    monkeypatch.setattr("csbsr.predict.predictor.available_memory", lambda: predictor.memory_needed(shape, 768) / 0.79)
    assert predictor._fitting_tile(shape, ()) == 768


def test_pixels_of_all_windows():
    predictor = Predictor(serial(segmentor=PSPNET), margin_sr=0, margin_segmentation=128, blend=0, device="cpu")
    # In pixels of the photograph: one window is all of it; then two of 192 columns, and of 256: at
    # the border a window reaches further inwards.
    assert predictor._layout((192, 192), 768).pixels() == 2 * 192 * 192
    assert predictor._layout((192, 384), 768).pixels() == 192 * (2 * 192) + 192 * (2 * 256)


def test_results_that_are_compared_are_cut_alike():
    predictor = Predictor(serial(KBPN, PSPNET), tile=128, device="cpu")
    compared = predictor.bicubic()
    photograph = noise(64, 40)
    outcome = compared.run(photograph, Arrays(False), kernel=np.full((21, 21), 1 / 441, np.float32), tile=256)
    assert (outcome.tile, outcome.tiles) == (256, (1, 1))
    assert predictor.run(photograph, Arrays(False)).tiles == (2, 2)


def test_memory_does_not_grow_with_the_height(monkeypatch):
    monkeypatch.setattr(rows_module, "IN_MEMORY", 1 << 16)
    predictor = Predictor(serial(NONE, UNET), tile=64, margin_segmentation=32, margin_sr=0, blend=8, device="cpu")

    class Nothing:
        shrinks = 1

        def begin(self, height, width): ...
        def sr(self, rows): ...
        def segmentation(self, levels, mask, variance): ...

    peaks = []
    for height in (512, 2048):
        photograph = noise(height, 96)
        predictor.run(photograph, Nothing())  # what is made once
        tracemalloc.start()
        predictor.run(photograph, Nothing())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 2048 * 96 * 3  # of the image's 2.4 MB more in float32, less than a byte a pixel


def test_the_configuration_and_the_class_have_the_same_defaults():
    import inspect

    text = (config_folder() / "predict.yaml").read_text()
    for name, parameter in inspect.signature(PredictionOptions).parameters.items():
        line = re.search(rf"^{name}: .*", text, re.M).group()
        value, default = line.split()[1].strip('"'), str(json.dumps(parameter.default)).strip('"')
        # null where the network decides; the comment then says the default, and lite's
        assert value == default or (value == "null" and re.search(rf"\b{default}\b", line.partition("#")[2])), name
