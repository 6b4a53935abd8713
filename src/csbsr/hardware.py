"""What this machine can do, as far as commands tell their users about it."""

from __future__ import annotations

import torch


def slow_in_half_precision(precision: str, device: str) -> str | None:
    """A line that ``precision`` makes nothing faster on this CPU; None where it may, or nobody knows.

    Without AMX a CPU has no unit for matrices of bfloat16 and computes them more slowly than float32.

    Args:
        precision: in the words of a `csbsr.predict.Predictor` or of Lightning's Trainer.
        device: type of the device.
    """
    half = precision.startswith(("bf16", "bfloat16", "16", "float16"))
    if device != "cpu" or not half or has_amx() is not False:
        return None
    return (
        f"precision {precision}: no faster on this CPU, which has no AMX, and it costs digits; float32 is better here"
    )


def has_amx() -> bool | None:
    """Whether the CPU multiplies matrices of bfloat16 by itself (Intel AMX); None if this torch does not tell."""
    ask = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return None if ask is None else bool(ask())
