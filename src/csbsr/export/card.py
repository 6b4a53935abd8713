"""What an exported file tells of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

import csbsr
from csbsr.export.graph import dynamic_batch, kernel_size, smallest_side
from csbsr.joint import JointNetwork, JointSystem, LiteSystem, describe
from csbsr.joint.exported import Traits
from csbsr.joint.stages import Stage, Upscale, Whole
from csbsr.predict.system import System
from csbsr.weights.card import FORMAT as CARD_FORMAT
from csbsr.weights.exported import FORMAT
from csbsr.weights.safetensor import tensors_hash

#: Of weights whose card states none.
NO_LICENSE = "not stated: that of whoever trained the weights"
#: Entries of a checkpoint's card that go along.
_KEPT = ("format", "version", "network", "scale", "seed", "recommended_threshold", "choices", "license")


def traits_of(network: JointSystem, stages: Sequence[Stage]) -> Traits:
    """What prediction has to know of the functions of a network."""
    serial = network if isinstance(network, JointNetwork) and isinstance(stages[0], Upscale) else None
    lite = isinstance(network, LiteSystem) and not isinstance(stages[0], Whole)
    return Traits(
        kind="serial" if serial is not None else "lite" if lite else "parallel",
        title=describe(network),
        scale=network.scale,
        smallest=smallest_side(network),
        size_multiple=1 if serial is None else serial.size_multiple,
        estimates_kernel=network.estimates_kernel,
        kernel_size=kernel_size(network) if network.estimates_kernel else 0,
        plain_enlargement=serial is not None and serial.plain_enlargement,
        dynamic_batch=dynamic_batch(network),
        memory=System(network, "cpu").bytes_per_pixel(),
    )


def exported_card(
    network: JointSystem,
    stages: Sequence[Stage],
    form: str,
    difference: Mapping[str, Any],
    probe: Mapping[str, Any],
    sizes: Sequence[Sequence[int]],
    batch: int | None,
) -> dict[str, Any]:
    """The card of a file: that of the checkpoint, as far as it matters, and how the file was made."""
    traits = traits_of(network, stages)
    return {
        "format": CARD_FORMAT,
        "network": {"_target_": f"csbsr.joint.{type(network).__name__}"},  # of one that no checkpoint describes
        "scale": network.scale,
        **kept_card(network),
        "exported": {
            "format": FORMAT,
            "version": csbsr.__version__,
            "torch": torch.__version__,
            "form": form,
            "license": license_of(network),
            "weights_sha256": tensors_hash(network.state_dict()),
            "functions": [{"inputs": list(stage.inputs), "outputs": list(stage.outputs)} for stage in stages],
            "traits": {**traits._asdict(), "memory": [round(part, 1) for part in traits.memory]},
            "batch": "any" if traits.dynamic_batch else "one image: each is blurred with its own kernel",
            "difference": dict(difference),
            "compared_at": {"sizes": [list(size) for size in sizes], "batch": batch or 1},
            "probe": dict(probe),
        },
    }


def kept_card(network: JointSystem) -> dict[str, Any]:
    """What of a checkpoint's card goes along: nothing of its run's machine, and of its configuration the degradation,
    which prediction reads.
    """
    card = {key: network.card[key] for key in _KEPT if key in network.card}
    degradation = (network.card.get("config") or {}).get("degradation")
    return {**card, "config": {"degradation": degradation}} if isinstance(degradation, dict) else card


def license_of(network: JointSystem) -> str:
    """The licence of the weights, as their card states it."""
    return str(network.card.get("license", NO_LICENSE))
