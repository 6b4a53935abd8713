"""``csbsr-measure``: lengths and widths of cracks in existing masks or probability maps, and the inspection report."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from PIL import Image
from rich.console import Console
from rich.progress import track

import csbsr
from csbsr.cli import build as make
from csbsr.cli.config import SOME_FAILED, literal_paths, run, show_version, unquoted
from csbsr.cli.measuring import measuring_of
from csbsr.data.reading import at_most, eight_bit, read_image
from csbsr.inspection.measuring import (
    MEASURED,
    REPORT,
    Measuring,
    read_cracks,
    save_pictures,
    write_report,
    write_summary,
    write_text,
)
from csbsr.inspection.metadata import METADATA, read_metadata
from csbsr.inspection.page import Entry
from csbsr.inspection.sources import COMMAND, Item, items_of, listed_name
from csbsr.inspection.store import DONE, FAILED
from csbsr.inspection.views import LARGEST, write_whole
from csbsr.inspection.writing import LONGEST_NAME
from csbsr.measure import read_segmentation, reduced, unmatched
from csbsr.measure.checks import check_number
from csbsr.measure.reading import KINDS
from csbsr.pages.pictures import limited
from csbsr.text import first_names

log = logging.getLogger("csbsr")

COLUMNS = ("file", "status", "error", "scale", "reduced", "threshold", *MEASURED, *METADATA)
#: Taken for the largest mask that is read, where nobody says how many of its pixels are one of the photograph.
UNKNOWN_SCALE = 4
SIDES = ("without", "with the cracks")


def main() -> None:
    """Entry point of ``csbsr-measure``."""
    arguments = sys.argv[1:]
    show_version(arguments)
    run(measure, "measure", literal_paths(arguments), stopped="the same command measures all masks anew")


@make.friendly
def measure(config: DictConfig) -> None:
    """Measure all masks; exits with 2 if one could not be read."""
    for key, meaning in (("input", "masks: a file, a folder or a pattern"), ("output", "a folder for the results")):
        if not config[key]:
            raise ValueError(f"{key}: expected {meaning}: csbsr-measure input=<masks> output=<folder>")
    output = Path(config.output)
    if config.kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {config.kind!r}")
    for key in ("threshold", "scale"):
        if config[key] is not None:
            check_number(key, config[key])
    check_free(output)
    items = items_of(Path(config.input), output, None if config.photos is None else Path(config.photos))
    if config.min_pixels is None:
        config.min_pixels = max(item.min_pixels for item in items)
    measuring = measuring_of(config)
    # Raises for what is out of its range, before anything is written.
    measuring.measure("", np.zeros((1, 1), bool), given(config.threshold, 0.5), given(config.scale, 1))
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    log.info("input    %d files", len(items))
    for line in warnings_of(items, measuring.gsd):
        log.warning("note     %s", line)
    entries: list[Entry] = []
    try:
        for item in track(items, "measuring", console=Console(stderr=True), disable=len(items) < 2):
            with writing(output):
                entries.append(one(item, output, measuring, config))
    finally:  # Ctrl-C and a full disk leave a summary of what is measured until then
        if entries:
            write_all(output, entries, measuring, config)
    if any(entry.row["status"] == FAILED for entry in entries):
        raise SystemExit(SOME_FAILED)


def write_all(output: Path, entries: Sequence[Entry], measuring: Measuring, config: DictConfig) -> None:
    """Write the summary and the report."""
    about = {
        "format": 1, "command": COMMAND, "version": csbsr.__version__,
        "overrides": unquoted(HydraConfig.get().overrides.task), "settings": make.plain(config),
    }  # fmt: skip
    settings = {"input": config.input, "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")}
    with writing(output):
        write_summary(output, [entry.row for entry in entries], COLUMNS, about)
        write_report(output, entries, measuring, SIDES, settings)
    failed = sum(entry.row["status"] == FAILED for entry in entries)
    log.info("done     %d, failed %d", len(entries) - failed, failed)
    log.info("report   %s", output / REPORT)


@contextlib.contextmanager
def writing(output: Path) -> Iterator[None]:
    """Turn the system's errors of writing into ValueErrors about ``output``."""
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"output: {error.filename or output} cannot be written ({error.strerror or error}); choose another folder, "
            "or make room"
        ) from error


def warnings_of(items: Sequence[Item], gsd: float | Mapping[str, float] | None) -> list[str]:
    """Lines on masks that a list of ground sampling distances leaves out, and on its rows that no mask has."""
    names = {listed_name(item, gsd): item.name for item in items}
    without, rows = unmatched(names, gsd)
    lines = []
    if without:
        lines.append(f"gsd_mm: no row for {len(without)} of {len(items)} files, which get no millimetres: "
                     f"{first_names([names[name] for name in without])}")  # fmt: skip
    if rows:
        lines.append(f"gsd_mm: {len(rows)} rows of the list are of no file of the input: {first_names(rows)}")
    return lines


def check_free(output: Path) -> None:
    """Refuse a folder whose summary another command wrote."""
    path = output / "summary.json"
    if not path.is_file():
        return
    try:
        ours = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape")).get("command") == COMMAND
    except (ValueError, AttributeError):
        ours = False
    if not ours:
        raise ValueError(f"output: {output} holds another command's summary.json; choose another folder")


def one(item: Item, output: Path, measuring: Measuring, config: DictConfig) -> Entry:
    """Measure one mask and write its files; whatever is wrong with it ends up in the row."""
    row: dict[str, Any] = {"file": item.name, "status": FAILED, "error": None}
    widths_file, cracks_file = f"{item.stem}_widths.jpg", f"{item.stem}_cracks.csv"
    try:
        if item.error is not None:
            raise ValueError(item.error)
        if len(os.fsencode(Path(widths_file).name)) > LONGEST_NAME:
            raise ValueError(_too_long(item))
        side = given(given(config.scale, item.scale), UNKNOWN_SCALE)
        with at_most(config.max_megapixels * max(1, side) ** 2):
            segmentation, factor = read_segmentation(item.path, config.kind, measuring.megapixels * 1e6, item.predicted)
            picture = None if item.picture is None else eight_bit(read_image(item.picture))
        threshold, scale = (given(config[key], getattr(item, key)) for key in ("threshold", "scale"))
        threshold = given(threshold, 0.5)
        if scale is None:
            scale = 1 if picture is None else factor * segmentation.shape[1] / picture.shape[1]
        measurement = measuring.measure(listed_name(item, measuring.gsd), segmentation, threshold, scale / factor)
        view = limited(Image.fromarray(as_picture(segmentation) if picture is None else picture), LARGEST)
        widths = save_pictures(output, item.stem, measurement, None, np.asarray(view))
        write_whole(output / widths_file, widths)
        write_text(output / cracks_file, measuring.crack_table(measurement, item.name))
        row |= dict(item.known) or read_metadata(item.picture or item.path)
        row |= {"status": DONE, "scale": scale, "reduced": factor, "threshold": threshold}
        row |= measuring.row(measurement)
        files = {"cracks, coloured by width": widths_file, "table of cracks": cracks_file}
        return Entry(row, item.stem, read_cracks(output / cracks_file), files)
    except OSError as error:  # reading raises no such error: the output folder is at fault
        if error.errno != errno.ENAMETOOLONG:
            raise
        return _failed(item, row, ValueError(_too_long(item)))
    except (ValueError, MemoryError) as error:
        return _failed(item, row, error)


def _failed(item: Item, row: Mapping[str, Any], error: Exception) -> Entry:
    log.debug("%s", item.name, exc_info=True)
    log.warning("failed   %s: %s", item.name, error)
    return Entry({**row, "error": str(error) or type(error).__name__}, item.stem)


def _too_long(item: Item) -> str:
    return f"{item.path}: a name too long for its results, {item.stem}_widths.jpg; rename the mask"


def given(value: float | None, otherwise: float | None) -> float | None:
    """``value``, or ``otherwise`` if it was not given."""
    return otherwise if value is None else value


def as_picture(segmentation: np.ndarray) -> np.ndarray:
    """A mask or probability (H, W) as grey (H, W, 3) uint8."""
    shrunken = reduced(segmentation, max(1, max(segmentation.shape) // LARGEST))
    return np.repeat(np.rint(shrunken * np.float32(255)).astype(np.uint8)[..., None], 3, axis=2)


if __name__ == "__main__":
    main()
