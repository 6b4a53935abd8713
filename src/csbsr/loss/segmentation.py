"""The segmentation loss as an object: which region terms it averages, and whether the boundary term joins them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from csbsr.loss import functional

REGION_TERMS = ("weighted_bce", "dice", "generalized_dice", "batch_dice", "soft_cl_dice")


class LossTerms(NamedTuple):
    """A loss and what it is made of."""

    total: Tensor  #: (B,), to be averaged and minimised
    terms: dict[str, Tensor]  #: name to (B,), detached: for the log


class SegmentationLoss(nn.Module):
    """``α·region + (1 - α)·Boundary``, or the region part alone.

    The region part is the weighted mean of the named terms.  So ``{"weighted_bce": 1, "dice": 1}`` with the boundary is
    the published boundary combo loss, and without it BCE + Dice.

    Args:
        region: term to weight; terms are ``weighted_bce``, ``dice``, ``generalized_dice``, ``batch_dice``,
            ``soft_cl_dice``.
        boundary: add the boundary term; without it α is not read.
        pos_weight: (crack, background) of ``weighted_bce``.

    Raises:
        ValueError: an unknown term, weights that cannot be normalised, or ``pos_weight`` where nothing reads it.

    Source:
        Kondo & Ukita 2024 (L_seg); the other combinations are options of the authors' release.
    """

    def __init__(
        self, region: Mapping[str, float], boundary: bool = True, pos_weight: Sequence[float] = (1.0, 1.0)
    ) -> None:
        super().__init__()
        if unknown := set(region) - set(REGION_TERMS):
            raise ValueError(f"region: expected terms out of {', '.join(REGION_TERMS)}, got {sorted(unknown)}")
        if not region or min(region.values()) < 0 or sum(region.values()) <= 0:
            raise ValueError(f"region: expected at least one term with a weight > 0, got {dict(region)}")
        if "weighted_bce" not in region and tuple(pos_weight) != (1.0, 1.0):
            raise ValueError(f"pos_weight: only weighted_bce reads it, got {list(pos_weight)}; leave it out")
        self.region = dict(region)
        self.boundary = boundary
        self.pos_weight = tuple(pos_weight)

    def forward(
        self,
        segmentation: Tensor,
        mask: Tensor,
        alpha: float = 1.0,
        distance: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> LossTerms:
        """The loss of every image.

        Args:
            segmentation: (B, n, H, W) probabilities; a stack is compared with the mask as a whole.
            mask: (B, 1, H, W) in {0, 1}.
            alpha: α in [0, 1], weight of the region part.
            distance: (B, 1, H, W), signed distance map of the mask; made here, slowly, if missing and needed.
            valid: (B, 1, H, W) in {0, 1}, which pixels count; None for all.

        Returns:
            `LossTerms`, the terms by their names in `csbsr.loss.functional`, before their weights.
        """
        terms = {name: self._region_term(name, segmentation, mask, valid) for name in self.region}
        total = functional.weighted_mean(tuple(terms.values()), tuple(self.region.values()))
        if self.boundary:
            terms["boundary"] = functional.boundary(segmentation, mask, distance, valid)
            total = functional.with_boundary(total, terms["boundary"], alpha)
        return LossTerms(total, {name: term.detach() for name, term in terms.items()})

    def _region_term(self, name: str, segmentation: Tensor, mask: Tensor, valid: Tensor | None) -> Tensor:
        if name == "weighted_bce":
            return functional.weighted_bce(segmentation, mask, self.pos_weight, valid)
        result: Tensor = getattr(functional, name)(segmentation, mask, valid)
        return result
