"""Losses: pure functions in `csbsr.loss.functional`, thin objects here."""

from csbsr.loss.objective import DSRLLoss, JointLoss, SuperResolutionLoss
from csbsr.loss.segmentation import LossTerms, SegmentationLoss

__all__ = ["DSRLLoss", "JointLoss", "LossTerms", "SegmentationLoss", "SuperResolutionLoss"]
