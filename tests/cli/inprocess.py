"""Commands called inside the test's process, and a checkpoint that takes no training."""

import sys
from pathlib import Path
from unittest import mock

import torch

from csbsr.joint import build
from csbsr.weights.checkpoint import CARD_KEY

NETWORK = {
    "_target_": "csbsr.joint.JointNetwork",
    "sr": {"_target_": "csbsr.sr.Bicubic", "scale": 4},
    "segmentor": {"_target_": "csbsr.segmentor.PSPNet", "width": 0.0625, "blocks": [1, 1, 1, 1], "auxiliary": False},
}


def call(main, *arguments: str) -> None:
    """Run an entry point with a command line."""
    with mock.patch.object(sys, "argv", ["command", *map(str, arguments)]):
        main()


def exit_code(main, *arguments: str) -> int | str:
    """Run an entry point with a command line; what it exits with."""
    try:
        call(main, *arguments)
    except SystemExit as stop:
        return stop.code
    return 0


def checkpoint(path: Path, seed: int = 0, threshold: float | None = 0.5) -> Path:
    """Write a checkpoint of an untrained network that segments dark pixels more or less."""
    torch.manual_seed(seed)
    network = build(NETWORK)
    state = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    card = {"network": NETWORK, "seed": seed}
    if threshold is not None:
        card["recommended_threshold"] = threshold
    torch.save({"state_dict": state, CARD_KEY: card}, path)
    return path
