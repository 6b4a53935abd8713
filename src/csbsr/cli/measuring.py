"""From a composed configuration to how cracks are measured; shared by csbsr-predict and csbsr-measure."""

from __future__ import annotations

from omegaconf import DictConfig

from csbsr.build import build
from csbsr.cli.command import plain
from csbsr.inspection.measuring import Measuring
from csbsr.measure import ground_sampling


def measuring_from(config: DictConfig) -> Measuring:
    """How the configuration says to measure.

    Raises:
        ValueError: something is out of its range, or classes of severity are asked for without millimetres.
    """
    guide = config.get("severity")
    options = {key: config[key] for key in ("percentile", "min_pixels", "spur", "hole", "megapixels", "light")}
    options["max_branches"] = config.max_branches
    gsd = ground_sampling(config.gsd_mm)
    if guide is not None and gsd is None:
        raise ValueError("severity: classes are of widths in millimetres; give gsd_mm=<millimetres per pixel> too")
    return Measuring(gsd, None if guide is None else build(plain(guide)), **options)
