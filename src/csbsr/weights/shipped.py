"""The weights that come with the package, by name: `csbsr.load("lite")`, ``ckpt=lite``.

A safetensors file beside this one: tensors only, 16 bits each, and in its header the card that a checkpoint of
csbsr-train holds too.  docs/lite.md is the model card.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from csbsr.names import shipped
from csbsr.weights.card import check_card

__all__ = ["HEADER", "read_shipped", "shipped"]

#: Entry of the header that holds the card.
HEADER = "csbsr"


def read_shipped(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Weights by their names in the network, as float32, and their card.

    Raises:
        FileNotFoundError: the package lacks the file.
        ValueError: it is damaged.
    """
    if not path.is_file():
        raise FileNotFoundError(f"ckpt: {path} is missing; install csbsr anew")
    try:
        with safe_open(path, "pt") as file:
            card = json.loads((file.metadata() or {})[HEADER])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"ckpt: {path} is damaged ({str(error)[:200]}); install csbsr anew") from error
    check_card(card, f"ckpt: {path}")
    return {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}, card
