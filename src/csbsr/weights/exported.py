"""Reading exported files: an ONNX or OpenVINO file to a system, once it has proved itself.

A file of a stranger: it may be damaged, changed, or made to look like ours.  Believed is only what holds here.

1.  Its seal, the SHA-256 of all of its bytes but the last, stands at its end.
2.  Its card is plain and small, and says that the differences to torch were within `TOLERANCE` when it was made.
3.  It holds no operation of its own making and names no other file.
4.  Run here on a small image that csbsr draws, it gives the numbers that torch gave.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from csbsr.joint.exported import KINDS, Exported, Traits, exported
from csbsr.plain import check_plain, field
from csbsr.seal import MARKER
from csbsr.weights.card import check_card
from csbsr.weights.sessions import in_openvino, needed, onnx_runners, openvino_runners
from csbsr.words import printable

SUFFIXES = (".onnx", ".xml")
#: Entry of the file's metadata that holds the card.
ENTRY = "csbsr"
FORMAT = 1  #: of the entry ``exported`` of the card
TOLERANCE = 1e-4  #: largest difference to torch of any value with which a file is made
_HERE = 1e-3  #: and when it proves itself on another machine
_PROBE = (24, 40)  # of the image that it proves itself on
_CELLS = 8  # numbers along each side that are compared
_LARGEST = 2 << 30  # bytes: what one message of protobuf may hold


def probe() -> Tensor:
    """The image (1, 3, h, w) on which a file proves itself: a wall with a dark line, by formula."""
    y, x = np.mgrid[: _PROBE[0], : _PROBE[1]].astype(np.float64)
    wall = 0.5 + 0.1 * np.sin(0.7 * x + 0.3 * y) * np.cos(0.23 * x - 0.9 * y) + 0.05 * np.sin(2.1 * x * y / 40)
    line = 0.35 * np.exp(-((y - 8 - 0.25 * x) ** 2) / 2)
    image = np.stack([wall - line, 0.95 * wall - line, 0.9 * wall - line])
    return torch.from_numpy(image.astype(np.float32))[None]


def summary(system: Any) -> dict[str, list[float]]:
    """What a system makes of `probe`, each result as means over 8 × 8 cells."""
    with torch.inference_mode():
        output = system(probe())
    named = {"sr": output.sr, "segmentation": output.segmentation, "kernel": output.kernel}
    return {name: _cells(value) for name, value in named.items() if value is not None}


def _cells(value: Tensor) -> list[float]:
    means = torch.nn.functional.adaptive_avg_pool2d(value.float().mean(1, keepdim=True), _CELLS)
    return [round(number, 7) for number in means.flatten().tolist()]


def load_exported(path: Path, backend: str | None = None) -> Exported:
    """The system of an exported file.

    Args:
        path: of it, ``.onnx`` or ``.xml`` (with its ``.bin`` beside it).
        backend: ``openvino`` runs an ONNX file too; None: ONNX Runtime runs ``.onnx``, OpenVINO ``.xml``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not ours, not whole, asks for more than it may, or does not give the numbers it should.
    """
    name = f"ckpt: {printable(path)}"
    if not path.is_file():
        raise FileNotFoundError(f"ckpt: no file {printable(path)}; expected an export of csbsr-export")
    card, model = _read_onnx(path, name) if path.suffix.lower() == ".onnx" else _read_openvino(path, name)
    told = _check_exported(card, name)
    signatures = [(part["inputs"], part["outputs"]) for part in told["functions"]]
    native = "onnxruntime" if path.suffix.lower() == ".onnx" else "openvino"
    try:
        if backend == "openvino" and native == "onnxruntime":
            model = in_openvino(model)
        make = openvino_runners if "openvino" in (native, backend) else onnx_runners
        system = exported(_traits(told, name), make(model, signatures), card, backend or native)
        found = summary(system)
    except (RuntimeError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{name}: it does not run ({printable(str(error).splitlines()[0])[:200]})") from error
    except Exception as error:  # ONNX Runtime's own errors have no common base
        if isinstance(error, ValueError):
            raise
        raise ValueError(f"{name}: it does not run ({printable(str(error))[:200]})") from error
    _check_numbers(told["probe"], found, name)
    return system


def _check_exported(card: Any, name: str) -> dict[str, Any]:
    check_card(card, name)
    told: dict[str, Any] = field(card, "exported", dict, name)
    place = f"{name}: exported"
    if field(told, "format", int, place) > FORMAT:
        raise ValueError(f"{name}: written by a newer csbsr ({printable(told.get('version'))}): install that one")
    for key, kind in (("functions", list), ("probe", dict), ("traits", dict), ("difference", dict)):
        field(told, key, kind, place)
    for part in told["functions"]:
        for key in ("inputs", "outputs"):
            if not all(isinstance(word, str) for word in field(part, key, list, place)):
                raise ValueError(f"{place}: {key}: expected names")
    worst = max((field(told["difference"], key, float, place) for key in told["difference"]), default=1.0)
    if not worst <= TOLERANCE:
        raise ValueError(f"{name}: differs from torch by {worst:.2g}, more than {TOLERANCE:g}; export it anew")
    return told


def _traits(told: Mapping[str, Any], name: str) -> Traits:
    given, place = told["traits"], f"{name}: exported.traits"
    kinds: dict[str, type] = {
        "kind": str, "title": str, "scale": int, "smallest": int, "size_multiple": int, "estimates_kernel": bool,
        "kernel_size": int, "plain_enlargement": bool, "dynamic_batch": bool, "memory": list,
    }  # fmt: skip
    values = {key: field(given, key, kind, place) for key, kind in kinds.items()}
    if values["kind"] not in KINDS:
        raise ValueError(f"{place}: kind: expected one of {', '.join(KINDS)}, got {printable(values['kind'])[:40]}")
    for key, most in (("scale", 16), ("smallest", 1024), ("size_multiple", 1024)):
        if not 1 <= values[key] <= most:
            raise ValueError(f"{place}: {key}: expected 1 to {most}, got {values[key]}")
    memory = values.pop("memory")
    if len(memory) != 2 or not all(isinstance(part, (int, float)) and 0 <= part < 1e7 for part in memory):
        raise ValueError(f"{place}: memory: expected two numbers of bytes")
    expected = {"serial": 2, "lite": 2 if values["estimates_kernel"] else 1, "parallel": 1}[values["kind"]]
    if len(told["functions"]) != expected:
        raise ValueError(f"{place}: expected {expected} functions of a {values['kind']} system")
    return Traits(**values, memory=(float(memory[0]), float(memory[1])))


def _check_numbers(told: Mapping[str, Any], found: Mapping[str, list[float]], name: str) -> None:
    if set(told) != set(found):
        raise ValueError(f"{name}: returns {', '.join(sorted(found))}, but its card tells of {', '.join(sorted(told))}")
    for key, numbers in found.items():
        expected = field(told, key, list, f"{name}: exported.probe")
        if len(expected) != len(numbers) or not all(isinstance(number, (int, float)) for number in expected):
            raise ValueError(f"{name}: exported.probe.{key}: expected {len(numbers)} numbers")
        worst = float(np.abs(np.subtract(expected, numbers)).max())
        if not worst <= _HERE:
            raise ValueError(
                f"{name}: {key} differs by {worst:.2g} from what its card tells, more than {_HERE:g}: the file was "
                "changed, or this machine computes it wrongly; export it anew"
            )


def _read_onnx(path: Path, name: str) -> tuple[Any, Any]:
    onnx = needed("onnx", "onnx")
    data = _bytes(path, name)
    if not sealed(data):
        raise ValueError(_not_ours(name))
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's DecodeError, by whichever library
        raise ValueError(f"{name} is damaged: no ONNX ({printable(str(error))[:100]}); copy it anew") from error
    text = next((entry.value for entry in model.metadata_props if entry.key == ENTRY), None)
    if text is None:
        raise ValueError(_not_ours(name))
    _check_graph(model, name)
    return _card(text, name), model


def _check_graph(model: Any, name: str) -> None:
    """Refuse operations of others, loops, and numbers that lie in other files."""
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    tensors = list(model.graph.initializer)
    for node in nodes:
        if node.domain not in ("", "ai.onnx"):
            raise ValueError(f"{name} asks for {printable(node.domain)[:60]}, which is no part of ONNX")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise ValueError(f"{name} holds graphs within its graph; expected the plain one of csbsr-export")
            tensors += [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]
    if any(tensor.data_location or tensor.external_data for tensor in tensors):
        raise ValueError(f"{name} names other files for its weights; expected one file with all of them")


def _read_openvino(path: Path, name: str) -> tuple[Any, Any]:
    openvino = needed("openvino", "openvino")
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise FileNotFoundError(f"{name}: its weights, {printable(weights.name)}, are missing; copy both files")
    text, data = _bytes(path, name), _bytes(weights, name)
    if not sealed(text, data):
        raise ValueError(_not_ours(name))
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise ValueError(f"{name} defines entities; expected a plain model")
    if re.search(rb'type="(?!opset)[^"]*extension|version="(?!opset)extension', text):
        raise ValueError(f"{name} asks for operations that are no part of OpenVINO")
    try:
        model = openvino.Core().read_model(text, data)
        card = model.get_rt_info([ENTRY]).astype(str)
    except RuntimeError as error:
        raise ValueError(f"{name} is damaged ({printable(str(error).splitlines()[0])[:100]}); copy it anew") from error
    return _card(card, name), model


def _card(text: str, name: str) -> Any:
    try:
        card = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: its card is no JSON; export it anew") from error
    check_plain(card, name)
    return card


def _bytes(path: Path, name: str) -> bytes:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{name}: {printable(path.name)} is larger than {_LARGEST >> 30} GB")
    return path.read_bytes()


def _not_ours(name: str) -> str:
    return f"{name} is damaged, or no export of csbsr-export: its last bytes do not match the rest; export it anew"


def sealed(data: bytes, more: bytes = b"") -> bool:
    """Whether ``data`` ends in the SHA-256 of what stands before its seal, followed by ``more``."""
    start = data.rfind(MARKER)
    found = re.match(rb"[0-9a-f]{64}", data[start + len(MARKER) :]) if start >= 0 else None
    return found is not None and found[0] == _digest(data[:start], more) and len(data) - start < 128


def seal(before: bytes, more: bytes = b"") -> bytes:
    """What follows ``before`` for `sealed`: the mark and the digits."""
    return MARKER + _digest(before, more)


def _digest(data: bytes, more: bytes) -> bytes:
    return hashlib.sha256(data + more).hexdigest().encode()
