"""``csbsr-report``: several evaluations in one table beside the published rows, and the same images side by side."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from csbsr.cli.config import show_version
from csbsr.files import disk_trouble, write_text
from csbsr.report.collect import collect
from csbsr.report.page import comparison_page
from csbsr.report.seeds import statistics
from csbsr.report.tables import comma_separated, latex, markdown, same_data
from csbsr.words import printable_lines

log = logging.getLogger("csbsr")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``csbsr-report``."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    show_version(arguments)
    parser = argparse.ArgumentParser("csbsr-report", description=__doc__.replace("``", ""))
    parser.add_argument(
        "folders", nargs="+", type=Path, help="folders written by csbsr-eval, or folders that hold such"
    )
    parser.add_argument("--out", type=Path, default=Path("comparison"), help="where the files go (default: comparison)")
    parser.add_argument("--images", type=int, default=12, help="most images to compare (default: 12)")
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    options = parser.parse_args(arguments)
    if options.images < 1:
        parser.error(f"--images: expected at least 1, got {options.images}")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        compare(options.folders, options.out, options.images)
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {printable_lines(disk_trouble(error) or error)}") from None


def compare(folders: Sequence[Path], out: Path, images: int = 12) -> None:
    """Write ``table.{md,csv,tex}``, ``statistics.md`` and ``comparison.html`` into ``out``.

    Args:
        folders: evaluation folders, or folders that hold such.
        out: made if missing; earlier files of these names are replaced.
        images: most images on the page.

    Raises:
        FileNotFoundError: there is no evaluation.
        ValueError: a file of one is damaged.
    """
    evaluations = collect(folders)
    files = {
        "table.md": markdown(evaluations),
        "table.csv": comma_separated(evaluations),
        "table.tex": latex(evaluations),
        "statistics.md": statistics(evaluations),
        "comparison.html": comparison_page(evaluations, images),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_text(out / name, text)
    if not same_data(evaluations):
        log.warning(
            "these evaluations did not see the same low-resolution images: their numbers cannot be compared directly"
        )
    log.info("%s", files["table.md"])
    log.info("%s", files["statistics.md"])
    log.info("output   %s: %s", out, ", ".join(files))


if __name__ == "__main__":
    main()
