"""Measure every crack of a probability map or mask: length, width, area, density, orientation, branches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from csbsr.measure.centreline import Centreline, straight_centrelines, trace_centrelines
from csbsr.measure.intervals import NORMAL
from csbsr.measure.noise import check_branches
from csbsr.measure.patches import Patches
from csbsr.measure.ragged import starts_of, taken
from csbsr.measure.results import Crack, Measurement, axial_mean, weighted_percentile, width_samples
from csbsr.measure.skeleton import Branch, branches_of_each
from csbsr.measure.thinning import thin
from csbsr.measure.width import BAND, coverage, coverage_of_one

_MOVE = 0.1  # of probability, by which a threshold may be another
_TOGETHER = 1_000_000  # pixels of the patches of cracks that are measured together


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
    spread: np.ndarray | None = None,
    max_branches: int | None = None,
) -> Measurement:
    """Measure every crack of one image.

    Strokes that cross at less than 45 degrees share a stretch, which is counted once.

    Each crack is measured in its own bounding box, many of them together.  Beside the input, memory is about 14 bytes
    a pixel of the image, whatever it shows.

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
        spread: (H, W) float, standard deviation of the probability, e.g. over flips; it widens the intervals.  None if
            it is not known.
        max_branches: of the skeletons, spurs included, in up to 4 megapixels, in proportion in larger images; None for
            no limit.

    Raises:
        csbsr.measure.TooNoisyError: there are more branches.
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
    if spread is not None and spread.shape != segmentation.shape:
        raise ValueError(f"spread: expected {segmentation.shape}, as the segmentation, got {spread.shape}")
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
    skeleton = thin(mask)
    skeleton &= (boxes[:, cv2.CC_STAT_AREA] >= min_pixels)[labels]
    check_branches(skeleton, max_branches)
    image = _Image(segmentation, labels, boxes, coverage(segmentation, mask, threshold), threshold, outside, spread)
    pixels = _skeleton_pixels(skeleton, mask, labels, len(boxes))
    numbers = np.flatnonzero(boxes[1:, cv2.CC_STAT_AREA] >= min_pixels) + 1
    numbers = numbers[np.lexsort((boxes[numbers, cv2.CC_STAT_LEFT], boxes[numbers, cv2.CC_STAT_TOP]))]
    found: dict[int, Crack] = {}
    for batch in _batches(numbers, boxes):
        cuts = [_cut(image, label) for label in batch]
        for cut, lines in zip(cuts, _centrelines(image, cuts, pixels, spur), strict=True):
            found[cut.label] = _crack(cut, lines, percentile, size)
    cracks = tuple(replace(found[label], number=k + 1) for k, label in enumerate(numbers.tolist()))
    per_pixel = None if gsd_mm is None else float(gsd_mm) / scale
    known_within = 0.0 if gsd_mm is None else getattr(gsd_mm, "uncertainty", 0.0) / gsd_mm
    return Measurement(cracks, mask.shape, threshold, percentile, per_pixel, known_within)


class _Image(NamedTuple):
    """An image with its cracks told apart."""

    segmentation: np.ndarray  #: (H, W)
    labels: np.ndarray  #: (H, W) number of the crack, 0 for none
    boxes: np.ndarray  #: (cracks + 1, 5) as OpenCV gives them
    cover: np.ndarray  #: (H, W) of all cracks
    threshold: float
    outside: np.ndarray | None  #: (H, W) bool, what does not count and what is next to it
    spread: np.ndarray | None  #: (H, W) standard deviation of the probability


class _Cut(NamedTuple):
    """One crack cut out of its image."""

    label: int
    part: tuple[slice, slice]  #: of the image
    box: tuple[int, int, int, int]
    pixels: int
    cover: np.ndarray  #: (h, w) its own
    area: float
    edge: float  #: square pixels, see `_edge`
    touches_border: bool

    @property
    def origin(self) -> np.ndarray:
        """x and y of its first pixel in the image."""
        return np.array([self.part[1].start, self.part[0].start])


def _cut(image: _Image, label: int) -> _Cut:
    x, y, width, height, pixels = image.boxes[label].tolist()
    part = (slice(max(y - BAND, 0), y + height + BAND), slice(max(x - BAND, 0), x + width + BAND))
    own = image.labels[part] == label
    cover = coverage_of_one(image.cover[part], own, image.labels[part] == 0)
    at_side = x == 0 or y == 0 or x + width == image.labels.shape[1] or y + height == image.labels.shape[0]
    return _Cut(
        label=label,
        part=part,
        box=(x, y, x + width, y + height),
        pixels=pixels,
        cover=cover,
        area=float(cover.sum(dtype=np.float64)),
        edge=_edge(image, part, label),
        touches_border=at_side or (image.outside is not None and bool((image.outside[part] & own).any())),
    )


def _crack(cut: _Cut, lines: list[Centreline], percentile: float, size: int) -> Crack:
    """What is measured of a crack; its number comes later.  ``size``: pixels of the image that count."""
    length = sum(line.length for line in lines)
    lines, widths = _widths(lines, cut.area, percentile)
    return Crack(
        number=0,
        pixels=cut.pixels,
        area=cut.area,
        length=length,
        width_mean=widths[0],
        width_max=widths[1],
        width_percentile=widths[2],
        density=cut.area / size,
        orientation=axial_mean(lines),
        box=cut.box,
        branches=len(lines),
        touches_border=cut.touches_border,
        centrelines=tuple(replace(line, points=line.points + cut.origin) for line in lines),
        edge=cut.edge / max(length, 1.0),
    )


def _batches(numbers: np.ndarray, boxes: np.ndarray) -> Iterator[list[int]]:
    """The cracks in groups whose patches, one below the other, cover about `_TOGETHER` pixels, or alone."""
    batch: list[int] = []
    rows = 0
    for label in numbers[np.argsort(boxes[numbers, cv2.CC_STAT_WIDTH], kind="stable")].tolist():
        height, width = (int(boxes[label, stat]) + 2 * BAND + 2 for stat in (cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH))
        if batch and (rows + height) * width > _TOGETHER:
            yield batch
            batch, rows = [], 0
        batch.append(label)
        rows += height
    if batch:
        yield batch


def _edge(image: _Image, part: tuple[slice, slice], label: int) -> float:
    """Square pixels by which a crack grows or shrinks: the threshold moves by `_MOVE` either way, and the probability
    by what a spread of it makes likely, all along the crack at once."""
    if image.segmentation.dtype == bool:
        return 0.0
    labels = image.labels[part]
    near = cv2.dilate((labels == label).view(np.uint8), np.ones((3, 3), np.uint8), iterations=BAND).view(bool)
    near &= (labels == label) | (labels == 0)
    off = np.abs(image.segmentation[part][near] - image.threshold)
    moved = float(np.count_nonzero(off < _MOVE)) / 2
    if image.spread is None:
        return moved
    return math.hypot(moved, float(np.count_nonzero(off < NORMAL * image.spread[part][near])) / 2)


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


class _Pixels(NamedTuple):
    """Pixels of skeletons, crack by crack, each in reading order."""

    rows: np.ndarray
    columns: np.ndarray
    radius: np.ndarray  #: half the crack's width
    starts: np.ndarray  #: by the number of the crack, see `csbsr.measure.ragged`


def _skeleton_pixels(skeleton: np.ndarray, mask: np.ndarray, labels: np.ndarray, count: int) -> _Pixels:
    rows, columns = np.nonzero(skeleton)
    # Cracks are one pixel of background apart at least, so each one's distances are those of all of them together.
    distance = cv2.distanceTransform(np.pad(mask, 1).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    radius = distance[rows + 1, columns + 1] - 0.5
    owner = labels[rows, columns]
    order = np.argsort(owner, kind="stable")
    return _Pixels(rows[order], columns[order], radius[order], starts_of(np.bincount(owner, minlength=count)))


def _centrelines(image: _Image, cuts: Sequence[_Cut], pixels: _Pixels, spur: float) -> list[list[Centreline]]:
    """The centrelines of each crack, in the pixels of its cut."""
    origins = np.stack([cut.origin for cut in cuts])
    entries, starts = taken(pixels.starts, np.array([cut.label for cut in cuts]))
    left, top = np.repeat(origins, np.diff(starts), axis=0).T
    branches = branches_of_each(
        pixels.rows[entries] - top, pixels.columns[entries] - left, pixels.radius[entries], starts, spur
    )
    kept = [[branch for branch in own if branch.length > 0] for own in branches]
    compact = np.flatnonzero([_is_compact(own) for own in kept])
    for number in compact.tolist():
        kept[number] = []
    cover = Patches([cut.cover for cut in cuts])
    of_crack = np.repeat(np.arange(len(cuts)), [len(own) for own in kept])
    lines: list[list[Centreline]] = [[] for _ in cuts]
    traced = trace_centrelines([branch for own in kept for branch in own], of_crack, cover)
    for number, line in zip(of_crack.tolist(), traced, strict=True):
        lines[number].append(line)
    axes = [_axis(image.labels[cuts[number].part] == cuts[number].label) for number in compact.tolist()]
    centre, direction = (np.array([axis[k] for axis in axes]).reshape(-1, 2) for k in (0, 1))
    reach = np.array([math.hypot(*cuts[number].cover.shape) for number in compact.tolist()])
    area = np.array([cuts[number].area for number in compact.tolist()])
    straight = straight_centrelines(centre, direction, reach, area, compact, cover)
    for number, line in zip(compact.tolist(), straight, strict=True):
        lines[number].append(line)
    return lines


def _is_compact(branches: Sequence[Branch]) -> bool:
    """Whether a crack is less than about twice as long as wide."""
    one = len(branches) == 1 and not branches[0].closed
    return not branches or (one and branches[0].length <= 2 * branches[0].radius.max() + 1)


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


def _axis(crack: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A pixel in the middle of a compact crack (h, w) bool, x and y, and the direction of its longer axis."""
    moments = cv2.moments(crack.view(np.uint8), binaryImage=True)
    centre = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    if not crack[tuple(np.rint(centre[::-1]).astype(int))]:  # a bent crack may lie around its centre of mass
        places = np.argwhere(crack)[:, ::-1]
        centre = places[np.argmin(np.hypot(*(places - centre).T))].astype(np.float64)
    angle = 0.5 * math.atan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"])
    return centre, np.array([math.cos(angle), math.sin(angle)])
