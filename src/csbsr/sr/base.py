"""What every super-resolution network is: a module from ``lr`` to `SROutput`."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from csbsr.contracts import SROutput


class SRNetwork(nn.Module):
    """Base of all super-resolution networks.

    Attributes:
        scale: integer factor between the low- and the super-resolved image.
        estimates_kernel: True if ``forward`` returns a blur kernel.
    """

    scale: int
    estimates_kernel: bool = False

    def forward(self, lr: Tensor, kernel: Tensor | None = None) -> SROutput:
        """Super-resolve ``lr`` (B, 3, h, w) to (B, 3, s·h, s·w), not clamped.

        ``kernel`` (B, 1, k, k), summing to 1, replaces the estimate of a network that estimates one (pre-training with
        the true kernel); networks that estimate none ignore it.
        """
        raise NotImplementedError

    def with_kernels(self, lr: Tensor, kernels: Tensor | None = None) -> SROutput:
        """As ``forward``, but every kernel that ``lr`` is super-resolved with, one after the other, is seen.

        A network may refine its kernel on the way, and is trained with all of them; the last one alone, used
        throughout, would be another network's.

        Args:
            lr: (B, 3, h, w).
            kernels: (B, n, k, k), returned for another image: used instead of estimates.

        Returns:
            ``sr``, and as ``kernel`` all n of them; the last is that of ``forward``.
        """
        return self(lr, kernels)

    def kernel_predictors(self) -> Iterable[nn.Module]:
        """The parts that only estimate the kernel: frozen, or trained alone, in the published pre-training."""
        return ()
