"""``csbsr-predict``: super-resolve and segment photographs of any size; a folder in, results out."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from csbsr.cli.command import now, plain, reports_errors, require
from csbsr.cli.config import SOME_FAILED, lists_in_brackets, literal_paths, run, show_version, unquoted
from csbsr.data.limits import PIXELS_PER_BYTE
from csbsr.data.reading import at_most
from csbsr.inspection.record import FAILED, Record
from csbsr.inspection.store import PREDICT, REPORT, TABLE, Store
from csbsr.measure import unmatched
from csbsr.words import first_names, printable

if TYPE_CHECKING:  # torch is loaded when there is something to predict
    from csbsr.data.heads import Head
    from csbsr.export.backend import Backend
    from csbsr.inspection.measuring import Measuring
    from csbsr.inspection.predicting import Predicting
    from csbsr.joint import JointSystem
    from csbsr.predict import Predictor

log = logging.getLogger("csbsr")

#: Settings that are fields of `csbsr.predict.PredictionOptions`.
OPTIONS = (
    "threshold", "tile", "grow", "skip", "margin_sr", "margin_segmentation", "blend", "kernel", "flips", "precision",
    "device",
)  # fmt: skip
_LOOKED_AT = 200  # photographs whose size tells how much work there is
_USAGE = "csbsr-predict ckpt=<file> input=<photographs> output=<folder>"
_REQUIRED = {
    "ckpt": "a checkpoint of csbsr-train or released weights",
    "input": "a photograph, a folder or a pattern",
    "output": "a folder for the results",
}


def main() -> None:
    """Entry point of ``csbsr-predict``."""
    arguments = sys.argv[1:]
    show_version(arguments)
    words = literal_paths(lists_in_brackets(arguments))
    if any(word.startswith("hydra/launcher=") for word in words):
        from csbsr.cli.sweep import own_plugins

        words = own_plugins(words)
    run(predict, "predict", words, stopped="the same command goes on where this one was")


@reports_errors
def predict(config: DictConfig) -> None:
    """Predict what is not done yet; exits with 2 if a photograph failed."""
    require(config, _REQUIRED, _USAGE)
    from csbsr.cli.measuring import check_cells, check_classes, measuring_from, scale_lines
    from csbsr.inspection.density import summarised
    from csbsr.inspection.job import Job
    from csbsr.inspection.merging import merge
    from csbsr.inspection.photographs import find
    from csbsr.inspection.progress import with_progress
    from csbsr.inspection.sharding import shard_from
    from csbsr.joint import describe
    from csbsr.predict import Predictor
    from csbsr.weights import load

    measuring = measuring_from(config) if config.measure else None
    shard = None if config.shard is None else shard_from(config.shard)
    if shard is not None and config.merge:
        raise ValueError(f"merge: takes all shards together, got shard={shard} too; leave one of them out")
    if config.merge and config.overwrite:
        raise ValueError("merge: takes what the shards have done, and overwrite=true does it again; leave one out")
    found = find(config.input, config.output)
    runtime = "openvino" if config.backend == "openvino" else None
    network = load(config.ckpt, trusted=tuple(config.trusted), runtime=runtime)
    folder = Path(config.output) if shard is None else Path(config.output) / shard.folder
    store = Store(folder, PREDICT)
    kept = [] if config.overwrite else store.sorted_records
    chosen = choose_backend(config, network, [photograph.path for photograph in found.photographs], kept)
    predictor = Predictor(chosen.network, cheap=cheap_pass(config, chosen), **{key: config[key] for key in OPTIONS})
    card = describe_run(config, predictor)
    work = make_work(config, predictor, measuring, card)
    if measuring is not None:
        check_classes(measuring, ((photograph.name, photograph.path) for photograph in found.photographs))
        check_cells(measuring, ((photograph.name, photograph.path) for photograph in found.photographs))
    about = {
        "checkpoint": config.ckpt, "network": describe(predictor.system.network), "threshold": predictor.threshold,
        "backend": chosen.name, "skip": predictor.skip, "date": card["date"],
    }  # fmt: skip
    mine = [photograph for photograph in found.photographs if shard is None or shard.has(photograph.name)]
    store.about["run"] = card
    shares = merge(work, mine, store) if config.merge else 0
    job = Job(work, mine, store, overwrite=config.overwrite, about=about)
    introduce(config, predictor)
    log.info("backend  %s%s", chosen.name, f" ({chosen.reason})" if chosen.reason else "")
    if shard is not None:
        log.info("shard    %s: %d of %d photographs", shard, len(mine), len(found.photographs))
    if shares:
        log.info("merged   %d shards", shares)
    log.info("input    %d photographs, %d of them done already", len(job.items), len(job.items) - len(job.todo))
    if found.others:
        log.info("ignored  %d that are no photographs (%s)", len(found.others), first_names(found.others))
    for unread in found.unread:
        log.warning("failed   %s", unread)
    if measuring is not None:
        without, unused = unmatched([photograph.name for photograph in found.photographs], measuring.gsd)
        for message, names in (("photographs are not listed", without), ("rows list no photograph of these", unused)):
            if names:
                log.warning("gsd_mm   %d %s (%s)", len(names), message, first_names([str(name) for name in names]))
    log.info("output   %s", folder)
    with at_most(config.max_megapixels):
        counts = with_progress(job, "predicting", progress_line)
    log.info("done     %d, skipped %d, failed %d", counts.done, counts.skipped, counts.failed)
    if counts.flagged:
        log.info("note     %d flagged: the super-resolved image does not explain the photograph", counts.flagged)
    for line in [] if measuring is None else scale_lines(store.sorted_records, measuring):
        log.info("scale    %s", line)
    for line in summarised(store.sorted_records):
        log.info("density  %s", line)
    log.info("summary  %s", folder / TABLE)
    if measuring is not None:
        log.info("report   %s", folder / REPORT)
    in_sweep = HydraConfig.get().mode is RunMode.MULTIRUN  # where an exit would end the other shards
    if (counts.failed or found.unread) and not in_sweep:
        raise SystemExit(SOME_FAILED)


def choose_backend(
    config: DictConfig, network: JointSystem, photographs: Sequence[Path], kept: Iterable[Record] = ()
) -> Backend:
    """What computes the network: as asked for, and with ``auto`` what pays for these photographs and agrees.

    Args:
        config: of the command.
        network: of the checkpoint.
        photographs: all that are asked for.
        kept: records of the results that the folder holds; ``auto`` goes on with the one backend that made them.
    """
    from csbsr.data.heads import read_heads
    from csbsr.export.backend import agreeing, megapixels_worth, on_backend

    earlier = {record.settings["backend"] for record in kept if record.settings and "backend" in record.settings}
    if config.backend == "auto" and len(earlier) == 1 and network.runs_on is None:
        return on_backend(network, next(iter(earlier)), config.device, config.precision)
    if config.backend == "auto" and (least := megapixels_worth(network)) is not None:
        looked = list(photographs[:_LOOKED_AT])
        heads = read_heads(looked)
        seen = sum(megapixels_held(path, head) for path, head in zip(looked, heads, strict=True))
        if seen * len(photographs) / max(1, len(heads)) < least:
            return on_backend(network, "torch", config.device, config.precision)
    chosen = on_backend(network, config.backend, config.device, config.precision)
    if config.backend != "auto" or chosen.network is network:
        return chosen
    return agreeing(chosen, network, photographs[0])


def megapixels_held(path: Path, head: Head) -> float:
    """Megapixels of a file, no more than one of its size holds: what claims more will be refused."""
    return min(head.width * head.height, PIXELS_PER_BYTE * path.stat().st_size) / 1e6 if head.width else 0


def cheap_pass(config: DictConfig, chosen: Backend) -> JointSystem | None:
    """What looks first with ``skip=auto``: the shipped lite system, on the same backend; None without skipping."""
    from csbsr.export.backend import on_backend
    from csbsr.joint import LiteSystem
    from csbsr.weights import load

    if config.skip != "auto" or isinstance(chosen.network, LiteSystem):
        return None
    return on_backend(load("lite"), chosen.name, config.device, config.precision).network


def describe_run(config: DictConfig, predictor: Predictor) -> dict[str, Any]:
    """The run card; what the checkpoint tells of itself stands beside what was asked for."""
    from csbsr.report.runcard import run_card

    network = predictor.system.network.card
    return run_card(
        "csbsr-predict",
        unquoted(HydraConfig.get().overrides.task),
        None,
        plain(config),
        {},
        config.ckpt,
        network.get("network"),
        {key: value for key, value in network.items() if key not in ("network", "config")},
        date=now(),
    )


def make_work(
    config: DictConfig, predictor: Predictor, measuring: Measuring | None, card: dict[str, Any]
) -> Predicting:
    """What is done with each photograph."""
    from csbsr.inspection.predicting import Predicting, PredictingAndMeasuring
    from csbsr.inspection.windows import Windows

    windows = Windows(config.windows, config.result_scale)
    weights, save, bands = card["weights"]["sha256"] or str(config.ckpt), plain(config.save), plain(config.bands)
    if measuring is None:
        return Predicting(predictor, save, weights, bands, config.bits, windows)
    compare = config.compare_bicubic
    return PredictingAndMeasuring(predictor, save, weights, measuring, compare, bands, config.bits, windows)


def introduce(config: DictConfig, predictor: Predictor) -> None:
    """The first lines: which system runs where, and what its mask is."""
    from csbsr.hardware import slow_in_half_precision
    from csbsr.joint import describe

    network = predictor.system.network
    recommended = network.card.get("recommended_threshold") is not None
    origin = "given" if config.threshold else "recommended by the checkpoint" if recommended else "no recommendation"
    log.info("system   %s, on %s", describe(network), predictor.system.device)
    log.info("weights  %s", config.ckpt)
    log.info("mask     probability > %g (%s)", predictor.threshold, origin)
    if config.skip == "auto":
        told = "only tiles in or near which the lite system answers get the full pass, see docs/speed.md"
        log.info("skip     %s", told if predictor.skip == "auto" else "nothing: the system is itself the lite one")
    if (line := slow_in_half_precision(predictor.options.precision, predictor.system.device.type)) is not None:
        log.warning("note     %s", line)


def progress_line(record: Record) -> str:
    """What the terminal is told of a photograph."""
    from csbsr.predict.consistency import why_flagged

    name = printable(record.file)
    if record.status == FAILED or record.predicted is None:
        return f"failed   {name}: {record.error}"
    line = f"done     {name}: {100 * (record.predicted.crack_share or 0):.3g} % crack"
    line += handled(record)
    if record.skipped is not None:
        line += f"; {100 * (record.skipped.skipped_share or 0):.3g} % skipped"
    found = record.agreement
    if found is not None and found.consistency_flag:
        reason = why_flagged(found.consistency or 0, found.consistency_cracks)
        line += f"; the super-resolved image does not explain the photograph ({reason})"
    return line


def handled(record: Record) -> str:
    """What was special about a photograph, to follow its line."""
    found, line = record.handled, ""
    if found is None:
        return line
    if found.missing_share:
        line += f"; {100 * found.missing_share:.3g} % hold no photograph and are left out"
    if found.excluded_share:
        line += f"; {100 * found.excluded_share:.3g} % left out by hand"
    line += f"; {printable(found.note)}" if found.note else ""
    return line + (f"; {found.not_measured}" if found.not_measured else "")


if __name__ == "__main__":
    main()
