"""What the lite system takes from a photograph as a whole, read in strips: memory does not grow with its height.

Tiles that are given it agree with the photograph run in one piece: mean, deviation and blur are those of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from csbsr.contracts import JointOutput
from csbsr.degradation.degrade import at_least_float32
from csbsr.degradation.shape import kernel_of_shape, shape_of_kernel
from csbsr.joint.system import JointSystem
from csbsr.sr.autocorrelation import BORDER, FILTER, REACH, Autocorrelation

#: Tiles that start at multiples of this, in pixels of the photograph, see the same grid as the whole.
CONTEXT_STRIDE = 8
_ROWS = 256  # of a strip
_EPSILON = 1e-5  # of the variance: a constant image stays finite


class Appearance(NamedTuple):
    """What the lite system takes from a photograph as a whole; a tile of it is given the photograph's.

    Attributes:
        mean: (B, 3, 1, 1), of each channel.
        deviation: (B, 1, 1, 1), standard deviation about them over all channels.
        shape: (B, 3), of the blur (`csbsr.degradation.shape`); None to estimate it on what is at hand.
    """

    mean: Tensor
    deviation: Tensor
    shape: Tensor | None


class LiteSystem(JointSystem):
    """A system that is handed the `Appearance` of the photograph of which it sees a part.

    Attributes:
        blind: whether it super-resolves and estimates the blur.
        kernel_size: odd side k of the blur kernel.
        estimator: of the blur's shape; only where ``blind``.
    """

    blind: bool
    kernel_size: int
    estimator: Autocorrelation

    @property
    def estimates_kernel(self) -> bool:
        """Whether ``forward`` returns a blur kernel."""
        return self.blind

    def nearest_kernel(self, kernel: Tensor) -> Tensor:
        """The kernel of this system's family, a Gaussian, of the shape of any ``kernel`` (B, 1, k, k)."""
        return kernel_of_shape(shape_of_kernel(kernel), self.kernel_size)

    @staticmethod
    def deviation_of(variance: Tensor) -> Tensor:
        """By which the input is divided: the root of the variance, kept away from 0."""
        return (variance + _EPSILON).sqrt()

    def appearance(self, lr: Tensor) -> Appearance:
        """What `forward` takes from the whole of ``lr`` (B, 3, h, w)."""
        lr = at_least_float32(lr)
        mean = lr.mean((2, 3), keepdim=True)
        deviation = self.deviation_of((lr - mean).square().mean((1, 2, 3), keepdim=True))
        return Appearance(mean, deviation, self.estimator((lr - mean) / deviation) if self.blind else None)

    def forward(
        self, lr: Tensor, kernel: Tensor | None = None, segment: bool = True, appearance: Appearance | None = None
    ) -> JointOutput:
        """As `JointSystem.forward`; ``appearance`` is of the photograph that ``lr`` is a tile of, None: of ``lr``."""
        raise NotImplementedError

    if TYPE_CHECKING:

        def __call__(
            self, lr: Tensor, kernel: Tensor | None = None, segment: bool = True, appearance: Appearance | None = None
        ) -> JointOutput:
            """See `forward`."""


def appearance_of(
    network: LiteSystem, rows: Callable[[int, int], Tensor], height: int, one_kernel: bool = True
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
