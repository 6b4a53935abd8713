"""Noise and shading from which the generated surfaces are made."""

from __future__ import annotations

import cv2
import numpy as np


def grain(rng: np.random.Generator, size: tuple[int, int], sigma: float) -> np.ndarray:
    """Gaussian noise (H, W) float32 of unit variance, smoothed with ``sigma`` pixels (0: white)."""
    noise: np.ndarray = rng.standard_normal(size, dtype=np.float32)
    if sigma > 0:
        noise = cv2.GaussianBlur(noise, (0, 0), sigma)
        noise = noise / (noise.std() + np.float32(1e-6))
    return noise


def clouds(
    rng: np.random.Generator, size: tuple[int, int], cell: float, octaves: int = 4, roughness: float = 0.55
) -> np.ndarray:
    """Fractal noise (H, W) float32 of unit variance.

    Args:
        rng: where the numbers come from.
        size: (H, W) in pixels.
        cell: size in pixels of the coarsest blotches; each octave halves it.
        octaves: how many halvings.
        roughness: amplitude of an octave relative to the one before.
    """
    height, width = size
    total: np.ndarray = rng.standard_normal((int(height / cell) + 3, int(width / cell) + 3), dtype=np.float32)
    amplitude = 1.0
    for _ in range(octaves - 1):
        if cell < 4:
            break  # the next octave would be finer than two pixels
        cell /= 2
        amplitude *= roughness
        total = cv2.resize(total, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
        total += rng.standard_normal(total.shape, dtype=np.float32) * np.float32(amplitude)
    rows, columns = total.shape
    # cubic only where linear interpolation would show its creases
    smooth = cv2.INTER_CUBIC if cell > 4 else cv2.INTER_LINEAR
    total = cv2.resize(total, (int(columns * cell), int(rows * cell)), interpolation=smooth)
    top, left = (int(value) for value in rng.integers(0, max(1, int(cell)), 2))
    total = total[top : top + height, left : left + width]
    return total / (total.std() + np.float32(1e-6))


def shading(relief: np.ndarray, light: tuple[float, float]) -> np.ndarray:
    """Brightness (H, W) around 1 of a surface of height ``relief`` (pixels) lit from the direction ``light`` (x, y)."""
    x, y = light
    kernel = np.array([[0, -y, 0], [-x, 0, x], [0, y, 0]], np.float32) * 0.5
    return np.clip(1.0 - cv2.filter2D(relief, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT), 0.25, 1.8)


def smoothstep(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, a smooth ramp between."""
    ramp = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def illumination(
    rng: np.random.Generator,
    size: tuple[int, int],
    slope: float = 0.10,
    shadows: float = 0.2,
    darkest: float = 0.5,
    sharpest: float = 0.02,
) -> np.ndarray:
    """Brightness (H, W) of the light: a slope, fall-off to the corners, and at times the edge of a large shadow.

    Args:
        rng: where the numbers come from.
        size: (H, W) in pixels.
        slope: standard deviation of the slope along each axis, from the middle to the border.
        shadows: share of images with a shadow.
        darkest: largest share of the light that a shadow takes, at least 0.2.
        sharpest: width of the sharpest edge of a shadow, in halves of the image, at most 0.25.
    """
    height, width = size
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    slopes = rng.normal(0, slope, 2)
    light: np.ndarray = 1 + np.float32(slopes[0]) * x + np.float32(slopes[1]) * y
    light = light * (1 - np.float32(rng.uniform(0, 0.12)) * (x * x + y * y))
    if rng.random() < shadows:
        angle = rng.uniform(0, 2 * np.pi)
        edge: np.ndarray = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
        edge = edge - np.float32(rng.uniform(-0.5, 0.5))
        edge = edge + np.float32(rng.uniform(0, 0.25)) * clouds(rng, size, 90, 3, 0.4)
        light = light * (1 - np.float32(rng.uniform(0.2, darkest)) * smoothstep(edge, 0, rng.uniform(sharpest, 0.25)))
    return light
