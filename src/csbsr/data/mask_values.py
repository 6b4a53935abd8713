"""What the values of a mask mean: crack and background, or labels, colours, a probability, a photograph.

A mask is sound if it has two levels, also with the ripples of JPEG or the soft edges of a resized line around them.
Everything else is said, with what to set; only a person can tell which of several labels is the crack.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

IGNORED = 255  #: of a mask in {0, 1}: neither crack nor background is claimed here
_DARK, _BRIGHT = 32, 224  # levels below and from which JPEG's ripples around black and white lie
_FEW = 32  # different values up to which they are labels, not shades
_CONTRAST = 96  # of 255, within 3 pixels of a soft edge
_SHADES = 0.02  # share of pixels in the middle, away from edges, that makes shades
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_SAY = (
    "say which is the crack with crack_label= and what is to be left out with ignore_label= (in training "
    "data.crack_label= and data.ignore_label=)"
)


@dataclass(frozen=True)
class MaskRule:
    """Which values of a mask file are crack, as its owner says.

    Attributes:
        crack_label: a grey value or palette index; a colour ``#rrggbb``; or, of polygons, their label.  None: white.
        ignore_label: the same, for what is neither crack nor background.  None: nothing.

    Raises:
        ValueError: neither a whole number from 0 nor a colour nor a name, or twice the same.
    """

    crack_label: int | str | None = None
    ignore_label: int | str | None = None

    def __post_init__(self) -> None:
        for name in ("crack_label", "ignore_label"):
            value = getattr(self, name)
            if value is None or (isinstance(value, str) and value.strip()):
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(
                    f"{name}: expected a value of the masks from 0, a colour #rrggbb or null, got {value!r}"
                )
        if self.crack_label is not None and self.crack_label == self.ignore_label:
            raise ValueError(
                f"ignore_label: expected another value than crack_label, got {self.ignore_label!r} for both"
            )

    @property
    def given(self) -> bool:
        """Has the owner said anything?"""
        return self.crack_label is not None or self.ignore_label is not None


def label_of(value: int | str | None) -> int | str | None:
    """A label as the command line gives it: digits are a number."""
    return int(value) if isinstance(value, str) and value.strip().isdigit() else value


class Verdict(NamedTuple):
    """What the values of one mask are."""

    kind: str  #: "sound", "probability", or a fault: "low", "labels", "colours", "alpha", "picture"
    text: str  #: what was found, to follow the word "found"; empty for "sound"
    remedy: str = ""  #: what to do

    @property
    def fault(self) -> bool:
        """May it not be read as a mask?"""
        return self.kind not in ("sound", "probability")


SOUND = Verdict("sound", "")


def judge_levels(levels: np.ndarray, lossy: bool) -> Verdict:
    """Judge grey levels (H, W) uint8, 255 white; ``lossy`` for a JPEG, which ripples."""
    counts = _histogram(levels)
    present = np.flatnonzero(counts)
    bright, middle = int(counts[128:].sum()), int(counts[_DARK:128].sum())
    if present[-1] == 0:
        return SOUND
    if bright == 0:
        return low(int(present[-1]))
    if len(present) <= 2:
        return SOUND
    if len(present) <= 4 and not lossy and counts[1:255].any():
        return _labels(counts)
    if not lossy and len(present) <= _FEW and _far_from_white(levels):
        return _labels(counts)
    shades = _shades(levels) if counts[_DARK:_BRIGHT].any() else 0.0
    if shades > _SHADES:
        if len(present) <= _FEW and not lossy:
            return _labels(counts)
        outside = counts[:_DARK].sum() + counts[_BRIGHT:].sum()
        if outside >= 0.5 * levels.size:
            return Verdict("probability", "grey levels as of a probability; crack is what lies above the middle")
        return Verdict(
            "picture", "a picture in many grey levels, not a mask",
            "If these are photographs, give the masks; if probabilities, cut them first or give kind=probability.",
        )  # fmt: skip
    if bright < 0.05 * middle:
        return low(int(present[-1]), f"only {bright} of {bright + middle} pixels that are not black reach the middle")
    return SOUND


def judge_colours(rgb: np.ndarray, lossy: bool) -> Verdict:
    """Judge colours (H, W, 3) uint8: grey ones are sound."""
    spread = rgb.max(2).astype(np.int16) - rgb.min(2)
    coloured = np.count_nonzero(spread > (64 if lossy else 16))
    if coloured <= max(1, 2e-5 * spread.size):
        return SOUND
    packed = (rgb[..., 0].astype(np.uint32) << 16) | (rgb[..., 1].astype(np.uint32) << 8) | rgb[..., 2]
    values, counts = np.unique(packed, return_counts=True)
    if len(values) > _FEW:
        return Verdict(
            "picture", f"a picture in colour ({len(values)} colours), not a mask",
            "Give the masks themselves; if a colour marks the cracks, draw it on black and say crack_label='#rrggbb'.",
        )  # fmt: skip
    order = np.argsort(-counts)
    shown = _some([f"#{values[i]:06x}" for i in order], [int(counts[i]) for i in order], spread.size)
    rare = f"#{values[order[min(1, len(order) - 1)]]:06x}"
    return Verdict(
        "colours", f"a mask in the colours {shown}",
        f"If one of them is the crack, {_SAY}, e.g. crack_label='{rare}'; else save it in black and white.",
    )  # fmt: skip


def judge_alpha(levels: np.ndarray, alpha: np.ndarray | None) -> Verdict:
    """Is the mask in the opacity ``alpha`` (H, W) instead of in ``levels`` (H, W)?"""
    if alpha is None or alpha.min() == alpha.max():
        return SOUND
    opaque = alpha > alpha.max() / 2
    if levels.min() == levels.max():
        return Verdict(
            "alpha", f"a picture of one colour whose transparency varies ({100 * opaque.mean():.3g} % opaque): "
            "the mask is in the alpha channel",
            "Save the alpha channel as the mask, e.g. convert in.png -alpha extract out.png.",
        )  # fmt: skip
    if ((levels > 127) & ~opaque).any():
        return Verdict(
            "alpha", "white pixels that are transparent",
            "Save the mask without an alpha channel, black for background and white for crack.",
        )  # fmt: skip
    return SOUND


def low(largest: int, detail: str = "") -> Verdict:
    """The verdict on a mask in which no pixel, or hardly one, reaches the middle."""
    return Verdict(
        "low", f"a mask whose largest value is {largest}" + (f"; {detail}" if detail else ""),
        "If it holds labels 0 and 1, say crack_label=1 (in training data.crack_label=1) or multiply them by 255; if "
        "cracks are grey, raise them above 127.",
    )  # fmt: skip


def by_rule(values: np.ndarray, label: int | str, lossy: bool) -> np.ndarray:
    """Where ``values`` (H, W), or colours (H, W, 3), are ``label``: bool (H, W).

    Ripples are allowed for: in a lossy file, and where there are more values than labels, a value within 32 counts, and
    of 0 and 255 everything up to the middle.

    Raises:
        ValueError: a colour is asked of grey values, or a name of a picture.
    """
    if isinstance(label, str):
        if not _COLOUR.fullmatch(label):
            raise ValueError(
                f"expected a grey value or a colour #rrggbb, got the name {label!r}, which only polygons have"
            )
        colour = np.array([int(label[i : i + 2], 16) for i in (1, 3, 5)])
        rgb = values if values.ndim == 3 else np.repeat(values[..., None], 3, 2)
        return (np.abs(rgb.astype(np.int32) - colour) <= (48 if lossy else 0)).all(2)
    shades = lossy or (values.dtype == np.uint8 and np.count_nonzero(np.bincount(values.ravel())) > _FEW)
    if not shades:
        return values == label
    if label in (0, 255):
        return (values > 127) == (label == 255)
    return np.abs(values.astype(np.int64) - label) <= _DARK


def _histogram(levels: np.ndarray) -> np.ndarray:
    """How many pixels have each of the 256 levels; cv2 counts in float32, four times faster and exact up to 2^24."""
    if levels.size >= 1 << 24:
        return np.bincount(levels.ravel(), minlength=256)
    return cv2.calcHist([levels], [0], None, [256], [0, 256]).ravel().astype(np.int64)


def _shades(levels: np.ndarray) -> float:
    """Share of pixels between black and white that lie on no edge."""
    kernel = np.ones((7, 7), np.uint8)
    contrast = cv2.dilate(levels, kernel).astype(np.int16) - cv2.erode(levels, kernel)
    return float(np.mean((levels >= _DARK) & (levels < _BRIGHT) & (contrast < _CONTRAST)))


def _far_from_white(levels: np.ndarray) -> bool:
    """Are there low values where no ripple of a white line could make them?"""
    some = (levels > 0) & (levels < _DARK)
    if np.count_nonzero(some) < 0.002 * levels.size:
        return False
    near = cv2.dilate((levels > 127).astype(np.uint8), np.ones((33, 33), np.uint8)) > 0
    return bool(np.count_nonzero(some & ~near) > 0.001 * levels.size)


def _labels(counts: np.ndarray) -> Verdict:
    present = [int(value) for value in np.flatnonzero(counts)]
    shown = _some([str(value) for value in present], [int(counts[value]) for value in present], int(counts.sum()))
    low_ones = [value for value in present if 0 < value < _DARK]
    example = f", e.g. crack_label={low_ones[0]}" if low_ones else f", e.g. crack_label={present[-1]}"
    if low_ones and present[-1] == 255:
        example += " and ignore_label=255"
    return Verdict("labels", f"a mask of {len(present)} values: {shown}", f"If they are labels, {_SAY}{example}.")


def _some(names: Sequence[str], counts: Sequence[int], size: int) -> str:
    shown = [
        f"{name} ({count} pixels)" if count < 0.001 * size else f"{name} ({100 * count / size:.3g} %)"
        for name, count in zip(names, counts, strict=True)
    ]
    return ", ".join(shown[:6]) + (", …" if len(shown) > 6 else "")
