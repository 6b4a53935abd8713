"""Pictures for pages: from arrays and files, limited in size, as text inside a page."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

_MOST_PIXELS = 4096 * 4096  # of a picture of ours


def to_picture(array: np.ndarray) -> Image.Image:
    """(C, H, W) in [0, 1], one or three channels, to an RGB picture; values outside are clipped."""
    if array.ndim != 3 or array.shape[0] not in (1, 3):
        raise ValueError(f"array: expected shape (1 or 3, H, W), got {array.shape}")
    pixels = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    return Image.fromarray(np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels)


def opened(path: Path) -> Image.Image | None:
    """The picture of a file; None if there is no such file, or none of ours: damaged, very large, behind a link."""
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                return None
            picture.load()
    except (OSError, SyntaxError, ValueError):
        return None
    return picture


def limited(picture: Image.Image, longest: int) -> Image.Image:
    """The picture with its longest side shrunken to at most ``longest`` pixels."""
    factor = longest / max(picture.size)
    if factor >= 1:
        return picture
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX if picture.mode == "RGBA" else Image.Resampling.LANCZOS)


def data_uri(picture: Image.Image, kind: str, **options: Any) -> str:
    """The picture as text for a page; ``options`` of Pillow's writer."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"
