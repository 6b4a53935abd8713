"""Small sources, a toy degradation and files for the tests of the data."""

import numpy as np
import torch
from PIL import Image


class Numbered:
    """Pairs whose pixels tell their index: image value = index, one crack pixel at (index mod H, 3)."""

    def __init__(self, count, size=(12, 16)):
        self.count, self.size = count, size

    def __len__(self):
        return self.count

    def name(self, index):
        return f"numbered/{index:03d}.png"

    def read(self, index):
        image = np.full((*self.size, 3), index, np.uint8)
        mask = np.zeros(self.size, np.uint8)
        mask[index % self.size[0], 3] = 1
        return image, mask


class Shuffled(Numbered):
    """As `Numbered`, every pixel another value and every image another size."""

    def read(self, index):
        size = (self.size[0] + 2 * (index % 3), self.size[1])
        draw = np.random.RandomState(index)
        return draw.randint(0, 256, (*size, 3)).astype(np.uint8), (draw.rand(*size) > 0.8).astype(np.uint8)


class Halving:
    """Degradation by 2 whose kernel tells the numbers it was given."""

    scale = 2

    def draw(self, generator):
        return torch.rand(3, generator=generator)

    def __call__(self, hr, blur):
        kernel = torch.zeros(len(hr), 1, 3, 3, dtype=hr.dtype)
        kernel[:, 0, 0] = blur
        return hr[..., ::2, ::2], kernel


def write_pairs(root, split, names=("a", "b", "c"), size=(20, 30), image_suffix=".jpg", mask_suffix=".png"):
    """A folder data set of random images with a crack each."""
    for kind in ("images", "masks"):
        (root / split / kind).mkdir(parents=True, exist_ok=True)
    draw = np.random.RandomState(len(split))
    for name in names:
        mask = np.zeros(size, np.uint8)
        mask[size[0] // 2] = 255
        Image.fromarray(draw.randint(0, 256, (*size, 3)).astype(np.uint8)).save(
            root / split / "images" / f"{name}{image_suffix}"
        )
        Image.fromarray(mask).save(root / split / "masks" / f"{name}{mask_suffix}")
    return root
