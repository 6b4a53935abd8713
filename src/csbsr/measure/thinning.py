"""Thin a mask to lines one pixel wide, in time that grows with its area and not with area times width."""

from __future__ import annotations

import numpy as np


def thin(mask: np.ndarray) -> np.ndarray:
    """Skeleton of a mask by topology-preserving parallel thinning.

    Border pixels are peeled from the north, south, east and west in turn; a pixel goes if it has at least two
    neighbours and its removal neither splits the crack nor opens a hole (8-connected crack, 4-connected background;
    Rosenfeld, "A characterization of parallel thinning algorithms", Information and Control 29, 1975).  Only pixels
    whose surroundings changed are looked at again: `skimage.morphology.skeletonize` visits the whole image once per
    peeled layer, which on a wholly cracked 24-megapixel mask takes minutes where this takes seconds.

    Args:
        mask: (H, W) bool; outside of the image counts as background.

    Returns:
        (H, W) bool, a subset of ``mask`` with the same components and the same holes.
    """
    padded = np.pad(np.asarray(mask, dtype=bool).view(np.uint8), 1)
    stride = padded.shape[1]
    flat = padded.reshape(-1)
    around = np.array([-stride, 1 - stride, 1, stride + 1, stride, stride - 1, -1, -stride - 1])  # N NE E SE S SW W NW
    interior = padded[1:-1, 1:-1]
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    rows, columns = np.nonzero(interior & ~inner)
    active = (rows + 1) * stride + columns + 1
    while active.size:
        removed = []
        for side in (0, 4, 2, 6):
            exposed = active[(flat[active] == 1) & (flat[active + around[side]] == 0)]
            code = np.zeros(exposed.size, dtype=np.uint8)
            for bit, step in enumerate(around):
                code |= flat[exposed + step] << np.uint8(bit)
            gone = exposed[REMOVABLE[code]]
            flat[gone] = 0
            removed.append(gone)
        gone = np.concatenate(removed)
        touched = []
        for step in around:
            beside = gone + step
            beside = beside[flat[beside] == 1]
            flat[beside] = 2  # so that no pixel is listed twice
            touched.append(beside)
        active = np.concatenate(touched)
        flat[active] = 1
    return padded[1:-1, 1:-1].astype(bool)


def _removable() -> np.ndarray:
    """For each of the 256 neighbourhoods, whether the middle is neither an end nor a link (Yokoi's number is 1)."""
    codes = np.arange(256)
    empty = 1 - ((codes[:, None] >> np.arange(8)) & 1)
    ahead, after = np.roll(empty, -1, axis=1), np.roll(empty, -2, axis=1)
    number = (empty - empty * ahead * after)[:, ::2].sum(axis=1)
    return (number == 1) & (empty.sum(axis=1) <= 6)


#: (256,) bool by the neighbours' bits, from the lowest: N, NE, E, SE, S, SW, W, NW
REMOVABLE = _removable()
