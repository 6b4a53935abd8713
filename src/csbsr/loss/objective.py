"""What a training step minimises: the super-resolution loss, the segmentation loss, and how a system joins them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from csbsr.contracts import Batch, JointOutput
from csbsr.loss import functional
from csbsr.loss.segmentation import LossTerms, SegmentationLoss


class SuperResolutionLoss(nn.Module):
    """L_SR with fixed weights: see `csbsr.loss.functional.super_resolution_loss`.

    Args:
        weights: of the L1, pseudo-LR and kernel terms; the authors' release trains with 0.4, 0.4, 0.
        padding: of the pseudo-LR's blur; give the degradation's.
        antialias: of the pseudo-LR's down-scaling; give the degradation's.
        shape: weight of the error of the kernel's shape, `csbsr.loss.functional.kernel_shape_error`.

    Raises:
        ValueError: a negative weight.
    """

    def __init__(
        self,
        weights: Sequence[float] = (0.4, 0.4, 0.2),
        padding: str = "zeros",
        antialias: bool = False,
        shape: float = 0.0,
    ) -> None:
        super().__init__()
        if shape < 0:
            raise ValueError(f"shape: expected a weight >= 0, got {shape}")
        self.shape = shape
        self.weights = tuple(weights)
        self.padding = padding
        self.antialias = antialias

    def forward(self, output: JointOutput, batch: Batch, weight_maps: Sequence[Tensor] = ()) -> LossTerms:
        """L_SR of ``output`` against ``batch`` (hr, lr, kernel); terms ``l1``, ``pseudo_lr``, ``kernel``, ``shape``."""
        loss = functional.super_resolution_loss(
            output.sr,
            batch["hr"],
            batch["lr"],
            output.kernel,
            batch.get("kernel"),
            self.weights,
            weight_maps,
            self.padding,
            self.antialias,
            batch.get("valid"),
        )
        terms = {"l1": loss.l1, "pseudo_lr": loss.pseudo_lr, "kernel": loss.kernel}
        total = loss.total
        if self.shape and output.kernel is not None:
            terms["shape"] = error = functional.kernel_shape_error(output.kernel, batch["kernel"])
            total = total + self.shape * error
        return LossTerms(total, {name: term.detach() for name, term in terms.items() if term is not None})


class JointLoss(nn.Module):
    """``(1 - β)·L_SR + β·L_seg``, or L_SR alone before the joint phase.

    ``L_seg = L(main) + w·n·L(auxiliaries)``: the n auxiliary maps are compared with the mask as one stack, times n.
    For one map (PSPNet, HRNet + OCR) this is its loss; for CrackFormer's five sides it is five times the loss of all
    sides at once, as in the authors' release.

    The fail-oriented weight needs a segmentation and therefore acts in the joint phase only; the crack-oriented weight
    acts whenever L_SR counts.  With both, the pixel errors are multiplied by both.

    Args:
        super_resolution: L_SR.
        segmentation: L, the loss of one probability map.
        beta: β in [0, 1], the task weight.
        auxiliary_weight: w >= 0.
        crack_weight: m^C of the crack-oriented weight, None for none.
        fail_weight: m^F of the fail-oriented weight, None for none.

    Source:
        Kondo & Ukita 2024 (joint learning, segmentation-aware weights).
    """

    def __init__(
        self,
        super_resolution: SuperResolutionLoss,
        segmentation: SegmentationLoss,
        beta: float = 0.3,
        auxiliary_weight: float = 0.4,
        crack_weight: float | None = None,
        fail_weight: float | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= beta <= 1:
            raise ValueError(f"beta: expected a number in [0, 1], got {beta}; the paper's best is 0.3 with PSPNet")
        for name, value in (
            ("auxiliary_weight", auxiliary_weight),
            ("crack_weight", crack_weight),
            ("fail_weight", fail_weight),
        ):
            if value is not None and value < 0:
                raise ValueError(f"{name}: expected a number >= 0, got {value}")
        self.super_resolution = super_resolution
        self.segmentation = segmentation
        self.beta = beta
        self.auxiliary_weight = auxiliary_weight
        self.crack_weight = crack_weight
        self.fail_weight = fail_weight

    def forward(self, output: JointOutput, batch: Batch, alpha: float, joint: bool) -> LossTerms:
        """The loss of every image.

        Args:
            output: of the network in training.
            batch: what it was run on: ``hr``, ``lr``, ``mask``, and ``kernel`` where the network estimates one; pixels
                that its ``valid`` leaves out count in no term.  The
                distance maps ``distance`` and ``crack_distance`` are made here, slowly, where missing and needed.
            alpha: α in [0, 1] of the segmentation loss; not read where ``joint`` is False.
            joint: False for the super-resolution phases: the total is L_SR.

        Returns:
            `LossTerms` with the terms ``sr``, ``sr_l1``, and where they exist ``sr_pseudo_lr``, ``sr_kernel``,
            ``segmentation``, ``segmentation_main``, ``segmentation_auxiliary``, and the main output's parts
            ``segmentation_<term>``; all before β.
        """
        sr = self.super_resolution(output, batch, self._weight_maps(output, batch, joint))
        terms = {"sr": sr.total.detach(), **_prefixed("sr", sr.terms)}
        if not joint:
            return LossTerms(sr.total, terms)
        segmentation = segmentation_terms(self.segmentation, output, batch, alpha, self.auxiliary_weight)
        total = (1 - self.beta) * sr.total + self.beta * segmentation.total
        return LossTerms(total, terms | segmentation.terms)

    def _weight_maps(self, output: JointOutput, batch: Batch, joint: bool) -> list[Tensor]:
        maps = []
        if self.crack_weight is not None:
            distance = batch.get("crack_distance")
            maps.append(functional.crack_oriented_weight(batch["mask"], self.crack_weight, distance))
        if self.fail_weight is not None and joint:
            maps.append(functional.fail_oriented_weight(_main(output), batch["mask"], self.fail_weight))
        return maps


class DSRLLoss(nn.Module):
    """Loss of dual super-resolution learning, ``w₁·L_seg + w₂·L1(sr, hr) + w₃·feature affinity``.

    Args:
        segmentation: L_seg, the loss of one probability map.
        weights: (w₁, w₂, w₃), each >= 0.
        pool: window of the feature affinity's average pooling.

    Source:
        Wang et al. 2020 (DSRL), weights of the authors' release.
    """

    def __init__(
        self, segmentation: SegmentationLoss, weights: Sequence[float] = (1.0, 0.5, 0.5), pool: int = 16
    ) -> None:
        super().__init__()
        if len(weights) != 3 or min(weights) < 0:
            raise ValueError(f"weights: expected three numbers >= 0 (L_seg, L1, affinity), got {list(weights)}")
        self.segmentation = segmentation
        self.weights = tuple(weights)
        self.pool = pool

    def forward(self, output: JointOutput, batch: Batch, alpha: float, joint: bool) -> LossTerms:
        """As of `JointLoss`, with the term ``affinity``; ``joint`` False leaves ``L1(sr, hr)`` alone."""
        valid = batch.get("valid")
        l1 = functional.super_resolution_loss(output.sr, batch["hr"], batch["lr"], None, None, valid=valid).total
        terms = {"sr": l1.detach(), "sr_l1": l1.detach()}
        if not joint:
            return LossTerms(l1, terms)
        if output.affinity_features is None:
            raise ValueError(
                "DSRLLoss: expected affinity_features of the network, got None; it needs DSRL in training mode"
            )
        affinity = functional.feature_affinity(*output.affinity_features, pool=self.pool, valid=valid)
        segmentation = segmentation_terms(self.segmentation, output, batch, alpha)
        total = self.weights[0] * segmentation.total + self.weights[1] * l1 + self.weights[2] * affinity
        return LossTerms(total, terms | segmentation.terms | {"affinity": affinity.detach()})


def segmentation_terms(
    loss: SegmentationLoss, output: JointOutput, batch: Batch, alpha: float, auxiliary_weight: float = 0.0
) -> LossTerms:
    """``L(main) + w·n·L(stack of the n auxiliaries)`` with its parts: see `JointLoss`."""
    segmentation, mask, distance = _main(output), batch["mask"], batch.get("distance")
    if distance is None and loss.boundary:  # made once for the main and the auxiliary outputs
        distance = functional.normalized_signed_distance(mask.to(segmentation.dtype))
    valid = batch.get("valid")
    main = loss(segmentation, mask, alpha, distance, valid)
    total, terms = main.total, {"segmentation_main": main.total.detach(), **_prefixed("segmentation", main.terms)}
    if output.auxiliaries and auxiliary_weight > 0:
        stack = torch.cat(output.auxiliaries, dim=1)
        auxiliary = len(output.auxiliaries) * loss(stack, mask, alpha, distance, valid).total
        terms["segmentation_auxiliary"] = auxiliary.detach()
        total = total + auxiliary_weight * auxiliary
    return LossTerms(total, {"segmentation": total.detach(), **terms})


def _main(output: JointOutput) -> Tensor:
    if output.segmentation is None:
        raise ValueError(
            "output: expected a segmentation in the joint phase, got None; call the network with segment=True"
        )
    return output.segmentation


def _prefixed(prefix: str, terms: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}_{name}": term for name, term in terms.items()}
