"""Metrics: pure functions in `csbsr.metrics.functional`, and `CrackMetrics`, which collects a row per image."""

from csbsr.metrics.collection import CrackMetrics
from csbsr.metrics.definitions import DEFINITIONS, definitions

__all__ = ["DEFINITIONS", "CrackMetrics", "definitions"]
