"""The weights that come with the package, by name: `csbsr.load("lite")`, ``ckpt=lite``.

A safetensors file beside this one: tensors only, 16 bits each, and in its header the card that a checkpoint of
csbsr-train holds too.  docs/lite.md is the model card.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from csbsr.names import SHIPPED
from csbsr.weights.card import check_card

#: Entry of the header that holds the card.
HEADER = "csbsr"


def shipped(ckpt: str | Path) -> Path | None:
    """The file of the shipped weights called ``ckpt``, or None: it names none, or there is a file of that name here."""
    path = Path(ckpt)
    if path.name not in SHIPPED or path.parent != Path() or path.exists():
        return None
    return Path(__file__).with_name(f"{path.name}.safetensors")


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


@lru_cache
def sha256(path: Path) -> str:
    """Of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
