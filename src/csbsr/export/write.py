"""Exports by their format: which files they are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from csbsr.export import models
from csbsr.export.card import kept_card
from csbsr.export.deepness import deepness_metadata, deepness_model
from csbsr.export.model_card import model_card
from csbsr.files import write_bytes, write_text
from csbsr.joint import JointSystem
from csbsr.joint.exported import Exported
from csbsr.predict.options import threshold_of
from csbsr.weights.checkpoint import CARD_KEY, WEIGHT_PREFIX, write_checkpoint
from csbsr.weights.safetensor import safetensors_bytes

#: Formats, and the ending of the file that each writes; "" for a folder.
FORMATS = {
    "onnx": ".onnx", "openvino": ".xml", "safetensors": ".safetensors", "torch": ".ckpt", "hub": "", "deepness": ".onnx"
}  # fmt: skip
_WEIGHTS = "model.safetensors"  # in the folder of a hub


@dataclass(frozen=True)
class ExportOptions:
    """What is written.

    Attributes:
        format: one of `FORMATS`.
        form: of ``onnx`` and ``openvino``: ``tiles`` or ``whole``, see `csbsr.joint.stages`.
        half: 16-bit floats in ``safetensors`` and ``hub``.
        tile: of ``deepness``, pixels of the layer.
        cm_per_pixel: of ``deepness``.

    Raises:
        ValueError: an unknown format.
    """

    format: str = "onnx"
    form: str = "tiles"
    half: bool = False
    tile: int = 512
    cm_per_pixel: float = 0.1

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"format: expected one of {', '.join(FORMATS)}, got {self.format!r}")


def place_of(output: str | Path, options: ExportOptions) -> Path:
    """The file (or for a hub the folder) that ``output`` means: the ending of the format is added where it is missing.

    Raises:
        ValueError: ``output`` has the ending of another format.
    """
    path, ending = Path(output), FORMATS[options.format]
    if not ending or path.suffix.lower() == ending:
        return path
    if path.suffix.lower() in {*FORMATS.values(), ".bin", ".pth", ".pt"} - {""}:
        raise ValueError(f"output: {path.name} ends in {path.suffix}, but format={options.format} writes {ending}")
    return path.with_name(path.name + ending)


def export(network: JointSystem, output: str | Path, options: ExportOptions | None = None) -> list[Path]:
    """Write a network for other programs; the files that were written.

    Args:
        network: of `csbsr.load`, on the CPU.
        output: file, or folder of a hub.
        options: how; None: ONNX in tiles.

    Raises:
        ValueError: the network is an export itself, a library is missing, or the file would not be the network.
        OSError: it cannot be written.
    """
    options = options or ExportOptions()
    if isinstance(network, Exported):
        raise ValueError("ckpt: this is an exported file already; export the checkpoint it was made from")
    path = place_of(output, options)
    if options.format in models.RUNTIMES:
        return models.write(models.made(network, options.format, options.form), path)
    if options.format == "deepness":
        return _write_deepness(network, path, options)
    if options.format == "torch":
        return _write_torch(network, path)
    file = path / _WEIGHTS if options.format == "hub" else path
    data = safetensors_bytes(_weights(network, options.half), network_card(network))
    write_bytes(file, data)
    if options.format != "hub":
        return [file]
    write_text(path / "README.md", model_card(network, _WEIGHTS, hashlib.sha256(data).hexdigest()))
    return [file, path / "README.md"]


def network_card(network: JointSystem) -> dict[str, Any]:
    """The card that goes with the weights; that of the checkpoint without its machine's paths.

    Raises:
        ValueError: nothing tells how the network is built.
    """
    if "network" not in network.card:
        raise ValueError(
            "ckpt: these weights hold no description of their network (the authors' release); export them as onnx, "
            "openvino or deepness, which need none"
        )
    return kept_card(network)


def _weights(network: JointSystem, half: bool) -> dict[str, torch.Tensor]:
    return {
        name: value.half() if half and value.dtype == torch.float32 else value
        for name, value in network.state_dict().items()
    }


def _write_torch(network: JointSystem, path: Path) -> list[Path]:
    state = {WEIGHT_PREFIX + name: value for name, value in network.state_dict().items()}
    write_checkpoint({CARD_KEY: network_card(network), "state_dict": state, "global_step": 0, "epoch": 0}, path)
    return [path]


def _write_deepness(network: JointSystem, path: Path, options: ExportOptions) -> list[Path]:
    graph = deepness_model(network, options.tile, options.cm_per_pixel)
    models.add_metadata(graph, deepness_metadata(threshold_of(network), options.tile, options.cm_per_pixel))
    write_bytes(path, graph.SerializeToString())
    return [path]
