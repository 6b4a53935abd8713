"""Metrics: pure functions in `csbsr.metrics.functional`, and `CrackMetrics`, which collects a row per image."""

from typing import TYPE_CHECKING

from csbsr.lazy import by_name
from csbsr.metrics.definitions import DEFINITIONS, definitions
from csbsr.metrics.thresholds import THRESHOLDS

if TYPE_CHECKING:
    from csbsr.metrics.collection import CrackMetrics

__all__ = ["DEFINITIONS", "THRESHOLDS", "CrackMetrics", "definitions"]
__getattr__ = by_name(__name__, {"CrackMetrics": "collection"})
