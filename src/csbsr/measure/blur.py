"""The blur of a photograph from place to place, as numbers that need no network to be used again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

#: Share within which a network's estimate of σ is usually right.
ESTIMATED_WITHIN = 0.15


@dataclass(frozen=True, eq=False)
class BlurMap:
    """Covariances of the blur on a grid of equal tiles.

    Attributes:
        covariances: (rows, columns, 3) of xx, yy and xy, in square pixels of the photograph.
        shape: h, w of the photograph.
        within: share within which σ is known, which widens the intervals of widths; 0 for a blur that is told exactly.
    """

    covariances: np.ndarray
    shape: tuple[int, int]
    within: float = ESTIMATED_WITHIN

    @classmethod
    def of_kernels(
        cls, kernels: np.ndarray, scale: float, shape: tuple[int, int], within: float = ESTIMATED_WITHIN
    ) -> BlurMap:
        """From kernels, as a network estimates them.

        Args:
            kernels: (rows, columns, k, k), each of sum 1, in pixels of an image ``scale`` times as large.
            scale: along a side.
            shape: h, w of the photograph.
            within: share within which σ is known.
        """
        kernels = np.maximum(np.asarray(kernels, dtype=np.float64), 0)
        kernels = kernels / np.maximum(kernels.sum(axis=(2, 3), keepdims=True), 1e-12)
        y, x = np.mgrid[: kernels.shape[2], : kernels.shape[3]].astype(np.float64)
        mean_x, mean_y = ((kernels * axis).sum(axis=(2, 3), keepdims=True) for axis in (x, y))
        moments = [
            (kernels * first * second).sum(axis=(2, 3))
            for first, second in ((x - mean_x, x - mean_x), (y - mean_y, y - mean_y), (x - mean_x, y - mean_y))
        ]
        return cls(np.stack(moments, axis=-1) / scale**2, shape, within)

    @classmethod
    def of_numbers(cls, numbers: Mapping[str, object], shape: tuple[int, int]) -> BlurMap:
        """From what `numbers` gave.

        Raises:
            ValueError: it is something else.
        """
        try:
            rows, columns = int(numbers["rows"]), int(numbers["columns"])  # type: ignore[call-overload]
            covariances = np.array(numbers["covariances"], dtype=np.float64).reshape(rows, columns, 3)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"blur: expected rows, columns and covariances of each tile, got {numbers!r}") from error
        if not (np.isfinite(covariances).all() and (covariances[..., :2] >= 0).all()):
            raise ValueError("blur: expected finite covariances, those of x and of y 0 or more")
        return cls(covariances, shape)

    def numbers(self) -> dict[str, object]:
        """Plain numbers for a file, in square pixels of the photograph."""
        rows, columns = self.covariances.shape[:2]
        return {"rows": rows, "columns": columns, "covariances": self.covariances.reshape(-1, 3).round(4).tolist()}

    def across(self, places: np.ndarray, angles: np.ndarray) -> np.ndarray:
        """(n,) σ of the blur in pixels at ``places`` (n, 2), x and y, along directions ``angles`` (n,) in radians."""
        rows, columns = self.covariances.shape[:2]
        i = np.clip((places[:, 1] + 0.5) * rows / self.shape[0], 0, rows - 1).astype(int)
        j = np.clip((places[:, 0] + 0.5) * columns / self.shape[1], 0, columns - 1).astype(int)
        xx, yy, xy = self.covariances[i, j].T
        cos, sin = np.cos(angles), np.sin(angles)
        return np.sqrt(np.maximum(xx * cos**2 + yy * sin**2 + 2 * xy * sin * cos, 0))
