"""skip=auto: which tiles are kept, what the others hold, and that kept ones are as without it."""

import numpy as np
import pytest
import torch

from csbsr.contracts import JointOutput
from csbsr.data.synthetic import photograph as cracked
from csbsr.joint import JointSystem
from csbsr.predict import Predictor
from csbsr.predict.predictor import Arrays
from csbsr.predict.skipping import BLOCK, Answers, fully_seen, skipped_share, tiles_kept
from csbsr.predict.tiling import Axis
from tests.predict.systems import BICUBIC, KBPN, PSPNET, UNET, parallel, serial

ROWS, COLUMNS = Axis(96, 32, 0), Axis(64, 32, 0)  # 3 × 2 tiles of 32 × 32 pixels, 4 × 4 squares each


class Dark(JointSystem):
    """A cheap pass: crack wherever the photograph is dark."""

    def __init__(self, scale=4):
        super().__init__()
        self.scale, self.windows = scale, []

    def parts(self):
        return (self,)

    def forward(self, lr, kernel=None, segment=True):
        self.windows.append(lr.shape[-2:])
        sr = lr.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)
        return JointOutput(sr, (sr.mean(1, keepdim=True) < 0.2).float(), None)


def answers(*squares):
    found = np.full((12, 8), 0.01, np.float32)
    for row, column, value in squares:
        found[row, column] = value
    return found


@pytest.mark.parametrize(
    ("squares", "around", "expected"),
    [
        ([(5, 2, 0.05)], 0, [[0, 0], [1, 0], [0, 0]]),
        ([(5, 2, 0.05)], BLOCK, [[0, 0], [1, 0], [0, 0]]),
        ([(4, 2, 0.05)], BLOCK, [[1, 0], [1, 0], [0, 0]]),
        ([(4, 3, 0.05)], 1, [[1, 1], [1, 1], [0, 0]]),  # a square that the surroundings touch counts as a whole
        ([(5, 2, 0.05)], 96, [[1, 1], [1, 1], [1, 1]]),
        ([(11, 7, 0.04)], 0, [[0, 0], [0, 0], [0, 1]]),  # nothing answers: the best one is kept
        ([], 0, [[1, 0], [0, 0], [0, 0]]),  # and the first of equals
    ],
)
def test_a_tile_is_kept_where_it_or_its_surroundings_answer(squares, around, expected):
    np.testing.assert_array_equal(tiles_kept(answers(*squares), ROWS, COLUMNS, 0.05, around), expected)


def test_what_fades_into_a_neighbour_counts():
    blended = Axis(96, 32, 16)
    found = answers((3, 2, 1))  # rows 24 to 32, to which the second tile contributes from 24 on
    np.testing.assert_array_equal(tiles_kept(found, blended, COLUMNS, 0.05, 0)[:, 0], [True, True, False])
    seen = fully_seen(np.array([[1, 1], [1, 0], [1, 1]]) > 0, blended, COLUMNS)
    assert not seen[24:72, 32:].any()
    assert seen.sum() == 96 * 64 - 48 * 32


def test_the_share_is_of_pixels_that_show_the_photograph():
    kept = np.array([[1, 1], [1, 0], [0, 0]]) > 0
    assert skipped_share(kept, ROWS, COLUMNS) == pytest.approx(0.5)
    uneven = Axis(80, 32, 0, 8)  # 24, 32 and 24 rows
    assert skipped_share(kept[::-1], uneven, COLUMNS) == pytest.approx((24 + 32 / 2) / 80)
    assert skipped_share(np.array([[0, 1], [1, 1], [1, 1]]) > 0, uneven, COLUMNS) == pytest.approx(24 / 2 / 80)
    valid = np.zeros((96, 64), bool)
    valid[:48] = True
    assert skipped_share(kept, ROWS, COLUMNS, valid) == pytest.approx(16 * 32 / (48 * 64))
    assert skipped_share(kept, ROWS, COLUMNS, np.zeros((96, 64), bool)) == 0


def test_the_largest_probability_of_each_square_is_kept():
    levels = np.random.default_rng(0).integers(0, 65536, (4 * 20, 4 * 27)).astype(np.uint16)
    sink = Answers(4)
    sink.begin(*levels.shape)
    for start in range(0, 80, 7):
        sink.segmentation(levels[start : start + 7], None, None)
    found = sink.result()
    assert found.shape == (3, 4)
    assert found[1, 2] == pytest.approx(levels[32:64, 64:96].max() / 65535)
    assert found[2, 3] == pytest.approx(levels[64:, 96:].max() / 65535)


@pytest.fixture
def photograph():
    """190 × 330 with one dark spot at the top left: of 3 × 6 tiles of 64 pixels or less, 2 × 2 are near it."""
    image = np.random.default_rng(1).uniform(0.4, 0.9, (190, 330, 3)).astype(np.float32)
    image[4:8, 4:8] = 0.1
    return image


def predictors(network, **settings):
    settings = {"tile": 256, "margin_sr": 32, "margin_segmentation": 64, "device": "cpu", **settings}
    return Predictor(network, **settings), Predictor(network, skip="auto", cheap=Dark(), **settings)


@pytest.mark.parametrize("flips", [1, 2])
def test_kept_tiles_are_as_without_skipping_and_the_others_are_empty(photograph, flips):
    network = serial(BICUBIC, UNET, "none")  # tiles alone decide: no statistics, and the bicubic SR is the same
    full, skipping = predictors(network, flips=flips)
    expected, found = full.predict(photograph), skipping.predict(photograph)
    assert expected.skipped is None
    assert found.skipped == pytest.approx(1 - 4 / 18, abs=0.02)
    np.testing.assert_allclose(found.sr, expected.sr, atol=1e-5)
    np.testing.assert_allclose(found.probability[:380, :400], expected.probability[:380, :400], atol=1e-5)
    assert expected.mask[:, 500:].any()
    assert not found.probability[:, 500:].any()
    assert not found.mask[:, 500:].any()
    if flips > 1:
        assert not found.variance[:, 500:].any()


@pytest.mark.parametrize("kernel", ["tile", "photograph"])
def test_a_blind_system_runs_in_kept_tiles_alone(photograph, kernel):
    network = serial(KBPN, PSPNET)
    skipping = predictors(network, kernel=kernel)[1]
    windows = []
    super_resolve = network.sr.with_kernels
    network.sr.with_kernels = lambda lr, kernels=None: windows.append(lr.shape) or super_resolve(lr, kernels)
    found = skipping.predict(photograph)
    first = 1  # a small window tells how much memory is needed
    assert len(windows) == first + 4 * (1 if kernel == "tile" else 2)  # one kernel is estimated on kept tiles, too
    np.testing.assert_allclose(found.kernels.sum((2, 3)), 1, atol=1e-3)
    assert found.kernels.shape[:2] == ((1, 1) if kernel == "photograph" else (3, 6))
    bicubic = torch.nn.functional.interpolate(
        torch.from_numpy(photograph.transpose(2, 0, 1))[None], scale_factor=4, mode="bicubic"
    )
    expected = bicubic[0].clamp(0, 1).numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(found.sr[:, 500:], expected[:, 500:], atol=1e-5)
    assert np.abs(found.sr[:380, :400] - expected[:380, :400]).max() > 1e-3  # the network's own
    assert not found.consistency.map[:, 125:].any()
    assert found.consistency.whole > 0


def test_where_there_is_no_photograph_nothing_counts(photograph):
    valid = np.zeros((190, 330), bool)
    valid[:, :165] = True
    valid[:10, :10] = False  # the dark spot is no photograph
    outcome = predictors(serial(KBPN, PSPNET))[1].run(photograph, Arrays(False), valid=valid)
    assert outcome.answers.max() < 0.05
    assert outcome.skipped == pytest.approx(1 - 1 / 9, abs=0.03)  # nothing answers, one of 3 × 3 tiles is kept
    outcome = predictors(serial(KBPN, PSPNET))[1].run(photograph, Arrays(False), valid=~valid)
    assert outcome.answers[0, 0] == 1
    assert not outcome.consistency.map[:, 10:].any()
    assert outcome.consistency.map[:10, :10].any()


def test_a_system_of_one_pass_skips_too(photograph):
    network = parallel()
    settings = {"tile": 64 * network.scale, "margin_sr": 0, "margin_segmentation": 0, "device": "cpu"}
    found = Predictor(network, skip="auto", cheap=Dark(), **settings).predict(photograph)
    expected = Predictor(network, **settings).predict(photograph)
    s = network.scale
    assert found.skipped > 0.3
    assert not found.probability[:, 200 * s :].any()
    np.testing.assert_allclose(
        found.probability[: 50 * s, : 50 * s], expected.probability[: 50 * s, : 50 * s], atol=1e-4
    )


def test_the_bicubic_comparison_leaves_out_the_same_tiles(photograph):
    cheap = Dark()
    predictor = Predictor(serial(KBPN, PSPNET), tile=256, skip="auto", cheap=cheap, device="cpu")
    outcome = predictor.run(photograph, Arrays(False))
    looks = len(cheap.windows)
    other = Arrays(False)
    compared = predictor.bicubic().run(photograph, other, kernel=outcome.kernels.mean((0, 1)), answers=outcome.answers)
    assert compared.skipped == outcome.skipped > 0
    assert not other.probability[:, 500:].any()
    assert other.probability[:380, :400].any()
    assert len(cheap.windows) == looks  # nobody looked twice


def test_the_progress_is_whole(photograph):
    shares = []
    predictors(serial())[1].run(photograph, Arrays(False), tick=shares.append)
    assert sum(shares) == pytest.approx(1)


def test_the_lite_system_is_the_cheap_pass_and_skips_nothing():
    predictor = Predictor.load("lite", skip="auto", device="cpu")
    assert predictor.skip == "off"
    found = predictor.predict(np.full((40, 40, 3), 0.5, np.float32))
    assert found.skipped is None


def test_the_shipped_system_looks_where_no_other_is_given():
    predictor = Predictor(serial(), tile=128, skip="auto", device="cpu")
    image = np.full((96, 300, 3), 150, np.uint8)
    image[:, :96], cracks = cracked(np.random.default_rng(0), (96, 96))
    found = predictor.predict(image)
    assert predictor.skip == "auto"
    assert 0.2 < found.skipped < 0.6
    assert cracks.any()
    assert (found.probability[:, : 4 * 96] > 0).all()
    assert not found.probability[:, 4 * 240 :].any()


def test_another_word_is_refused():
    with pytest.raises(ValueError, match="skip: expected one of off, auto, got 'on'"):
        Predictor(serial(), skip="on")
