"""What an export differs from torch by, on images and sizes that its graph was not made with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from csbsr.export.graph import IMAGES, example
from csbsr.joint.exported import Runner
from csbsr.joint.stages import Stage
from csbsr.weights.exported import TOLERANCE

#: Height and width of ``lr``; odd ones too, which are padded inside.
SIZES = ((40, 56), (37, 61))
BATCH = 3


class Difference(NamedTuple):
    """The largest difference of an output, and where it is."""

    output: str
    value: float
    place: str  #: function, size, image, channel, row, column


def differences(stages: Sequence[Stage], runners: Sequence[Runner], dynamic_batch: bool) -> list[Difference]:
    """The largest difference of every output over `SIZES`, and `BATCH` images where the graph takes several."""
    worst: dict[str, Difference] = {}
    for size in SIZES:
        for stage, runner in zip(stages, runners, strict=True):
            given = inputs_of(stage, size, BATCH if dynamic_batch else None)
            with torch.inference_mode():
                expected = stage(*given.values())
            found = runner(given)
            for name, tensor in zip(stage.outputs, expected, strict=True):
                one = difference(name, tensor, found[name], f"{type(stage).__name__} at {size[0]} x {size[1]}")
                if name not in worst or not one.value <= worst[name].value:
                    worst[name] = one
    return list(worst.values())


def inputs_of(stage: Stage, size: tuple[int, int], batch: int | None = None) -> dict[str, Tensor]:
    """What a function is given for ``lr`` of a size (h, w): photographs as smooth as photographs are."""
    named = {}
    for name in stage.inputs:
        scale = stage.network.scale if name == "super_resolved" else 1
        value = example(name, stage.network, batch, (size[0] * scale, size[1] * scale))
        named[name] = _smooth(value) if name in IMAGES else value
    return named


def difference(name: str, expected: Tensor, found: Tensor, where: str) -> Difference:
    """The largest difference of one output.

    Raises:
        ValueError: the shapes differ.
    """
    if expected.shape != found.shape:
        raise ValueError(f"export: {name} of {where} has shape {tuple(found.shape)}, torch's {tuple(expected.shape)}")
    apart = (expected.float() - found.float()).abs().nan_to_num(float("inf"))
    place = ", ".join(str(int(i)) for i in torch.unravel_index(apart.argmax(), apart.shape))
    return Difference(name, float(apart.max()), f"{where}, [{place}]")


def check(found: Sequence[Difference], tolerance: float = TOLERANCE) -> None:
    """Refuse an export that is not torch's network.

    Raises:
        ValueError: a difference above the tolerance; says where.
    """
    worst = max(found, key=lambda one: one.value)
    if not worst.value <= tolerance:
        raise ValueError(
            f"export: {worst.output} differs from torch by {worst.value:.2g} ({worst.place}), more than {tolerance:g}; "
            "nothing is written"
        )


def as_card(found: Sequence[Difference]) -> dict[str, Any]:
    """The differences by output, for the file's card."""
    return {one.output: float(f"{one.value:.3g}") for one in found}


def _smooth(image: Tensor) -> Tensor:
    blurred = torch.nn.functional.avg_pool2d(image, 3, 1, 1, count_include_pad=False)
    return (0.5 + 1.5 * (blurred - 0.5) + 0.05 * (image - 0.5)).clamp(0, 1)
