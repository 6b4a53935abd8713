"""How much memory a computation takes at its peak, and which errors mean that it ran out."""

from __future__ import annotations

import weakref
from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

#: What a convolution library may take for re-ordered copies beside the tensors that are counted.
SCRATCH = 1.5


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of all tensors that are made inside a ``with`` block and live at one time.

    Attributes:
        peak: most bytes at one time; memory that a library takes inside an operation is not seen.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # saying yes makes torch import its compiler at the first operation: 7 CPU-seconds

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._live = 0
        self._views: Counter[int] = Counter()  # of each storage
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run the operation and count its results."""
        results = func(*args, **(kwargs or {}))
        for result in tree_iter(results):
            if isinstance(result, Tensor):
                self._count(result)
        return results

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage.data_ptr()
        if not self._views[key]:
            self._sizes[key] = storage.nbytes()
            self._live += self._sizes[key]
            self.peak = max(self.peak, self._live)
        self._views[key] += 1
        weakref.finalize(tensor, self._release, key).atexit = False

    def _release(self, key: int) -> None:
        self._views[key] -= 1
        if not self._views[key]:
            self._live -= self._sizes.pop(key)


def out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out, on whichever device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "not enough memory" in text)
