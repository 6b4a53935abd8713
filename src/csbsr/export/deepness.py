"""A model for QGIS's plugin Deepness: one input, one output of its size, and the metadata that the plugin reads.

The plugin cuts a layer into square tiles of ``tile_size`` pixels, hands them over as (N, 3, tile, tile) in [0, 1], and
takes one map (N, C, tile, tile) back; with one channel it is the probability of the second class.  Everything is read
from JSON in the file's metadata.

Source:
    PUTvision/qgis-plugin-deepness, its pages for creators of models and the keys that its class ModelBase reads.
"""

from __future__ import annotations

import json
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from csbsr.export import proof
from csbsr.export.graph import plain_graph
from csbsr.joint import JointSystem
from csbsr.joint.stages import Stage
from csbsr.weights.sessions import onnx_runners

CLASSES = {"0": "background", "1": "crack"}
_OVERLAP = 15  # per cent of a tile; what a network sees beyond its tile is missing at the border
_SMALLEST = 8  # pixels of a segment that is kept


class AtInputSize(Stage):
    """``lr`` (1, 3, t, t) to the largest probability of crack inside each of its pixels, (1, 1, t, t).

    The largest and not the mean: a crack narrower than a pixel of the layer would vanish in the mean.
    """

    def __init__(self, network: JointSystem) -> None:
        super().__init__(network)
        self.outputs = ("segmentation",)

    def forward(self, lr: Tensor) -> tuple[Tensor]:
        """See the class."""
        probability = cast(Tensor, self.network(lr).segmentation)
        return (F.max_pool2d(probability, self.network.scale),)


def deepness_model(network: JointSystem, tile: int, cm_per_pixel: float) -> Any:
    """The ``onnx.ModelProto`` for the plugin, once it was compared with torch.

    Args:
        network: in eval mode, on the CPU.
        tile: side of a tile, pixels of the layer.
        cm_per_pixel: of the layer that the model is for; the plugin resamples others to it.

    Raises:
        ValueError: a value out of its range, or the graph is not the network.
    """
    if tile < 64 or tile % 32:
        raise ValueError(f"tile: expected a multiple of 32 from 64, got {tile}")
    if not 0 < cm_per_pixel < 1000:
        raise ValueError(f"cm_per_pixel: expected centimetres for each pixel of the layer, got {cm_per_pixel}")
    stage = AtInputSize(network)
    graph = plain_graph(stage, (torch.rand(1, 3, tile, tile, generator=torch.Generator().manual_seed(0)),))
    given = proof.inputs_of(stage, (tile, tile))
    with torch.inference_mode():
        expected = stage(*given.values())
    found = onnx_runners(graph, [(stage.inputs, stage.outputs)])[0](given)
    proof.check([proof.difference("segmentation", expected[0], found["segmentation"], f"a tile of {tile} x {tile}")])
    return graph


def deepness_metadata(threshold: float, tile: int, cm_per_pixel: float) -> dict[str, str]:
    """The entries that the plugin reads, each as JSON."""
    values = {
        "model_type": "Segmentor",
        "class_names": CLASSES,
        "resolution": cm_per_pixel,
        "tile_size": tile,
        "tiles_overlap": _OVERLAP,
        "seg_thresh": threshold,
        "seg_small_segment": _SMALLEST,
    }
    return {key: json.dumps(value) for key, value in values.items()}
