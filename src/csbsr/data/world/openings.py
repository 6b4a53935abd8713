"""How an open crack looks: darkness that grows with depth, walls that catch light, lips, rims and fillings."""

from __future__ import annotations

import cv2
import numpy as np

from csbsr.data.synthetic.noise import clouds, smoothstep
from csbsr.data.world.cracks import Cracks
from csbsr.data.world.ground import Generator

#: Brightness of the inside as a fraction of the surface's, lowest and highest, by style.
INSIDE = {"hairline": (0.3, 0.92), "thin": (0.2, 0.9), "open": (0.05, 0.72), "gap": (0.02, 0.72), "net": (0.2, 0.9)}


BLACK = 0.35  # of the open cracks and gaps are so deep that no light comes back


def open_surface(rng: Generator, lit: np.ndarray, cracks: Cracks, light: tuple[float, float]) -> np.ndarray:
    """Opens ``cracks`` in the lit surface (3, H, W).

    The inside keeps the surface's own colour and, where it is shallow, its texture, darkened by how little light
    gets in; its wall away from the light is lit, the other one lies in shadow.

    Args:
        rng: where the numbers come from.
        lit: the surface as light falls on it.
        cracks: what to open.
        light: direction (x, y) towards which light travels, of length 1.
    """
    covered, width = cracks.covered, cracks.width
    lit = _spalled(rng, lit, covered, width, light)
    lit = _rim(rng, lit, covered, width)
    low, high = INSIDE[cracks.style]
    dark = low + (high - low) * (rng.beta(1.9, 1.0) if width < 4 else rng.beta(1.5, 2.0))
    if cracks.style in ("open", "gap") and rng.random() < BLACK:
        dark = low + 0.15 * (high - low) * rng.random()
    dark = float(min(dark, 1 - rng.uniform(0.9, 2.4) * _roughness(lit)))  # what nobody could see is not drawn
    shade = _depth(rng, covered, width, dark)
    if width >= 4:
        shade = _walls(rng, shade, covered, width, light)
    # texture of what lies deep cannot be seen, that of a shallow crack can
    local = cv2.blur(lit.transpose(1, 2, 0), (9, 9), borderType=cv2.BORDER_REFLECT).transpose(2, 0, 1)
    texture = np.float32(rng.uniform(0.0, 0.9)) * np.sqrt(np.clip(shade, 0, 1))
    inner = local + (lit - local) * texture
    earth = np.float32(rng.uniform(0, 0.3)) * np.array([-0.15, 0.35, 1.0], np.float32).reshape(3, 1, 1)
    inner = inner * shade * (1 - earth * (1 - shade))
    inner = _filled(rng, inner, local, covered, width)
    lips = _lips(rng, covered, width, light)
    return lit * lips * (1 - covered) + inner * covered


def _roughness(lit: np.ndarray) -> float:
    """Spread of the fine texture as a fraction of the brightness, at most 0.25."""
    grey = lit.mean(0)
    return min(0.25, float((grey - cv2.GaussianBlur(grey, (0, 0), 2)).std() / (grey.mean() + 1e-3)))


def _depth(rng: Generator, covered: np.ndarray, width: float, dark: float) -> np.ndarray:
    """Brightness (H, W) inside: little below the lips, ``dark`` in the middle, unevenly so."""
    size = covered.shape
    if width < 4:
        core = cv2.GaussianBlur(covered, (0, 0), float(rng.uniform(0.6, 1.4)))
        core = np.clip(core * np.float32(rng.uniform(1.1, 1.8)), 0, 1)
    else:
        within = cv2.distanceTransform((covered > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
        core = 1 - np.exp(-within / np.float32(max(0.4, rng.beta(1, 3) * 0.22 * width)))
    uneven = np.float32(rng.uniform(0.05, 0.3)) * clouds(rng, size, rng.uniform(8, 30), 4, 0.75)
    shade = 1 - np.float32(1 - dark) * core * (1 + uneven)
    return np.clip(shade, min(0.02, dark), 1.0)


def _shift(image: np.ndarray, x: float, y: float) -> np.ndarray:
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
    return cv2.warpAffine(image, matrix, image.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


def _walls(
    rng: Generator, shade: np.ndarray, covered: np.ndarray, width: float, light: tuple[float, float]
) -> np.ndarray:
    """One wall of a gap is seen and lit, the other throws its shadow."""
    reach = float(np.clip(rng.uniform(0.08, 0.3) * width, 1.0, 9.0))
    # a wall that faces the light is what is inside now and outside a little farther along the light
    facing = covered * (1 - _shift(covered, -light[0] * reach, -light[1] * reach))
    turned = covered * (1 - _shift(covered, light[0] * reach, light[1] * reach))
    facing = cv2.GaussianBlur(facing, (0, 0), max(0.5, 0.25 * reach))
    lit = np.float32(rng.uniform(0.0, 0.75))
    shade = shade + facing * lit * (np.float32(rng.uniform(0.7, 1.1)) - shade)
    return shade * (1 - np.float32(rng.uniform(0.2, 0.8)) * turned)


def _lips(rng: Generator, covered: np.ndarray, width: float, light: tuple[float, float]) -> np.ndarray:
    """Brightness (H, W) of the surface beside a crack: edges that bend down, dust and dirt along them."""
    reach = float(rng.uniform(0.7, 1.7 + 0.03 * width))
    soft = cv2.GaussianBlur(covered, (0, 0), reach)
    slope = cv2.Sobel(soft, cv2.CV_32F, 1, 0, scale=0.125) * np.float32(light[0])
    slope += cv2.Sobel(soft, cv2.CV_32F, 0, 1, scale=0.125) * np.float32(light[1])
    bend = np.float32(rng.uniform(0, 1.6) * (0.4 if width < 2.5 else 1.0))
    dirt = np.float32(rng.uniform(-0.12, 0.35 if rng.random() < 0.4 else 0.1))
    return np.clip(1 - bend * slope - dirt * soft, 0.3, 1.5)


def _spalled(
    rng: Generator, lit: np.ndarray, covered: np.ndarray, width: float, light: tuple[float, float]
) -> np.ndarray:
    """Chips broken off along the edges: shallow, of a fresher colour, one side in shadow.  They are not the crack."""
    if rng.random() > (0.12 if width < 2.5 else 0.3):
        return lit
    size = covered.shape
    reach = float(rng.uniform(2, 5 + 0.4 * width))
    near = cv2.GaussianBlur(covered, (0, 0), reach)
    near = near / (near.max() + np.float32(1e-6))
    field = near * (1 + np.float32(0.35) * clouds(rng, size, rng.uniform(8, 24), 4, 0.6))
    where = float(rng.uniform(0.65, 1.0))
    chip = smoothstep(field, where, where + 0.06)
    fresh = np.float32(rng.uniform(0.8, 1.3)) * (1 + rng.normal(0, 0.04, 3)).astype(np.float32).reshape(3, 1, 1)
    rough = 1 + np.float32(0.08) * clouds(rng, size, 5, 2, 0.8)
    edge = cv2.Sobel(chip, cv2.CV_32F, 1, 0, scale=0.25) * np.float32(light[0])
    edge += cv2.Sobel(chip, cv2.CV_32F, 0, 1, scale=0.25) * np.float32(light[1])
    return lit * (1 + chip * (fresh * rough - 1)) * np.clip(1 - np.float32(rng.uniform(0.2, 1.0)) * edge, 0.4, 1.5)


def _rim(rng: Generator, lit: np.ndarray, covered: np.ndarray, width: float) -> np.ndarray:
    """Efflorescence: a pale, cloudy rim; or the trace of water, dark and rusty."""
    draw = rng.random()
    if draw > 0.2:
        return lit
    size = covered.shape
    reach = float(rng.uniform(3, 12))
    rim = cv2.GaussianBlur(covered, (0, 0), reach)
    rim = np.clip(rim * np.float32(rng.uniform(1.5, 4) * reach / max(width, 2)), 0, 1)
    rim = rim * np.clip(0.55 + 0.45 * clouds(rng, size, rng.uniform(10, 40), 5, 0.7), 0, 1)
    if draw < 0.11:
        pale = np.array([0.92, 0.91, 0.88], np.float32).reshape(3, 1, 1)
        return lit + np.float32(rng.uniform(0.2, 0.75)) * rim * np.maximum(pale - lit, 0)
    wet = np.sort(rng.uniform(0.5, 0.95, 3))[::-1].astype(np.float32)  # red is swallowed least
    return lit * (1 - rim * (1 - wet.reshape(3, 1, 1)) * np.float32(rng.uniform(0.3, 1.0)))


def _filled(rng: Generator, inner: np.ndarray, local: np.ndarray, covered: np.ndarray, width: float) -> np.ndarray:
    """Sand, dust or plants that have settled in parts of a crack."""
    if rng.random() > 0.14:
        return inner
    size = covered.shape
    share = np.float32(rng.uniform(-1.0, 1.2))
    there = smoothstep(clouds(rng, size, rng.uniform(10, 40), 4, 0.7) + share, 0.0, 0.6)
    if rng.random() < 0.25 and width > 3:
        tint = np.array([0.30, 0.38, 0.16], np.float32) * np.float32(rng.uniform(0.5, 1.3))
        content = tint.reshape(3, 1, 1) * (1 + np.float32(0.3) * clouds(rng, size, 4, 2))
    else:
        tint = np.array([1.0, rng.uniform(0.88, 0.98), rng.uniform(0.7, 0.95)], np.float32).reshape(3, 1, 1)
        content = local * tint * np.float32(rng.uniform(0.5, 0.85)) * (1 + np.float32(0.1) * clouds(rng, size, 4, 2))
    there = there * np.float32(rng.uniform(0.4, 1.0))
    return inner * (1 - there) + content * there
