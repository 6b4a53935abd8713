"""From a composed configuration to what is trained: the network, the data, the trainer."""

from __future__ import annotations

import logging
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import hydra
import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf
from torch import nn

import csbsr
from csbsr.build import build
from csbsr.cli.command import DATA, plain
from csbsr.data.datamodule import CrackDataModule
from csbsr.hardware import check_precision
from csbsr.joint import JointSystem
from csbsr.weights.card import without_downloads
from csbsr.weights.checkpoint import network_weights, read_checkpoint
from csbsr.weights.tensors import Within
from csbsr.words import printable

#: Warnings that ask nothing of a user of these commands.
ADVICE = (
    ".*isinstance\\(treespec",
    ".*smaller than the logging interval",
    ".*does not have many workers",
    ".*resuming from a checkpoint that ended before the epoch",
    ".*Checkpoint directory .* exists",
    ".*across ranks is zero",  # no validation images: the first lines say so
)


def build_network(config: DictConfig) -> tuple[JointSystem, dict[str, Any]]:
    """The network with freshly drawn weights (from ``seed``), and its description."""
    spec = plain(config.model)
    if config.ckpt or config.init:  # the weights come from there
        spec = without_downloads(spec)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    with within_weights_of(config.ckpt):
        network = build(spec, tuple(config.trusted))
    if network.scale != config.scale:
        name = type(network).__name__
        raise ValueError(f"scale: {name} works at scale {network.scale}, got {config.scale}; set scale={network.scale}")
    return network, spec


def within_weights_of(ckpt: str | None) -> AbstractContextManager[Any]:
    """Where a run goes on, words of a file choose its sizes: nothing larger than the file's own weights is made."""
    if not ckpt:
        return nullcontext()
    return Within(network_weights(read_checkpoint(ckpt)), f"ckpt: {printable(ckpt)}")


def build_data(config: DictConfig) -> CrackDataModule:
    """The data module with the degradation of the configuration."""
    data: CrackDataModule = build(plain(config.data), DATA)
    return data


def build_trainer(config: DictConfig, callbacks: list[Any], loggers: list[Any]) -> pl.Trainer:
    """The Lightning trainer, without its advice on the terminal.

    Raises:
        ValueError: it cannot be made, or this CPU would compute wrongly in its precision.
    """
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    for advice in ADVICE:
        warnings.filterwarnings("ignore", advice)
    try:
        trainer: pl.Trainer = hydra.utils.instantiate(config.trainer, callbacks=callbacks, logger=loggers)
    except InstantiationException as error:
        reason = error.__cause__ or error
        raise ValueError(
            f"trainer: {reason} (trainer.accelerator={config.trainer.get('accelerator')}, "
            f"trainer.devices={config.trainer.get('devices')}); trainer.accelerator=auto takes what this machine has, "
            "trainer.accelerator=cpu trainer.devices=1 runs everywhere"
        ) from error
    check_precision(str(trainer.precision), trainer.strategy.root_device.type)
    return trainer


def instances(group: DictConfig | None) -> list[Any]:
    """The objects of a group of named nodes; a name set to null is left out."""
    return [hydra.utils.instantiate(node) for node in (group or {}).values() if node is not None]


def compile_parts(network: nn.Module) -> None:
    """``torch.compile`` each part in place: the names in its state dict stay as they are."""
    for part in network.children():
        part.compile()


def make_card(config: DictConfig, spec: dict[str, Any], data: CrackDataModule) -> dict[str, Any]:
    """What a checkpoint tells of itself; plain values only."""
    hydra_config = HydraConfig.get()
    return {
        "format": 1,
        "version": csbsr.__version__,
        "network": without_downloads(spec),
        "scale": spec.get("scale", config.scale),
        "seed": config.seed,
        "config": stored_config(config),
        "overrides": list(hydra_config.overrides.task),
        "choices": {str(key): value for key, value in hydra_config.runtime.choices.items() if "/" not in str(key)},
        "data": {"fingerprint": data.fingerprint()},
    }


def stored_config(config: DictConfig) -> Any:
    """The configuration as a checkpoint stores it: references stay, the folder of the data is where it is now."""
    stored: Any = OmegaConf.to_container(config, resolve=False)
    for key in ("root", "surfaces", "surfaces_list"):
        if config.data.get(key):
            stored["data"][key] = str(Path(config.data[key]).absolute())
    return stored
