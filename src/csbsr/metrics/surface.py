"""Hausdorff and mean surface distance of a probability map and a mask at 99 thresholds.

Surfaces lie on the corners between pixels (one background pixel is added on every side): a corner belongs to the
surface if its four pixels are neither all crack nor all background, and it carries the length of outline near it::

    one pixel differs     √2/2   (codes 1, 2, 4, 7, 8, 11, 13, 14)
    two side by side      1      (3, 5, 10, 12)
    two across            √2     (6, 9)

All thresholds come cheaply because rising thresholds give nested masks.  With the level of a pixel (the number of
thresholds below its probability), ``low`` and ``high`` the least and the largest level of the four pixels of a corner,
the corner is inside the prediction at the thresholds 0 … low − 1, surface at low … high − 1, outside from high on.
Seen from a corner outside, the prediction only recedes while the threshold rises: the nearest surface corner c stays
the nearest until the threshold reaches its own ``high``, and only then needs looking up again.  Seen from a corner
inside, the background only recedes while the threshold falls: the same rule with the levels upside down.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import cKDTree
from torch import Tensor

from csbsr.metrics.overlap import above, levels_and_mask
from csbsr.metrics.thresholds import THRESHOLDS

# Length by code, as a class: 0 for √2/2, 1 for 1, 2 for √2. Codes 0 and 15 are no surface.
_CLASS = np.array([0, 0, 0, 1, 0, 1, 2, 0, 0, 2, 1, 0, 1, 0, 0, 0])
_LENGTHS = np.array([0.5 * np.sqrt(2), 1.0, np.sqrt(2)])

# cv2's transform is float32: the rounded square of a distance is exact as long as the square stays below this.
_EXACT_SQUARE = 2**22
# Above one surface corner in this many, a distance transform of the whole image is cheaper than a tree.
_DENSE = 8
# Trees of more corners than this are built twice rather than kept, so that memory stays bounded.
_KEPT = 2**16


def surface_distance_by_threshold(
    segmentation: Tensor, mask: Tensor, percentile: float | Sequence[float] = 95
) -> tuple[Tensor, Tensor]:
    """Hausdorff distance at a percentile, and mean surface distance, in pixels, at the 99 thresholds.

    Every surface corner of one mask has the Euclidean distance to the nearest surface corner of the other, weighted by
    its length.  Percentile P of one direction: sorted by distance, the first entry at which the summed length reaches
    P % of the total, not interpolated; the larger direction is the Hausdorff distance.  The mean surface distance is
    the mean of the two weighted directional means.  Both masks empty: 0; one empty: the image width W.

    Args:
        segmentation: (B, 1, H, W) probabilities; binarised as p > τ.
        mask: (B, 1, H, W) in {0, 1}.
        percentile: P in (0, 100], or several of them, which then cost no further pass.

    Returns:
        Hausdorff distance (B, 99), or (P, B, 99) for a sequence of P percentiles, and mean surface distance (B, 99);
        float64 on the CPU.

    Raises:
        ValueError: a percentile outside (0, 100], or see `levels_and_mask`.

    Source: the 2-D surface elements of DeepMind's surface-distance, with which Kondo & Ukita 2024 evaluate.
    """
    single = not isinstance(percentile, Sequence)
    percentiles: list[float] = list(percentile) if isinstance(percentile, Sequence) else [percentile]
    if not percentiles or not all(0 < p <= 100 for p in percentiles):
        raise ValueError(f"percentile: expected numbers above 0 and up to 100, got {percentile}; e.g. 95")
    pairs = zip(*levels_and_mask(segmentation, mask), strict=True)
    result = torch.from_numpy(np.stack([_one_image(levels, target, percentiles) for levels, target in pairs], 1))
    return result[0] if single else result[:-1], result[-1]


def _one_image(levels: np.ndarray, mask: np.ndarray, percentiles: Sequence[float]) -> np.ndarray:
    """(len(percentiles) + 1, 99): the Hausdorff distances, then the mean surface distance."""
    count, width = len(THRESHOLDS), mask.shape[1]
    filled = int(levels.max())  # the prediction is empty from this threshold on
    result = np.full((len(percentiles) + 1, count), float(width))
    if not mask.any():
        result[:, filled:] = 0
        return result
    rows, columns = _span(mask | (levels > 0))
    levels, mask = levels[rows, columns], mask[rows, columns]
    present = np.bincount(levels.ravel(), minlength=count + 1) > 0
    # Without a pixel of level j the mask at threshold j equals the one before.
    distinct = [j for j in range(filled) if j == 0 or present[j]]
    surfaces = _Surfaces(levels, mask)
    for start in distinct:
        result[:, start:filled] = np.array(surfaces.distances(start, percentiles))[:, None]
    return result


class _Elements:
    """Surface elements of one mask with their distance to the other's surface."""

    def __init__(self, squares: np.ndarray, codes: np.ndarray) -> None:
        # One sort of whole numbers orders by distance, then by length. The order within equal distances and the
        # rounded sums below matter where a cumulative length is exactly P %: there they decide as the package does.
        keys = np.sort(squares.astype(np.int64) * 4 + _CLASS[codes])
        self.distances, self.lengths = np.sqrt(keys >> 2), _LENGTHS[keys & 3]
        self.total = np.sum(self.lengths)

    def percentiles(self, percentiles: Sequence[float]) -> list[float]:
        reached = np.cumsum(self.lengths) / self.total
        positions = np.searchsorted(reached, [p / 100 for p in percentiles])
        return self.distances[np.minimum(positions, len(reached) - 1)].tolist()

    def mean(self) -> float:
        return float(np.sum(self.distances * self.lengths) / self.total)


class _Surfaces:
    """Both surfaces of one image, with every distance between them that any threshold needs."""

    def __init__(self, levels: np.ndarray, mask: np.ndarray) -> None:
        around_mask = _around_corners(mask.view(np.uint8))
        mask_surface = (around_mask.min(0) < around_mask.max(0)).view(np.uint8)
        mask_points = np.nonzero(mask_surface)
        self.mask_codes = _codes(around_mask[:, mask_points[0], mask_points[1]] > 0)

        around = _around_corners(levels)
        low, high = around.min(0), around.max(0)
        rows, columns = np.nonzero(low < high)  # surface at some threshold
        order = np.argsort(~high[rows, columns], kind="stable")  # falling: high > j is a leading part
        points = rows[order], columns[order]
        self.around, self.low, self.high = around[:, points[0], points[1]], low[points], high[points]
        self.alive = above(self.high)
        self.squares_to_mask = _squared_distances(1 - mask_surface, points)

        self.shape = low.shape
        self.positions = np.stack(points, 1)
        self.targets = np.stack(mask_points, 1)
        self.trees: dict[int, cKDTree] = {}
        # Each sweep has a clock that rises along it: the threshold j while that rises, −1 − j while it falls, so that
        # j < low, which is when a corner is inside, reads −low ≤ clock.
        rising = range(len(THRESHOLDS))
        outside = (rising, self.high, high[mask_points])
        inside = (rising[::-1], -self.low.astype(np.int8), -low[mask_points].astype(np.int8))
        # A target is outside at some thresholds, inside at others, and its entry in the other sweep is 0 there.
        self.squares_to_prediction = self._sweep(*outside) + self._sweep(*inside)

    def surface(self, threshold: int) -> np.ndarray:
        """Which of the corners are surface at the threshold of this number."""
        return np.flatnonzero(self.low[: self.alive[threshold]] <= threshold)

    def distances(self, threshold: int, percentiles: Sequence[float]) -> list[float]:
        """Hausdorff distances and the mean surface distance at the threshold of this number."""
        surface = self.surface(threshold)
        predicted = _Elements(self.squares_to_mask[surface], _codes(self.around[:, surface] > threshold))
        expected = _Elements(self.squares_to_prediction[threshold], self.mask_codes)
        both = zip(predicted.percentiles(percentiles), expected.percentiles(percentiles), strict=True)
        return [*(max(pair) for pair in both), (predicted.mean() + expected.mean()) / 2]

    def _tree(self, threshold: int, surface: np.ndarray) -> cKDTree:
        tree = self.trees.get(threshold)
        if tree is None:
            tree = cKDTree(self.positions[surface], leafsize=32, compact_nodes=False, balanced_tree=False)
            if len(surface) <= _KEPT:  # the other sweep comes by here too
                self.trees[threshold] = tree
        return tree

    def _sweep(self, thresholds: range, ends: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Squared distances (99, N) int32 from the mask's surface to the prediction's, as far as they lie on one side.

        ``thresholds`` rises for the targets outside and falls for those inside; a target lies on that side from the
        clock ``start`` on, and a corner of the prediction is surface up to the clock ``ends``.
        """
        squares = np.zeros((len(thresholds), len(self.targets)), np.int32)
        until, current = start.copy(), squares[0].copy()
        for threshold in thresholds:
            clock = threshold if thresholds.step > 0 else -1 - threshold
            due = np.flatnonzero(until <= clock)
            surface = self.surface(threshold) if len(due) else due
            if len(surface) * _DENSE > self.shape[0] * self.shape[1]:
                elsewhere = np.ones(self.shape, np.uint8)
                elsewhere[tuple(self.positions[surface].T)] = 0
                current[due] = _squared_distances(elsewhere, tuple(self.targets[due].T))
                until[due] = clock + 1
            elif len(surface):
                distances, nearest = self._tree(threshold, surface).query(self.targets[due])
                current[due] = np.rint(np.square(distances))
                until[due] = ends[surface[nearest]]
            squares[threshold] = current
        return squares


def _around_corners(image: np.ndarray) -> np.ndarray:
    """(H, W) to (4, H + 1, W + 1): the pixels top left, top right, bottom left, bottom right of every corner."""
    padded = np.pad(image, 1)
    return np.stack([padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]])


def _codes(inside: np.ndarray) -> np.ndarray:
    """(4, N) bool, in the order of `_around_corners`, to 8·TL + 4·TR + 2·BL + BR."""
    inside = inside.view(np.uint8)
    return 8 * inside[0] + 4 * inside[1] + 2 * inside[2] + inside[3]


def _span(inside: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the bounding box of the True entries, of which there is at least one."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _squared_distances(elsewhere: np.ndarray, points: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Squared distance from the points (rows, columns) to the nearest 0 of ``elsewhere`` (uint8), exact, int64."""
    if sum((side - 1) ** 2 for side in elsewhere.shape) < _EXACT_SQUARE:
        distances = cv2.distanceTransform(elsewhere, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    else:
        distances = ndimage.distance_transform_edt(elsewhere)
    return np.rint(np.square(distances[points], dtype=np.float64)).astype(np.int64)
