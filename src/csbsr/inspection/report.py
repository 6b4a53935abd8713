"""Writes ``report.html`` and ``cracks.csv`` of a folder of results, from its records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from csbsr.files import write_text
from csbsr.inspection.density import DensityMap
from csbsr.inspection.measuring import Measuring
from csbsr.inspection.page import Entry, inspection_page
from csbsr.inspection.record import Record
from csbsr.inspection.store import CRACKS, REPORT, Store
from csbsr.measure import CRACK_COLUMNS
from csbsr.pages.files import csv_text

#: Kinds of results that the report links, and what it calls them.
_LINKED = {
    "widths": "cracks, coloured by width", "cracks": "table of cracks", "overlay": "overlay", "mask": "mask",
    "probability": "probability", "sr": "super-resolved", "consistency": "consistency",
    "labelme": "polygons (LabelMe)", "coco": "polygons (COCO)", "drawing": "drawing (DXF)",
}  # fmt: skip


def write_report(
    store: Store,
    measuring: Measuring,
    sides: tuple[str, str],
    about: Mapping[str, object] | None = None,
    maps: Sequence[DensityMap] = (),
) -> None:
    """Write the report and the table of all cracks, if a record of the folder was measured or failed.

    Args:
        store: the folder.
        measuring: how the photographs were measured.
        sides: what the left and the right picture of a slider are called.
        about: of the run, shown at the end of the report, by name.
        maps: of the density of cracks.
    """
    entries = [entry_for(record, store) for record in store.sorted_records if _is_told(record)]
    if not entries:
        return
    rows = [row for entry in entries for row in entry.cracks]
    write_text(store.folder / CRACKS, csv_text(rows, CRACK_COLUMNS))
    page = inspection_page(
        entries, store.folder, guide=measuring.guide, sides=sides, settings={**(about or {}), **measuring.shown()},
        maps=maps,
    )  # fmt: skip
    write_text(store.folder / REPORT, page)


def _is_told(record: Record) -> bool:
    refused = record.handled is not None and record.handled.not_measured is not None
    return bool(record.error or record.measured) or refused


def entry_for(record: Record, store: Store) -> Entry:
    """What the report shows of a record."""
    if record.error or record.stem is None:
        return Entry(record.row(), record.stem or record.file)
    results = record.results or {}
    files = {name: results[kind] for kind, name in _LINKED.items() if kind in results}
    return Entry(record.row(), record.stem, store.cracks(record), files)
