"""One picture of the varied world: surface, marks, light, cracks, things before it, camera."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from csbsr.data.synthetic.noise import illumination, shading
from csbsr.data.world.camera import photograph
from csbsr.data.world.cracks import draw_cracks
from csbsr.data.world.distractors import add_distractors
from csbsr.data.world.ground import Generator, Ground, Size, procedural
from csbsr.data.world.objects import add_objects
from csbsr.data.world.openings import open_surface
from csbsr.data.world.photographs import SurfaceFolder

#: How often each procedural surface occurs.
OFTEN = {"asphalt": 0.43, "aggregate": 0.14, "concrete": 0.11, "plaster": 0.10, "masonry": 0.17, "boards": 0.05}
COVERED = 0.5  # a pixel belongs to the crack if at least this fraction of it is covered
VISIBLE = 0.001  # a cracked image shows at least this fraction of crack pixels
ATTEMPTS = 6  # ... or the last of so many drawings


class Picture(NamedTuple):
    """A generated photograph and what is known of it."""

    image: np.ndarray  #: (H, W, 3) uint8 RGB
    mask: np.ndarray  #: (H, W) uint8 in {0, 1}: at least half of the pixel lies inside a crack
    kind: str  #: of the surface
    style: str  #: of the cracks, "sound" without any


def picture(
    rng: Generator,
    size: Size,
    surfaces: SurfaceFolder | None = None,
    photographed: float = 0.5,
    sound: float = 0.15,
    thinnest: float = 0.0,
) -> Picture:
    """One picture.

    Args:
        rng: where the numbers come from.
        size: (H, W) in pixels.
        surfaces: photographs to draw into, if there are any.
        photographed: fraction of the pictures that use one; the others are procedural.
        sound: fraction of the pictures without a crack.
        thinnest: narrower cracks are marked so many pixels wide, as people do; 0: as wide as they are.
    """
    if surfaces is not None and rng.random() < photographed:
        ground = surfaces.piece(rng, size)
    else:
        ground = procedural(rng, size, str(rng.choice(list(OFTEN), p=list(OFTEN.values()))))
    cracked = rng.random() >= sound
    ground = add_distractors(rng, ground, 1.0 if cracked else 1.5)
    angle = rng.uniform(0, 2 * np.pi)
    light = (float(np.cos(angle)), float(np.sin(angle)))
    lit = ground.colour * (
        _relief_light(rng, ground, light)
        * illumination(rng, size, slope=0.09, shadows=0.11, darkest=0.6, sharpest=0.01)
    )
    marked, style = np.zeros(size, np.float32), "sound"
    if cracked:
        for _ in range(ATTEMPTS):
            cracks = draw_cracks(rng, ground, thinnest)
            if np.mean(cracks.covered >= COVERED) >= VISIBLE:
                break
        marked, style = cracks.marked, cracks.style
        lit = open_surface(rng, lit, cracks, light)
    lit, hidden = add_objects(rng, lit, light)
    mask = (marked * (hidden < 0.5) >= COVERED).astype(np.uint8)
    return Picture(photograph(rng, lit), mask, ground.kind, style)


def _relief_light(rng: Generator, ground: Ground, light: tuple[float, float]) -> np.ndarray:
    """Brightness (H, W) that height gives the surface: slopes, and the shadows that what stands out throws."""
    if ground.kind == "photograph":  # its own light is in it already
        if rng.random() < 0.5:
            return np.ones_like(ground.relief)
        return shading(ground.relief * np.float32(rng.uniform(0, 0.7)), light)
    bright = shading(ground.relief, light)
    if rng.random() < 0.5:
        bright = bright * (1 - np.float32(rng.uniform(0.2, 0.7)) * _cast(ground.relief, light, rng.uniform(0.3, 1.2)))
    return bright


def _cast(relief: np.ndarray, light: tuple[float, float], steepness: float) -> np.ndarray:
    """Where (H, W), 0 to 1, light that falls ``steepness`` pixels per pixel does not reach."""
    smooth = cv2.GaussianBlur(relief, (0, 0), 0.7)
    shadow = np.zeros_like(smooth)
    for distance in (1.5, 3.0, 5.0):
        matrix = np.array([[1, 0, light[0] * distance], [0, 1, light[1] * distance]])
        before = cv2.warpAffine(smooth, matrix, smooth.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        shadow = np.maximum(shadow, before - smooth - np.float32(steepness * distance * 0.3))
    return np.clip(2 * shadow, 0, 1)
