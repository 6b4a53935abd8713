"""Cracks measured on a prediction against those measured on the true mask: how long, how wide, crack by crack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from csbsr.measure.cracks import measure_cracks
from csbsr.measure.noise import TooNoisyError
from csbsr.measure.results import Measurement, weighted_percentile

#: Pixels beyond half of a crack's width within which a centreline is that of the same crack.
NEAR = 2.0
_PERCENTILE = 90
_SPECK = 4  # pixels

_WIDTH = "width of the cracks that were found, measured on the prediction less that on the mask, in px"
#: What each number of `summary` means, in one line.
DEFINITIONS = {
    "width_bias": f"{_WIDTH}: mean over the true cracks, weighted by the length found",
    "width_mae": f"{_WIDTH}: mean absolute error over the true cracks, weighted by the length found",
    "width_error_90": f"{_WIDTH}: the absolute error that nine tenths of the found length do not exceed",
    "width_ratio": "width of the cracks that were found, measured on the prediction over that on the mask: "
    "median over the true cracks, weighted by the length found",
    "length_found": "share of the true cracks' length with the centreline of a predicted crack beside it "
    f"(within half of the width and {NEAR:g} px)",
    "length_false": "share of the predicted cracks' length without the centreline of a true crack beside it",
    "unmeasured": "images left out of widths and lengths: noise, with more than `max_branches` branches of cracks",
}


class Comparison(NamedTuple):
    """Of one image, lengths and widths in its pixels.

    Attributes:
        errors: (n,) of the true cracks that were found at all, predicted less true mean width where both are.
        ratios: (n,) of the same cracks, predicted over true mean width.
        found: (n,) length of theirs that was found.
        true_length: of all true cracks.
        predicted_length: of all predicted ones.
        false_length: of what is predicted beside no true crack.
    """

    errors: np.ndarray
    ratios: np.ndarray
    found: np.ndarray
    true_length: float
    predicted_length: float
    false_length: float


def compare_cracks(predicted: Measurement, true: Measurement) -> Comparison:
    """Match cracks point by point of their centrelines and compare their widths there.

    A point of a true centreline is found where the nearest point of a predicted one is within `NEAR` pixels more than
    half of the larger width of both.  Of each true crack that is found in some points the mean width along them is
    compared with that of the predicted points.

    Args:
        predicted: of an image.
        true: of the same image; both in the same pixels.
    """
    lines, owner = _lines(true)
    others, _ = _lines(predicted)
    near, nearest = _beside(lines, others)
    errors, ratios, found = [], [], []
    for number in range(len(true.cracks)):
        part = near & (owner == number)
        length = float(lines.lengths[part].sum())
        if length > 0:
            shares = lines.lengths[part] / length
            drawn, wide = float(shares @ others.widths[nearest[part]]), float(shares @ lines.widths[part])
            errors.append(drawn - wide)
            ratios.append(drawn / wide)
            found.append(length)
    false = ~_beside(others, lines)[0]
    return Comparison(
        np.array(errors),
        np.array(ratios),
        np.array(found),
        float(lines.lengths.sum()),
        float(others.lengths.sum()),
        float(others.lengths[false].sum()),
    )


def compare_masks(
    segmentation: np.ndarray, mask: np.ndarray, threshold: float, max_branches: int | None = None
) -> Comparison | None:
    """`compare_cracks` of a probability map (H, W) at a threshold with a mask (H, W) of 0 and 1.

    Specks of fewer than 4 pixels are no cracks, in either.  None where one of them has more than ``max_branches``, see
    `csbsr.measure.noise.check_branches`.
    """
    measured = partial(measure_cracks, min_pixels=_SPECK, max_branches=max_branches)
    try:
        predicted = measured(segmentation, min(max(threshold, 1e-6), 1 - 1e-6))
        return compare_cracks(predicted, measured(mask > 0.5))
    except TooNoisyError:
        return None


def summary(comparisons: Iterable[Comparison | None]) -> dict[str, float]:
    """The numbers of `DEFINITIONS` over all images; NaN where there is nothing to compare, None for noise."""
    every = list(comparisons)
    parts = [part for part in every if part is not None]
    errors, ratios, found = (
        np.concatenate([np.empty(0), *(getattr(part, name) for part in parts)])
        for name in ("errors", "ratios", "found")
    )
    true, predicted = (sum(getattr(part, name) for part in parts) for name in ("true_length", "predicted_length"))
    nothing = float("nan")
    some = len(errors) > 0
    return {
        "width_bias": float(np.average(errors, weights=found)) if some else nothing,
        "width_mae": float(np.average(np.abs(errors), weights=found)) if some else nothing,
        "width_error_90": weighted_percentile(np.abs(errors), found, _PERCENTILE) if some else nothing,
        "width_ratio": weighted_percentile(ratios, found, 50) if some else nothing,
        "length_found": float(found.sum()) / true if true > 0 else nothing,
        "length_false": sum(part.false_length for part in parts) / predicted if predicted > 0 else nothing,
        "unmeasured": float(len(every) - len(parts)),
    }


class _Points(NamedTuple):
    places: np.ndarray  #: (n, 2)
    widths: np.ndarray  #: (n,)
    lengths: np.ndarray  #: (n,) that each stands for


def _lines(measurement: Measurement) -> tuple[_Points, np.ndarray]:
    """All points of all centrelines, and the number of each one's crack."""
    every = [(number, line) for number, crack in enumerate(measurement.cracks) for line in crack.centrelines]
    if not every:
        return _Points(np.empty((0, 2)), np.empty(0), np.empty(0)), np.empty(0, int)
    places = np.concatenate([line.points for _, line in every])
    widths = np.concatenate([line.widths for _, line in every])
    lengths = np.concatenate([_shares(line.spacing, len(line.points)) for _, line in every])
    owner = np.concatenate([np.full(len(line.points), number) for number, line in every])
    return _Points(places, widths, lengths), owner


def _shares(spacing: float, count: int) -> np.ndarray:
    lengths = np.full(count, spacing)
    lengths[[0, -1]] /= 2
    return lengths


def _beside(points: _Points, others: _Points) -> tuple[np.ndarray, np.ndarray]:
    """Whether each point has one of the others beside it, and the number of the nearest."""
    if not len(points.places) or not len(others.places):
        return np.zeros(len(points.places), bool), np.zeros(len(points.places), int)
    distances, nearest = cKDTree(others.places).query(points.places)
    reach = NEAR + np.maximum(points.widths, others.widths[nearest]) / 2
    return distances <= reach, nearest


def rows_with(
    rows: Sequence[dict[str, float | str]], found: Mapping[str, Comparison | None]
) -> list[dict[str, float | str]]:
    """Rows of images, by ``name``, with the numbers of `DEFINITIONS` of each at the end."""
    return [{**row, **summary([found[str(row["name"])]] if str(row["name"]) in found else [])} for row in rows]
