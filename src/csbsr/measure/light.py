"""Widths of an image's cracks from the light that its photograph lacks, beside those from the probability map."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter1d

from csbsr.measure.blur import BlurMap
from csbsr.measure.intervals import FILLED, NORMAL, Light, Width, WidthSet
from csbsr.measure.light_model import Priors
from csbsr.measure.photometric import MISFIT, PRIORS, background_of, photometric_widths
from csbsr.measure.profiles import ALONG, Stretch, grey_levels, stretches
from csbsr.measure.results import Measurement, weighted_percentile

_WIDE = 4.0  # pixels of the photograph, from which on the inside of a crack shows
_WIDE_OF_BLUR = 3.0  # and as many σ
# How far the black level, as a share of the background, differs from photograph to photograph, and within one.
_BETWEEN, _WITHIN = 0.045, 0.043
_INDEPENDENT = 10.0  # pixels of the photograph along a crack, after which the surface is another
_FEWEST = 1  # independent stretches that tell their own scatter
_CONTAINED = 0.7  # square pixels: the model's own blur holds the pixel and what resampling adds to a kernel
_ASKED = 8  # of so many profiles one is fitted with other blurs too
_STEP = 1.15  # ratio of neighbouring blurs that are told apart
# Of the interval of one profile is common to a whole crack: black level and blur; where the blur is known and the
# inside shows, little, because the black level is seen.
_SHARED, _SHARED_SEEN = 0.7, 0.2
# Beside cracks in any photograph lie stains and chipped edges: a background that wanders more is tried too.
_PRIORS = replace(PRIORS, wander=(*PRIORS.wander, 0.6))
_WINDOW = 3  # stretches in the moving mean of which maximum and percentile are taken


class _Fits(NamedTuple):
    crack: np.ndarray  #: (n,) number of the crack, from 0
    order: np.ndarray  #: (n,) along the crack's lines
    widths: np.ndarray  #: (n, 3) low, value and high, pixels of the photograph
    inside: np.ndarray  #: (n,) brightness of the middle as a share of the background; NaN where too narrow
    blurred: np.ndarray  #: (n,) pixels by which the width is another if the known blur is; NaN where not asked


def light_widths(
    photograph: np.ndarray, measurement: Measurement, blur: BlurMap | None = None
) -> tuple[Light | None, ...]:
    """The photometric width of each crack.

    Profiles of the photograph's pixels across the clear parts of the centrelines, averaged over 5 pixels along the
    crack where it is straight, are each fitted as `csbsr.measure.photometric_width` does.  The black level of narrow
    cracks is that of the photograph's own dark cracks of at least 4 pixels and 3 σ, drawn towards 0.13 of the
    background, with a standard deviation of 0.045 from photograph to photograph and of 0.043 within one.

    Args:
        photograph: (h, w, 3) or (h, w), uint8 or floats in [0, 1]; the original, not the super-resolved image.
        measurement: of its super-resolved image or of itself; the proportions must agree.
        blur: of the photograph; None if it is not known, then that of cameras is likely.

    Returns:
        One for each crack, by number; None where no part of it is clear of tips and junctions.

    Raises:
        ValueError: a photograph of another type or proportion.
    """
    grey = grey_levels(photograph)
    scale = measurement.shape[1] / grey.shape[1]
    if abs(grey.shape[0] * scale - measurement.shape[0]) > 1 + scale:
        raise ValueError(
            f"photograph: expected the proportions of the measured {measurement.shape[1]} x {measurement.shape[0]} "
            f"pixels, got {grey.shape[1]} x {grey.shape[0]}; hand in the photograph that was measured"
        )
    lines = [line for crack in measurement.cracks for line in crack.centrelines]
    owner = np.array([k for k, crack in enumerate(measurement.cracks) for _ in crack.centrelines], dtype=int)
    groups = stretches(grey, lines, scale)
    if not groups:
        return (None,) * len(measurement.cracks)
    sigmas = [np.zeros(len(group.line)) if blur is None else blur.across(group.place, group.angle) for group in groups]
    insides = [_inside(group, sigma) for group, sigma in zip(groups, sigmas, strict=True)]
    priors = _with_black(np.concatenate(insides))
    within = 0.0 if blur is None else blur.within
    widths = [_fitted(group, sigma, priors, within) for group, sigma in zip(groups, sigmas, strict=True)]
    fits = _Fits(
        owner[np.concatenate([group.line for group in groups])],
        np.concatenate([group.line * 2**32 + group.at for group in groups]),
        np.concatenate([part[:, :3] for part in widths]),
        np.concatenate(insides),
        np.concatenate([part[:, 3] for part in widths]),
    )
    order = np.lexsort((fits.order, fits.crack))
    fits = _Fits(*(field[order] for field in fits))
    found: list[Light | None] = [None] * len(measurement.cracks)
    numbers, starts = np.unique(fits.crack, return_index=True)
    for number, start, stop in zip(numbers, starts, [*starts[1:], len(order)], strict=True):
        part = slice(start, stop)
        own = _Fits(*(field[part] for field in fits))
        found[number] = _light(own, scale, measurement.percentile, blur is not None)
    return tuple(found)


def with_light(measurement: Measurement, photograph: np.ndarray, blur: BlurMap | None = None) -> Measurement:
    """The measurement with the photograph's widths beside its own, see `light_widths`, and the ones to report."""
    lights = light_widths(photograph, measurement, blur)
    scale = measurement.shape[1] / np.shape(photograph)[1]
    cracks = [replace(crack, light=light, scale=scale) for crack, light in zip(measurement.cracks, lights, strict=True)]
    return replace(measurement, cracks=tuple(cracks))


def _fitted(group: Stretch, sigma: np.ndarray, priors: Priors, within: float) -> np.ndarray:
    """(n, 4) low, value, high in pixels of the photograph, and by how much the value hangs on a known blur.

    Profiles of like blur share their templates.  Every `_ASKED`th of those with a known blur is fitted with a weaker
    and a stronger one too, by the share ``within`` which σ is known; the others have NaN there.
    """
    told = np.sqrt(np.maximum(sigma**2 - _CONTAINED, 0))
    steps = np.where(told > 0.3, np.rint(np.log(np.maximum(told, 0.3) / 0.3) / np.log(_STEP)), -1).astype(int)
    result = np.full((len(told), 4), np.nan)
    for step in np.unique(steps):
        part = np.flatnonzero(steps == step)
        known = None if step < 0 else 0.3 * _STEP**step
        result[part, :3] = photometric_widths(group.values[part], known, priors=priors, misfit=(0.0, 0.0))
        if known is not None and within > 0:
            asked = part[::_ASKED]
            near = [
                photometric_widths(group.values[asked], other, priors=priors, misfit=(0.0, 0.0))[:, 1]
                for other in (known / (1 + within), known * (1 + within))
            ]
            result[asked, 3] = np.abs(near[1] - near[0]) / 2
    return result


def _inside(group: Stretch, sigma: np.ndarray) -> np.ndarray:
    """(n,) brightness of the middle of wide cracks as a share of the background, NaN of others."""
    middle = group.values.shape[1] // 2
    offsets = np.abs(np.arange(group.values.shape[1]) - middle)
    core = offsets <= np.maximum(group.rough / 4, 1)[:, None]
    darkest = np.where(core, group.values, np.inf).min(axis=1)
    wide = group.rough >= np.maximum(_WIDE, _WIDE_OF_BLUR * sigma)
    return np.where(wide, darkest / background_of(group.values), np.nan)


def _with_black(inside: np.ndarray) -> Priors:
    """The priors with the black level that the photograph's own wide, dark cracks show."""
    dark = inside[inside < FILLED]
    level, scale = PRIORS.black / 128, 128.0
    count = min(len(dark) * ALONG / (2 * _INDEPENDENT), 10.0)
    if count < 0.5:
        return _PRIORS
    precision = 1 / _BETWEEN**2 + count / _WITHIN**2
    mean = (level / _BETWEEN**2 + count / _WITHIN**2 * float(np.median(dark))) / precision
    deviation = float(np.hypot(precision**-0.5, _WITHIN))
    return replace(_PRIORS, black=float(round(mean * scale)), black_spread=float(round(deviation * scale)))


def _light(fits: _Fits, scale: float, percentile: float, knows_blur: bool) -> Light:
    low, value, high = fits.widths.T * scale
    first, third = np.quantile(value, (0.25, 0.75))
    reach = 2 * (third - first)
    usual = np.clip(value, first - reach, third + reach)
    independent = max(1.0, len(value) * ALONG / _INDEPENDENT)
    misfit = np.hypot(MISFIT[0] * scale, MISFIT[1] * usual.mean())
    # A few profiles do not tell their scatter: then measured cracks do.
    scatter = np.sqrt(usual.var() + misfit**2 * min(1.0, _FEWEST / independent))
    smooth = uniform_filter1d(usual, min(_WINDOW, len(usual)), mode="nearest")
    asked = fits.blurred[np.isfinite(fits.blurred)] * scale
    blur = float(np.mean(asked)) if len(asked) else 0.0
    seen = fits.inside[np.isfinite(fits.inside)]
    shows = 2 * len(seen) >= len(value)
    common = _SHARED_SEEN if shows and knows_blur else _SHARED
    shared = [float(np.hypot(common * np.mean(side), blur)) for side in (value - low, high - value)]
    weights = np.ones(len(smooth))

    def around(number: float, count: float) -> Width:
        chance = NORMAL * scatter / np.sqrt(count)
        grow = number / max(float(usual.mean()), 1e-9)
        return Width(
            number,
            max(number - float(np.hypot(shared[0] * min(grow, 2), chance)), 0.0),
            number + float(np.hypot(shared[1] * min(grow, 2), chance)),
        )

    local = max(1.0, min(independent, _WINDOW * ALONG / _INDEPENDENT))
    widths = WidthSet(
        around(float(usual.mean()), independent),
        around(float(smooth.max()), local),
        around(weighted_percentile(smooth, weights, percentile), local),
    )
    return Light(widths, len(value), float(np.median(seen)) if shows else None)
