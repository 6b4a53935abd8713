"""Lengths and widths of the cracks in a probability map, without a network: a generated wall and its mask.

    python examples/measure_a_crack.py measured

writes ``measured/wall.png``, ``measured/widths.png`` (cracks coloured by their width) and ``measured/cracks.csv``.
"""

import csv
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from csbsr.data import SyntheticPairs
from csbsr.measure import CRACK_COLUMNS, crack_rows, draw_widths, measure_cracks

MM_PER_PIXEL = 0.25  # of the photograph; measure yours, for example with a scale bar in the picture


def main(folder: Path) -> None:
    """Measure the first cracked wall of a generated data set."""
    folder.mkdir(parents=True, exist_ok=True)
    walls = SyntheticPairs("example", count=10, size=(240, 320), seed=3)
    image, mask = next(pair for pair in map(walls.read, range(len(walls))) if pair[1].any())

    # What a network would give: a probability between 0 and 1. Its soft edges carry the sub-pixel width.
    probability = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)

    measurement = measure_cracks(probability, threshold=0.5, gsd_mm=MM_PER_PIXEL, min_pixels=10)
    for crack in measurement.cracks:
        print(
            f"crack {crack.number}: {crack.length:6.1f} px = {measurement.mm(crack.length):5.1f} mm long, "
            f"{crack.width_mean:.2f} px = {measurement.mm(crack.width_mean):.2f} mm wide"
            + (" (at the limit of measurement)" if crack.at_limit else "")
        )

    Image.fromarray(image).save(folder / "wall.png")
    Image.fromarray(draw_widths(image, measurement)).save(folder / "widths.png")
    with (folder / "cracks.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, CRACK_COLUMNS)
        table.writeheader()
        table.writerows(crack_rows(measurement, "wall.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "measured"))
