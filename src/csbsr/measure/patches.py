"""Small images of cracks in one large one, so that all of them are sampled at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import map_coordinates


class Patches:
    """Images one below the other, a row and a column of zeros around each.

    Args:
        images: (h, w) each, of one type.
    """

    def __init__(self, images: Sequence[np.ndarray]) -> None:
        self._shapes = np.array([image.shape for image in images]).reshape(-1, 2)
        if len(images) == 1:  # it may be as large as a photograph: no copy
            self._image, self._tops = images[0], np.zeros(1, int)
            return
        heights = self._shapes[:, 0] + 2
        self._tops = np.cumsum(heights) - heights + 1
        shape = (int(heights.sum()), int(self._shapes[:, 1].max(initial=0)) + 2)
        self._image = np.zeros(shape, images[0].dtype if images else np.uint8)
        for top, image in zip(self._tops.tolist(), images, strict=True):
            self._image[top : top + image.shape[0], 1 : 1 + image.shape[1]] = image

    def sample(self, number: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Bilinear values.

        Args:
            number: (n,) of the image.
            places: (n, ..., 2), x and y in its pixels; beyond it there are zeros.

        Returns:
            (n, ...) float32.
        """
        wide = (slice(None), *(None,) * (places.ndim - 2))
        height, width = self._shapes[number].T
        x = np.clip(places[..., 0], -1, width[wide])
        y = np.clip(places[..., 1], -1, height[wide])
        if len(self._shapes) > 1:
            x, y = x + 1, y + self._tops[number][wide]
        return map_coordinates(self._image, (y, x), output=np.float32, order=1, mode="grid-constant")
