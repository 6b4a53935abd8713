"""Which tiles of a photograph get the full pass: those in or near which a cheap pass over all of it answers.

The cheap pass is the lite system.  Of its probability only the maximum of each square of `BLOCK` pixels is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from csbsr.predict.rows import LEVELS, Shrinker
from csbsr.predict.tiling import Axis, Window

if TYPE_CHECKING:
    from csbsr.predict.predictor import Predictor

SKIPS = ("off", "auto")
BLOCK = 8  # pixels of the photograph
#: A tile is kept where the cheap pass's probability reaches `LEAST` in it or within `AROUND` pixels of the photograph:
#: the least of those tried with which each of three sets kept 99 % of its cracks' length, at tile=768 and 384.
LEAST, AROUND = 0.05, 96
#: Share of the length of labelled cracks in tiles that were not kept, of the set that lost most: docs/speed.md.
LOST = 0.006


class Answers:
    """A sink that keeps the largest probability of each square, a 64th of the photograph's pixels.

    Args:
        scale: of the results to the photograph.
    """

    shrinks = 0

    def __init__(self, scale: int) -> None:
        self.scale = scale

    def begin(self, height: int, width: int) -> None:
        """Make room, anew if memory ran out."""
        self._largest = Shrinker(height, width, BLOCK * self.scale, largest=True)

    def sr(self, rows: np.ndarray) -> None:
        """Nothing of them is kept."""

    def segmentation(self, levels: np.ndarray, mask: np.ndarray, variance: np.ndarray | None) -> None:
        """Take in rows."""
        self._largest.add(levels)

    def result(self) -> np.ndarray:
        """(⌈h/BLOCK⌉, ⌈w/BLOCK⌉) float32 in [0, 1], after the last row."""
        return self._largest.result() / np.float32(LEVELS)


def first_look(
    cheap: Predictor,
    photograph: np.ndarray,
    folder: Path | None = None,
    tick: Callable[[float], None] = lambda share: None,
    valid: np.ndarray | None = None,
) -> np.ndarray:
    """The cheap pass over a photograph, see `Answers.result`; the arguments are those of `Predictor.run`."""
    answers = Answers(cheap.scale)
    cheap.run(photograph, answers, folder, tick, valid=valid)
    return answers.result()


def tiles_kept(
    answers: np.ndarray, rows: Axis, columns: Axis, least: float = LEAST, around: int = AROUND
) -> np.ndarray:
    """Which tiles get the full pass.

    Args:
        answers: of `first_look`.
        rows: tiles from top to bottom.
        columns: tiles from left to right.
        least: probability from which on a square answers.
        around: pixels of the photograph around what a tile contributes; squares that it only touches count.

    Returns:
        (rows, columns) bool; where nothing answers, the tile with the largest probability is kept, so that blur and
        consistency of every photograph are known.
    """
    down, across = ([_squares(axis.kept(i), around) for i in range(len(axis))] for axis in (rows, columns))
    largest = np.array([[answers[y, x].max() for x in across] for y in down])
    kept = largest >= least
    if not kept.any():
        kept.flat[largest.argmax()] = True
    return kept


def fully_seen(kept: np.ndarray, rows: Axis, columns: Axis) -> np.ndarray:
    """(h, w) bool: pixels of a photograph to which no tile contributes that is not ``kept`` (rows, columns)."""
    seen = np.ones((rows.length, columns.length), bool)
    for i, j in np.argwhere(~kept):
        seen[rows.kept(i).slice, columns.kept(j).slice] = False
    return seen


def skipped_share(kept: np.ndarray, rows: Axis, columns: Axis, valid: np.ndarray | None = None) -> float:
    """The share of a photograph's pixels in the cores of tiles that are not ``kept`` (rows, columns).

    ``valid`` (h, w) bool says where there is a photograph; None for everywhere.
    """
    heights, widths = np.diff(rows.bounds), np.diff(columns.bounds)
    if valid is None:
        return float(1 - heights @ kept @ widths / (rows.length * columns.length))
    pixels = np.add.reduceat(np.add.reduceat(valid, rows.bounds[:-1], 0, np.int64), columns.bounds[:-1], 1)
    return float(pixels[~kept].sum() / max(1, pixels.sum()))


def _squares(kept: Window, around: int) -> slice:
    """The squares that lie in or touch ``kept`` and ``around`` pixels more."""
    return slice(max(0, kept.start - around) // BLOCK, -(-(kept.stop + around) // BLOCK))
