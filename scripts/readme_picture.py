"""Makes docs/result.jpg, the picture of the README: a generated wall, blurred and small, and what is made of it.

python scripts/readme_picture.py
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from csbsr.data import SyntheticPairs
from csbsr.degradation import anisotropic_gaussian_kernel, degrade
from csbsr.predict import Predictor

COLOUR = (230, 57, 70)  # of what is marked as crack
GAP = 8  # pixels between the pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ckpt", default="lite")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--index", type=int, default=7)
    parser.add_argument("--size", type=int, default=320, help="side of each picture, pixels; a multiple of 4")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "result.jpg")
    options = parser.parse_args()
    wall, _ = SyntheticPairs("picture", options.index + 1, (options.size, options.size), options.seed).read(
        options.index
    )
    hr = torch.from_numpy(wall).permute(2, 0, 1)[None] / 255
    kernel = anisotropic_gaussian_kernel(2.6, 1.4, 30.0)
    lr = degrade(hr, kernel, 4, padding="reflect").clamp(0, 1)[0].permute(1, 2, 0).numpy()
    result = Predictor.load(options.ckpt).predict(lr)
    small = Image.fromarray(np.rint(lr * 255).astype(np.uint8))
    enlarged = small.resize((options.size, options.size), Image.Resampling.NEAREST)
    sr = np.rint(result.sr * 255).astype(np.uint8)
    marked = np.where(result.mask[..., None], np.array(COLOUR, np.uint8), sr)
    strip = Image.new("RGB", (3 * options.size + 2 * GAP, options.size), "white")
    for place, picture in enumerate((np.asarray(enlarged), sr, marked)):
        strip.paste(Image.fromarray(picture), (place * (options.size + GAP), 0))
    strip.save(options.out, quality=88)


if __name__ == "__main__":
    main()
