"""The weights that come with the package, by name: `csbsr.load("lite")`, ``ckpt=lite``.

A safetensors file beside this one, of 16 bits each.  docs/lite.md is the model card.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from csbsr.names import shipped
from csbsr.weights.safetensor import HEADER, read_safetensors

__all__ = ["HEADER", "read_shipped", "shipped"]


def read_shipped(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Weights by their names in the network, as float32, and their card.

    Raises:
        FileNotFoundError: the package lacks the file.
        ValueError: it is damaged.
    """
    if not path.is_file():
        raise FileNotFoundError(f"ckpt: {path} is missing; install csbsr anew")
    return read_safetensors(path, "install csbsr anew")
