"""``csbsr-check``: all that is wrong with a data set in folders, at once."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import csbsr
from csbsr.cli.command import now, plain, reports_errors
from csbsr.cli.config import SOME_FAILED, literal_paths, run, show_version, unquoted
from csbsr.data.audit import Audit, audit, parts_of
from csbsr.data.folder import FolderPairs
from csbsr.data.looked import Looked
from csbsr.data.mask_values import MaskRule, label_of
from csbsr.files import write_text
from csbsr.pages.files import json_text
from csbsr.report.check import check_page, record_of
from csbsr.words import printable

log = logging.getLogger("csbsr")

_OF_FOLDERS = "csbsr.data.folder_data"
_LISTED = 20  # faults on the terminal


def main() -> None:
    """Entry point of ``csbsr-check``."""
    arguments = sys.argv[1:]
    show_version(arguments)
    run(check, "check", literal_paths(arguments), stopped="nothing was written")


@reports_errors
def check(config: DictConfig) -> None:
    """Look at a data set; exits with 2 if something is wrong with it."""
    parts = sources_of(config)
    total = sum(_count(source) for source in parts.values())
    with Progress(console=Console(stderr=True), transient=True, disable=total < 50) as progress:
        task = progress.add_task("looking", total=total)
        found = audit(parts, config.widths, config.pictures, Looked(), lambda count: progress.advance(task, count))
    about = {
        "version": csbsr.__version__, "date": now(), "root": str(config.data.root),
        "overrides": unquoted(HydraConfig.get().overrides.task), "scale": config.scale,
    }  # fmt: skip
    folder = Path(config.output)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "check.json", json_text(record_of(found, about)))
    write_text(folder / "check.html", check_page(found, about))
    show(found)
    log.info("report   %s", folder / "check.html")
    if found.faults:
        raise SystemExit(SOME_FAILED)


def sources_of(config: DictConfig) -> dict[str, FolderPairs]:
    """The parts of the data set that the configuration names.

    Raises:
        ValueError: it is none in folders.
        FileNotFoundError: there is no such folder.
    """
    data = config.data
    if data.get("_target_") != _OF_FOLDERS:
        raise ValueError("data: expected one in folders, e.g. data=folder data.root=<folder>; others need no check")
    root = Path(data.root)
    if not root.is_dir():
        raise FileNotFoundError(f"data.root: no folder {printable(root)}; csbsr-check data.root=<folder>")
    names = plain(config.parts) or [name for name in (data.train, data.test) if (root / name).is_dir()]
    if not names:
        raise FileNotFoundError(
            f"data.root: {printable(root)} holds neither {data.train} nor {data.test}; expected {data.train}/images "
            f"and {data.train}/masks, or name its folders: parts=[<folder>]"
        )
    rule = MaskRule(label_of(data.crack_label), label_of(data.ignore_label))
    return parts_of(root, names, mask_name=data.mask_name, rule=rule, bands=plain(data.bands), bits=data.bits)


def _count(source: FolderPairs) -> int:
    try:
        return len(source.found.pairs)
    except ValueError:  # told by the audit
        return 0


def show(found: Audit) -> None:
    """The table of the parts and the first faults on the terminal."""
    table = Table("part", "images", "pairs", "with a crack", "crack", "ignored", "no photograph", "faults")
    for part in found.parts:
        faults = sum(fault.part == part.name for fault in found.faults)
        table.add_row(
            printable(part.name), *map(str, (part.images, part.pairs, part.cracked)),
            *(f"{100 * share:.2f} %" for share in (part.crack_share, part.ignored_share, part.missing_share)),
            str(faults or ""),
        )  # fmt: skip
    Console(width=120 if not sys.stdout.isatty() else None).print(table, markup=False)
    for part in found.parts:
        for note, count in part.notes.items():
            log.info("note     %s: %d %s", printable(part.name), count, printable(note))
    for fault in found.faults[:_LISTED]:
        log.info("%-16s %s: %s", fault.kind, printable(fault.part), printable(fault.message))
    if len(found.faults) > _LISTED:
        log.info("… and %d more, all in check.json and check.html", len(found.faults) - _LISTED)
    log.info("faults   %d", len(found.faults))


if __name__ == "__main__":
    main()
