"""Any network from an image to one channel as a segmentor: bring your own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from csbsr.contracts import SegmentorOutput
from csbsr.segmentor.base import Segmentor, probability


class Custom(Segmentor):
    """Wraps ``network``, any module from (B, 3, H, W) to (B, 1, H, W).

    Args:
        network: the module.
        logits: True if its output goes through a sigmoid to become a probability, False if it is one already.
        size_multiple: height and width the network sees are multiples of this (2 to the power of its down-samplings).
        minimum_size: and at least this.
    """

    def __init__(self, network: nn.Module, logits: bool = True, size_multiple: int = 1, minimum_size: int = 1) -> None:
        super().__init__()
        for name, value in (("size_multiple", size_multiple), ("minimum_size", minimum_size)):
            if value < 1:
                raise ValueError(f"{name}: expected a number of pixels, at least 1, got {value}")
        if not isinstance(network, nn.Module):
            raise ValueError(
                f"network: expected a torch.nn.Module, got {type(network).__name__}; describe it by _target_ and its "
                "arguments"
            )
        self.network = network
        self.logits = logits
        self.size_multiple = size_multiple
        self.minimum_size = minimum_size

    def segment(self, image: Tensor, kernel: Tensor | None) -> SegmentorOutput:
        """Segment ``image`` (B, 3, H, W) of admissible size; ``kernel`` is not used.

        Raises:
            ValueError: the network returns something else than one map of the image's size.
        """
        output = self.network(image)
        expected = (image.shape[0], 1, *image.shape[-2:])
        if not isinstance(output, Tensor) or output.shape != expected:
            got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(
                f"segmentor=custom: {type(self.network).__name__} should return one tensor {expected} for an image "
                f"{tuple(image.shape)}, got {got}; give it one output channel, or set size_multiple to what its "
                "down-samplings need"
            )
        if self.logits:
            return SegmentorOutput(probability(output), ())
        return SegmentorOutput(output.float() if torch.is_autocast_enabled(output.device.type) else output, ())
