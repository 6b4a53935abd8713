"""``csbsr-export``: a network as a file for other programs."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from omegaconf import DictConfig

from csbsr.cli.command import reports_errors, require
from csbsr.cli.config import literal_paths, run, show_version

log = logging.getLogger("csbsr")

_USAGE = "csbsr-export ckpt=<file> format=onnx output=<file>"
_REQUIRED = {"ckpt": "a checkpoint of csbsr-train or released weights", "output": "the file to be written"}


def main() -> None:
    """Entry point of ``csbsr-export``."""
    arguments = sys.argv[1:]
    show_version(arguments)
    run(write, "export", literal_paths(arguments), stopped="nothing was written")


@reports_errors
def write(config: DictConfig) -> None:
    """Write the file, once it was compared with torch."""
    require(config, _REQUIRED, _USAGE)
    from csbsr.export.write import ExportOptions, export, place_of
    from csbsr.joint import describe
    from csbsr.weights import load

    options = ExportOptions(config.format, config.form, config.half, config.tile, config.cm_per_pixel)
    place_of(config.output, options)
    network = load(config.ckpt, trusted=tuple(config.trusted))
    log.info("system   %s", describe(network))
    log.info("weights  %s", config.ckpt)
    for path in export(network, Path(config.output), options):
        log.info("written  %s, %.1f MB", path, path.stat().st_size / 1e6)


if __name__ == "__main__":
    main()
