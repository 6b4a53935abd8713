"""What every segmentor is: a module from a normalised image to a crack probability of the same size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from csbsr.contracts import SegmentorOutput


class Segmentor(nn.Module):
    """Base of all segmentors: pads to the size the network needs, runs it, crops back.

    A subclass implements `segment`, which may rely on ``H`` and ``W`` being multiples of ``size_multiple`` and at least
    ``minimum_size``.

    Attributes:
        size_multiple: height and width that `segment` sees are multiples of it.
        minimum_size: and at least this.
        uses_kernel: True if `segment` needs the blur kernel (BlurSkip).
    """

    size_multiple: int = 1
    minimum_size: int = 1
    uses_kernel: bool = False

    def forward(self, image: Tensor, kernel: Tensor | None = None) -> SegmentorOutput:
        """Segment ``image`` (B, 3, H, W), any size; ``kernel`` (B, 1, k, k) only matters where ``uses_kernel``."""
        if self.uses_kernel and kernel is None:
            raise ValueError(
                f"{type(self).__name__} with blur skip needs a blur kernel: got None; "
                "use an SR network that estimates one (sr=kbpn) or pass kernel="
            )
        height, width = image.shape[-2:]
        output = self.segment(pad_to(image, self.size_multiple, self.minimum_size), kernel)
        return SegmentorOutput(
            output.segmentation[..., :height, :width],
            tuple(auxiliary[..., :height, :width] for auxiliary in output.auxiliaries),
        )

    def segment(self, image: Tensor, kernel: Tensor | None) -> SegmentorOutput:
        """Segment an image of admissible size; auxiliaries in training mode only."""
        raise NotImplementedError


def probability(logits: Tensor) -> Tensor:
    """Sigmoid of ``logits``: float32 under any autocast, else in the dtype of the logits."""
    device = logits.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        logits = logits.float()
    return logits.sigmoid()


def pad_to(image: Tensor, multiple: int, minimum: int = 1) -> Tensor:
    """Extend ``image`` (B, C, H, W) at the bottom and right by reflection to admissible sizes.

    The border pixel is not repeated; where the image is smaller than the border, it is reflected again.  A side of one
    pixel is repeated.
    """
    if torch.compiler.is_exporting():
        return _padded_at_any_size(image, multiple, minimum)
    for dim in (-2, -1):
        size = image.shape[dim]
        target = max(-(-size // multiple), -(-minimum // multiple)) * multiple
        if target > size:
            image = image.index_select(dim, _reflected_positions(size, target, image.device))
    return image


def _padded_at_any_size(image: Tensor, multiple: int, minimum: int) -> Tensor:
    """`pad_to` without a question that only one size can answer, for images larger than the border they get."""
    if multiple == minimum == 1:
        return image
    for dim in (-2, -1):
        last = image.shape[dim] - 1
        target = torch.sym_max((last + multiple) // multiple, -(-minimum // multiple)) * multiple
        positions = last - (torch.arange(target, device=image.device) - last).abs()
        image = image.index_select(dim, positions)
    return image


def _reflected_positions(size: int, target: int, device: torch.device) -> Tensor:
    """0, 1, … size-1, size-2, … 1, 0, 1, … of length ``target``."""
    period = max(2 * size - 2, 1)
    phase = torch.arange(target, device=device) % period
    return torch.minimum(phase, period - phase)
