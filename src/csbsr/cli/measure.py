"""``csbsr-measure``: lengths and widths of cracks in existing masks or probability maps, and the inspection report."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from csbsr.cli.config import literal_paths, run, show_version, unquoted
from csbsr.cli.measuring import measuring_of
from csbsr.data.reading import SUFFIXES, read_image
from csbsr.measure import read_segmentation, reduced
from csbsr.measure.reading import KINDS
from csbsr.predict.metadata import METADATA, read_metadata
from csbsr.predict.photographs import find
from csbsr.predict.summary import DONE, FAILED
from csbsr.report.inspection import Entry
from csbsr.report.inspection_files import (
    MEASURED,
    REPORT,
    Measuring,
    read_cracks,
    save_pictures,
    write_report,
    write_summary,
    write_text,
)
from csbsr.report.inspection_pictures import LARGEST, PhotographPictures, write_whole
from csbsr.report.pictures import limited

log = logging.getLogger("csbsr")

COMMAND = "csbsr-measure"
COLUMNS = ("file", "status", "error", "scale", "reduced", "threshold", *MEASURED, *METADATA)
SIDES = ("without", "with the cracks")
_ENDINGS = ("_mask", "_probability")  # of csbsr-predict's files, which a photograph's name lacks
_SOME_FAILED = 2  # exit code


@dataclass(frozen=True)
class Item:
    """A mask to measure.

    Attributes:
        path: its file.
        name: by which it is listed.
        stem: path of its results, without kind and ending.
        picture: the view to show under its cracks; None for the mask itself.  It is the photograph, unless the scale is
            known.
        scale: its pixels to one of the photograph, if known.
        threshold: at which its probability is cut, if known.
        known: what an earlier command noted of the photograph.
        min_pixels: of a crack that counted there.
    """

    path: Path
    name: str
    stem: str
    picture: Path | None = None
    scale: float | None = None
    threshold: float | None = None
    known: Mapping[str, Any] = field(default_factory=dict)
    min_pixels: float = 1


def main() -> None:
    """Entry point of ``csbsr-measure``."""
    arguments = sys.argv[1:]
    show_version(arguments)
    run(measure, "measure", literal_paths(arguments))


@make.friendly
def measure(config: DictConfig) -> None:
    """Measure all masks; exits with 2 if one could not be read."""
    for key, meaning in (("input", "masks: a file, a folder or a pattern"), ("output", "a folder for the results")):
        if not config[key]:
            raise ValueError(f"{key}: expected {meaning}: csbsr-measure input=<masks> output=<folder>")
    output = Path(config.output)
    if config.kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {config.kind!r}")
    check_free(output)
    items = items_of(Path(config.input), output, None if config.photos is None else Path(config.photos))
    if config.min_pixels is None:
        config.min_pixels = max(item.min_pixels for item in items)
    measuring = measuring_of(config)
    # Raises for what is out of its range, before anything is written.
    measuring.measure("", np.zeros((1, 1), bool), given(config.threshold, 0.5), given(config.scale, 1))
    output.mkdir(parents=True, exist_ok=True)
    log.info("input    %d files", len(items))
    entries = []
    for item in track(items, "measuring", console=Console(stderr=True), disable=len(items) < 2):
        entries.append(one(item, output, measuring, config))
    failed = sum(entry.row["status"] == FAILED for entry in entries)
    about = {
        "format": 1, "command": COMMAND, "version": csbsr.__version__,
        "overrides": unquoted(HydraConfig.get().overrides.task), "settings": make.plain(config),
    }  # fmt: skip
    write_summary(output, [entry.row for entry in entries], COLUMNS, about)
    settings = {"input": config.input, "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")}
    write_report(output, entries, measuring, SIDES, settings)
    log.info("done     %d, failed %d", len(entries) - failed, failed)
    log.info("report   %s", output / REPORT)
    if failed:
        raise SystemExit(_SOME_FAILED)


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


def items_of(source: Path, output: Path, photos: Path | None) -> list[Item]:
    """What is to be measured.

    Raises:
        FileNotFoundError: there is nothing, or no folder ``photos``.
    """
    if photos is not None and not photos.is_dir():
        raise FileNotFoundError(f"photos: expected a folder of photographs, got {photos}, which is none")
    predicted = _of_predictions(source)
    if predicted:
        return predicted
    return [
        Item(found.path, found.name, found.stem, None if photos is None else _photograph(photos, found.stem))
        for found in find(source, output).photographs
    ]


def _of_predictions(folder: Path) -> list[Item]:
    """What csbsr-predict wrote into a folder; nothing if it is no such folder."""
    path = folder / "summary.json"
    if not path.is_file():
        return []
    records = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape")).get("photographs", [])
    items = []
    for record in records:
        results = record.get("results") or {}
        kind = next((kind for kind in ("probability", "mask") if kind in results), None)
        if kind is None or "result_width" not in record:
            continue
        stem = results[kind].rpartition(f"_{kind}")[0]
        after = PhotographPictures(folder, stem).folder / "after.webp"
        scale = record["result_width"] / record["width"]
        known = {key: record.get(key) for key in (*METADATA, "consistency", "consistency_flag")}
        picture = after if after.is_file() else None
        smallest = record.get("settings", {}).get("min_pixels", Item.min_pixels)
        items.append(
            Item(folder / results[kind], record["file"], stem, picture, scale, record["threshold"], known, smallest)
        )
    return items


def _photograph(photos: Path, stem: str) -> Path | None:
    """The photograph of a mask's name, without the endings that csbsr-predict gives."""
    for name in (stem, *(stem.removesuffix(ending) for ending in _ENDINGS if stem.endswith(ending))):
        for suffix in sorted(SUFFIXES):
            for path in (photos / f"{name}{suffix}", photos / f"{name}{suffix.upper()}"):
                if path.is_file():
                    return path
    return None


def one(item: Item, output: Path, measuring: Measuring, config: DictConfig) -> Entry:
    """Measure one mask and write its files; whatever is wrong with it ends up in the row."""
    row: dict[str, Any] = {"file": item.name, "status": FAILED, "error": None}
    try:
        segmentation, factor = read_segmentation(item.path, config.kind, measuring.megapixels * 1e6)
        picture = None if item.picture is None else eight_bit(read_image(item.picture))
        threshold, scale = (given(config[key], getattr(item, key)) for key in ("threshold", "scale"))
        threshold = given(threshold, 0.5)
        if scale is None:
            scale = 1 if picture is None else factor * segmentation.shape[1] / picture.shape[1]
        measurement = measuring.measure(item.name, segmentation, threshold, scale / factor)
        view = limited(Image.fromarray(as_picture(segmentation) if picture is None else picture), LARGEST)
        widths = save_pictures(output, item.stem, measurement, None, np.asarray(view))
        files = {"cracks, coloured by width": f"{item.stem}_widths.jpg", "table of cracks": f"{item.stem}_cracks.csv"}
        write_whole(output / files["cracks, coloured by width"], widths)
        write_text(output / files["table of cracks"], measuring.crack_table(measurement, item.name))
        row |= dict(item.known) or read_metadata(item.picture or item.path)
        row |= {"status": DONE, "scale": scale, "reduced": factor, "threshold": threshold}
        row |= measuring.row(measurement)
        cracks = read_cracks(output / files["table of cracks"])
        return Entry(row, item.stem, cracks, files)
    except OSError as error:  # reading raises no such error: the output folder is at fault
        raise ValueError(f"output: {error.filename or output} cannot be written ({error.strerror or error})") from error
    except (ValueError, MemoryError) as error:
        log.debug("%s", item.name, exc_info=True)
        log.warning("failed   %s: %s", item.name, error)
        return Entry({**row, "error": str(error) or type(error).__name__}, item.stem)


def given(value: float | None, otherwise: float | None) -> float | None:
    """``value``, or ``otherwise`` if it was not given."""
    return otherwise if value is None else value


def eight_bit(image: np.ndarray) -> np.ndarray:
    """An image of `csbsr.data.reading.read_image` as uint8."""
    return image if image.dtype == np.uint8 else np.rint(image * np.float32(255)).astype(np.uint8)


def as_picture(segmentation: np.ndarray) -> np.ndarray:
    """A mask or probability (H, W) as grey (H, W, 3) uint8."""
    shrunken = reduced(segmentation, max(1, max(segmentation.shape) // LARGEST))
    return np.repeat(np.rint(shrunken * np.float32(255)).astype(np.uint8)[..., None], 3, axis=2)


if __name__ == "__main__":
    main()
