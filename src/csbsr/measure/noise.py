"""Masks that are noise: found before hours go into measuring every branch of them."""

from __future__ import annotations

import cv2
import numpy as np

from csbsr.measure.checks import check_number

#: Pixels of an image for which the limit is meant; a larger one may hold as many more branches.
REFERENCE = 4_000_000


class TooNoisyError(ValueError):
    """A mask with more branches than anybody wants to have measured."""


def check_limit(most: int | None) -> None:
    """Raise ValueError unless ``most`` can be a limit of branches, or is None for no limit."""
    if most is None:
        return
    check_number("max_branches", most)
    if most < 1:
        raise ValueError(f"max_branches: expected 1 or more, or null for no limit, got {most!r}")


def check_branches(skeleton: np.ndarray, most: int | None) -> None:
    """Refuse a skeleton (H, W) bool of more than ``most`` branches to `REFERENCE` pixels; None for no limit.

    Raises:
        TooNoisyError: it has more.
    """
    if most is None:
        return
    count, limit = count_branches(skeleton), most * max(1.0, skeleton.size / REFERENCE)
    if count > limit:
        raise TooNoisyError(
            f"too noisy to measure, {count} branches, expected at most {limit:.0f}; choose a higher threshold or a "
            "larger min_pixels, or raise max_branches if these are cracks"
        )


def count_branches(skeleton: np.ndarray) -> int:
    """Branches of a skeleton (H, W) bool, spurs included: its parts without the pixels of three neighbours or more."""
    pixels = skeleton.view(np.uint8)
    around = cv2.boxFilter(pixels, cv2.CV_8U, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    lines = pixels & (around <= 3).view(np.uint8)  # itself counted
    return int(cv2.connectedComponents(lines, connectivity=8, ltype=cv2.CV_32S)[0]) - 1
