"""Random maps and masks with everything that goes wrong: empty, full, one pixel, at the border, not square."""

import numpy as np
import pytest
import torch
from scipy import ndimage


def random_pair(index):
    """Probabilities (H, W) float32 with few levels, and a mask (H, W) bool."""
    draw = np.random.default_rng(index)
    height, width = draw.integers(1, 40, 2)
    softness = draw.uniform(0, 2)
    mask = ndimage.gaussian_filter(draw.random((height, width)), softness)
    mask = mask > np.quantile(mask, draw.random())
    probabilities = ndimage.gaussian_filter(mask + draw.random((height, width)), softness)
    probabilities = np.round(probabilities / probabilities.max() * 7) / 7 * 0.97
    kind = index % 10
    if kind in (1, 2, 3):
        mask = np.zeros_like(mask) if kind == 1 else np.ones_like(mask)
        if kind == 3:
            mask[:] = False
            mask[draw.integers(height), draw.integers(width)] = True
    if kind in (4, 5, 6):
        probabilities = np.full_like(probabilities, 0.005 if kind == 4 else 0.995)
        if kind == 6:
            probabilities[:] = 0
            probabilities[draw.integers(height), draw.integers(width)] = 0.9
    if kind == 7:
        mask[0], mask[:, -1] = True, True
    if kind == 8:
        probabilities[-1], probabilities[:, 0] = 0.8, 0.4
    return probabilities.astype(np.float32), mask


def as_batch(array):
    return torch.from_numpy(np.ascontiguousarray(array))[None, None]


@pytest.fixture(scope="session")
def pairs():
    return [random_pair(index) for index in range(200)]
