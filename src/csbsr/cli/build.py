"""From a composed configuration to objects: the network, the data, the trainer."""

from __future__ import annotations

import logging
import shutil
import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Any

import hydra
import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch import nn

import csbsr
from csbsr.cli.config import check_words
from csbsr.joint import build
from csbsr.training.module import NonFiniteLoss
from csbsr.weights.card import without_downloads
from csbsr.weights.checkpoint import network_weights, read_checkpoint
from csbsr.weights.tensors import Within
from csbsr.words import printable

log = logging.getLogger(__name__)

#: Warnings that ask nothing of a user of these commands.
ADVICE = (
    ".*isinstance\\(treespec",
    ".*smaller than the logging interval",
    ".*does not have many workers",
    ".*resuming from a checkpoint that ended before the epoch",
    ".*Checkpoint directory .* exists",
    ".*across ranks is zero",  # no validation images: the first lines say so
)
#: Rooms whose classes a description of data may name.
DATA = ("csbsr.data", "csbsr.degradation")
_OF_FILES = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError)  # a person can mend these


def plain(node: Any) -> Any:
    """A configuration node as plain containers, interpolations resolved."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def build_network(config: DictConfig) -> tuple[nn.Module, dict[str, Any]]:
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


def build_data(config: DictConfig) -> pl.LightningDataModule:
    """The data module with the degradation of the configuration."""
    return build(plain(config.data), DATA)


def build_trainer(config: DictConfig, callbacks: list[Any], loggers: list[Any]) -> pl.Trainer:
    """The Lightning trainer, without its advice on the terminal."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    for advice in ADVICE:
        warnings.filterwarnings("ignore", advice)
    return hydra.utils.instantiate(config.trainer, callbacks=callbacks, logger=loggers)


def instances(group: DictConfig | None) -> list[Any]:
    """The objects of a group of named nodes; a name set to null is left out."""
    return [hydra.utils.instantiate(node) for node in (group or {}).values() if node is not None]


def run_folder() -> Path:
    """Where this job writes."""
    return Path(HydraConfig.get().runtime.output_dir)


def describe(network: nn.Module) -> str:
    """One line on a network: parts and parameters."""
    parts = [network.sr, network.segmentor] if hasattr(network, "segmentor") else [network]
    names = " + ".join(type(getattr(part, "network", part)).__name__ for part in parts)  # what segmentor=custom wraps
    millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    return f"{names}, ×{network.scale}, {millions:.2f} M parameters"


def compile_parts(network: nn.Module) -> None:
    """``torch.compile`` each part in place: the names in its state dict stay as they are."""
    for part in network.children():
        part.compile()


def explained(error: Exception) -> str:
    """The error's text, with the way out where a library does not give it."""
    text = str(error)
    if text.startswith("Caught ") and " in DataLoader worker" in text:  # the worker's traceback, its message last
        text = text.rpartition(f"{type(error).__name__}: ")[2].rstrip()
    if "Expected more than 1 value per channel" in text:
        text += "\nA BatchNorm met a map of one pixel: raise data.batch_size to at least 2, or data.crop"
    if isinstance(error, torch.OutOfMemoryError):
        text += "\nLower data.batch_size or data.crop, or set sr.checkpoint=true or trainer.precision=bf16-mixed"
    return text


def friendly(task: Callable[[DictConfig], Any]) -> Callable[[DictConfig], Any]:
    """Report what a person can mend in a line, without a traceback, and leave nothing half-written behind.

    A run folder that was new is removed, unless checkpoints or curves have been written to it.  In a sweep the error
    goes on to Hydra, so that it is recorded with its job.
    """

    @wraps(task)
    def wrapper(config: DictConfig) -> Any:
        folder = run_folder()
        ours = (folder / ".hydra").is_dir()  # else Hydra was told to leave no records, and this may be anyone's
        new = ours and all(path.name == ".hydra" or path.suffix == ".log" for path in folder.iterdir())
        try:
            check_words(HydraConfig.get().overrides.task, HydraConfig.get().job.config_name)
            return task(config)
        except (ValueError, *_OF_FILES, NonFiniteLoss, torch.OutOfMemoryError) as error:
            if HydraConfig.get().mode.name == "MULTIRUN":
                raise
            if new and not any((folder / name).exists() for name in ("checkpoints", "metrics.csv")):
                shutil.rmtree(folder)
            log.debug("traceback", exc_info=True)
            print(f"error: {explained(error)}", file=sys.stderr)
            raise SystemExit(1) from None

    return wrapper


def make_card(config: DictConfig, spec: dict[str, Any], data: pl.LightningDataModule) -> dict[str, Any]:
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


def stored_config(config: DictConfig) -> dict[str, Any]:
    """The configuration as a checkpoint stores it: references stay, the folder of the data is where it is now."""
    stored = OmegaConf.to_container(config, resolve=False)
    if "root" in config.data:
        stored["data"]["root"] = str(Path(config.data.root).absolute())
    return stored
