"""The tensors of a checkpoint: every one has its own bytes in the file, and a network is built no larger than they are.

A tensor's shape is a claim.  With a stride of 0 four bytes stand for any number of values, and a description of ten
words asks for a network of any size: both are compared with the bytes that are there, before memory is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from csbsr.plain import kind_of
from csbsr.words import printable

_MOST_VALUES = 300_000  # a system of two thousand tensors with its optimiser has twenty thousand
_DEEPEST = 24
_ROOM = 2  # what is made while a network is built, as a multiple of its weights; ours make 1.0 to 1.2
_SPARE = 64 << 20
_SPARE_TENSORS = 1000
#: Functions that take memory: by a size, by the longest of their numbers.
_FACTORIES = frozenset({torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.eye, torch.full})
_LINES = frozenset({torch.arange, torch.linspace, torch.logspace, torch.range})


def check_values(checkpoint: Any, name: str) -> None:
    """Check that a checkpoint holds containers, numbers, texts and sound tensors alone, at a sensible depth and number.

    Args:
        checkpoint: what torch read.
        name: of the file, for the error.

    Raises:
        ValueError: something else is there, or a tensor that is not dense, not in the file, or larger than its bytes.
    """
    pending: list[tuple[Any, str, int]] = [(checkpoint, "", 0)]
    count = 0
    while pending:
        item, place, depth = pending.pop()
        count += 1
        if count > _MOST_VALUES or depth > _DEEPEST:
            raise ValueError(f"{name} holds more values, or deeper ones, than a checkpoint has; do not trust it")
        if isinstance(item, Tensor):
            check_tensor(item, name, place)
        elif isinstance(item, Mapping):
            for key, part in item.items():
                if not isinstance(key, (str, int)):
                    raise ValueError(f"{name}: a key at {_shown(place)} is {kind_of(key)}; expected text or a number")
                pending.append((part, f"{place[:80]}.{key}" if place else str(key), depth + 1))
        elif isinstance(item, (list, tuple)):
            pending += [(part, place, depth + 1) for part in item]
        elif not isinstance(item, (str, int, float, type(None))):
            raise ValueError(f"{name}: {kind_of(item)} at {_shown(place)}; expected tensors and plain values")


def check_tensor(tensor: Tensor, name: str, place: str) -> None:
    """Check that a tensor is what its shape says.

    Raises:
        ValueError: it is sparse, quantised, on no device, or has more values than bytes in the file.
    """
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized or tensor.is_nested:
        raise ValueError(f"{name}: the tensor {_shown(place)} is no plain one ({tensor.layout}, {tensor.device})")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError(
            f"{name}: the tensor {_shown(place)} says that it has {tensor.numel()} values, but the file holds "
            f"{tensor.untyped_storage().nbytes() // tensor.element_size()} of them; do not trust it"
        )


class Within(TorchFunctionMode):
    """Inside a ``with`` block no more tensors are made than a network of these weights needs.

    Args:
        weights: of the file, by name.
        name: of the file, for the error.

    Raises:
        ValueError: inside the block, before the memory for the tensor that is too much is taken.
    """

    def __init__(self, weights: Mapping[str, Tensor], name: str) -> None:
        super().__init__()
        self.name = name
        stored = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in weights.values()}
        self._weights = sum(stored.values())
        self._bytes = _ROOM * self._weights + _SPARE
        self._tensors = _ROOM * len(weights) + _SPARE_TENSORS

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the function unless it would make too much."""
        kwargs = kwargs or {}
        if func in _FACTORIES:
            given = args[:1] if func is torch.full else args  # the second is its value
            sizes = [part for part in (*given, kwargs.get("size", ())) if isinstance(part, (int, list, tuple))]
            self._take(math.prod(_whole(sizes)) * (kwargs.get("dtype") or torch.float32).itemsize)
        elif func in _LINES:
            self._take(8 * max(_whole([part for part in args if isinstance(part, (int, float))]), default=0))
        return func(*args, **kwargs)

    def _take(self, number: int) -> None:
        self._bytes -= number
        self._tensors -= 1
        if self._bytes < 0 or self._tensors < 0:
            raise ValueError(
                f"{self.name} describes a network that is far larger than the {self._weights / 1e6:.1f} MB of weights "
                "it holds; do not trust it"
            )


def _whole(parts: Iterable[Any]) -> list[int]:
    """The numbers of a size, however it is given."""
    found: list[int] = []
    for part in parts:
        found += _whole(part) if isinstance(part, (list, tuple, torch.Size)) else [int(part)]
    return found


def _shown(place: str) -> str:
    return printable(place)[:100] or "its top"
