"""The varied world as a source of pairs: image ``index`` of a split, the same every time."""

from __future__ import annotations

import hashlib

import numpy as np

from csbsr.data.seeds import item_seed
from csbsr.data.world.photographs import SurfaceFolder
from csbsr.data.world.scene import Picture, picture


class WorldPairs:
    """Generated photographs of the varied world with exact masks, a `csbsr.contracts.PairSource`.

    Image ``index`` is a function of (seed, split, index), of the files of ``surfaces`` and of nothing else.

    Args:
        split: "train", "test" or any other name; splits share no image.
        count: number of images.
        size: (H, W) in pixels, at least 32 each.
        seed: another seed gives another data set.
        surfaces: photographs without cracks to draw into; without them every surface is procedural.
        photographed: fraction of the images drawn into photographs, where there are any.
        sound: fraction of the images without a crack.
        thinnest: narrower cracks are marked so many pixels wide, as annotators do; 0: the mask is exact.
    """

    def __init__(
        self,
        split: str,
        count: int,
        size: tuple[int, int] = (320, 320),
        seed: int = 0,
        surfaces: SurfaceFolder | None = None,
        photographed: float = 0.5,
        sound: float = 0.15,
        thinnest: float = 0.0,
    ) -> None:
        height, width = (int(value) for value in size)
        if count < 1:
            raise ValueError(f"count: expected at least 1 image for the split {split!r}, got {count}")
        if min(height, width) < 32:
            raise ValueError(f"size: expected at least 32 by 32 pixels, got {height} by {width}")
        for name, share in (("photographed", photographed), ("sound", sound)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name}: expected a fraction from 0 to 1, got {share}")
        self.split, self.count, self.size, self.seed = split, int(count), (height, width), int(seed)
        self.surfaces, self.photographed, self.sound = surfaces, float(photographed), float(sound)
        self.thinnest = float(thinnest)

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        """Path of the image within its split."""
        if not 0 <= index < self.count:
            raise IndexError(f"image {index} of {self.count}")
        return f"world_{index:05d}.png"

    def picture(self, index: int) -> Picture:
        """Image, mask, and what kind of surface and crack they show."""
        self.name(index)  # rejects an index outside the data set
        rng = np.random.default_rng(item_seed(self.seed, "world", self.split, index))
        return picture(rng, self.size, self.surfaces, self.photographed, self.sound, self.thinnest)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 RGB and mask (H, W) uint8 in {0, 1}."""
        drawn = self.picture(index)
        return drawn.image, drawn.mask

    def fingerprint(self) -> str:
        """Short hash of everything the images depend on."""
        files = self.surfaces.fingerprint() if self.surfaces is not None else ""
        parts = (self.split, self.count, self.size, self.seed, files, self.photographed, self.sound, self.thinnest)
        return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
