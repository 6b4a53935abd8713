"""``csbsr-train``: train a system, or continue."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import hydra
import torch
from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only

from csbsr.build import TRUSTED, build
from csbsr.cli import build as make
from csbsr.cli.config import literal_paths, merged, quoted, run, show_version, value_of, without
from csbsr.cli.replay import check_stored
from csbsr.cli.sweep import left_behind
from csbsr.report.page import number
from csbsr.training.loggers import log_final
from csbsr.training.module import CrackModule
from csbsr.weights import load, read_checkpoint
from csbsr.weights.checkpoint import card, check_goes_on, network_weights
from csbsr.words import printable

log = logging.getLogger("csbsr")


def main() -> None:
    """Entry point of ``csbsr-train``."""
    arguments = sys.argv[1:]
    show_version(arguments)
    try:
        arguments = continued(literal_paths(arguments))
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    run(train, "train", arguments)


def continued(arguments: list[str]) -> list[str]:
    """With ``ckpt=…``, the command line of the run that wrote it, in its own folder, with the new words on top."""
    ckpt = value_of(arguments, "ckpt")
    if ckpt in (None, "null", ""):
        return arguments
    path = newest_checkpoint() if ckpt == "last" else Path(ckpt)
    checkpoint = read_checkpoint(path)
    described = card(checkpoint)
    if "overrides" not in described:
        raise ValueError(
            f"ckpt: {printable(path)} was not written by csbsr-train; to start from its weights use "
            f"init={printable(path)}"
        )
    given, stored = without(arguments, "ckpt"), without(described["overrides"], "ckpt", "output")
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
    found = sorted(root.glob("**/checkpoints/last.ckpt"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f"ckpt=last: no checkpoints/last.ckpt under {root.absolute()}; name a checkpoint")
    return found[-1]


@make.friendly
def train(config: DictConfig) -> None:
    """Compose the objects and fit."""
    folder = make.run_folder()
    earlier, done = left_behind(config, folder)
    if earlier is not None and done >= config.trainer.max_steps:
        log.info("skipped  %s has all its %d steps", folder, done)
        return
    config.ckpt = config.ckpt or earlier
    last = folder / "checkpoints" / "last.ckpt"
    if not config.ckpt and last.is_file():
        raise ValueError(f"output: {folder} holds a run; continue it with ckpt={last}, or choose another folder")
    network, spec = make.build_network(config)
    data = make.build_data(config)
    data.setup("fit")
    start = 0
    if config.ckpt:
        start = start_of(network, config.ckpt)
    elif config.init:
        start_from(network, config.init, tuple(config.trusted))
    phases = build(make.plain(config.phases))
    phases.check(network, from_scratch=not (config.init or config.ckpt))
    introduce(config, network, data, folder)
    if config.channels_last:
        network.to(memory_format=torch.channels_last)
    if config.compile:
        make.compile_parts(network)
    module = CrackModule(
        network,
        metrics=build(make.plain(config.metrics)),
        loss=build(make.plain(config.loss)),
        phases=phases,
        optimizer=hydra.utils.instantiate(config.optimizer),
        scheduler=hydra.utils.instantiate(config.scheduler),
        seed=config.seed,
        card=make.make_card(config, spec, data),
    )
    loggers = make.instances(config.logger)
    trainer = make.build_trainer(config, make.instances(config.callbacks), loggers)
    if trainer.is_global_zero:
        (folder / "split.json").write_text(json.dumps(data.split_record(), indent=1, ensure_ascii=False))
    for logger in loggers:
        logger.first_step = start
        logger.log_hyperparams(make.plain(config))
    trainer.fit(module, datamodule=data, ckpt_path=config.ckpt, weights_only=True)
    if trainer.is_global_zero:
        last = {key: float(value) for key, value in trainer.callback_metrics.items() if key.startswith("val/")}
        meanings = module.metrics.definitions() if last else {}
        named = ((key.removeprefix("val/"), value) for key, value in last.items())
        log_final(loggers, "val", [[key, number(key, value), meanings.get(key, "")] for key, value in named])
    rank_zero_only(log.info)("done: %s", folder / "checkpoints")


def start_of(network: torch.nn.Module, ckpt: str) -> int:
    """The number of updates that a checkpoint has behind it, once it is sure to fit ``network``."""
    checkpoint = read_checkpoint(ckpt)
    check_goes_on(checkpoint, f"ckpt: {printable(ckpt)}")
    scale = card(checkpoint)["scale"]
    if scale != network.scale:
        raise ValueError(
            f"ckpt: {ckpt} was trained for scale {scale}, but scale {network.scale} was asked for; leave scale= out"
        )
    check_fit(network, network_weights(checkpoint), f"ckpt: {ckpt}")
    return checkpoint["global_step"]


def start_from(network: torch.nn.Module, init: str, trusted: Sequence[str] = TRUSTED) -> None:
    """Copy the weights of another checkpoint; only BlurSkip may be missing there."""
    source = load(init, scale=network.scale, trusted=trusted).state_dict()
    check_fit(network, source, f"init: {init}", optional="segmentor.blur_skip.")
    network.load_state_dict(source, strict=False)


def check_fit(
    network: torch.nn.Module, weights: Mapping[str, torch.Tensor], origin: str, optional: str | tuple[()] = ()
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


def introduce(config: DictConfig, network: torch.nn.Module, data: object, folder: Path) -> None:
    """The first lines of a run: which system, recipe and data, and where it writes."""
    choices, beta = make.HydraConfig.get().runtime.choices, config.loss.get("beta")  # DSRL's loss has no beta
    log.info("system   %s", make.describe(network))
    log.info(
        "recipe   %s, phases %s, %d steps, batch %d of %d px crops%s",
        choices.get("recipe") if not choices.get("experiment") else f"{choices['experiment']} ({choices['recipe']})",
        choices.get("phases"), config.steps, config.data.batch_size, config.data.crop,
        "" if beta is None else f", beta {beta}",
    )  # fmt: skip
    record = data.split_record()
    log.info(
        "data     %s: %d training and %d validation images", choices.get("data"), record["train"],
        len(record["validation"]),
    )  # fmt: skip
    if "root" in config.data:  # it may come from a checkpoint
        log.info("root     %s", printable(config.data.root))
    log.info("output   %s", folder)
    if config.width.sr == 1 and not torch.cuda.is_available() and choices.get("recipe") != "quick":
        log.info(
            "note     no GPU found: the full-size system takes seconds a step here; recipe=quick is made for a CPU"
        )


if __name__ == "__main__":
    main()
