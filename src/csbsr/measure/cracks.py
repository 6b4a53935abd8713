"""Measure every crack of a probability map or mask: length, width, area, density, orientation, branches."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from csbsr.measure.centreline import Centreline, straight_centreline, trace_centreline
from csbsr.measure.results import Crack, Measurement, axial_mean, weighted_percentile, width_samples
from csbsr.measure.skeleton import Branch, skeleton_branches
from csbsr.measure.thinning import thin
from csbsr.measure.width import BAND, coverage, coverage_of_one

_MOVE = 0.1  # of probability, by which a threshold may be another


def measure_cracks(
    segmentation: np.ndarray,
    threshold: float = 0.5,
    *,
    gsd_mm: float | None = None,
    scale: float = 1,
    percentile: float = 95,
    min_pixels: float = 1,
    spur: float = 2.0,
    hole: int = 16,
    valid: np.ndarray | None = None,
) -> Measurement:
    """Measure every crack of one image.

    Strokes that cross at less than 45 degrees share a stretch, which is counted once.

    Each crack is measured in its own bounding box.  Beside the input, memory is about 14 bytes a pixel of the image,
    whatever it shows.

    Args:
        segmentation: (H, W), probability in [0, 1] (any float type) or bool.
        threshold: at and above which a probability is crack; between 0 and 1, exclusive.  No matter for bool.
        gsd_mm: ground sampling distance, millimetres to a pixel of the photograph, if it has one with its uncertainty,
            see `csbsr.measure.GroundSampling`; without it there are no millimetres.
        scale: pixels of the measured image to one of the photograph, along a side: the super-resolution's scale if
            its result is measured, 1 for the photograph itself.
        percentile: of the width, 0 to 100.
        min_pixels: cracks of fewer pixels are left out.
        spur: pixels by which a side branch must clear the crack to count, see `skeleton_branches`.
        hole: holes of up to this many pixels inside a crack are noise and closed.
        valid: (H, W) bool, what of the image counts; None for all.  Elsewhere there is no crack and no area, and a
            crack that ends there reaches the border.

    Raises:
        ValueError: an argument out of its range, a wrong shape or type, values outside [0, 1].
    """
    segmentation = _checked(segmentation)
    for name, value, low, high in (
        ("threshold", threshold, 0, 1),
        ("gsd_mm", gsd_mm, 0, np.inf),
        ("scale", scale, 0, np.inf),
    ):
        if value is not None and not low < value < high:
            raise ValueError(f"{name}: expected a number between {low} and {high}, both exclusive, got {value!r}")
    if not 0 <= percentile <= 100:
        raise ValueError(f"percentile: expected 0 to 100, got {percentile!r}")
    for name, value in (("min_pixels", min_pixels), ("spur", spur), ("hole", hole)):
        if not value >= 0:
            raise ValueError(f"{name}: expected 0 or more, got {value!r}")
    size, outside = segmentation.size, None
    if valid is not None:
        if valid.shape != segmentation.shape or valid.dtype != bool:
            raise ValueError(f"valid: expected bool {segmentation.shape}, got {valid.dtype} {valid.shape}")
        segmentation = np.where(valid, segmentation, segmentation.dtype.type(0))
        size, outside = max(1, int(np.count_nonzero(valid))), _grown(~valid)
    mask = _without_holes(segmentation if segmentation.dtype == bool else segmentation >= threshold, hole)
    if valid is not None:
        mask &= valid
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    skeletons = _skeletons(mask, labels, len(boxes))
    cover = coverage(segmentation, mask, threshold)
    cracks: list[Crack] = []
    for label in np.lexsort((boxes[1:, cv2.CC_STAT_LEFT], boxes[1:, cv2.CC_STAT_TOP])) + 1:
        if boxes[label, cv2.CC_STAT_AREA] < min_pixels:
            continue
        x, y, width, height, pixels = boxes[label].tolist()
        part = (slice(max(y - BAND, 0), y + height + BAND), slice(max(x - BAND, 0), x + width + BAND))
        own = labels[part] == label
        own_cover = coverage_of_one(cover[part], own, labels[part] == 0)
        origin = np.array([part[1].start, part[0].start])
        rows, columns, radius = skeletons[label]
        branches = skeleton_branches(rows - origin[1], columns - origin[0], radius, spur)
        lines = _centrelines(branches, own, own_cover)
        area = float(own_cover.sum(dtype=np.float64))
        length = sum(line.length for line in lines)
        lines, widths = _widths(lines, area, percentile)
        cracks.append(
            Crack(
                number=len(cracks) + 1,
                pixels=pixels,
                area=area,
                length=length,
                width_mean=widths[0],
                width_max=widths[1],
                width_percentile=widths[2],
                density=area / size,
                orientation=axial_mean(lines),
                box=(x, y, x + width, y + height),
                branches=len(lines),
                touches_border=x == 0
                or y == 0
                or x + width == mask.shape[1]
                or y + height == mask.shape[0]
                or (outside is not None and bool((outside[part] & own).any())),
                centrelines=tuple(replace(line, points=line.points + origin) for line in lines),
                edge=_edge(segmentation[part], labels[part], label, threshold) / max(length, 1.0),
            )
        )
    per_pixel = None if gsd_mm is None else float(gsd_mm) / scale
    known_within = 0.0 if gsd_mm is None else getattr(gsd_mm, "uncertainty", 0.0) / gsd_mm
    return Measurement(tuple(cracks), mask.shape, threshold, percentile, per_pixel, known_within)


def _edge(segmentation: np.ndarray, labels: np.ndarray, label: int, threshold: float) -> float:
    """Square pixels by which a crack grows or shrinks while the threshold moves by `_MOVE` either way."""
    if segmentation.dtype == bool:
        return 0.0
    near = cv2.dilate((labels == label).view(np.uint8), np.ones((3, 3), np.uint8), iterations=BAND).view(bool)
    near &= (labels == label) | (labels == 0)
    values = segmentation[near]
    return float(np.count_nonzero(np.abs(values - threshold) < _MOVE)) / 2


def _grown(mask: np.ndarray) -> np.ndarray:
    """A mask (H, W) bool with its neighbours."""
    return np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _checked(segmentation: np.ndarray) -> np.ndarray:
    segmentation = np.ascontiguousarray(segmentation)
    if segmentation.ndim != 2 or segmentation.size == 0:
        raise ValueError(
            f"segmentation: expected (H, W) of at least one pixel, got {segmentation.shape}; hand in one image"
        )
    if segmentation.dtype == bool:
        return segmentation
    if not np.issubdtype(segmentation.dtype, np.floating):
        raise ValueError(
            f"segmentation: expected bool or floats in [0, 1], got {segmentation.dtype}; of a mask take mask > 127"
        )
    low, high = segmentation.min(), segmentation.max()
    if not (low >= 0 and high <= 1):  # NaN too
        raise ValueError(
            f"segmentation: expected probabilities in [0, 1], got {low} to {high}; apply the sigmoid first"
        )
    return segmentation


def _without_holes(mask: np.ndarray, hole: int) -> np.ndarray:
    outside = np.pad(~mask, 1, constant_values=True).view(np.uint8)  # what reaches the border is no hole
    _, parts, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4, ltype=cv2.CV_32S)
    small = stats[:, cv2.CC_STAT_AREA] <= hole
    small[0] = small[parts[0, 0]] = False
    return mask | small[parts[1:-1, 1:-1]] if small.any() else mask


def _skeletons(mask: np.ndarray, labels: np.ndarray, count: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each label rows and columns of its skeleton in reading order, and half the crack's width there."""
    rows, columns = np.nonzero(thin(mask))
    # Cracks are one pixel of background apart at least, so each one's distances are those of all of them together.
    distance = cv2.distanceTransform(np.pad(mask, 1).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    radius = distance[rows + 1, columns + 1] - 0.5
    owner = labels[rows, columns]
    order = np.argsort(owner, kind="stable")
    ends = np.cumsum(np.bincount(owner, minlength=count))[:-1]
    return list(zip(*(np.split(values[order], ends) for values in (rows, columns, radius)), strict=True))


def _centrelines(branches: list[Branch], own: np.ndarray, cover: np.ndarray) -> list[Centreline]:
    branches = [branch for branch in branches if branch.length > 0]
    one = len(branches) == 1 and not branches[0].closed
    if not branches or (one and branches[0].length <= 2 * branches[0].radius.max() + 1):
        return [_compact(own, cover)]
    return [trace_centreline(branch, cover) for branch in branches]


def _widths(
    lines: list[Centreline], area: float, percentile: float
) -> tuple[list[Centreline], tuple[float, float, float]]:
    """The lines as they are reported, and their mean, maximum and percentile width.

    On a crack shorter than five widths, or whose clear parts are less than half of its length, as between many
    junctions, the mean is area over length.  Where the clear parts hold less than half of its area, as with a wide
    breach, they do not speak for it at all, and the maximum and the percentile are those of the whole of the lines.
    """
    length = sum(line.length for line in lines)
    if sum(float(line.widths[line.clear].sum()) * line.spacing for line in lines) < area / 2:
        lines = [replace(line, clear=np.zeros_like(line.clear), widths=line.profile) for line in lines]
    widths, weights = width_samples(lines)
    clear = sum(float(line.clear.sum()) * line.spacing for line in lines)
    whole = length < 5 * area / length or clear < length / 2
    mean = area / length if whole else float(np.average(widths, weights=weights))
    return lines, (mean, max(mean, float(widths.max())), weighted_percentile(widths, weights, percentile))


def _compact(crack: np.ndarray, cover: np.ndarray) -> Centreline:
    """A crack less than about twice as long as wide: the line through its middle along its longer axis."""
    moments = cv2.moments(crack.view(np.uint8), binaryImage=True)
    centre = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    if not crack[tuple(np.rint(centre[::-1]).astype(int))]:  # a bent crack may lie around its centre of mass
        places = np.argwhere(crack)[:, ::-1]
        centre = places[np.argmin(np.hypot(*(places - centre).T))].astype(np.float64)
    angle = 0.5 * math.atan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"])
    direction = np.array([math.cos(angle), math.sin(angle)])
    return straight_centreline(centre, direction, math.hypot(*crack.shape), cover)
