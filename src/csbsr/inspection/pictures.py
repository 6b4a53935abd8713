"""The pictures of a prediction that are not simply its rows: overlay, blur kernels, consistency."""

from __future__ import annotations

import numpy as np

#: Okabe & Ito's vermillion, which also the colour-blind tell from grey concrete and asphalt.
CRACK_COLOUR = (213, 94, 0)
_OPACITY = 0.6
#: Difference drawn white in the consistency map, of values in [0, 1].
CONSISTENCY_WHITE = 0.2
_LARGEST_SIDE = 2048  # of the picture of all kernels


def overlay(sr: np.ndarray, crack: np.ndarray) -> np.ndarray:
    """Cracks in colour over the super-resolved image.

    Args:
        sr: (H, W, 3) in [0, 1].
        crack: (H, W) bool.

    Returns:
        (H, W, 3) uint8.
    """
    picture = np.rint(sr * 255).clip(0, 255).astype(np.uint8)
    mixed = picture[crack] * (1 - _OPACITY) + np.array(CRACK_COLOUR) * _OPACITY
    picture[crack] = np.rint(mixed).astype(np.uint8)
    return picture


def kernel_sheet(kernels: np.ndarray) -> np.ndarray:
    """The kernels of all tiles where the tiles lie, each scaled by its maximum, with lines between.

    Args:
        kernels: (rows, columns, k, k).

    Returns:
        Grey, uint8; one kernel alone is enlarged eight times, many as far as the picture stays below 2048 pixels.
    """
    rows, columns, side, _ = kernels.shape
    scaled = kernels / np.maximum(kernels.max((2, 3), keepdims=True), 1e-12)
    pixels = np.rint(scaled.clip(0, 1) * 255).astype(np.uint8)
    zoom = int(np.clip(_LARGEST_SIDE // (max(rows, columns) * (side + 1)), 1, 8))
    pixels = pixels.repeat(zoom, 2).repeat(zoom, 3)
    if rows * columns > 1:
        pixels = np.pad(pixels, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=96)
    return pixels.transpose(0, 2, 1, 3).reshape(rows * pixels.shape[2], columns * pixels.shape[3])


def consistency_picture(differences: np.ndarray) -> np.ndarray:
    """Differences (h, w) as grey uint8: black 0, white `CONSISTENCY_WHITE` and more."""
    return np.rint((differences / CONSISTENCY_WHITE).clip(0, 1) * 255).astype(np.uint8)
