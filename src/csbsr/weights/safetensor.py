"""A system as a safetensors file: tensors only, and in the header the card that a checkpoint holds too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from csbsr.weights.card import check_card
from csbsr.words import printable

SUFFIX = ".safetensors"
#: Entry of the header that holds the card.
HEADER = "csbsr"
_HASH = "csbsr_sha256"  # of the tensors, so that a bit that fell over is noticed; older files have none


def read_safetensors(
    path: Path, advice: str = "copy it anew, or export it anew"
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Weights by their names in the network, as float32, and their card.

    Args:
        path: of the file.
        advice: what to do about a damaged one.

    Raises:
        ValueError: it is damaged, or not of csbsr.
    """
    name = f"ckpt: {printable(path)}"
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if HEADER not in metadata:
                raise ValueError(f"{name} is not of csbsr: its header holds no card; expected csbsr-export's")
            card = json.loads(metadata[HEADER])
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{name} is damaged ({printable(str(error))[:200]}); {advice}") from error
    if metadata.get(_HASH, hashed := tensors_hash(weights)) != hashed:
        raise ValueError(f"{name} is damaged: its weights do not match their checksum; {advice}")
    check_card(card, name)
    return {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}, card


def safetensors_bytes(weights: Mapping[str, torch.Tensor], card: Mapping[str, Any]) -> bytes:
    """The file of weights and their card."""
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in weights.items()}
    return save(tensors, {HEADER: json.dumps(card), _HASH: tensors_hash(tensors)})


def tensors_hash(weights: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of tensors, by name, type, shape and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        value = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
