"""From a composed configuration to how cracks are measured; shared by csbsr-predict and csbsr-measure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from omegaconf import DictConfig

from csbsr.build import build
from csbsr.cli.command import plain
from csbsr.data.heads import read_heads
from csbsr.inspection.density import MOST_CELLS, cells_of, too_many
from csbsr.inspection.measuring import Measuring
from csbsr.inspection.record import Record
from csbsr.measure import ground_sampling
from csbsr.measure.ground import Automatic, sensor_widths
from csbsr.words import printable

AUTO = "auto"  # of gsd_mm: from the photographs themselves


def measuring_from(config: DictConfig) -> Measuring:
    """How the configuration says to measure.

    Raises:
        ValueError: something is out of its range, or classes of severity are asked for without millimetres.
    """
    guide = config.get("severity")
    options = {key: config[key] for key in ("percentile", "min_pixels", "spur", "hole", "megapixels", "light")}
    options["max_branches"] = config.max_branches
    automatic, layers = automatic_from(config), tuple(plain(config.layers))
    gsd = None if automatic is not None else ground_sampling(config.gsd_mm)
    if guide is not None and gsd is None and automatic is None:
        raise ValueError("severity: classes are of widths in millimetres; give gsd_mm=<millimetres per pixel> too")
    if config.cell_m is not None and gsd is None and automatic is None:
        raise ValueError("cell_m: cells are in metres; give gsd_mm=<millimetres per pixel> too")
    return Measuring(
        gsd, None if guide is None else build(plain(guide)), automatic=automatic, layers=layers, cell_m=config.cell_m,
        **options,
    )  # fmt: skip


def automatic_from(config: DictConfig) -> Automatic | None:
    """What finds the scale of photographs; None if ``gsd_mm`` gives it, or says that there is none.

    Raises:
        ValueError: something is out of its range, or is given beside a ``gsd_mm`` that leaves it unread.
    """
    if config.gsd_mm != AUTO:
        for name in ("distance_m", "marker_mm", "cameras"):
            if config[name] is not None:
                raise ValueError(f"{name}: is read with gsd_mm=auto alone, got gsd_mm={config.gsd_mm}")
        return None
    return Automatic(config.distance_m, config.marker_mm, config.marker_dictionary, sensor_widths(config.cameras))


def check_classes(measuring: Measuring, photographs: Iterable[tuple[str, Path | None]]) -> None:
    """Raise ValueError if classes of severity are asked for and nothing can give millimetres.

    Args:
        measuring: how is measured.
        photographs: names and files.
    """
    if measuring.guide is None or measuring.automatic is None or measuring.looks_for_marker:
        return
    if not any(measuring.ground(name, path).sampling is not None for name, path in photographs):
        raise ValueError(
            "severity: classes are of widths in millimetres, and no photograph tells its scale; give "
            "gsd_mm=<millimetres per pixel> too"
        )


def check_cells(measuring: Measuring, photographs: Iterable[tuple[str, Path | None]]) -> None:
    """Raise ValueError if density is asked for in more cells than are written, as far as the files' heads tell.

    Args:
        measuring: how is measured.
        photographs: names and files.
    """
    if measuring.cell_m is None:
        return
    known = [(measuring.ground(name, path).sampling, path) for name, path in photographs if path is not None]
    scaled = [(sampling, path) for sampling, path in known if sampling is not None]
    heads = read_heads([path for _, path in scaled])
    counts = [
        cells_of((head.width, head.height), sampling, measuring.cell_m)
        for (sampling, _), head in zip(scaled, heads, strict=True)
    ]
    alone = [count for count in counts if count <= MOST_CELLS]  # one of an odd scale is told of, the others go on
    if counts and (not alone or sum(alone) > MOST_CELLS):
        raise ValueError(too_many(sum(alone or counts), measuring.cell_m))


def scale_lines(records: Iterable[Record], measuring: Measuring) -> list[str]:
    """What was found of the scales, for the terminal: refusals, the sources with their counts, how many have none."""
    if measuring.automatic is None:
        return []
    sources: dict[str, int] = {}
    lines, without = [], 0
    for record in records:
        if record.handled is not None and record.handled.scale_refused:
            lines.append(f"{printable(record.file)}: {printable(record.handled.scale_refused)}")
        if record.measured is None:
            continue
        without += record.measured.mm_per_pixel is None
        if record.measured.gsd_source:
            sources[record.measured.gsd_source] = sources.get(record.measured.gsd_source, 0) + 1
    lines += [f"{count} from {printable(source)}" for source, count in sources.items()]
    if without:
        lines.append(f"{without} without a scale, measured in pixels alone; give gsd_mm=, distance_m= or marker_mm=")
    return lines
