"""Reading the weights that the authors released (Yuki-11/CSBSR) into our networks."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from csbsr.build import build
from csbsr.joint import JointSystem
from csbsr.weights.container import read_weights
from csbsr.weights.part import ReleasedPart, Shapes
from csbsr.weights.tensors import Within
from csbsr.words import printable

#: Released prefix of a part, and the modules of this package that know one network there (attribute ``PART``).
PARTS = {
    "sr_model.": ("kbpn", "dbpn", "srcnet"),
    "segmentation_model.": ("pspnet", "unet", "hrnet_ocr", "crackformer", "segnet"),
    "parallel_model.": ("dsrl",),
}
#: Our name of the part inside the joint network; a parallel system is one network.
PREFIXES = {"sr_model.": "sr.", "segmentation_model.": "segmentor.", "parallel_model.": ""}


def load_reference(
    source: str | Path | Mapping[str, Any], scale: int | None = None, origin: str | None = None
) -> JointSystem:
    """The network of a released state dict, with its weights, in eval mode.

    The system and its scale are recognised from the names and shapes of the entries, which may start with ``module.``.
    Loading is strict: every entry is used or known to be unused, and every parameter is filled.

    Args:
        source: state dict, a file of one (``.pth``; read with ``weights_only=True``), or a folder that holds one such
            file.
        scale: expected scale.  A released system without SR weights is bicubic up-sampling by it (4 if not given), or
            none at scale 1.
        origin: of a state dict, for errors.

    Raises:
        ValueError: the file is no state dict, no known system, has missing or unexpected entries, or another scale.
        FileNotFoundError: no such file, or no ``.pth`` in the folder.
    """
    state, origin = _read(source, origin)
    spec, renamed = _translate(state, origin, scale)
    with Within(renamed, origin):
        network: JointSystem = build(spec)
    if scale is not None and network.scale != scale:
        raise ValueError(f"{origin}: holds a network of scale {network.scale}, expected scale {scale}")
    expected = network.state_dict()
    missing = [name for name in expected if name not in renamed]
    unexpected = [name for name in renamed if name not in expected]
    if missing or unexpected:
        raise ValueError(
            f"{origin}: the entries do not fill {type(network).__name__} ({_names(spec)})"
            + _listing("missing", missing)
            + _listing("unexpected", unexpected)
        )
    reshaped = [
        f"{name} {tuple(tensor.shape)} instead of {tuple(expected[name].shape)}"
        for name, tensor in renamed.items()
        if tensor.shape != expected[name].shape
    ]
    if reshaped:
        raise ValueError(f"{origin}: shapes differ" + _listing("differing", reshaped))
    floats = {tensor.dtype for tensor in renamed.values() if tensor.is_floating_point()}
    network.to(floats.pop() if len(floats) == 1 else torch.float32)
    network.load_state_dict(renamed)
    network.card = {"network": spec}
    return network.eval()


def _read(source: str | Path | Mapping[str, Any], origin: str | None) -> tuple[dict[str, Tensor], str]:
    state: Any = source
    origin = origin or "state dict"
    if not isinstance(source, Mapping):
        path = Path(source)
        if path.is_dir():
            files = sorted(path.glob("*.pth"))
            if len(files) != 1:
                raise FileNotFoundError(
                    f"ckpt: {path}: expected a folder with one .pth file of released weights, found {len(files)}"
                    + _listing("candidates", [file.name for file in files])
                    + "; name the file itself"
                )
            path = files[0]
        origin = printable(path)
        state = read_weights(path, "ckpt")
    for key in ("model", "state_dict", "model_state_dict"):
        if isinstance(state, Mapping) and isinstance(inner := state.get(key), Mapping):
            state = inner
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{origin}: expected a state dict of tensors, got {type(state).__name__} of other values")
    return {name.removeprefix("module."): value for name, value in state.items()}, origin


def _translate(state: dict[str, Tensor], origin: str, scale: int | None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The network's description and the state dict under our names."""
    specs: dict[str, dict[str, Any]] = {}
    renamed: dict[str, Tensor] = {}
    strangers = [name for name in state if not name.startswith(tuple(PARTS))]
    for prefix, modules in PARTS.items():
        entries = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
        if not entries:
            continue
        shapes = {name: tuple(tensor.shape) for name, tensor in entries.items()}
        part = _recognise(prefix, modules, shapes, origin)
        specs[prefix] = part.spec(shapes)
        for name, tensor in entries.items():
            ours = part.rename(name)
            if ours is not None:
                renamed[PREFIXES[prefix] + ours] = tensor
    if strangers or not specs:
        raise ValueError(
            f"{origin}: no released system: expected entries that start with {', '.join(PARTS)}"
            + _listing("found", strangers)
        )
    if "parallel_model." in specs:
        return specs["parallel_model."], renamed
    if "segmentation_model." not in specs:
        raise ValueError(f"{origin}: holds super-resolution weights but no entry of a segmentor (segmentation_model.*)")
    fallback = {"_target_": "csbsr.sr.NoSR"} if scale == 1 else {"_target_": "csbsr.sr.Bicubic", "scale": scale or 4}
    spec = {
        "_target_": "csbsr.joint.JointNetwork",
        "sr": specs.get("sr_model.", fallback),
        "segmentor": specs["segmentation_model."],
    }
    return spec, renamed


def _recognise(prefix: str, modules: tuple[str, ...], shapes: Shapes, origin: str) -> ReleasedPart:
    for module in modules:
        part: ReleasedPart = importlib.import_module(f"csbsr.weights.{module}").PART
        if part.matches(shapes):
            return part
    raise ValueError(
        f"{origin}: the {prefix}* entries belong to none of {', '.join(modules)}" + _listing("found", sorted(shapes))
    )


def _names(spec: Mapping[str, Any]) -> str:
    parts = [spec[key]["_target_"].rpartition(".")[2] for key in ("sr", "segmentor") if key in spec]
    return " + ".join(parts) or spec["_target_"].rpartition(".")[2]


def _listing(title: str, names: list[str], most: int = 12) -> str:
    """``; title (n): a, b, …`` or nothing."""
    if not names:
        return ""
    more = f", … ({len(names) - most} more)" if len(names) > most else ""
    return f"; {title} ({len(names)}): {printable(', '.join(names[:most]))[:1000]}{more}"
