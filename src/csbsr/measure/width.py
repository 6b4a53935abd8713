"""Sub-pixel width of a crack across its centreline, from the probability map."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from csbsr.measure.patches import Patches

BAND = 2  # pixels on either side of the mask's edge in which the probability speaks
_RISE = 0.15  # of the coverage, beyond the lowest so far: the next strand
_STEP = 0.5  # pixels between samples across the crack
_DISC = (np.hypot(*np.mgrid[-BAND : BAND + 1, -BAND : BAND + 1]) < BAND + 0.5).astype(np.uint8)  # OpenCV's is not round
_CHUNK = 1_000_000  # samples held at a time


def coverage(segmentation: np.ndarray, mask: np.ndarray, threshold: float) -> np.ndarray:
    """How much of each pixel cracks cover, from 0 to 1: its sum is their area.

    Within `BAND` pixels of the edge of the mask the probability p is read as coverage by the ramp
    ``clip((p - t) / (2 m) + 1/2, 0, 1)``, m = 2 min(t, 1 - t)^2, which is p itself at t = 0.5 and puts the edge of a
    wide crack where p crosses the threshold t; it is the steeper the farther t is from 0.5, because there p is bent.
    Deeper inside the coverage is 1, farther outside 0; the two cuts mirror each other, so blur, noise and haze around
    the edge cancel instead of adding up over the width.

    Args:
        segmentation: (H, W) probability, or bool.
        mask: (H, W) bool, where it is crack.
        threshold: between 0 and 1, exclusive.

    Returns:
        (H, W) float32; from a bool segmentation the mask, as uint8.
    """
    pixels = mask.view(np.uint8)
    if segmentation.dtype == bool:
        return pixels
    deep = cv2.erode(pixels, _DISC, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    edge = cv2.dilate(pixels, _DISC, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    cv2.bitwise_xor(edge, deep, dst=edge)
    margin = 2 * min(threshold, 1.0 - threshold) ** 2
    result = deep.astype(np.float32)
    inside = edge.view(bool)
    result[inside] = np.clip((segmentation[inside].astype(np.float32) - threshold) / (2 * margin) + 0.5, 0, 1)
    return result


def coverage_of_one(cover: np.ndarray, crack: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The part of `coverage` that belongs to one crack: its own pixels and, `BAND` pixels around, the background's.

    Args:
        cover: (H, W), of all cracks.
        crack: (H, W) bool, the pixels of this one.
        background: (H, W) bool, the pixels of no crack.
    """
    if cover.dtype == np.uint8:
        return crack.view(np.uint8)
    near = cv2.dilate(crack.view(np.uint8), _DISC, borderType=cv2.BORDER_CONSTANT, borderValue=0).view(bool)
    near &= background
    near |= crack
    return np.where(near, cover, np.float32(0))


def widths_across(
    cover: Patches, patch: np.ndarray, points: np.ndarray, tangents: np.ndarray, reach: np.ndarray
) -> np.ndarray:
    """Width at points of centrelines: the coverage integrated along the normal.

    From the point outwards a profile is followed to where it leaves the crack.  From there on it may only fall, and it
    ends where it would rise again by more than noise: a second strand of the same crack beside this one is not added.

    Args:
        cover: coverage of each crack, see `coverage`.
        patch: (n,) number of the crack's patch.
        points: (n, 2), x and y in its pixels.
        tangents: (n, 2), directions of the centreline, of length 1.
        reach: (n,) pixels from the point that profiles reach, exclusive.

    Returns:
        (n,) float64, pixels.
    """
    normals = np.stack([-tangents[:, 1], tangents[:, 0]], axis=1)
    result = np.zeros(len(points))
    farthest_first = np.argsort(-reach, kind="stable")
    first = 0
    while first < len(points):
        distances = np.arange(_STEP / 2, reach[farthest_first[first]], _STEP)
        count = max(1, _CHUNK // distances.size)
        part = farthest_first[first : first + count]
        part = part[2 * reach[part] >= reach[part[0]]]  # those of wide cracks reach for themselves
        within = distances < reach[part, None]
        for side in (-1, 1):
            places = points[part, None] + side * normals[part, None] * distances[:, None]
            profile = cover.sample(patch[part], places)
            left = np.maximum.accumulate((profile < 0.5) & (distances > 1), axis=1)
            falling = np.minimum.accumulate(np.where(left, profile, np.inf), axis=1)
            ended = np.maximum.accumulate(left & (profile > falling + _RISE), axis=1) | ~within
            result[part] += np.where(ended, 0, np.where(left, falling, profile)).sum(axis=1) * _STEP
        first += len(part)
    return result


def sample(cover: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Bilinear values of a map (H, W) at ``places`` (..., 2), x and y; the map goes on as zeros."""
    return map_coordinates(cover, (places[..., 1], places[..., 0]), output=np.float32, order=1, mode="grid-constant")
