"""Reading our own checkpoints: one line from a file to a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import nn

from csbsr.build import TRUSTED, build
from csbsr.files import whole
from csbsr.joint import JointSystem
from csbsr.plain import field, kind_of
from csbsr.seal import SealingWriter
from csbsr.weights.card import check_card, network_packages, without_downloads
from csbsr.weights.container import read_weights
from csbsr.weights.exported import SUFFIXES, load_exported
from csbsr.weights.released import load_reference
from csbsr.weights.safetensor import SUFFIX, read_safetensors
from csbsr.weights.shipped import read_shipped, shipped
from csbsr.weights.tensors import Within
from csbsr.words import printable

#: Entry of a checkpoint that describes it, plain values only (network description, configuration, threshold, …).
CARD_KEY = "csbsr"
WEIGHT_PREFIX = "network."  #: of the network's tensors in a checkpoint


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The whole checkpoint, on the CPU, without running code from the file and without believing its sizes.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no checkpoint, damaged, or says more than it holds.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"ckpt: no file {printable(path)}; expected a checkpoint (.ckpt) or released weights (.pth)"
        )
    checkpoint = read_weights(path, "ckpt")
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f"ckpt: {printable(path)} holds {kind_of(checkpoint)}; expected a checkpoint of csbsr-train, or released "
            "weights"
        )
    if CARD_KEY in checkpoint:
        name = f"ckpt: {printable(path)}"
        check_card(checkpoint[CARD_KEY], name)
        _check_entries(checkpoint, name)
    return checkpoint


def write_checkpoint(checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Write a checkpoint whole and sealed; what stood at ``path`` stays if it cannot be written.

    Raises:
        OSError: of the disk, also where torch hides it behind an error of its own.
    """
    with whole(path) as file:
        writer = SealingWriter(file)
        try:
            torch.save(checkpoint, cast("IO[bytes]", writer))
        except Exception:
            if writer.error is not None:
                raise writer.error from None
            raise
        writer.seal()


def _check_entries(checkpoint: Mapping[str, Any], name: str) -> None:
    """What a checkpoint of ours holds beside its card, as far as this package reads it."""
    weights = field(checkpoint, "state_dict", dict, name)
    for key, value in weights.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise ValueError(f"{name}: state_dict.{printable(key)}: expected a tensor, got {kind_of(value)}")
    for key in ("global_step", "epoch"):
        if key in checkpoint and field(checkpoint, key, int, name) < 0:
            raise ValueError(f"{name}: {key}: expected a number from 0, got {checkpoint[key]}")


def check_goes_on(checkpoint: Mapping[str, Any], name: str) -> None:
    """Check that a checkpoint holds what a run needs to go on.

    Args:
        checkpoint: of `read_checkpoint`.
        name: of the file, for the error.

    Raises:
        ValueError: an entry is missing or of another kind.
    """
    in_card: tuple[tuple[str, type], ...] = (("overrides", list), ("scale", int), ("network", dict))
    for key, kind in in_card:
        field(card(checkpoint), key, kind, name)
    for key, kind in (
        ("global_step", int), ("epoch", int), ("pytorch-lightning_version", str), ("loops", dict),
        ("optimizer_states", list), ("lr_schedulers", list),
    ):  # fmt: skip
        field(checkpoint, key, kind, name)
    for states in checkpoint["optimizer_states"]:
        if not isinstance(states, Mapping):
            raise ValueError(f"{name}: optimizer_states: expected mappings, got {kind_of(states)}")
        field(states, "state", dict, f"{name}: optimizer_states")
        field(states, "param_groups", list, f"{name}: optimizer_states")


def card(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint tells of itself; empty for released weights."""
    return checkpoint.get(CARD_KEY, {})


def load(
    ckpt: str | Path, scale: int | None = None, trusted: Sequence[str] = TRUSTED, runtime: str | None = None
) -> JointSystem:
    """The network of a checkpoint, in eval mode: ``csbsr.load("runs/…/checkpoints/best.ckpt")``.

    Args:
        ckpt: checkpoint of ``csbsr-train``, a file of ``csbsr-export``, the authors' released weights (file or folder),
            or the name of weights that come with the package: "lite", whatever lies in the current folder; a file of
            that name is "./lite".
        scale: expected scale; an error if the checkpoint has another one.
        trusted: packages that the checkpoint may name as parts of its network, beyond the weights it holds.
        runtime: ``openvino`` runs an ONNX file; None: what its format is for. Of exported files only.

    Returns:
        A system ``lr (B, 3, h, w) -> JointOutput``; its attribute ``card`` holds what the checkpoint tells of itself.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint, another scale, or a part outside ``trusted``.
    """
    path, file = Path(ckpt), shipped(ckpt)
    if file is None and path.suffix.lower() in SUFFIXES and not path.is_dir():
        return _scaled(load_exported(path, runtime), scale, f"ckpt: {printable(path)}")
    if file is not None:
        checkpoint = _of_safetensors(*read_shipped(file))
    elif path.suffix.lower() == SUFFIX and path.is_file():
        checkpoint = _of_safetensors(*read_safetensors(path))
    else:
        checkpoint = {} if path.is_dir() else read_checkpoint(path)
    if CARD_KEY not in checkpoint:
        return load_reference(path, scale) if path.is_dir() else load_reference(checkpoint, scale, printable(path))
    name = f"ckpt: {printable(path)}"
    weights = network_weights(checkpoint)
    network = rebuilt(checkpoint[CARD_KEY]["network"], weights, trusted, name)
    _scaled(network, scale, name)
    fill(network, weights, name)
    network.card = card(checkpoint)
    return network.eval()


def _scaled(network: JointSystem, scale: int | None, name: str) -> JointSystem:
    """The network, if it has the scale that was asked for."""
    if scale is not None and network.scale != scale:
        raise ValueError(
            f"{name} was trained for scale {network.scale}, but scale {scale} was asked for; "
            f"use scale={network.scale} or another checkpoint"
        )
    return network


def _of_safetensors(weights: Mapping[str, torch.Tensor], told: Mapping[str, Any]) -> dict[str, Any]:
    return {CARD_KEY: told, "state_dict": {WEIGHT_PREFIX + name: value for name, value in weights.items()}}


def rebuilt(spec: Mapping[str, Any], weights: Mapping[str, torch.Tensor], trusted: Sequence[str], name: str) -> Any:
    """The network that a file describes, no larger than the weights in the same file.

    Args:
        spec: the description.
        weights: of the file, by their names in the network.
        trusted: packages that the description may name; of csbsr itself it may only name networks.
        name: of the file, for errors.

    Raises:
        ValueError: it names something else, is too large, or does not make a network.
    """
    try:
        with Within(weights, name):
            network = build(without_downloads(spec), network_packages(trusted))
    except ValueError as error:
        text = printable(error)
        raise ValueError(text if text.startswith(name) else f"{name}: {text}") from error
    except (TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError) as error:
        reason = printable(str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise ValueError(f"{name}: the network that it describes cannot be built ({reason[:200]})") from error
    if not isinstance(network, nn.Module) or not isinstance(getattr(network, "scale", None), int):
        raise ValueError(f"{name}: what it describes is a {type(network).__name__}, expected a network with a scale")
    return network


def fill(network: nn.Module, weights: Mapping[str, torch.Tensor], name: str) -> None:
    """Copy ``weights`` into ``network``, all of them and nothing else.

    Raises:
        ValueError: an entry is missing, left over or of another shape.
    """
    own = network.state_dict()
    missing = [key for key in own if key not in weights]
    over = [key for key in weights if key not in own]
    shapes = [key for key in own if key in weights and own[key].shape != weights[key].shape]
    if missing or over or shapes:
        parts = (("missing", missing), ("left over", over), ("of another shape", shapes))
        found = "; ".join(
            f"{len(keys)} {what} ({printable(', '.join(keys[:3]))[:200]})" for what, keys in parts if keys
        )
        raise ValueError(f"{name}: its weights do not fit the network that it describes: {found}")
    network.load_state_dict(dict(weights))


def network_weights(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The network's state dict inside a checkpoint of ours."""
    return {
        name.removeprefix(WEIGHT_PREFIX): tensor
        for name, tensor in checkpoint["state_dict"].items()
        if name.startswith(WEIGHT_PREFIX)
    }
