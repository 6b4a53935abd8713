"""Width of a crack from the light it lacks: an intensity profile across it, fitted by a blurred rectangle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from csbsr.measure.intervals import COVERAGE, NORMAL, Width
from csbsr.measure.light_model import WINDOW, Priors, posterior

PRIORS = Priors()
_TOLD_BLACK = 4.0  # grey levels: how far off a told black level may be
_SHARES = ((1 - COVERAGE) / 2, 0.5, (1 + COVERAGE) / 2)
#: Samples, and share of the width, by which measured cracks are no rectangles: standard deviations.
MISFIT = (0.13, 0.10)
_LEAST = 5  # samples
_SEARCH = 5  # samples around the middle where the crack may be
_SLACK = 1.0  # samples that its middle may be off the window's
_WIDEST = 13.0  # samples that the window holds with its background
_BLURREST = 4.5
_SMEARED = 1.5  # samples: under a stronger blur strays are no longer apart from the crack
_BACKGROUND = 128.0  # grey level to which the exposure of a profile is brought: an open crack is dark in proportion
_BRIGHT = 0.7  # share of a profile's samples below its background
_DARKEST = 8.0  # grey level of a background


def photometric_width(
    profile: Sequence[float] | np.ndarray,
    pixel: float,
    blur: float | Sequence[float] | np.ndarray | None = None,
    black: float | None = None,
) -> Width:
    """Width of the crack in the middle of an intensity profile.

    The profile is explained as ``b(x) - (b - black) (rect_w * spread)(x - c)``: a rectangle of width w at c, convolved
    with the line spread of the known blur and of the camera's own (a Gaussian of about one sample), on a background b
    that differs from side to side and wanders.  Of w, c, the camera's blur, the levels and the noise the posterior is
    computed on a grid; the answer is its median, the interval holds 90 % of it and what measured cracks differ from
    rectangles.  Width and black level of a crack narrower than the blur show only as their product; the interval is
    as wide as the prior of the black level leaves it, which is 0.13 ± 0.06 of the background.

    Args:
        profile: grey values from 0 to 255 along the normal of a dark crack, one sample apart, the crack about in the
            middle; at least 5.
        pixel: length of a sample in the unit wanted, e.g. millimetres; 1 for samples.
        blur: known beside the camera's own: σ of a Gaussian in samples, or its line spread, an odd number of values
            one sample apart.  None if there is none, or it is not known.
        black: grey level of the open crack where it is known, e.g. from wide cracks of the same photograph.

    Raises:
        ValueError: an argument of another shape or out of its range.

    Source: the idea that blur keeps the sum of the missing light is of C. Benz, V. Rodehorst, Model-based Crack Width
        Estimation using Rectangle Transform, MVA 2021.
    """
    values = np.asarray(profile, dtype=np.float64)
    if values.ndim != 1 or len(values) < _LEAST or not np.isfinite(values).all():
        raise ValueError(
            f"profile: expected at least {_LEAST} finite grey values in a row, got shape {values.shape}; sample "
            "farther across the crack"
        )
    if not 0 < pixel < math.inf:
        raise ValueError(f"pixel: expected the length of a sample, above 0, got {pixel!r}")
    low, value, high = (float(number) * pixel for number in photometric_widths(values[None], blur, black)[0])
    return Width(value, low, high)


def photometric_widths(
    profiles: np.ndarray,
    blur: float | Sequence[float] | np.ndarray | None = None,
    black: float | tuple[float, float] | None = None,
    priors: Priors = PRIORS,
    misfit: tuple[float, float] = MISFIT,
) -> np.ndarray:
    """`photometric_width` of many profiles of one length and blur.

    Args:
        profiles: (n, k) grey values.
        blur: see `photometric_width`.
        black: the same; or the level and its standard deviation.
        priors: of the model.
        misfit: samples, and share of the width, by which a real crack is no rectangle: standard deviations that widen
            the interval.

    Returns:
        (n, 3): low, value, high, in samples.
    """
    profiles = np.asarray(profiles, dtype=np.float64)
    spread = _checked_spread(blur)
    exposure = _BACKGROUND / background_of(profiles)
    if black is not None:
        level, deviation = black if isinstance(black, tuple) else (black, _TOLD_BLACK)
        if not (0 <= level <= 255 and deviation > 0):
            raise ValueError(f"black: expected a grey level from 0 to 255, got {black!r}")
        common = float(np.median(exposure)) if len(exposure) else 1.0
        # Rounded, so that like calls share their templates.
        priors = replace(priors, black=round(level * common, 1), black_spread=round(deviation * common, 1) or 0.1)
    profiles = profiles * exposure[:, None]
    sigma = spread_sigma(spread)
    result = np.empty((len(profiles), 3))
    coarse = _coarseness(profiles, sigma)
    for factor in np.unique(coarse):
        part = coarse == factor
        shrunken = _binned(profiles[part], factor)
        windows = _centred(_without_strays(shrunken, sigma / factor))
        found = posterior(windows, _binned_spread(spread, factor), priors).quantiles(_SHARES)
        result[part] = found * factor
    slack = NORMAL * np.hypot(misfit[0], misfit[1] * result[:, 1])
    result[:, 0] = np.maximum(result[:, 1] - np.hypot(result[:, 1] - result[:, 0], slack), 0)
    result[:, 2] = result[:, 1] + np.hypot(result[:, 2] - result[:, 1], slack)
    return result


def background_of(profiles: np.ndarray) -> np.ndarray:
    """(n,) grey level beside the crack, roughly."""
    return np.maximum(np.quantile(profiles, _BRIGHT, axis=1), _DARKEST)


def _checked_spread(blur: float | Sequence[float] | np.ndarray | None) -> tuple[float, ...]:
    if blur is None:
        return ()
    values = np.atleast_1d(np.asarray(blur, dtype=np.float64))
    good = values.ndim == 1 and len(values) % 2 == 1 and np.isfinite(values).all() and (values >= 0).all()
    if not good or (len(values) > 1 and values.sum() <= 0):
        raise ValueError(
            f"blur: expected σ in samples, 0 or more, or a line spread of an odd number of values, got {blur!r}"
        )
    if len(values) == 1:
        return (float(values[0]),) if values[0] > 0 else ()
    return tuple((values / values.sum()).tolist())


def spread_sigma(spread: tuple[float, ...]) -> float:
    """Standard deviation of a blur as the model takes it."""
    if len(spread) < 2:
        return sum(spread)
    x = np.arange(len(spread)) - len(spread) // 2
    shares = np.array(spread)
    return math.sqrt(max(float(shares @ x**2 - (shares @ x) ** 2), 0.0))


def _binned_spread(spread: tuple[float, ...], factor: int) -> tuple[float, ...]:
    sigma = spread_sigma(spread)
    return spread if factor == 1 else (sigma / factor,) if sigma > 0 else ()


def _coarseness(profiles: np.ndarray, sigma: float) -> np.ndarray:
    """(n,) samples to take together, so that crack and blur fit the window."""
    first, last = _extent(profiles)
    wanted = np.maximum((last - first) / _WIDEST, sigma / _BLURREST)
    most = max(1, profiles.shape[1] // (WINDOW - 10))
    return np.clip(np.ceil(wanted - 1e-9), 1, most).astype(int)


def _binned(profiles: np.ndarray, factor: int) -> np.ndarray:
    if factor == 1:
        return profiles
    count = profiles.shape[1] // factor
    first = (profiles.shape[1] - count * factor) // 2
    return profiles[:, first : first + count * factor].reshape(len(profiles), count, factor).mean(axis=2)


def _extent(profiles: np.ndarray, share: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """First and last sample (n,) of the crack: around the darkest near the middle, as far as ``share`` of the depth."""
    samples = profiles.shape[1]
    smooth = gaussian_filter1d(profiles, 1.0, axis=1, mode="nearest") if samples > WINDOW // 2 else profiles
    middle = (samples - 1) / 2
    reach = max(_SEARCH, samples // 6)
    near = np.abs(np.arange(samples) - middle) <= reach
    darkest = np.where(near, smooth, np.inf).argmin(axis=1)
    rows = np.arange(len(profiles))
    depth = profiles[rows, darkest]
    level = depth + share * (np.median(profiles, axis=1) - depth)
    bright = profiles >= level[:, None]
    x = np.arange(samples)
    first = np.where(bright & (x < darkest[:, None]), x, -1).max(axis=1) + 1
    last = np.where(bright & (x > darkest[:, None]), x, samples).min(axis=1) - 1
    return first, last


def _without_strays(profiles: np.ndarray, sigma: float) -> np.ndarray:
    """The background clipped to twice its robust deviation: other cracks, stains and pebbles beside this one."""
    if sigma > _SMEARED:
        return profiles
    first, last = _extent(profiles, 0.6)
    gap = 2 + math.ceil(2 * sigma)
    x = np.arange(profiles.shape[1])
    beside = (x < (first - gap)[:, None]) | (x > (last + gap)[:, None])
    enough = beside.sum(axis=1) >= 6
    values = np.where(beside & enough[:, None], profiles, np.nan)
    middle = np.full(len(profiles), np.nan)
    deviation = np.full(len(profiles), np.nan)
    if enough.any():
        middle[enough] = np.nanmedian(values[enough], axis=1)
        deviation[enough] = np.nanmedian(np.abs(values[enough] - middle[enough, None]), axis=1)
    limit = 2 * np.maximum(1.4826 * deviation, 3.0)
    clipped = np.clip(profiles, (middle - limit)[:, None], (middle + limit)[:, None])
    return np.where(beside & enough[:, None], clipped, profiles)


def _centred(profiles: np.ndarray) -> np.ndarray:
    """Windows around the middle of the crack, of at most `WINDOW` samples; ends go on as they are."""
    first, last = _extent(profiles)
    middle = profiles.shape[1] // 2
    off = (first + last) / 2 - middle
    # As far as the model itself looks beside the middle the window stays, so that texture does not attract it.
    centre = np.rint(middle + np.sign(off) * np.maximum(np.abs(off) - _SLACK, 0)).astype(int)
    samples = min(profiles.shape[1], WINDOW)
    samples -= 1 - samples % 2  # odd, so that the middle is a sample
    source = centre[:, None] + np.arange(samples) - samples // 2
    return np.take_along_axis(profiles, np.clip(source, 0, profiles.shape[1] - 1), axis=1)
