"""Cracks found, invented and missed, as a transparent layer over a photograph."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image


class Verdict(NamedTuple):
    """One of the three things a pixel of an overlay can say."""

    key: str
    name: str
    meaning: str
    colour: tuple[int, int, int]


#: Okabe & Ito's sky blue, vermillion and yellow: apart in hue and in lightness, also for the colour-blind.
VERDICTS = (
    Verdict("hit", "true positive", "crack, found", (86, 180, 233)),
    Verdict("false", "false positive", "no crack, but marked", (213, 94, 0)),
    Verdict("miss", "false negative", "crack, missed", (240, 228, 66)),
)
_OPACITY = 230


def overlay(predicted: np.ndarray, mask: np.ndarray) -> Image.Image:
    """The verdict on every pixel, RGBA: coloured as in `VERDICTS`, true negatives transparent.

    Args:
        predicted: (H, W) bool, pixels said to be crack.
        mask: (H, W) bool, pixels that are.

    Raises:
        ValueError: the shapes differ or are not (H, W).
    """
    if predicted.shape != mask.shape or mask.ndim != 2:
        raise ValueError(f"predicted and mask: expected one shape (H, W), got {predicted.shape} and {mask.shape}")
    predicted, mask = predicted.astype(bool), mask.astype(bool)
    layer = np.zeros((*mask.shape, 4), np.uint8)
    for verdict, where in zip(VERDICTS, (predicted & mask, predicted & ~mask, ~predicted & mask), strict=True):
        layer[where] = (*verdict.colour, _OPACITY)
    return Image.fromarray(layer)
