"""Numbers measured on the authors' public release (Yuki-11/CSBSR, commit 81fe3e0), on CPU in float64.

The ``.npz`` files hold outputs, the ``.keys.json`` files the names and shapes of the released state dicts.  The weights
and inputs that were fed follow from the rules below, so none need storing: numpy's legacy stream is frozen.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent


def load(name: str) -> dict[str, np.ndarray]:
    """All arrays of ``<name>.npz``."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def keys(system: str) -> dict[str, list[int]]:
    """Every name and shape of the released state dict of ``system``."""
    return json.loads((FOLDER / f"{system}.keys.json").read_text())


def fill(key: str, shape: tuple[int, ...], gain: float = 1.0) -> np.ndarray:
    """Value of the state-dict entry ``key`` with ``shape`` (float64; int64 for num_batches_tracked)."""
    draw = np.random.RandomState(zlib.crc32(key.encode()) & 0xFFFFFFFF)
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, "int64")
    if key.endswith("running_var"):
        return 0.5 + draw.rand(*shape)
    if key.endswith("running_mean"):
        return 0.1 * draw.randn(*shape)
    if len(shape) >= 2:
        return gain * draw.randn(*shape) / np.sqrt(np.prod(shape[1:]))
    if key.endswith("weight"):  # one number is a PReLU slope, several a normalisation scale
        return np.full(shape, 0.25) if shape == (1,) else 0.5 + draw.rand(*shape)
    return 0.1 * draw.randn(*shape)


def state_dict(system: str, gain: float = 1.0, prefix: str = "") -> dict[str, torch.Tensor]:
    """Released state dict of ``system`` (entries starting with ``prefix``), filled by the rule."""
    return {
        key: torch.from_numpy(np.asarray(fill(key, tuple(shape), gain)))
        for key, shape in keys(system).items()
        if key.startswith(prefix)
    }


def network_input(seed: int, height: int = 16, width: int = 24) -> torch.Tensor:
    """LR batch (2, 3, height, width) in [0, 1], float64."""
    return torch.from_numpy(np.random.RandomState(seed).rand(2, 3, height, width))


def given_kernel(seed: int) -> torch.Tensor:
    """The true kernel (2, 1, 21, 21), summing to 1, fed for the ``*_given_kernel`` entries."""
    kernel = np.random.RandomState(seed + 1).rand(2, 1, 21, 21)
    return torch.from_numpy(kernel / kernel.sum((2, 3), keepdims=True))
