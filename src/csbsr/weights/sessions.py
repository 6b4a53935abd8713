"""Functions that ONNX Runtime and OpenVINO run: from the bytes of a file to `csbsr.joint.exported.Runner`.

Both libraries are extras and imported here alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from csbsr.joint.exported import Runner

#: Inputs and outputs of one function, by name.
Signature = tuple[Sequence[str], Sequence[str]]


def onnx_runners(model: Any, signatures: Sequence[Signature]) -> list[Runner]:
    """One session of ONNX Runtime for each function of an ``onnx.ModelProto``, on the CPU with torch's threads."""
    onnxruntime = needed("onnxruntime", "onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    runners = []
    for inputs, outputs in signatures:
        part = part_of(model, inputs, outputs)
        session = onnxruntime.InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])
        runners.append(_onnx_runner(session, inputs, outputs))
    return runners


def _onnx_runner(session: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Runner:
    def run(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = session.run(list(outputs), {name: _array(named[name]) for name in inputs})
        return {name: torch.from_numpy(value) for name, value in zip(outputs, found, strict=True)}

    return run


def in_openvino(model: Any) -> Any:
    """An ``onnx.ModelProto`` as ``openvino.Model``."""
    return needed("openvino", "openvino").Core().read_model(model.SerializeToString())


def openvino_runners(model: Any, signatures: Sequence[Signature]) -> list[Runner]:
    """One compiled model of OpenVINO for each function of an ``openvino.Model``, in float32 on the CPU."""
    openvino = needed("openvino", "openvino")
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    taken = {node.get_friendly_name(): node for node in model.get_parameters()}
    made = {name: result for result in model.get_results() for name in result.input_value(0).get_names()}
    runners = []
    for inputs, outputs in signatures:
        part = openvino.Model([made[name] for name in outputs], [taken[name] for name in inputs], "csbsr")
        runners.append(_openvino_runner(core.compile_model(part, "CPU", settings), inputs, outputs))
    return runners


def _openvino_runner(compiled: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Runner:
    def run(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = compiled([_array(named[name]) for name in inputs])
        return {name: torch.from_numpy(found[i].copy()) for i, name in enumerate(outputs)}

    return run


def part_of(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """What of an ``onnx.ModelProto`` leads from ``inputs`` to ``outputs``, as one of its own."""
    onnx = needed("onnx", "onnx")
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    stored = {tensor.name: tensor for tensor in graph.initializer}
    pending, needed_nodes, constants = list(outputs), set(), set()
    while pending:
        name = pending.pop()
        if name in stored:
            constants.add(name)
        elif name in makers and id(makers[name]) not in needed_nodes:
            needed_nodes.add(id(makers[name]))
            pending += [part for part in makers[name].input if part]
    part = onnx.helper.make_graph(
        [node for node in graph.node if id(node) in needed_nodes],
        "csbsr",
        [value for value in graph.input if value.name in inputs],
        [value for value in graph.output if value.name in outputs],
        [stored[name] for name in stored if name in constants],
    )
    made = onnx.helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)
    made.functions.extend(model.functions)
    return made


def needed(module: str, extra: str) -> Any:
    """An optional library.

    Raises:
        ValueError: it is not installed; says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"{module} is not installed here ({error}); install it: pip install 'csbsr[{extra}]'"
        ) from error


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().cpu().float().numpy())
