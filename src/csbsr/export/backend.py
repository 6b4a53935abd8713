"""Another program underneath a network: the same system, computed by OpenVINO or ONNX Runtime.

Making the graph takes some ten seconds, so it is kept in the user's cache folder under the hash of what it was made
from, sealed, and proves itself each time it is read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import csbsr
from csbsr.data.errors import DataError
from csbsr.data.looked import cache_folder
from csbsr.data.reading import eight_bit
from csbsr.data.reading.by_rows import sample_of
from csbsr.export import models
from csbsr.files import write_bytes
from csbsr.joint import JointSystem, LiteSystem
from csbsr.joint.exported import Exported
from csbsr.weights.exported import load_exported
from csbsr.weights.safetensor import tensors_hash

log = logging.getLogger(__name__)

BACKENDS = ("auto", "torch", "openvino", "onnxruntime")
#: Libraries that each needs.
_NEEDED = {"openvino": ("openvino", "onnx", "onnxscript"), "onnxruntime": ("onnxruntime", "onnx", "onnxscript")}
AGREEMENT = 1e-3  # largest difference of any value on the first tile with which ``auto`` takes OpenVINO
_TILE = 192  # side of that tile, pixels of the photograph
_WORTH = 24.0  # megapixels: what is gained by then is what the graph's making takes


class Backend(NamedTuple):
    """What was chosen."""

    network: JointSystem
    name: str  #: ``torch``, ``openvino`` or ``onnxruntime``
    reason: str  #: why not another; empty where it was asked for


def on_backend(network: JointSystem, backend: str, device: str | None, precision: str) -> Backend:
    """The network on the backend that was asked for.

    Args:
        network: of `csbsr.load`.
        backend: one of `BACKENDS`; ``auto`` is OpenVINO where it is installed, the CPU computes in float32, and nothing
            is asked for that an exported graph cannot do; else torch.
        device: of the prediction.
        precision: of the prediction.

    Raises:
        ValueError: an unknown backend, one that is not installed, or one that cannot do what is asked for.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend: expected one of {', '.join(BACKENDS)}, got {backend!r}")
    if isinstance(network, Exported):
        own = network.runtime
        if backend not in ("auto", own):
            raise ValueError(f"backend: this file runs on {own}, got {backend}; give the checkpoint instead")
        return Backend(network, own, "")
    if backend == "torch":
        return Backend(network, "torch", "")
    reason = _against("openvino" if backend == "auto" else backend, device, precision)
    if backend != "auto":
        if reason is not None:
            raise ValueError(f"backend: {backend} {reason}; use backend=torch")
        return Backend(_converted(network, backend), backend, "")
    if reason is not None:
        return Backend(network, "torch", f"openvino {reason}")
    try:
        return Backend(_converted(network, "openvino"), "openvino", "")
    except (ValueError, OSError) as error:
        return Backend(network, "torch", f"openvino: {error}")


def megapixels_worth(network: JointSystem) -> float | None:
    """Megapixels of photographs from which on a graph is worth its making; None if it is there, or cannot be made.

    Lite is no faster as a graph.
    """
    if isinstance(network, LiteSystem):
        return math.inf
    return None if isinstance(network, Exported) or _missing("openvino") or _place(network).is_file() else _WORTH


def agreeing(chosen: Backend, original: JointSystem, photograph: Path) -> Backend:
    """``chosen``, or torch where it does not agree with torch on the first tile of a photograph.

    Args:
        chosen: of `on_backend`.
        original: the network on torch.
        photograph: a file; one that cannot be read says so when it is predicted.
    """
    try:
        image = sample_of(photograph, _TILE)
    except DataError:
        return chosen
    tile = torch.from_numpy(eight_bit(image).transpose(2, 0, 1)[None] / np.float32(255))
    with torch.inference_mode():
        expected, found = original(tile), chosen.network(tile)
    worst = max(
        float((a - b).abs().max())
        for a, b in zip(expected[:3], found[:3], strict=True)
        if a is not None and b is not None
    )
    if worst <= AGREEMENT:
        return chosen
    return Backend(original, "torch", f"{chosen.name} differs by {worst:.2g} on the first tile")


def _against(backend: str, device: str | None, precision: str) -> str | None:
    """What speaks against a backend; None if nothing does."""
    if missing := _missing(backend):
        extra = "openvino" if backend == "openvino" else "onnx"
        return f"needs {', '.join(missing)} (pip install 'csbsr[{extra}]')"
    if device not in (None, "cpu") or (device is None and torch.accelerator.is_available()):
        return "computes on the CPU only"
    if precision != "float32":
        return "computes in float32 only"
    return None


def _missing(backend: str) -> list[str]:
    """Libraries that a backend lacks."""
    return [name for name in _NEEDED[backend] if importlib.util.find_spec(name) is None]


def _converted(network: JointSystem, backend: str) -> Exported:
    """The network as a graph, from the cache where it was made before."""
    place = _place(network)
    if not place.is_file():
        log.info("backend  writing the network as a graph, once (%s)", place)
        write_bytes(place, models.onnx_bytes(models.made(network, "onnx")))
    try:
        found = load_exported(place, backend)
    except ValueError:
        place.unlink(missing_ok=True)  # damaged: made anew the next time
        raise
    found.card = network.card
    return found


def _place(network: JointSystem) -> Path:
    """Where the graph is kept: named by the hash of what it depends on, weights, network and versions."""
    parts = [tensors_hash(network.state_dict()), json.dumps(network.card.get("network"), sort_keys=True, default=str)]
    parts += [type(network).__name__, torch.__version__, csbsr.__version__, str(models.GRAPH)]
    return cache_folder() / f"{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:40]}.onnx"
