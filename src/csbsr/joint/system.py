"""What every joint system is: one network from the low-resolution image to image, cracks and blur kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from csbsr.contracts import JointOutput, SROutput


class JointSystem(nn.Module):
    """A network that super-resolves and segments; `csbsr.load` returns one, in eval mode.

    Attributes:
        scale: integer factor between the low- and the high-resolution image.
        card: what its checkpoint tells of it: ``network`` (its description), ``recommended_threshold``, ``config``, …;
            empty for a network that no checkpoint holds.
        runs_on: the one device it can run on, in float32; None for any.
        memory: bytes that its passes take for each pixel of the result; None to find out.
        runtime: what computes it.
        title: one line on it, where its parts cannot be seen; else empty.
    """

    scale: int
    runs_on: str | None = None
    memory: tuple[float, float] | None = None
    runtime: str = "torch"
    title: str = ""

    def __init__(self) -> None:
        super().__init__()
        self.card: dict[str, Any] = {}

    @property
    def estimates_kernel(self) -> bool:
        """Whether ``forward`` returns the blur kernel."""
        return False

    @property
    def takes_kernel(self) -> bool:
        """Whether the blur kernel can be handed to it."""
        return self.estimates_kernel

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


class SerialSystem(JointSystem):
    """A system that super-resolves, normalises and segments, one after the other.

    Attributes:
        size_multiple: of the segmentor; windows at its multiples see the same grid as the image.
        plain_enlargement: whether the enlargement is bicubic, or there is none.
    """

    size_multiple: int
    plain_enlargement: bool

    def upscale(self, lr: Tensor, kernels: Tensor | None = None) -> SROutput:
        """The first part alone, as `SRNetwork.with_kernels`, with ``sr`` in [0, 1]."""
        raise NotImplementedError

    def segment(self, sr: Tensor, mean: Tensor, variance: Tensor, kernel: Tensor | None = None) -> Tensor:
        """Probability (B, 1, H, W) of a part ``sr`` (B, 3, H, W) of an image whose statistics are known.

        Args:
            sr: super-resolved, in [0, 1].
            mean: (3,), of each channel over the whole image; read by instance normalisation alone.
            variance: (3,), likewise.
            kernel: (B, 1, k, k), for a segmentor that sees the blur.
        """
        raise NotImplementedError


def describe(system: JointSystem) -> str:
    """One line on a system: its parts, scale and parameters."""
    if system.title:
        return system.title
    names = " + ".join(type(getattr(part, "network", part)).__name__ for part in system.parts())  # segmentor=custom
    millions = sum(parameter.numel() for parameter in system.parameters()) / 1e6
    return f"{names}, ×{system.scale}, {millions:.2f} M parameters"
