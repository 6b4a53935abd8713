"""``csbsr-predict``: super-resolve and segment photographs of any size; a folder in, results out."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from csbsr.cli import build as make
from csbsr.cli.config import SOME_FAILED, literal_paths, run, show_version, unquoted
from csbsr.cli.measuring import measuring_of
from csbsr.data.reading import at_most
from csbsr.inspection.inspector import Inspector
from csbsr.inspection.job import Counts, Job
from csbsr.inspection.measuring import REPORT
from csbsr.inspection.photographs import Photograph
from csbsr.measure import unmatched
from csbsr.predict import Predictor
from csbsr.report.runcard import file_hash, run_card
from csbsr.text import first_names

log = logging.getLogger("csbsr")

#: Settings that are arguments of the `Predictor`.
OPTIONS = (
    "threshold", "tile", "margin_sr", "margin_segmentation", "blend", "kernel", "flips", "precision", "device"
)  # fmt: skip


def main() -> None:
    """Entry point of ``csbsr-predict``."""
    arguments = sys.argv[1:]
    show_version(arguments)
    run(predict, "predict", literal_paths(lists(arguments)), stopped="the same command goes on where this one was")


def lists(arguments: Sequence[str]) -> list[str]:
    """``save=mask,sr`` as the list ``save=[mask,sr]``: for Hydra alone the comma would start a sweep."""
    words = []
    for word in arguments:
        key, equals, value = word.partition("=")
        words.append(f"{key}=[{value}]" if equals and key == "save" and value[:1] != "[" else word)
    return words


@make.friendly
def predict(config: DictConfig) -> None:
    """Predict what is not done yet; exits with 2 if a photograph failed."""
    for key, meaning in (
        ("ckpt", "a checkpoint of csbsr-train or released weights"),
        ("input", "a photograph, a folder or a pattern"),
        ("output", "a folder for the results"),
    ):
        if not config[key]:
            raise ValueError(
                f"{key}: expected {meaning}: csbsr-predict ckpt=<file> input=<photographs> output=<folder>"
            )
    measuring = measuring_of(config) if config.measure else None
    options = {key: config[key] for key in OPTIONS}
    predictor = Predictor.load(config.ckpt, trusted=tuple(config.trusted), **options)
    network = predictor.system.network
    card = run_card(
        "csbsr-predict",
        unquoted(HydraConfig.get().overrides.task),
        None,
        make.plain(config),
        {},
        config.ckpt,
        network.card.get("network"),
        {key: value for key, value in network.card.items() if key not in ("network", "config")},
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    )
    inspector = None
    if measuring is not None:
        shown = {"checkpoint": config.ckpt, "network": make.describe(network), "threshold": predictor.threshold}
        inspector = Inspector(predictor, measuring, config.compare_bicubic, {**shown, "date": card["date"]})
    job = Job(
        predictor,
        config.input,
        config.output,
        save=make.plain(config.save),
        weights=file_hash(config.ckpt) or str(config.ckpt),
        overwrite=config.overwrite,
        about={"run": card},
        inspector=inspector,
    )
    recommended = network.card.get("recommended_threshold") is not None
    origin = "given" if config.threshold else "recommended by the checkpoint" if recommended else "no recommendation"
    log.info("system   %s, on %s", make.describe(network), predictor.system.device)
    log.info("weights  %s", config.ckpt)
    log.info("mask     probability > %g (%s)", predictor.threshold, origin)
    log.info(
        "input    %d photographs, %d of them done already", len(job.photographs), len(job.photographs) - len(job.todo)
    )
    if job.others:
        log.info("ignored  %d that are no photographs (%s)", len(job.others), first_names(job.others))
    for folder in job.unread:
        log.warning("failed   %s", folder)
    if measuring is not None:
        without, unused = unmatched([photograph.name for photograph in job.photographs], measuring.gsd)
        for message, names in (("photographs are not listed", without), ("rows list no photograph of these", unused)):
            if names:
                log.warning("gsd_mm   %d %s (%s)", len(names), message, first_names(names))
    log.info("output   %s", config.output)
    with at_most(config.max_megapixels):
        counts = with_progress(job)
    log.info("done     %d, skipped %d, failed %d", counts.done, counts.skipped, counts.failed)
    if counts.flagged:
        log.info("note     %d flagged: the super-resolved image does not explain the photograph", counts.flagged)
    log.info("summary  %s", Path(config.output) / "summary.csv")
    if inspector is not None:
        log.info("report   %s", Path(config.output) / REPORT)
    if counts.failed or job.unread:
        raise SystemExit(SOME_FAILED)


def with_progress(job: Job) -> Counts:
    """Run ``job`` with a progress bar: work by pixels, photographs by number, time left."""
    pixels = job.pixels()
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )  # fmt: skip
    # Tiles are slow and unequal, so the time left is judged from the last ten minutes.
    console = Console(stderr=True)
    with Progress(*columns, console=console, speed_estimate_period=600, disable=not pixels) as progress:
        task = progress.add_task("predicting", total=sum(pixels.values()))

        def tick(photograph: Photograph, share: float) -> None:
            progress.update(task, advance=share * pixels[photograph.name], description=shortened(photograph.name))

        return job.run(tick, lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))


def shortened(name: str, longest: int = 40) -> str:
    """A name that leaves room for the bar."""
    name = name.encode("utf-8", "replace").decode().replace("[", "\\[")
    return name if len(name) <= longest else "…" + name[1 - longest :]


if __name__ == "__main__":
    main()
