"""A system as one ONNX graph: its functions side by side, height and width left open."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from csbsr.joint import JointNetwork, JointSystem, LiteSystem
from csbsr.joint.stages import Stage
from csbsr.sr.autocorrelation import BORDER, FILTER, REACH
from csbsr.weights.sessions import needed

OPSET = 18
_TRACED = {"lr": (24, 40), "super_resolved": (96, 160)}  # sizes that the graph is made with
_PARALLEL = 17  # side from which on DSRL's encoder, at a sixteenth, has more than one pixel
_SIDES = {"lr": ("height", "width"), "super_resolved": ("sr_height", "sr_width")}


def dynamic_batch(network: JointSystem) -> bool:
    """Whether one graph takes several images: not where a grouped convolution blurs each with its own kernel."""
    return not (network.estimates_kernel or isinstance(network, LiteSystem))


def smallest_side(network: JointSystem) -> int:
    """Side of the smallest ``lr`` that the graph takes: its padding reflects once, the blur is read inside a border."""
    if isinstance(network, JointNetwork):
        multiple = max(network.size_multiple, network.segmentor.minimum_size)
        return max(8, -(-(multiple // 2 + 1) // network.scale))
    return 2 * (BORDER + FILTER + REACH) + 1 if isinstance(network, LiteSystem) else _PARALLEL


def kernel_size(network: JointSystem) -> int:
    """Side of the blur kernel of a network that estimates one."""
    estimating: Any = getattr(network, "sr", network)
    return int(estimating.kernel_size)


def onnx_graph(stages: Sequence[Stage], batch: int | None = None) -> Any:
    """The ``onnx.ModelProto`` of functions; their inputs and outputs are its own, by name.

    Args:
        stages: of one system, in eval mode on the CPU, with names that differ.
        batch: None for one image; else the graph is traced with so many, and any number may be handed over.

    Raises:
        ValueError: ``onnx`` is not installed, or torch cannot express the network.
    """
    inputs = [name for stage in stages for name in stage.inputs]
    outputs = [name for stage in stages for name in stage.outputs]
    examples = tuple(example(name, stage.network, batch) for stage in stages for name in stage.inputs)
    axes = tuple(_axes(name, stages[0].network, batch) for name in inputs)
    return _graph(_Together(stages).eval(), examples, (axes,), inputs, outputs)


def plain_graph(stage: Stage, examples: tuple[Tensor, ...]) -> Any:
    """The ``onnx.ModelProto`` of one function for inputs of these sizes alone; raises as `onnx_graph`."""
    return _graph(stage.eval(), examples, None, stage.inputs, stage.outputs)


def _graph(
    function: nn.Module, examples: tuple[Tensor, ...], axes: Any, inputs: Sequence[str], outputs: Sequence[str]
) -> Any:
    needed("onnx", "onnx")
    needed("onnxscript", "onnx")
    with _quiet():
        try:
            program = torch.export.export(
                function, examples, dynamic_shapes=axes, prefer_deferred_runtime_asserts_over_guards=True
            )
            made = torch.onnx.export(
                program, input_names=list(inputs), output_names=list(outputs), opset_version=OPSET, dynamo=True,
                verbose=False,
            )  # fmt: skip
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:  # torch.export's own are RuntimeErrors
            raise ValueError(
                f"export: torch cannot write this network as ONNX ({str(error).splitlines()[0]})"
            ) from error
    if made is None:
        raise ValueError("export: torch wrote nothing")
    model = made.model_proto
    clash = {name for node in model.graph.node for name in node.output} & set(inputs)
    if clash:
        raise ValueError(f"export: the graph has its own value called {', '.join(sorted(clash))}")
    return model


def example(name: str, network: JointSystem, batch: int | None = None, size: tuple[int, int] | None = None) -> Tensor:
    """A value for the input ``name`` of a function, of a sensible range.

    Args:
        name: of the input, see `csbsr.joint.stages`.
        network: whose function it is.
        batch: number of images; None: 1.
        size: of images; None: that of the graph's making.
    """
    count = batch or 1
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    if name in _TRACED:
        return torch.rand(count, 3, *(size or _TRACED[name]), generator=generator)
    if name == "blur_kernel":
        side = kernel_size(network)
        kernel = torch.rand(count, 1, side, side, generator=generator)
        return kernel / kernel.sum((2, 3), keepdim=True)
    return {
        "sr_mean": torch.full((3,), 0.5),
        "lr_mean": torch.full((1, 3, 1, 1), 0.5),
        "sr_variance": torch.full((3,), 0.08),
        "lr_deviation": torch.full((1, 1, 1, 1), 0.3),
        "blur_shape": torch.tensor([[2.0, 0.1, 0.2]]),
        "correlations": torch.rand(1, 2, 42, generator=generator) + 0.5,
    }[name]


class _Together(nn.Module):
    """Functions one after the other on their own share of the arguments."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """All results in their order."""
        found: list[Tensor] = []
        start = 0
        for stage in self.stages:
            count = len(stage.inputs)  # type: ignore[arg-type]
            found += stage(*given[start : start + count])
            start += count
        return tuple(found)


def _axes(name: str, network: JointSystem, batch: int | None) -> dict[int, Any] | None:
    axes: dict[int, Any] = {}
    if name in _SIDES:
        smallest = smallest_side(network) * (1 if name == "lr" else network.scale)
        axes = {2 + i: torch.export.Dim(side, min=smallest) for i, side in enumerate(_SIDES[name])}
    if batch is not None and name in (*_SIDES, "blur_kernel"):
        axes[0] = torch.export.Dim("batch" if name != "super_resolved" else "sr_batch", min=1)
    return axes or None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter tells of itself."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
