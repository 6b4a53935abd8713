"""Random crop, mirror and flip of a training pair, every draw taken from one seed per item (albumentations)."""

from __future__ import annotations

from typing import Any

import albumentations
import cv2
import numpy as np
from albumentations.augmentations.crops.transforms import BaseCrop


class CrackCrop(BaseCrop):
    """Square crop at a uniform position, or, with a given probability, around a crack pixel.

    In the second case a crack pixel is drawn, and the crop's position uniformly among those that hold it in their
    middle half, as far as the image's borders allow.  Images are expected to be at least as large as the crop.

    Args:
        side: side of the crop in pixels.
        crack_preference: probability of the second case; an image without a crack is always cropped uniformly.
    """

    def __init__(self, side: int, crack_preference: float) -> None:
        super().__init__(p=1.0)
        self.side, self.crack_preference = side, crack_preference

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The crop's corners, from the transform's own generator."""
        height, width = params["shape"][:2]
        draw, side = self.py_random, self.side
        corner = [draw.randint(0, extent - side) for extent in (height, width)]
        if draw.random() < self.crack_preference:
            cracks = np.flatnonzero(data["mask"] == 1)  # faster on bool; 255 is ignored
            if len(cracks):
                pixel = divmod(int(cracks[draw.randrange(len(cracks))]), width)
                wanted = [place - draw.randint(side // 4, side - side // 4 - 1) for place in pixel]
                corner = [
                    min(max(value, 0), extent - side) for value, extent in zip(wanted, (height, width), strict=True)
                ]
        top, left = corner
        return {"crop_coords": (left, top, left + side, top + side)}


class Augmentation:
    """Pads (by reflection) what is smaller than the crop, crops, mirrors and flips an image and its mask alike.

    Args:
        crop: side of the square crop in pixels.
        crack_preference: probability in [0, 1] that a crop is laid around a crack pixel.
        mirror: probability of left-right reversal.
        vertical_flip: probability of up-down reversal.
        quarter_turns: probability of a turn by 0, 90, 180 or 270 degrees, each as likely.
    """

    def __init__(
        self,
        crop: int = 224,
        crack_preference: float = 0.0,
        mirror: float = 0.5,
        vertical_flip: float = 0.3,
        quarter_turns: float = 0.0,
    ) -> None:
        if crop < 1:
            raise ValueError(f"crop: expected a side of at least 1 pixel, got {crop}")
        for name, value in (
            ("crack_preference", crack_preference),
            ("mirror", mirror),
            ("vertical_flip", vertical_flip),
            ("quarter_turns", quarter_turns),
        ):
            if not 0 <= value <= 1:
                raise ValueError(f"{name}: expected a probability from 0 to 1, got {value}")
        self.crop = crop
        self._transform = albumentations.Compose(
            [
                CrackCrop(crop, crack_preference),
                albumentations.HorizontalFlip(p=mirror),
                albumentations.VerticalFlip(p=vertical_flip),
                *([albumentations.RandomRotate90(p=quarter_turns)] if quarter_turns else []),
            ]
        )

    def __call__(self, image: np.ndarray, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) and mask (H, W) to the same at (crop, crop); equal seeds give equal draws."""
        height, width = mask.shape
        below, right = max(0, self.crop - height), max(0, self.crop - width)
        if below or right:
            image, mask = (
                cv2.copyMakeBorder(
                    array, below // 2, below - below // 2, right // 2, right - right // 2, cv2.BORDER_REFLECT_101
                )
                for array in (image, mask)
            )
        self._transform.set_random_seed(seed)
        result = self._transform(image=image, mask=mask)
        return result["image"], result["mask"]
