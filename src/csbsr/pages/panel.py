"""A picture of what a network made of some images: one row each, from the photograph to the crack mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from csbsr.pages.pictures import to_picture

COLUMNS = ("lr", "sr", "hr", "mask", "segmentation", "kernel", "estimated_kernel")
TITLES = {
    "lr": "low resolution",
    "sr": "super-resolved",
    "hr": "high resolution",
    "mask": "true cracks",
    "segmentation": "crack probability",
    "kernel": "true blur",
    "estimated_kernel": "estimated blur",
}
_HEADER, _GAP, _BACKGROUND = 18, 6, (255, 255, 255)


def panel(rows: Sequence[Mapping[str, Any]], tile: int = 224) -> Image.Image:
    """Draw a table of pictures.

    Args:
        rows: per image ``name`` and, by the names in `COLUMNS`, arrays (C, H, W): images in [0, 1], masks and
            probabilities (1, H, W) in [0, 1], kernels (1, k, k) of any sum (shown scaled by their maximum).  What is
            None or missing stays empty; a column that no row has is left out.
        tile: side of a tile in pixels; a picture is scaled to fit into it, a kernel and the low-resolution image
            without smoothing.

    Raises:
        ValueError: no rows.
    """
    if not rows:
        raise ValueError("rows: expected at least one image, got none")
    columns = [column for column in COLUMNS if any(row.get(column) is not None for row in rows)]
    pictures = [[_tile(column, row.get(column), tile) for column in columns] for row in rows]
    heights = [max(picture.height for picture in line if picture is not None) for line in pictures]
    width = _GAP + len(columns) * (tile + _GAP)
    height = _HEADER + sum(heights) + len(rows) * (_HEADER + _GAP)
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default()
    for i, column in enumerate(columns):
        draw.text((_GAP + i * (tile + _GAP), 4), TITLES[column], fill=(0, 0, 0), font=font)
    y = _HEADER
    for row, line, line_height in zip(rows, pictures, heights, strict=True):
        draw.text((_GAP, y + 3), str(row["name"]), fill=(90, 90, 90), font=font)
        y += _HEADER
        for i, picture in enumerate(line):
            if picture is not None:
                sheet.paste(picture, (_GAP + i * (tile + _GAP), y))
        y += line_height + _GAP
    return sheet


def _tile(column: str, array: np.ndarray | None, size: int) -> Image.Image | None:
    if array is None:
        return None
    if column in ("kernel", "estimated_kernel"):
        array = array / max(float(array.max()), 1e-12)
    picture = to_picture(array)
    factor = min(size / picture.width, size / picture.height)
    smooth = column not in ("kernel", "estimated_kernel", "lr") or factor < 1
    shape = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(shape, Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST)
