"""ONNX and OpenVINO files of a system: made, compared with torch, and only then written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from csbsr.export import proof
from csbsr.export.card import exported_card
from csbsr.export.graph import dynamic_batch, onnx_graph
from csbsr.files import write_bytes
from csbsr.joint import JointSystem
from csbsr.joint.stages import stages_of
from csbsr.weights.exported import ENTRY, seal, summary
from csbsr.weights.sessions import Signature, in_openvino, needed, onnx_runners, openvino_runners

RUNTIMES = ("onnx", "openvino")
GRAPH = 1  #: counts changes of what the graphs hold, for those that are kept


class Model(NamedTuple):
    """A graph that was found to be the network."""

    graph: Any  #: ``onnx.ModelProto`` or ``openvino.Model``
    runtime: str  #: of `RUNTIMES`
    card: dict[str, Any]
    functions: list[Signature]


def made(network: JointSystem, runtime: str = "onnx", form: str = "tiles") -> Model:
    """The graph of a network, compared with torch.

    Args:
        network: in eval mode, on the CPU.
        runtime: ``onnx`` or ``openvino``, by which it is run.
        form: of `csbsr.joint.stages.FORMS`.

    Raises:
        ValueError: it cannot be expressed, a library is missing, or it differs from torch by more than 1e-4.
    """
    stages = stages_of(network, form)
    graph = onnx_graph(stages, 2 if dynamic_batch(network) else None)
    return proved(network, graph, runtime, form)


def proved(network: JointSystem, graph: Any, runtime: str = "onnx", form: str = "tiles") -> Model:
    """A graph of `onnx_graph` with its card, once it was compared with torch; arguments and errors as for `made`."""
    stages, several = stages_of(network, form), dynamic_batch(network)
    functions: list[Signature] = [(stage.inputs, stage.outputs) for stage in stages]
    if runtime == "openvino":
        graph = in_openvino(graph)
    runners = (onnx_runners if runtime == "onnx" else openvino_runners)(graph, functions)
    found = proof.differences(stages, runners, several)
    proof.check(found)
    card = exported_card(
        network, stages, form, proof.as_card(found), summary(network), proof.SIZES, proof.BATCH if several else None
    )
    return Model(graph, runtime, card, functions)


def write(model: Model, path: Path) -> list[Path]:
    """Write a model, sealed; the files that were written."""
    return _write_onnx(model, path) if model.runtime == "onnx" else _write_openvino(model, path)


def onnx_bytes(model: Model) -> bytes:
    """An ONNX file with its card and its seal; a seal is one more entry of the metadata, as any reader sees it."""
    onnx = needed("onnx", "onnx")
    whole = onnx.ModelProto()
    whole.CopyFrom(model.graph)
    add_metadata(whole, {ENTRY: json.dumps(model.card)})
    last = onnx.ModelProto()
    blank = seal(b"").decode()
    add_metadata(last, {f"{ENTRY}_seal": blank})
    body = whole.SerializeToString() + last.SerializeToString()[: -len(blank)]
    return body + seal(body)


def add_metadata(graph: Any, values: dict[str, str]) -> None:
    """Add entries to the metadata of an ``onnx.ModelProto``."""
    for key, value in values.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value


def _write_onnx(model: Model, path: Path) -> list[Path]:
    write_bytes(path, onnx_bytes(model))
    return [path]


def _write_openvino(model: Model, path: Path) -> list[Path]:
    openvino = needed("openvino", "openvino")
    model.graph.set_rt_info(json.dumps(model.card), [ENTRY])
    weights = path.with_suffix(".bin")
    unsealed = path.with_name(f".{path.name}.unsealed.xml")
    try:
        openvino.save_model(model.graph, unsealed, compress_to_fp16=False)
        data = unsealed.with_suffix(".bin").read_bytes()
        text = unsealed.read_bytes().rstrip() + b"\n<!-- "
    finally:
        for part in (unsealed, unsealed.with_suffix(".bin")):
            part.unlink(missing_ok=True)
    write_bytes(weights, data)
    write_bytes(path, text + seal(text, data) + b" -->\n")
    return [path, weights]
