"""What lies on or hangs before a surface after it has cracked, and the shadows: cables, twigs, leaves."""

from __future__ import annotations

import cv2
import numpy as np

from csbsr.data.synthetic.noise import clouds
from csbsr.data.world.ground import Generator, Size

CABLE, TWIGS, LEAVES, SHADOW = 0.07, 0.06, 0.06, 0.12  # how often each occurs


def add_objects(rng: Generator, lit: np.ndarray, light: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Cables, twigs, leaves and shadows over the lit surface.

    Args:
        rng: where the numbers come from.
        lit: (3, H, W) float32.
        light: direction (x, y) towards which light travels.

    Returns:
        The picture (3, H, W), and how much (H, W) of the surface is hidden, 0 to 1: a hidden crack is not in the mask.
    """
    size = lit.shape[1:]
    hidden = np.zeros(size, np.float32)
    if rng.random() < SHADOW:
        lit = lit * (1 - _shadow(rng, size))
    if rng.random() < TWIGS:
        lit, hidden = _lay(rng, lit, hidden, _twig(rng, size), np.array([0.32, 0.25, 0.18]), light)
    if rng.random() < LEAVES:
        hue = np.array([[0.62, 0.48, 0.16], [0.42, 0.26, 0.12], [0.30, 0.40, 0.14]])[rng.integers(3)]
        lit, hidden = _lay(rng, lit, hidden, _leaves(rng, size), hue, light)
    if rng.random() < CABLE:
        hue = rng.choice([0.08, 0.2, 0.5, 0.85]) * (1 + rng.normal(0, 0.05, 3))
        lit, hidden = _lay(rng, lit, hidden, _cable(rng, size), hue, light)
    return lit, hidden


def _lay(
    rng: Generator, lit: np.ndarray, hidden: np.ndarray, shape: np.ndarray, hue: np.ndarray, light: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """An object with a shaded body and a shadow beside it."""
    reach = float(rng.uniform(0, 7))
    matrix = np.array([[1, 0, light[0] * reach], [0, 1, light[1] * reach]])
    shadow = cv2.GaussianBlur(cv2.warpAffine(shape, matrix, shape.shape[::-1]), (0, 0), 0.5 + 0.25 * reach)
    lit = lit * (1 - np.float32(rng.uniform(0.2, 0.65)) * shadow)
    soft = cv2.GaussianBlur(shape, (0, 0), 1.5)
    slope = cv2.Sobel(soft, cv2.CV_32F, 1, 0, scale=0.5) * np.float32(light[0])
    slope += cv2.Sobel(soft, cv2.CV_32F, 0, 1, scale=0.5) * np.float32(light[1])
    body = hue.astype(np.float32).reshape(3, 1, 1) * np.clip(1 - slope, 0.4, 1.8)
    body = body * (1 + np.float32(0.1) * clouds(rng, shape.shape, 6, 3, 0.7)) * np.float32(rng.uniform(0.6, 1.2))
    return lit * (1 - shape) + body * shape, np.maximum(hidden, shape)


def _curve(rng: Generator, size: Size, bend: float) -> np.ndarray:
    height, width = size
    start, end = rng.uniform(-0.1, 1.1, 2) * (width, height), rng.uniform(-0.1, 1.1, 2) * (width, height)
    if rng.random() < 0.7:
        axis = int(rng.integers(2))
        start[axis], end[axis] = -6, (width, height)[axis] + 6
    at = np.linspace(0, 1, 40)[:, None]
    normal = np.array([start[1] - end[1], end[0] - start[0]])
    return start + (end - start) * at + normal * (rng.normal(0, bend) * at * (1 - at) * 4)


def _cable(rng: Generator, size: Size) -> np.ndarray:
    """A wire or pipe: even width, smooth."""
    canvas = np.zeros(size, np.uint8)
    thick = int(rng.integers(1, 4)) if rng.random() < 0.6 else int(rng.integers(4, 16))
    curve = np.rint(_curve(rng, size, 0.06) * 16).astype(np.int32)
    cv2.polylines(canvas, [curve], False, 255, thick, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(canvas, (0, 0), 0.6).astype(np.float32) / np.float32(255)


def _twig(rng: Generator, size: Size, fine: bool = True) -> np.ndarray:
    """A bent stem with side shoots."""
    canvas = np.zeros(size, np.uint8)
    stem = _curve(rng, size, 0.15)
    stem = stem[: int(rng.integers(12, 41))]
    stem = stem + np.cumsum(rng.normal(0, 0.4, stem.shape), 0)
    thick = int(rng.integers(1, 4 if fine else 9))
    cv2.polylines(canvas, [np.rint(stem * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)
    for _ in range(int(rng.integers(0, 6))):
        at = int(rng.integers(2, len(stem) - 2))
        along = stem[at + 1] - stem[at - 1]
        turn = rng.choice([-1, 1]) * rng.uniform(0.4, 1.1)
        cosine, sine = np.cos(turn), np.sin(turn)
        shoot = np.array([[cosine, -sine], [sine, cosine]]) @ along * rng.uniform(2, 8)
        way = stem[at] + np.linspace(0, 1, 8)[:, None] * shoot + np.cumsum(rng.normal(0, 0.5, (8, 2)), 0)
        cv2.polylines(canvas, [np.rint(way * 16).astype(np.int32)], False, 255, max(1, thick - 1), cv2.LINE_AA, 4)
    return cv2.GaussianBlur(canvas, (0, 0), 0.5).astype(np.float32) / np.float32(255)


def _leaves(rng: Generator, size: Size) -> np.ndarray:
    canvas = np.zeros(size, np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        centre = rng.uniform(0, 1, 2) * size[::-1]
        length = rng.uniform(4, 26)
        angle, slim = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.5)
        t = np.linspace(0, 2 * np.pi, 40)
        outline = np.stack([np.cos(t), slim * np.sin(t) * np.abs(np.sin(t / 2)) ** 0.5], 1) * length
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        points = np.rint((outline @ turn.T + centre) * 16).astype(np.int32)
        cv2.fillPoly(canvas, [points], 255, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(canvas, (0, 0), 0.5).astype(np.float32) / np.float32(255)


def _shadow(rng: Generator, size: Size) -> np.ndarray:
    """How much light (H, W) branches, wires or foliage out of sight take away: soft, without relief."""
    if rng.random() < 0.7:
        shape = np.zeros(size, np.float32)
        for _ in range(int(rng.integers(1, 4))):
            shape = np.maximum(shape, _twig(rng, size, fine=False))
    else:
        shape = np.clip(clouds(rng, size, rng.uniform(20, 60), 4, 0.6) - np.float32(rng.uniform(-0.3, 0.8)), 0, 1)
    return cv2.GaussianBlur(shape, (0, 0), float(rng.uniform(0.8, 4.5))) * np.float32(rng.uniform(0.2, 0.6))
