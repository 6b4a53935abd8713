"""Intensity profiles of a photograph across centrelines, averaged along the crack where it is straight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from csbsr.measure.centreline import Centreline
from csbsr.measure.width import sample

#: Pixels of the photograph along a crack that are averaged into one profile.
ALONG = 5
_STRAIGHT = 0.26  # radians between the ends of a stretch, above which its middle alone stands for it
_REACH = 15  # samples on either side of the middle
_WIDE = 10.0  # pixels of rough width beyond which profiles reach farther


class Stretch(NamedTuple):
    """Profiles of one or more lines, n of them, each of a short stretch of a line.

    Attributes:
        values: (n, k) grey values across the line, a pixel of the photograph apart.
        line: (n,) number of its line.
        at: (n,) number of the line's point in its middle.
        angle: (n,) radians, direction of the profile, across the line.
        place: (n, 2) x and y in the photograph.
        rough: (n,) width in pixels of the photograph that the lines came with.
    """

    values: np.ndarray
    line: np.ndarray
    at: np.ndarray
    angle: np.ndarray
    place: np.ndarray
    rough: np.ndarray


def grey_levels(photograph: np.ndarray) -> np.ndarray:
    """Luminance (h, w) from 0 to 255 of (h, w, 3) or (h, w): uint8 of uint8, float32 of floats in [0, 1]."""
    photograph = np.asarray(photograph)
    if photograph.ndim not in (2, 3) or (photograph.ndim == 3 and photograph.shape[2] != 3):
        raise ValueError(f"photograph: expected (h, w, 3) or (h, w), got {photograph.shape}")
    grey = photograph if photograph.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(photograph), cv2.COLOR_RGB2GRAY)
    if grey.dtype == np.uint8:
        return grey
    if not np.issubdtype(grey.dtype, np.floating):
        raise ValueError(f"photograph: expected uint8 or floats in [0, 1], got {grey.dtype}")
    return grey.astype(np.float32) * np.float32(255)


def stretches(grey: np.ndarray, lines: Sequence[Centreline], scale: float) -> list[Stretch]:
    """Profiles across the clear parts of lines.

    Args:
        grey: (h, w), see `grey_levels`.
        lines: in the measured image.
        scale: pixels of the measured image to one of the photograph, along a side.

    Returns:
        Groups of profiles of one length; only of lines with a clear part, and of stretches whose profile lies in the
        photograph at least in its middle half.
    """
    groups: dict[int, list[Stretch]] = {}
    for number, line in enumerate(lines):
        if not line.clear.any():
            continue
        points = (line.points + 0.5) / scale - 0.5
        rough = line.widths / scale
        spacing = line.spacing / scale
        directions = _directions(points, max(1, round(2 / spacing)))
        per = max(1, round(ALONG / spacing))
        starts = np.flatnonzero(line.clear)[::per]
        middles = np.minimum(starts + per // 2, np.flatnonzero(line.clear)[-1])
        reach = _REACH * int(np.ceil(max(np.max(rough[middles]) / _WIDE, 1.0)))
        values = np.stack(
            [_across(grey, points, directions, middles + shift, middles, reach) for shift in _shifts(per, spacing)]
        )
        inside = np.isfinite(values[:, :, reach // 2 : -(reach // 2)]).all(axis=(0, 2))
        values = _filled(_mean(values[:, inside]))
        middles = middles[inside]
        if len(middles):
            across = np.arctan2(directions[middles, 0], -directions[middles, 1])  # the normal (-ty, tx)
            groups.setdefault(reach, []).append(
                Stretch(values, np.full(len(middles), number), middles, across, points[middles], rough[middles])
            )
    return [Stretch(*(np.concatenate(parts) for parts in zip(*group, strict=True))) for group in groups.values()]


def _shifts(per: int, spacing: float) -> list[int]:
    """Points before and after the middle that are averaged, about a pixel of the photograph apart."""
    step = max(1, round(1 / spacing))
    half = (per - 1) // 2 // step
    return [step * k for k in range(-half, half + 1)]


def _directions(points: np.ndarray, reach: int) -> np.ndarray:
    """(n, 2) tangents of length 1 over ``reach`` points either way."""
    places = np.arange(len(points))
    steps = points[np.minimum(places + reach, len(points) - 1)] - points[np.maximum(places - reach, 0)]
    return steps / np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), 1e-12)


def _across(
    grey: np.ndarray, points: np.ndarray, directions: np.ndarray, at: np.ndarray, middles: np.ndarray, reach: int
) -> np.ndarray:
    """(n, 2 reach + 1) values across the line at the points ``at``, NaN outside the photograph.

    Where the line bends between ``at`` and the middle of the stretch, those of the middle.
    """
    at = np.clip(at, 0, len(points) - 1)
    turn = np.abs((directions[at] * directions[middles]).sum(axis=1))
    at = np.where(turn >= np.cos(_STRAIGHT / 2), at, middles)
    normals = np.stack([-directions[at, 1], directions[at, 0]], axis=1)
    places = points[at, None] + normals[:, None] * np.arange(-reach, reach + 1)[:, None]
    height, width = grey.shape
    inside = (places >= 0).all(axis=2) & (places[..., 0] <= width - 1) & (places[..., 1] <= height - 1)
    return np.where(inside, sample(grey, places), np.nan)


def _mean(values: np.ndarray) -> np.ndarray:
    """(n, k) over the first axis of (m, n, k), of what is inside of the photograph; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _filled(values: np.ndarray) -> np.ndarray:
    """Ends outside of the photograph go on as the last sample inside."""
    known = np.isfinite(values)
    if known.all():
        return values
    middle = values.shape[1] // 2
    place = np.arange(values.shape[1])
    after = np.maximum.accumulate(np.where(known, place, 0), axis=1)
    before = np.minimum.accumulate(np.where(known, place, values.shape[1] - 1)[:, ::-1], axis=1)[:, ::-1]
    return np.take_along_axis(values, np.where(place >= middle, after, before), axis=1)
