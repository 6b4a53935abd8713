"""``csbsr-train``: train a system, or continue."""

from __future__ import annotations

import json
import logging
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only

from csbsr.build import TRUSTED, build
from csbsr.cli import build as make
from csbsr.cli.combinations import check_combination, unread
from csbsr.cli.command import plain, reports_errors, run_folder
from csbsr.cli.config import literal_paths, merged, quoted, run, said_now, show_version, value_of, without
from csbsr.cli.folders import claimed, claims
from csbsr.cli.replay import check_stored
from csbsr.cli.sweep import forwarding, holds_run, leave_worker, left_behind, own_plugins
from csbsr.data.datamodule import CrackDataModule
from csbsr.errors import NonFiniteLoss
from csbsr.files import remove_partial, write_text
from csbsr.hardware import slow_in_half_precision
from csbsr.joint import JointSystem, describe
from csbsr.metrics.collection import CrackMetrics
from csbsr.metrics.definitions import definitions
from csbsr.metrics.representable import ENOUGH, beyond_reach
from csbsr.names import shipped
from csbsr.report.page import number
from csbsr.training import slurm
from csbsr.training.cpu import fused, keep_channels_last, wants_channels_last
from csbsr.training.loggers import ContinuedCSVLogger, log_final
from csbsr.training.module import CrackModule
from csbsr.training.restoring import Restoring
from csbsr.training.resuming import LAST, PREVIOUS, ResumePoint, read_sound
from csbsr.training.stops import Stopped, Stops, StopTraining
from csbsr.weights import load, read_checkpoint
from csbsr.weights.checkpoint import card, check_goes_on, network_weights
from csbsr.words import printable, printable_lines

log = logging.getLogger("csbsr")

#: Recipes whose systems train on a CPU.
FOR_CPU = ("quick", "lite", "finetune")
#: Words about where a run stands and whether it goes on: with ``ckpt=`` the folder of the checkpoint says both.
PLACE = ("ckpt", "output", "resume", "cluster")


def main() -> None:
    """Entry point of ``csbsr-train``."""
    arguments = sys.argv[1:]
    show_version(arguments)
    try:
        arguments = own_plugins(continued(literal_paths(arguments)))
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {printable_lines(error)}") from None
    sweep = any(word in ("-m", "--multirun") for word in arguments)
    with claims(), forwarding() if sweep else nullcontext():
        run(train, "train", arguments, stopped="nothing was being trained")


def continued(arguments: list[str]) -> list[str]:
    """With ``ckpt=…``, the command line of the run that wrote it, in its own folder, with the new words on top."""
    ckpt = value_of(arguments, "ckpt")
    if ckpt in (None, "null", ""):
        return arguments
    if shipped(ckpt) is not None:
        raise ValueError(f"ckpt: {ckpt} are weights, not a run that could go on; start from them with init={ckpt}")
    path = newest_checkpoint() if ckpt == "last" else Path(ckpt)
    path, checkpoint = read_sound(path, lambda text: print(text, file=sys.stderr))  # nothing is logged yet
    described = card(checkpoint)
    if "overrides" not in described:
        raise ValueError(
            f"ckpt: {printable(path)} was not written by csbsr-train; to start from its weights use "
            f"init={printable(path)}"
        )
    given, stored = (said_now(words) for words in (arguments, described["overrides"]))
    given, stored = without(given, "ckpt"), without(stored, *PLACE)
    replayed = merged(stored, given)[: -len(given) or None]
    check_goes_on(checkpoint, f"ckpt: {printable(path)}")
    check_stored(replayed, given, path)
    words = [*replayed, *given, f"ckpt={quoted(path.absolute())}"]
    folder = path.absolute().parent.parent
    if value_of(given, "output") is None and (folder / ".hydra").is_dir():
        words.append(f"output={quoted(folder)}")
    return words


def newest_checkpoint(root: Path = Path("runs")) -> Path:
    """The ``last.ckpt`` written last under ``root``."""
    found = [path for name in (LAST, PREVIOUS) for path in root.glob(f"**/checkpoints/{name}")]
    if not found:
        raise FileNotFoundError(f"ckpt=last: no checkpoints/{LAST} under {root.absolute()}; name a checkpoint")
    return max(found, key=lambda path: path.stat().st_mtime).with_name(LAST)


@reports_errors
def train(config: DictConfig) -> float | None:
    """Compose the objects and fit; the value of ``objective``, if one is asked for."""
    folder = run_folder()
    with Stops() as stops, ExitStack() as stack:
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            stack.enter_context(claimed(folder))
        try:
            return fitted(config, folder, stops)
        except Stopped as stop:
            code = farewell(stop, folder)
            stops.tell_others(stop.signal)
            leave_worker(code)
            raise SystemExit(code) from None


def fitted(config: DictConfig, folder: Path, stops: Stops) -> float | None:
    """Train in ``folder``."""
    check_objective(config)
    if config.steps < 1:
        raise ValueError(f"steps: expected at least 1, got {config.steps}")
    check_combination(config, HydraConfig.get().runtime.choices)
    earlier, point = left_behind(config, folder)
    if earlier is not None and is_complete(point, config):
        log.info("skipped  %s has all its %d steps", folder, point.step)
        return objective(config.objective, point.validation)
    config.ckpt = config.ckpt or earlier
    if not config.ckpt and holds_run(folder):
        raise ValueError(
            f"output: {folder} holds a run; continue it with ckpt={folder / 'checkpoints' / LAST}, "
            "or choose another folder"
        )
    network, spec = make.build_network(config)
    if config.ckpt:
        point = point_of(network, config.ckpt)
        if is_complete(point, config):
            log.info(
                "nothing to do: %s already has %d steps and %d are asked for; raise steps= to train on",
                config.ckpt, point.step, config.trainer.max_steps,
            )  # fmt: skip
            return objective(config.objective, point.validation)
    if config.init and not config.ckpt:
        start_from(network, config.init, tuple(config.trusted))
    data = make.build_data(config)
    data.setup("fit")
    phases = build(plain(config.phases))
    phases.check(network, from_scratch=not (config.init or config.ckpt))
    introduce(config, network, data, folder)
    loggers = make.instances(config.logger)
    restoring = Restoring(config.ckpt)
    callbacks = [*make.instances(config.callbacks), StopTraining(stops), restoring]
    trainer = make.build_trainer(config, callbacks, loggers)
    device = trainer.strategy.root_device.type
    if (line := slow_in_half_precision(str(trainer.precision), device)) is not None:
        rank_zero_only(log.warning)("note     %s", line)
    if wants_channels_last(config.channels_last, device):
        keep_channels_last(network)
    if config.compile:
        make.compile_parts(network)
    metrics: CrackMetrics = build(plain(config.metrics))
    module = CrackModule(
        network,
        metrics=metrics,
        loss=build(plain(config.loss)),
        phases=phases,
        optimizer=fused(hydra.utils.instantiate(config.optimizer), config.optimizer, device),
        scheduler=hydra.utils.instantiate(config.scheduler),
        seed=config.seed,
        card=make.make_card(config, spec, data),
    )
    if trainer.is_global_zero:
        for place in (folder, folder / "checkpoints", folder / "panels"):
            remove_partial(place)
        write_text(folder / "split.json", json.dumps(data.split_record(), indent=1, ensure_ascii=False))
    for logger in loggers:
        if isinstance(logger, ContinuedCSVLogger):
            logger.go_on_from(point)
        logger.log_hyperparams(plain(config))
    try:
        trainer.fit(module, datamodule=data, ckpt_path=config.ckpt, weights_only=True)
    except (Stopped, NonFiniteLoss):
        raise
    except Exception as error:
        if (told := restoring.explained(error)) is not error:
            raise told from error
        if holds_run(folder):
            rank_zero_only(log.info)("%s", how_to_go_on(folder))
        raise
    values = {key: float(value) for key, value in trainer.callback_metrics.items() if key.startswith("val/")}
    if trainer.is_global_zero:
        meanings = metrics.definitions() if values else {}
        named = ((key.removeprefix("val/"), value) for key, value in values.items())
        log_final(loggers, "val", [[key, number(key, value), meanings.get(key, "")] for key, value in named])
    rank_zero_only(log.info)("done: %s", folder / "checkpoints")
    return objective(config.objective, values or point.validation)


def is_complete(point: ResumePoint, config: DictConfig) -> bool:
    """Whether a run that has come to ``point`` has nothing left to do."""
    return 0 <= config.trainer.max_steps <= point.step and not point.unvalidated


def how_to_go_on(folder: Path) -> str:
    """The line that says how a run, or the sweep that it belongs to, is continued."""
    settings = HydraConfig.get()
    if settings.mode is RunMode.MULTIRUN:
        return f"go on with the same words and output={shlex.quote(settings.sweep.dir)}"
    return f"go on with  csbsr-train ckpt={shlex.quote(str(folder / 'checkpoints' / LAST))}"


def farewell(stop: Stopped, folder: Path) -> int:
    """Say how a stopped run goes on, or put the job back into Slurm's queue; what to exit with."""
    if getattr(rank_zero_only, "rank", 0):  # the first process's code counts, and Lightning kills it if another fails
        return 0
    if not holds_run(folder):
        log.info("%s before the first step; nothing to save", stop)
        return stop.exit_code
    job = slurm.job() if stop.signal == slurm.REQUEUE_SIGNAL else None
    if job is not None:
        trouble = slurm.requeue(job)
        if trouble is None:
            log.info("%s; saved, and job %s is in the queue again", stop, job)
            return 0
        log.warning("job %s could not be put into the queue again: %s", job, trouble)
    log.info("%s; saved; %s", stop, how_to_go_on(folder))
    return stop.exit_code


def check_objective(config: DictConfig) -> None:
    """Raise ValueError unless ``objective`` is a metric, or null."""
    name, percentiles = config.objective, config.metrics.get("percentiles") or (95, 50)
    known = [key for key in definitions(percentiles) if not key.endswith("threshold")]
    if name is not None and name not in known:
        raise ValueError(f"objective: expected one of {', '.join(known)}, got {name!r}")


def objective(name: str | None, values: Mapping[str, float]) -> float | None:
    """The metric that a sweep asks for, of the last validation.

    Raises:
        ValueError: the validation did not compute it, or there was none.
    """
    if name is None:
        return None
    if f"val/{name}" not in values:
        found = ", ".join(key.removeprefix("val/") for key in values)
        raise ValueError(
            f"objective: expected {name} among the metrics of the last validation, got {found or 'no validation'}; "
            "choose metrics= or trainer.val_check_interval so that it is computed"
        )
    return values[f"val/{name}"]


def point_of(network: JointSystem, ckpt: str) -> ResumePoint:
    """The point at which a checkpoint was written, once it is sure to fit ``network``."""
    checkpoint = read_checkpoint(ckpt)
    check_goes_on(checkpoint, f"ckpt: {printable(ckpt)}")
    scale = card(checkpoint)["scale"]
    if scale != network.scale:
        raise ValueError(
            f"ckpt: {ckpt} was trained for scale {scale}, but scale {network.scale} was asked for; leave scale= out"
        )
    check_fit(network, network_weights(checkpoint), f"ckpt: {ckpt}")
    return ResumePoint.of(checkpoint)


def start_from(network: JointSystem, init: str, trusted: Sequence[str] = TRUSTED) -> None:
    """Copy the weights of another checkpoint; only BlurSkip may be missing there."""
    try:
        source = load(init, scale=network.scale, trusted=trusted).state_dict()
    except FileNotFoundError as error:
        raise FileNotFoundError(str(error).replace("ckpt:", "init:", 1)) from error
    check_fit(network, source, f"init: {init}", optional="segmentor.blur_skip.")
    network.load_state_dict(source, strict=False)


def check_fit(
    network: JointSystem, weights: Mapping[str, torch.Tensor], origin: str, optional: str | tuple[()] = ()
) -> None:
    """Raise ValueError unless ``weights`` fill ``network``; what starts with ``optional`` may be missing."""
    target = network.state_dict()
    wrong = [name for name, value in weights.items() if name not in target or target[name].shape != value.shape]
    missing = [name for name in target if name not in weights and not name.startswith(optional)]
    if wrong or missing:
        raise ValueError(
            f"{origin} holds another system: {len(missing)} entries missing ({', '.join(missing[:3])} …), "
            f"{len(wrong)} unexpected or of another shape ({', '.join(wrong[:3])} …); choose its groups"
        )


def introduce(config: DictConfig, network: JointSystem, data: CrackDataModule, folder: Path) -> None:
    """The first lines of a run: which system, recipe and data, and where it writes."""
    choices, beta = HydraConfig.get().runtime.choices, config.loss.get("beta")  # DSRL's loss has no beta
    log.info("system   %s", describe(network))
    log.info(
        "recipe   %s, phases %s, %d steps, batch %d of %d px crops%s",
        choices.get("recipe") if not choices.get("experiment") else f"{choices['experiment']} ({choices['recipe']})",
        choices.get("phases"), config.steps, config.data.batch_size, config.data.crop,
        "" if beta is None else f", beta {beta}",
    )  # fmt: skip
    record = data.split_record()
    log.info(
        "data     %s: %d training and %d validation images%s", choices.get("data"), record["train"],
        record["kept_apart"], looked_at(record),
    )  # fmt: skip
    for key in ("root", "surfaces", "surfaces_list"):
        if config.data.get(key):  # it may come from the checkpoint
            log.info("%-8s %s", key, printable(config.data[key]))
    log.info("output   %s", folder)
    for word in unread(config, HydraConfig.get().overrides.task):
        log.info("note     %s is not read: model=%s is one network for both", word, choices.get("model"))
    beyond = beyond_reach(network, data.degradation)
    if beyond:
        log.info(
            "note     %.0f %% of these blurs have kernels that this network cannot represent "
            "(the nearest it can make is below %g dB)",
            100 * beyond, ENOUGH,
        )  # fmt: skip
    full = config.width.sr == 1 and choices.get("recipe") not in FOR_CPU
    if full and not torch.cuda.is_available():
        log.info(
            "note     no GPU found: the full-size system takes seconds a step here; recipe=quick is made for a CPU"
        )


def looked_at(record: Mapping[str, Any]) -> str:
    """Of how many of the images kept apart a validation tells, where not of all."""
    count = len(record["validation"])
    return "" if count == record["kept_apart"] else f", {count} of which are looked at (data.validation_images)"


if __name__ == "__main__":
    main()
