"""Reading our own checkpoints: one line from a file to a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from csbsr.build import TRUSTED, build
from csbsr.seal import check_seal
from csbsr.weights.released import load_reference

#: Entry of a checkpoint that describes it, plain values only (network description, configuration, threshold, …).
CARD_KEY = "csbsr"
_WEIGHT_PREFIX = "network."


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The whole checkpoint, on the CPU, without running code from the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"ckpt: no file {path}; expected a checkpoint (.ckpt) or released weights (.pth)")
    try:
        with path.open("rb") as file:
            check_seal(file, str(path))
            checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"ckpt: {path} cannot be read as a checkpoint ({type(error).__name__}: {str(error).splitlines()[0]}); "
            "expected a file written by csbsr-train or released weights"
        ) from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f"ckpt: {path} holds {type(checkpoint).__name__}, expected a checkpoint of csbsr-train")
    return checkpoint


def card(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint tells of itself; empty for released weights."""
    return checkpoint.get(CARD_KEY, {})


def load(ckpt: str | Path, scale: int | None = None, trusted: Sequence[str] = TRUSTED) -> nn.Module:
    """The network of a checkpoint, in eval mode: ``csbsr.load("runs/…/checkpoints/best.ckpt")``.

    Args:
        ckpt: checkpoint of ``csbsr-train``, or the authors' released weights (file or folder).
        scale: expected scale; an error if the checkpoint has another one.
        trusted: packages that the checkpoint may name as parts of its network, beyond the weights it holds.

    Returns:
        A module ``lr (B, 3, h, w) -> JointOutput``; its attribute ``card`` holds what the checkpoint tells of itself.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint, another scale, or a part outside ``trusted``.
    """
    path = Path(ckpt)
    checkpoint = {} if path.is_dir() else read_checkpoint(path)
    if CARD_KEY not in checkpoint:
        network = load_reference(path, scale)
        network.card = {"network": network.spec}
        return network
    network = build(checkpoint[CARD_KEY]["network"], trusted)
    if scale is not None and network.scale != scale:
        raise ValueError(
            f"ckpt: {path} was trained for scale {network.scale}, but scale {scale} was asked for; "
            f"use scale={network.scale} or another checkpoint"
        )
    network.load_state_dict(network_weights(checkpoint))
    network.card = card(checkpoint)
    return network.eval()


def network_weights(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The network's state dict inside a checkpoint of ours."""
    return {
        name.removeprefix(_WEIGHT_PREFIX): tensor
        for name, tensor in checkpoint["state_dict"].items()
        if name.startswith(_WEIGHT_PREFIX)
    }
