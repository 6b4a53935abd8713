"""Surface distances in plain form, one threshold at a time: from the definition, or by DeepMind's package.

Written from the definition alone, with scipy's distance transform and no thought for speed.
"""

import importlib.util

import numpy as np
from scipy import ndimage

THRESHOLDS = [step / 100 for step in range(1, 100)]
#: Length of the outline near a corner, by the bits top left (8), top right (4), bottom left (2), bottom right (1).
LENGTHS = {code: np.sqrt(2) / 2 for code in (1, 2, 4, 7, 8, 11, 13, 14)} | dict.fromkeys((3, 5, 10, 12), 1.0)
LENGTHS |= dict.fromkeys((6, 9), np.sqrt(2))

#: Whether DeepMind's `surface-distance` is installed; `plain_surface_distances` then calls it.
PACKAGE = importlib.util.find_spec("surface_distance") is not None


def surface(mask):
    """Length of outline at every corner of the padded mask: (H, W) bool to (H + 1, W + 1), 0 where there is none."""
    p = np.pad(mask, 1).astype(int)
    codes = 8 * p[:-1, :-1] + 4 * p[:-1, 1:] + 2 * p[1:, :-1] + p[1:, 1:]
    return np.array([LENGTHS.get(code, 0.0) for code in range(16)])[codes]


def surface_distances(prediction, mask, percentiles=(95,)):
    """Hausdorff distances at the percentiles, and the mean surface distance, of two masks (H, W)."""
    if not prediction.any() or not mask.any():
        distance = 0.0 if prediction.any() == mask.any() else float(mask.shape[1])
        return [distance] * len(percentiles), distance
    a, b = surface(prediction), surface(mask)
    hausdorff, means = np.zeros(len(percentiles)), []
    for from_, to in ((a, b), (b, a)):
        distances = ndimage.distance_transform_edt(to == 0)[from_ > 0]
        lengths = from_[from_ > 0]
        order = np.lexsort((lengths, distances))
        distances, lengths = distances[order], lengths[order]
        reached = np.cumsum(lengths) / np.sum(lengths)
        first = [min(np.sum(reached < p / 100), len(reached) - 1) for p in percentiles]
        hausdorff = np.maximum(hausdorff, distances[first])
        means.append(np.sum(distances * lengths) / np.sum(lengths))
    return hausdorff.tolist(), np.mean(means)


def package_surface_distances(prediction, mask, percentiles=(95,)):
    """The same by DeepMind's package."""
    if not prediction.any() or not mask.any():
        return surface_distances(prediction, mask, percentiles)
    vars(np).setdefault("Inf", np.inf)  # its release 0.1 was written before NumPy 2
    import surface_distance

    distances = surface_distance.compute_surface_distances(mask, prediction, (1, 1))
    hausdorff = [surface_distance.compute_robust_hausdorff(distances, p) for p in percentiles]
    return hausdorff, np.mean(surface_distance.compute_average_surface_distance(distances))


def plain_surface_distances(probabilities, mask, percentiles=(95,), package=PACKAGE):
    """All 99 thresholds, each by itself: (len(percentiles), 99) and (99,) float64.

    ``probabilities`` (H, W) and ``mask`` (H, W) bool are numpy arrays; ``package`` says who computes: DeepMind's
    package or the definition above.
    """
    function = package_surface_distances if package else surface_distances
    values = [function(probabilities > probabilities.dtype.type(t), mask, percentiles) for t in THRESHOLDS]
    return np.transpose([hausdorff for hausdorff, _ in values]), np.array([mean for _, mean in values])
