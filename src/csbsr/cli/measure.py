"""``csbsr-measure``: lengths and widths of cracks in existing masks or probability maps, and the inspection report."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

import csbsr
from csbsr.cli.command import now, plain, reports_errors, require
from csbsr.cli.config import SOME_FAILED, lists_in_brackets, literal_paths, run, show_version, unquoted
from csbsr.cli.measuring import check_cells, check_classes, measuring_from, scale_lines
from csbsr.data.mask_values import MaskRule, label_of
from csbsr.inspection.density import summarised
from csbsr.inspection.job import Job
from csbsr.inspection.masks import MeasuringMasks
from csbsr.inspection.measuring import Measuring
from csbsr.inspection.progress import with_progress
from csbsr.inspection.record import FAILED, Record
from csbsr.inspection.sources import Mask, find_masks
from csbsr.inspection.store import MEASURE, REPORT, Store
from csbsr.measure import unmatched
from csbsr.words import first_names, printable

log = logging.getLogger("csbsr")

_MOSTLY, _NEARLY_ALL = 0.5, 0.9  # shares: of a mask's pixels, of the masks
_USAGE = "csbsr-measure input=<masks> output=<folder>"
_REQUIRED = {"input": "masks: a file, a folder or a pattern", "output": "a folder for the results"}


def main() -> None:
    """Entry point of ``csbsr-measure``."""
    arguments = sys.argv[1:]
    show_version(arguments)
    run(
        measure,
        "measure",
        literal_paths(lists_in_brackets(arguments)),
        stopped="the same command measures all masks anew",
    )


@reports_errors
def measure(config: DictConfig) -> None:
    """Measure all masks; exits with 2 if one could not be read."""
    require(config, _REQUIRED, _USAGE)

    def failed(record: Record) -> None:
        if record.status == FAILED:
            log.warning("failed   %s: %s", printable(record.file), record.error)
        elif record.handled is not None and record.handled.edited:
            log.info(
                "edited   %s: corrected by hand, so the mask is measured, not the probability", printable(record.file)
            )

    output, photos = Path(config.output), None if config.photos is None else Path(config.photos)
    masks = find_masks(Path(config.input), output, photos)
    if config.min_pixels is None:
        config.min_pixels = max(mask.min_pixels for mask in masks)
    measuring = measuring_from(config)
    check_classes(measuring, ((mask.name, mask.original) for mask in masks))
    check_cells(measuring, ((mask.listed_name(measuring.gsd), mask.original) for mask in masks))
    about = {
        "command": MEASURE, "version": csbsr.__version__,
        "overrides": unquoted(HydraConfig.get().overrides.task), "settings": plain(config),
    }  # fmt: skip
    store = Store(output, MEASURE, about, goes_on=False)
    rule = MaskRule(label_of(config.crack_label), label_of(config.ignore_label))
    work = MeasuringMasks(measuring, config.kind, config.threshold, config.scale, config.max_megapixels, rule,
                          plain(config.bands), config.bits)  # fmt: skip
    job = Job(work, masks, store, about={"input": config.input, "date": now()})
    log.info("input    %d files", len(masks))
    for line in notes_on_distances(masks, measuring):
        log.warning("note     %s", line)
    counts = with_progress(job, "measuring", failed, least=2)
    own = {mask.name for mask in masks if not mask.predicted}
    for line in notes_on_all([record for record in store.sorted_records if record.file in own]):
        log.warning("note     %s", line)
    for line in scale_lines(store.sorted_records, measuring):
        log.info("scale    %s", line)
    for line in summarised(store.sorted_records):
        log.info("density  %s", line)
    log.info("done     %d, failed %d", counts.done, counts.failed)
    log.info("report   %s", output / REPORT)
    if counts.failed:
        raise SystemExit(SOME_FAILED)


def notes_on_all(records: Sequence[Record]) -> list[str]:
    """Lines on all masks together: a single empty or very cracked one is normal."""
    shares = [record.measured.density or 0.0 for record in records if record.measured is not None]
    if len(shares) > 1 and sum(share > _MOSTLY for share in shares) > _NEARLY_ALL * len(shares):
        return ["nearly all masks are crack on more than half of their pixels: they look inverted; say crack_label=0 "
                "if cracks are black there"]  # fmt: skip
    if len(shares) > 1 and not any(shares):
        return [f"none of the {len(shares)} masks holds a crack; if they are labels or inverted, say crack_label="]
    return []


def notes_on_distances(masks: Sequence[Mask], measuring: Measuring) -> list[str]:
    """Lines on masks that a list of ground sampling distances leaves out, and on its rows that no mask has."""
    names = {mask.listed_name(measuring.gsd): mask.name for mask in masks}
    without, rows = unmatched(names, measuring.gsd)
    lines = []
    if without:
        lines.append(f"gsd_mm: no row for {len(without)} of {len(masks)} files, which get no millimetres: "
                     f"{first_names([names[str(name)] for name in without])}")  # fmt: skip
    if rows:
        lines.append(f"gsd_mm: {len(rows)} rows of the list are of no file of the input: {first_names(rows)}")
    return lines


if __name__ == "__main__":
    main()
