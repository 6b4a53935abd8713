"""What this machine can do, as far as commands tell their users about it."""

from __future__ import annotations

from functools import cache

import torch
from torch.nn import functional

_BFLOAT16 = ("bf16", "bfloat16")


def slow_in_half_precision(precision: str, device: str) -> str | None:
    """A line that ``precision`` makes nothing faster on this CPU; None where it may, or nobody knows.

    Without AMX a CPU has no unit for matrices of bfloat16 and computes them more slowly than float32.

    Args:
        precision: in the words of a `csbsr.predict.Predictor` or of Lightning's Trainer.
        device: type of the device.
    """
    half = precision.startswith((*_BFLOAT16, "16", "float16"))
    if device != "cpu" or not half or has_amx() is not False:
        return None
    return (
        f"precision {precision}: no faster on this CPU, which has no AMX, and it costs digits; float32 is better here"
    )


def has_amx() -> bool | None:
    """Whether the CPU multiplies matrices of bfloat16 by itself (Intel AMX); None if this torch does not tell."""
    ask = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return None if ask is None else bool(ask())


def check_precision(precision: str, device: str) -> None:
    """Raise ValueError if this torch computes in ``precision`` wrongly on this CPU.

    Found with torch 2.13 on CPUs with AMX: a convolution of 8 channels, kernel 8, stride 4 gives numbers that have
    nothing to do with its inputs, without a word (oneDNN).  KBPN at an eighth of its width holds such ones.

    Args:
        precision: in the words of a `csbsr.predict.Predictor` or of Lightning's Trainer.
        device: type of the device.
    """
    if device == "cpu" and precision.startswith(_BFLOAT16) and not bfloat16_is_right():
        raise ValueError(
            f"precision: torch {torch.__version__} computes convolutions in bfloat16 wrongly on this CPU, got "
            f"{precision}; use float32, or set ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 in the environment"
        )


@cache
def bfloat16_is_right() -> bool:
    """Whether convolutions that are known to go wrong on some CPUs agree with float32, as far as bfloat16 can."""
    draw = torch.Generator().manual_seed(0)
    for size, stride in ((8, 4), (12, 8)):
        image = torch.randn(1, 8, 8 * stride, 8 * stride, generator=draw).bfloat16()
        weight = torch.randn(8, 8, size, size, generator=draw).bfloat16()
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            found = functional.conv2d(image, weight, stride=stride, padding=2).float()
            expected = functional.conv2d(image.float(), weight.float(), stride=stride, padding=2)
        if not (found - expected).norm() < 0.05 * expected.norm():
            return False
    return True
