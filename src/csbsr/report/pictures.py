"""The pictures of an evaluation on disk, a folder per image, from which its report and comparisons are made.

    <folder>/<name of the image>/lr.png  sr.webp  hr.webp  mask.png  levels.png  kernel.png  estimated_kernel.png

``levels.png`` holds how many of the 99 thresholds lie below a pixel's probability, spread over 0 … 255; so a mask at
any of them is exact, and the picture still looks like the probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from csbsr.metrics import THRESHOLDS
from csbsr.moments import second_moments
from csbsr.pages.overlay import overlay
from csbsr.pages.pictures import data_uri, limited, opened, to_picture

PREVIEW = 512  # longest side of a picture inside a page
_LARGEST = 4096  # of a photograph kept on disk; WebP ends at 16383
_LEVELS = len(THRESHOLDS)


class ImagePictures:
    """The pictures of one image.

    Args:
        root: folder of all pictures of an evaluation.
        name: the image's name, path within its split.
    """

    def __init__(self, root: str | Path, name: str) -> None:
        self.folder = (Path(root) / name).with_suffix("")

    def save(self, row: Mapping[str, Any]) -> None:
        """Write what there is of a row as `csbsr.pages.panel.panel` takes it; None or missing entries are left out."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for key in ("sr", "hr"):
            if row.get(key) is not None:
                limited(to_picture(row[key]), _LARGEST).save(self.folder / f"{key}.webp", quality=90, method=2)
        if row.get("lr") is not None:
            to_picture(row["lr"]).save(self.folder / "lr.png")
        if row.get("mask") is not None:
            Image.fromarray(row["mask"][0] > 0.5).save(self.folder / "mask.png")
        if row.get("segmentation") is not None:
            thresholds = np.asarray(THRESHOLDS, row["segmentation"].dtype)
            levels = np.searchsorted(thresholds, row["segmentation"][0])
            Image.fromarray(np.rint(levels * (255 / _LEVELS)).astype(np.uint8)).save(self.folder / "levels.png")
        for key in ("kernel", "estimated_kernel"):
            if row.get(key) is not None:
                _kernel_picture(row[key][0]).save(self.folder / f"{key}.png")

    def preview(self, key: str, size: int = PREVIEW) -> str | None:
        """``lr``, ``sr`` or ``hr`` as a data URI, ``bicubic`` for ``lr`` at the size of ``sr``; None if not there."""
        picture = self._bicubic() if key == "bicubic" else self._open(f"{key}.webp") or self._open(f"{key}.png")
        return None if picture is None else data_uri(limited(picture.convert("RGB"), size), "webp", quality=78)

    def kernel(self, key: str) -> str | None:
        """``kernel`` or ``estimated_kernel`` as a data URI; None if not there."""
        picture = self._open(f"{key}.png")
        return None if picture is None else data_uri(picture, "png", optimize=True)

    def verdict(self, threshold: float, size: int = PREVIEW) -> str | None:
        """The overlay at one of the 99 thresholds as a data URI; None without mask or segmentation."""
        mask, predicted = self._open("mask.png"), self.predicted(threshold)
        if mask is None or predicted is None:
            return None
        return data_uri(limited(overlay(predicted, np.asarray(mask)), size), "png", optimize=True)

    def predicted(self, threshold: float) -> np.ndarray | None:
        """Mask (H, W) bool of p > ``threshold``, one of 0.01 … 0.99; None without segmentation.

        Raises:
            ValueError: another threshold.
        """
        picture = self._open("levels.png")
        if picture is None:
            return None
        index = round(threshold * 100) - 1
        if not 0 <= index < _LEVELS or abs(THRESHOLDS[index] - threshold) > 1e-9:
            raise ValueError(f"threshold: expected one of 0.01, 0.02, … 0.99, got {threshold}")
        return np.rint(np.asarray(picture, np.float64) * (_LEVELS / 255)) > index

    def blur_width(self) -> float:
        """Width of the true kernel's picture in HR pixels: the fourth root of its covariance's determinant.

        It equals √(σ₁·σ₂) for a Gaussian that the kernel's window holds, and 0 for a single pixel; NaN if there is no
        kernel.
        """
        picture = self._open("kernel.png")
        if picture is None:
            return float("nan")
        xx, yy, xy = second_moments(np.asarray(picture))
        return max(0.0, xx * yy - xy * xy) ** 0.25

    def _open(self, file: str) -> Image.Image | None:
        return opened(self.folder / file)

    def _bicubic(self) -> Image.Image | None:
        """``lr`` enlarged as the bicubic baseline does it, to the size of the network's output."""
        picture, levels = self._open("lr.png"), self._open("levels.png") or self._open("sr.webp")
        if picture is None or levels is None:
            return picture
        lr = np.asarray(picture, np.float32) / 255
        enlarged = cv2.resize(lr, (levels.width, levels.height), interpolation=cv2.INTER_CUBIC)  # torch's parameter too
        return to_picture(enlarged.transpose(2, 0, 1))


def _kernel_picture(kernel: np.ndarray) -> Image.Image:
    """(k, k) to grey, scaled by the maximum; negative entries are black."""
    scaled = kernel / max(float(kernel.max()), 1e-12)
    return Image.fromarray(np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8))
