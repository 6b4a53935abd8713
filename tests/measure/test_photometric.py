"""The width from missing light, on profiles computed by numerical integration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import convolve1d, gaussian_filter1d

from csbsr.measure import Width, photometric_width
from csbsr.measure.photometric import photometric_widths

FINE = 50  # parts of a sample in the numerical integration


def profile(
    width: float, *, blur: float = 1.0, samples: int = 31, place: float = 0.0, black: float = 12.0, sides=(130.0, 130.0)
) -> np.ndarray:
    """A gap drawn on a fine grid and blurred there, read at the middle of each sample."""
    x = (np.arange((samples + 40) * FINE) + 0.5) / FINE - (samples + 40) / 2 - place
    fine = np.where(x < 0, sides[0], sides[1])
    fine = np.where(np.abs(x) <= width / 2, black, fine)
    fine = gaussian_filter1d(fine, blur * FINE, mode="nearest")
    return fine.reshape(-1, FINE)[:, FINE // 2][20 : 20 + samples]


@pytest.mark.parametrize("width", [0.4, 1.0, 2.0, 3.7, 8.0, 12.0])
@pytest.mark.parametrize("place", [0.0, 0.4, -1.3])
def test_finds_the_width_of_a_drawn_gap(width: float, place: float) -> None:
    found = photometric_width(profile(width, place=place), 1.0, black=12.0)
    assert found.value == pytest.approx(width, abs=0.05 + 0.04 * width)
    assert found.low <= width <= found.high


def test_the_unit_is_that_of_the_pixel() -> None:
    values = profile(3.0)
    samples, millimetres = photometric_width(values, 1), photometric_width(values, 0.2)
    assert millimetres == Width(*(pytest.approx(0.2 * number) for number in (samples.value, samples.low, samples.high)))


def test_mirrored_it_is_as_wide() -> None:
    values = profile(1.7, place=0.6, sides=(140, 110))
    assert photometric_width(values[::-1], 1).value == pytest.approx(photometric_width(values, 1).value, rel=1e-3)


@pytest.mark.parametrize("sigma", [2.0, 4.0])
def test_a_known_blur_gives_the_width_back_from_the_missing_light(sigma: float) -> None:
    values = profile(1.5, blur=float(np.hypot(1.0, sigma)), samples=61)
    assert photometric_width(values, 1, blur=sigma, black=12).value == pytest.approx(1.5, abs=0.12)
    # of an unknown one the width and the depth are told apart by nothing but what is likely
    assert photometric_width(values, 1, blur=sigma).high - photometric_width(values, 1, blur=sigma).low > 0.3


def test_a_line_spread_is_the_blur_it_samples() -> None:
    values = profile(3.0, blur=float(np.hypot(1.0, 2.0)), samples=45)
    x = np.arange(-8, 9)
    as_array = photometric_width(values, 1, blur=np.exp(-0.5 * (x / 2.0) ** 2), black=12)
    assert as_array.value == pytest.approx(photometric_width(values, 1, blur=2.0, black=12).value, abs=0.03)


def test_a_skewed_line_spread_is_used_as_it_is() -> None:
    spread = np.array([0.0, 0.0, 0.0, 0.4, 0.3, 0.2, 0.1])  # a streak to one side
    values = convolve1d(profile(4.0, blur=0.9), spread[::-1], mode="nearest")
    found = photometric_width(convolve1d(profile(4.0, blur=0.9), spread, mode="nearest"), 1, blur=spread, black=12)
    mirrored = photometric_width(values, 1, blur=spread[::-1], black=12)
    assert found.value == pytest.approx(4.0, abs=0.15)
    assert mirrored.value == pytest.approx(found.value, abs=0.05)


def test_narrower_than_the_blur_the_black_level_decides_and_the_interval_says_so() -> None:
    values = profile(0.6, black=40.0, blur=1.2)
    told, unknown = photometric_width(values, 1, black=40.0), photometric_width(values, 1)
    assert told.value == pytest.approx(0.6, abs=0.1)
    assert unknown.value < told.value  # a darker gap would be narrower
    wide = photometric_width(profile(6.0, black=40.0, blur=1.2), 1)
    assert wide.value == pytest.approx(6.0, abs=0.2)  # its black level shows
    assert (unknown.high - unknown.low) / unknown.value > 2 * (wide.high - wide.low) / wide.value


def test_shadows_slopes_and_neighbours_do_not_add_width() -> None:
    clean = photometric_width(profile(2.0), 1).value
    shadow = profile(2.0, sides=(140, 112))
    slope = profile(2.0) + np.linspace(-12, 12, 31)
    neighbour = np.minimum(profile(2.0), profile(3.0, place=12.0))
    for values in (shadow, slope, neighbour):
        assert photometric_width(values, 1).value == pytest.approx(clean, abs=0.2)


def test_noise_widens_the_interval() -> None:
    values = profile(1.0)
    noise = np.random.default_rng(0).normal(0, 9, 31)
    clean, noisy = photometric_width(values, 1), photometric_width(values + noise, 1)
    assert noisy.high - noisy.low > 1.2 * (clean.high - clean.low)


@pytest.mark.parametrize("samples", [5, 9, 16, 120])
def test_any_length_and_a_crack_wider_than_the_window(samples: int) -> None:
    width = 45.0 if samples == 120 else 1.0
    found = photometric_width(profile(width, samples=samples), 1, black=12)
    assert found.value == pytest.approx(width, rel=0.25)


def test_a_profile_without_a_crack_still_has_an_answer_that_is_narrow() -> None:
    found = photometric_width(np.full(31, 120.0), 0.1)
    assert 0 <= found.low <= found.value <= found.high < 0.1


def test_many_profiles_are_each_answered_as_alone() -> None:
    rows = np.stack([profile(width) for width in (0.5, 2.0, 14.0)])
    together = photometric_widths(rows)
    for row, (low, value, high) in zip(rows, together, strict=True):
        alone = photometric_width(row, 1)
        assert (alone.low, alone.value, alone.high) == pytest.approx((low, value, high), rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2, 3], 1), "profile: expected at least 5"),
        (([1, 2, np.nan, 3, 4], 1), "finite"),
        ((np.ones((2, 30)), 1), "profile"),
        ((np.ones(30), 0), "pixel"),
        ((np.ones(30), 1, -1), "blur"),
        ((np.ones(30), 1, [1, 1]), "blur"),
        ((np.ones(30), 1, None, 300), "black"),
    ],
)
def test_says_what_is_wrong(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        photometric_width(*arguments)
