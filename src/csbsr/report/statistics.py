"""How far numbers of a test can be trusted: spread over seeds, intervals over images, paired tests of two systems."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

#: Resamples of an interval, and random sign changes of a test.
DRAWS = 9999
#: Share of resamples within an interval.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean with what it may be off by.

    Attributes:
        mean: over the seeds (and the images).
        spread: sample standard deviation over the seeds, with the divisor n − 1; NaN for one seed.
        low, high: interval of 95 % over the images; NaN where there are too few of them.
    """

    mean: float
    spread: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Difference:
    """Another system's mean less the first one's, on the same images.

    Attributes:
        mean: over the images that both have a value for.
        low, high: its interval of 95 % over the images.
        p: of the paired permutation test: how often so large a mean difference comes about if the two were alike.
        images: how many.
    """

    mean: float
    low: float
    high: float
    p: float
    images: int


def over_seeds(values: np.ndarray) -> Estimate:
    """Mean and spread of one number of each seed, (S,)."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    return Estimate(float(np.mean(values)), spread)


def over_images(values: np.ndarray) -> Estimate:
    """Mean, spread over seeds and bootstrap interval over images of a number of each image.

    The mean of an image over the seeds is one draw; images are drawn anew with replacement and the interval is BCa's
    (bias-corrected and accelerated; Efron 1987), so it tells of other images of the kind, not of other seeds.

    Args:
        values: (S, N) for S seeds and N images; NaN where an image has no value, which is left out for all seeds.

    Returns:
        The estimate; all NaN if no image is left, without an interval for fewer than two, or if all are equal.
    """
    known = values[:, ~np.isnan(values).any(0)]
    if not known.size:
        return Estimate(math.nan, math.nan)
    means = known.mean(0)
    return Estimate(float(means.mean()), over_seeds(known.mean(1)).spread, *_interval(means))


def paired(one: np.ndarray, other: np.ndarray) -> Difference:
    """Compare two systems on the same images.

    The test is that of random signs (Fisher): under the hypothesis that the systems are alike the sign of each image's
    difference is as likely the other one.

    Args:
        one: (N,) the first system's value of each image, mean over its seeds.
        other: (N,) the second one's, in the same order.

    Returns:
        The second less the first; NaN throughout without a common image, p = 1 if all are equal.

    Raises:
        ValueError: not the same number of images.
    """
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"paired: expected two rows of as many images, got shapes {one.shape} and {other.shape}")
    differences = other - one
    differences = differences[~np.isnan(differences)]
    if not len(differences):
        return Difference(math.nan, math.nan, math.nan, math.nan, 0)
    p = 1.0
    if differences.any():
        test = stats.permutation_test(
            (differences,),
            lambda x, axis: x.mean(axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=DRAWS,
            random_state=np.random.default_rng(0),
        )
        p = float(test.pvalue)
    return Difference(float(differences.mean()), *_interval(differences), p, len(differences))


def _interval(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 2 or np.ptp(values) == 0:
        return math.nan, math.nan
    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=DRAWS,
        confidence_level=CONFIDENCE,
        method="BCa",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)
