"""How wide and which way a blur kernel is, from its second moments."""

from __future__ import annotations

import numpy as np


def second_moments(kernel: np.ndarray) -> tuple[float, float, float]:
    """Covariance of a kernel (k, k) about its centre of mass, in square pixels: xx, yy, xy; y counts downwards.

    Negative entries of an estimated kernel count as 0; one without any weight has no extent.
    """
    weight = np.clip(kernel.astype(np.float64), 0, None)
    weight /= max(weight.sum(), 1e-12)
    y, x = (axis - (weight * axis).sum() for axis in np.indices(weight.shape))
    xx, yy, xy = (float((weight * product).sum()) for product in (x * x, y * y, x * y))
    return xx, yy, xy
