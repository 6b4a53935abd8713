"""Which tile a photograph is cut into: the fewer pixels its windows hold, the less is computed twice."""

from __future__ import annotations

from collections.abc import Callable

_STEP = 64  # between the sides that are tried, in pixels of the result


def fewest_pixels(tile: int, pixels: Callable[[int], int], fits: Callable[[int], bool]) -> int:
    """The side, from ``tile`` to its double, with which the windows of a photograph hold the fewest pixels.

    Larger ones would save little more, take much memory, and show a network that looks at its whole input far more of
    the photograph than it was trained on.

    Args:
        tile: side to begin with, in pixels of the result.
        pixels: of all windows of both passes, by tile.
        fits: whether a tile's windows fit into memory, where smaller ones do, too.

    Returns:
        The smallest of those with the fewest pixels; ``tile`` where none larger fits.
    """
    least, chosen = pixels(tile), tile
    for larger in range(tile + _STEP, 2 * tile + 1, _STEP):
        if (found := pixels(larger)) < least:
            if not fits(larger):
                break
            least, chosen = found, larger
    return chosen
