"""What the lite system takes from a photograph as a whole, read in strips: memory does not grow with its height.

Tiles that are given it agree with the photograph run in one piece: mean, deviation and blur are those of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from csbsr.joint.lite import Appearance, LiteNetwork
from csbsr.sr.autocorrelation import BORDER, FILTER, REACH, Autocorrelation

_ROWS = 256  # of a strip


def appearance_of(
    network: LiteNetwork, rows: Callable[[int, int], Tensor], height: int, one_kernel: bool = True
) -> Appearance:
    """The `Appearance` of a photograph that is read piece by piece.

    Args:
        network: whose estimate of the blur is asked for.
        rows: from first and last row (excluded) to these rows of the photograph, (1, 3, n, w), and on the network's
            device; it is called for each row a few times.
        height: of the photograph.
        one_kernel: False leaves the blur to be estimated in each tile.
    """
    pieces = [(start, min(start + _ROWS, height)) for start in range(0, height, _ROWS)]
    sums = [rows(*piece).double().sum((2, 3)) for piece in pieces]
    width = rows(0, 1).shape[-1]
    mean = (torch.stack(sums).sum(0) / (height * width))[..., None, None]
    squares = torch.stack([(rows(*piece).double() - mean).square().sum((1, 2, 3)) for piece in pieces]).sum(0)
    spread = network.deviation_of(squares / (3 * height * width))[:, None, None, None].float()
    centre = mean.float()
    shape = None
    if one_kernel and network.blind:

        def standard(start: int, stop: int) -> Tensor:
            return (rows(start, stop) - centre) / spread

        estimator = network.estimator
        if min(height, width) > 2 * (BORDER + FILTER + REACH):
            shape = estimator.shape_of_strips(_strips(estimator, standard, height))
        else:
            shape = estimator(standard(0, height))
    return Appearance(centre, spread, shape)


def _strips(
    estimator: Autocorrelation, rows: Callable[[int, int], Tensor], height: int
) -> Iterator[tuple[Tensor, int]]:
    """High-passed strips that divide the inside of a photograph, each with the rows below it that it is paired with."""
    first, last = BORDER + FILTER, height - BORDER - FILTER
    for start in range(first, last, _ROWS):
        stop = min(start + _ROWS, last)
        image = rows(start - FILTER, min(stop + REACH, last) + FILTER)
        yield estimator.high_passed(image[..., BORDER:-BORDER]), stop - start


def flipped(appearance: Appearance, axes: tuple[int, ...]) -> Appearance:
    """Of the photograph turned round along ``axes`` (-1 left and right, -2 top and bottom)."""
    if appearance.shape is None or len(axes) != 1:  # turned by half a turn, a blur is the same
        return appearance
    mean, p, q = appearance.shape.unbind(1)
    return appearance._replace(shape=torch.stack((mean, p, -q), 1))
