"""Distance maps of a crack mask, made once per sample in the data workers instead of in every training step."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

EXACT_IN_FLOAT32 = 1024  # height plus width up to which squared distances stay well below float32's whole numbers


def distance_to_crack(mask: NDArray, dtype: DTypeLike = np.float32) -> NDArray:
    """Pixels from each pixel's centre to the nearest crack pixel's; 0 on cracks, and everywhere for an empty mask.

    Args:
        mask: (H, W), crack where non-zero.
        dtype: of the result; computed in it or wider.

    Returns:
        (H, W) in [0, √(H² + W²)).
    """
    return _distance_to_nearest(_as_crack(mask), dtype).astype(dtype, copy=False)


def normalized_signed_distance(mask: NDArray, dtype: DTypeLike = np.float32) -> NDArray:
    """The map φ of the boundary loss: negative inside cracks, positive outside, each side scaled to a range of 1.

    With ``d_out`` the distance of each background pixel to the nearest crack pixel and ``d_in`` that of each crack
    pixel to the nearest background pixel (0 elsewhere), each min-max scaled by its own range in the image,
    ``φ = d_out - d_in``; then ``φ = 0`` on crack pixels that touch background with a side, inside the image.

    Edge cases: a mask without cracks, or without background, has φ = 0 everywhere (no distance on the missing side).

    Args:
        mask: (H, W), crack where non-zero.
        dtype: of the result; computed in it or wider.

    Returns:
        (H, W) in [-1, 1].

    Source:
        Kervadec et al. 2019 (boundary loss); Kondo & Ukita 2024 (L_seg), scaled as in the authors' release.
    """
    crack = _as_crack(mask)
    signed = _distance_to_nearest(crack, dtype)
    if signed.any():
        signed /= signed.max()  # the minimum is 0, on the cracks
    # the background nearest to a crack pixel lies in the cracks' bounding box or directly around it
    left, top, width, height = cv2.boundingRect(crack.view(np.uint8))
    box = np.s_[max(top - 1, 0) : top + height + 1, max(left - 1, 0) : left + width + 1]
    cracked = crack[box]
    inside = _distance_to_nearest(~cracked, dtype)[cracked]
    if inside.any():
        # a neighbour across a side is the only pixel at distance one: those cracks touch background
        signed[box][cracked] = np.where(inside == 1, 0, -inside / inside.max())
    return signed.astype(dtype, copy=False)


def _as_crack(mask: NDArray) -> NDArray[np.bool_]:
    if mask.ndim != 2:
        raise ValueError(f"mask: expected two dimensions (H, W), got {mask.shape}; pass one mask at a time")
    return mask != 0


def _distance_to_nearest(target: NDArray[np.bool_], dtype: DTypeLike = np.float64) -> NDArray:
    """Exact Euclidean distance to the nearest True pixel; 0 everywhere if there is none.

    float32 only where it is asked for and the image is small enough for its squared distances to stay exact.
    """
    if not target.any():
        return np.zeros(target.shape)
    distance = cv2.distanceTransform((~target).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    if dtype != np.float32 or sum(target.shape) > EXACT_IN_FLOAT32:
        distance = distance.astype(np.float64)
    # cv2 rounds to float32; squared distances are whole numbers, so rounding them undoes that (up to 2000 px)
    np.multiply(distance, distance, out=distance)
    return np.sqrt(np.rint(distance, out=distance), out=distance)
