"""The coverage of a photograph as a small picture beside its lines: grey of 16 bits, white where all holds data."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from csbsr.files import write_bytes
from csbsr.inspection.lines import Lines
from csbsr.inspection.views import encoded
from csbsr.measure import Coverage
from csbsr.pages.pictures import opened
from csbsr.predict.rows import LEVELS


def write_coverage(path: Path, coverage: Coverage | None) -> None:
    """Write it; None, where all holds data, removes what an earlier run left."""
    if coverage is None:
        path.unlink(missing_ok=True)
        return
    levels = np.rint(coverage.shares.astype(np.float64) * LEVELS).astype(np.uint16)
    write_bytes(path, encoded(Image.fromarray(levels), "png"))


def read_coverage(path: Path, lines: Lines) -> Coverage | None:
    """The coverage of the photograph of ``lines``; None where all of it holds data.

    Raises:
        ValueError: the picture is gone or damaged.
    """
    if lines.block is None:
        return None
    picture = opened(path)
    width, height = (math.ceil(round(side / lines.block, 6)) for side in lines.size)
    if picture is None or picture.size != (width, height) or not picture.mode.startswith("I"):
        raise ValueError(f"{path.name} is gone or damaged, which tells where it holds data; run again, overwrite=true")
    return Coverage(np.asarray(picture).astype(np.float64) / LEVELS, lines.block)
