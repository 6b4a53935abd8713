"""What every joint system is: one network from the low-resolution image to image, cracks and blur kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from csbsr.contracts import JointOutput


class JointSystem(nn.Module):
    """A network that super-resolves and segments; `csbsr.load` returns one, in eval mode.

    Attributes:
        scale: integer factor between the low- and the high-resolution image.
        card: what its checkpoint tells of it: ``network`` (its description), ``recommended_threshold``, ``config``, …;
            empty for a network that no checkpoint holds.
    """

    scale: int

    def __init__(self) -> None:
        super().__init__()
        self.card: dict[str, Any] = {}

    @property
    def estimates_kernel(self) -> bool:
        """Whether ``forward`` returns the blur kernel."""
        return False

    def parts(self) -> tuple[nn.Module, ...]:
        """The networks it is made of, in the order in which they run."""
        return (self,)

    def forward(self, lr: Tensor, kernel: Tensor | None = None, segment: bool = True) -> JointOutput:
        """Run the system on ``lr`` (B, 3, h, w).

        Args:
            lr: low-resolution images, nearly in [0, 1].
            kernel: (B, 1, k, k), summing to 1: used instead of the estimate of a system that estimates one.
            segment: False leaves the segmentation out, which is then None.
        """
        raise NotImplementedError

    if TYPE_CHECKING:

        def __call__(self, lr: Tensor, kernel: Tensor | None = None, segment: bool = True) -> JointOutput:
            """See `forward`."""


def describe(system: JointSystem) -> str:
    """One line on a system: its parts, scale and parameters."""
    names = " + ".join(type(getattr(part, "network", part)).__name__ for part in system.parts())  # segmentor=custom
    millions = sum(parameter.numel() for parameter in system.parameters()) / 1e6
    return f"{names}, ×{system.scale}, {millions:.2f} M parameters"
