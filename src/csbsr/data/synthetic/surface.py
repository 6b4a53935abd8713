"""Surfaces without cracks: asphalt, concrete, plaster and masonry, as colour and height."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from csbsr.data.synthetic.noise import clouds, grain, smoothstep


class Courses(NamedTuple):
    """Where the joints of a wall lie, in pixels."""

    length: float  #: of a brick with its joint
    height: float  #: of a course with its joint
    top: float  #: y of the first bed joint
    left: float  #: the head joints of even courses lie at x = k·length - left, of odd ones half a brick further left


class Surface(NamedTuple):
    """A surface before light falls on it."""

    colour: np.ndarray  #: (3, H, W) float32, reflected fraction of RGB
    relief: np.ndarray  #: (H, W) float32, height in pixels
    courses: Courses | None = None  #: masonry only


def asphalt(rng: np.random.Generator, size: tuple[int, int]) -> Surface:
    """Dark binder with stones of two sizes, pits, and at times a worn road marking."""
    fineness = rng.uniform(0.6, 1.3)
    fine, coarse = grain(rng, size, 0.7 * fineness), grain(rng, size, 1.6 * fineness)
    level = rng.uniform(0.30, 0.55)
    value = level * (1 + 0.09 * fine + 0.07 * coarse + 0.05 * clouds(rng, size, rng.uniform(40, 120)))
    stones = smoothstep(coarse + 0.6 * fine, rng.uniform(1.5, 2.2), 3.2)
    pits = smoothstep(-coarse, rng.uniform(1.6, 2.2), 3.0)
    value = value + stones * rng.uniform(0.15, 0.4) * (1 - level) - pits * rng.uniform(0.2, 0.5) * level
    tint = np.array([1.0, 1.0, 1.0]) + rng.normal(0, 0.008, 3) + rng.uniform(-0.05, 0.09) * np.array([-1, 0, 1])
    colour = value * tint.astype(np.float32).reshape(3, 1, 1)
    relief = 0.35 * fine + 0.5 * coarse + 0.8 * stones - pits
    if rng.random() < 0.15:
        colour, relief = _marking(rng, colour, relief, coarse)
    return Surface(colour, relief * np.float32(rng.uniform(0.12, 0.35)))


def _marking(
    rng: np.random.Generator, colour: np.ndarray, relief: np.ndarray, texture: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    height, width = relief.shape
    across = _distance_along(rng, (height, width), rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.06))
    half = rng.uniform(0.05, 0.12) * width
    worn = clouds(rng, (height, width), 30) * 0.6 + texture * 0.5
    paint = smoothstep(half - np.abs(across) + worn, -0.5, 1.0) * smoothstep(worn, -2.2, rng.uniform(-1.2, -0.2))
    white = np.float32(rng.uniform(0.68, 0.85)) * (1 + 0.03 * texture)
    paint = paint * np.float32(rng.uniform(0.6, 0.95))
    return colour * (1 - paint) + white * paint, relief * (1 - 0.4 * paint)


def _distance_along(rng: np.random.Generator, size: tuple[int, int], angle: float) -> np.ndarray:
    """Signed distance (H, W) in pixels to a straight line with normal ``angle`` through a random point."""
    height, width = size
    x = np.arange(width, dtype=np.float32) - np.float32(rng.uniform(0.1, 0.9) * width)
    y = np.arange(height, dtype=np.float32) - np.float32(rng.uniform(0.1, 0.9) * height)
    return x[None] * np.float32(np.cos(angle)) + y[:, None] * np.float32(np.sin(angle))


def concrete(rng: np.random.Generator, size: tuple[int, int]) -> Surface:
    """Grey, cloudy, with air holes, a formwork joint at times, and tie holes."""
    fine = grain(rng, size, rng.uniform(0.5, 1.0))
    cloud = clouds(rng, size, rng.uniform(60, 160), octaves=6, roughness=rng.uniform(0.5, 0.7))
    value = rng.uniform(0.5, 0.78) * (1 + rng.uniform(0.03, 0.09) * cloud + rng.uniform(0.012, 0.035) * fine)
    relief = 0.5 * fine + rng.uniform(0.2, 1.5) * clouds(rng, size, 10, octaves=3)
    relief = relief * np.float32(rng.uniform(0.08, 0.25))
    colour = value * _tint(rng, 0.04)
    holes = smoothstep(grain(rng, size, rng.uniform(1.0, 2.0)), rng.uniform(2.6, 3.2), 3.8)
    relief = relief - holes
    colour = colour * (1 - np.float32(rng.uniform(0.3, 0.6)) * holes)
    if rng.random() < 0.3:
        groove = np.exp(-0.5 * (_distance_along(rng, size, _upright(rng)) / np.float32(rng.uniform(0.7, 1.8))) ** 2)
        relief = relief - groove * np.float32(rng.uniform(0.2, 1.0))
        colour = colour * (1 - np.float32(rng.uniform(0.05, 0.35)) * groove)
    if rng.random() < 0.15:
        centre = rng.uniform(0.1, 0.9, 2) * (size[1], size[0])
        disc: np.ndarray = np.zeros(size, np.float32)
        cv2.circle(disc, (int(centre[0]), int(centre[1])), int(rng.integers(3, 8)), 1.0, -1, cv2.LINE_AA)
        disc = cv2.GaussianBlur(disc, (0, 0), 0.8)
        relief, colour = relief - 2 * disc, colour * (1 - np.float32(0.7) * disc)
    return Surface(colour, relief)


def plaster(rng: np.random.Generator, size: tuple[int, int]) -> Surface:
    """Rendered or painted wall: one hue, its relief does the drawing; at times patches have flaked off."""
    fine = grain(rng, size, 0.7)
    bumps = clouds(rng, size, rng.uniform(6, 18), octaves=4, roughness=rng.uniform(0.5, 0.75))
    value = rng.uniform(0.6, 0.85) * (1 + 0.02 * fine + 0.03 * clouds(rng, size, rng.uniform(40, 150), octaves=5))
    warmth = rng.uniform(0, 1)
    colour = value * np.array([1.0, 1 - 0.10 * warmth, 1 - 0.27 * warmth], np.float32).reshape(3, 1, 1)
    relief = np.float32(rng.uniform(0.15, 0.5)) * bumps + np.float32(rng.uniform(0.04, 0.12)) * fine
    if rng.random() < 0.25:
        border = rng.uniform(1.3, 2.0)
        flaked = smoothstep(clouds(rng, size, rng.uniform(60, 120), octaves=6), border, border + 0.06)
        under = np.float32(rng.uniform(0.35, 0.75)) * (1 + 0.06 * fine + 0.05 * bumps) * _tint(rng, 0.06)
        colour = colour * (1 - flaked) + under * flaked
        relief = relief - 1.2 * flaked
    return Surface(colour, relief)


def masonry(rng: np.random.Generator, size: tuple[int, int]) -> Surface:
    """Bricks in running bond with uneven edges, each of its own shade, and sunken joints."""
    height, width = size
    course = rng.uniform(26, 75)
    length = course * rng.uniform(2.1, 3.2)
    joint = rng.uniform(2.5, max(3.0, course * 0.14))
    top, left = rng.uniform(0, course), rng.uniform(0, length)
    warp = 0.6 + 0.02 * course
    x: np.ndarray = np.arange(width, dtype=np.float32)[None] + warp * clouds(rng, size, 24, 4) + left
    y = np.arange(height, dtype=np.float32)[:, None] + warp * clouds(rng, size, 24, 4) + course - top
    row = np.floor(y / course)
    x = x + (row % 2) * (length / 2)
    column = np.floor(x / length)
    inside_x, inside_y = x - column * length, y - row * course
    edge = np.minimum(np.minimum(inside_x, length - inside_x), np.minimum(inside_y, course - inside_y))
    brick = smoothstep(edge - np.float32(joint / 2), -0.6, 1.4)

    rows, columns = int(row.max()) + 1, int(column.max()) + 1
    base = _brick_colour(rng)
    shades = 1 + rng.normal(0, rng.uniform(0.04, 0.12), (1, rows, columns)) + rng.normal(0, 0.012, (3, rows, columns))
    of_brick: np.ndarray = (base.reshape(3, 1, 1) * shades).astype(np.float32)[
        :, row.astype(np.intp), column.astype(np.intp)
    ]
    fine, spots = grain(rng, size, 0.8), clouds(rng, size, rng.uniform(12, 40), octaves=4, roughness=0.7)
    of_brick = of_brick * (1 + rng.uniform(0.02, 0.05) * fine + rng.uniform(0.02, 0.08) * spots)
    bloom = smoothstep(clouds(rng, size, 50, octaves=6, roughness=0.7), rng.uniform(0.8, 2.0), 2.8)
    of_brick = of_brick * (1 - 0.5 * bloom) + 0.4 * bloom
    mortar = np.float32(rng.uniform(0.35, 0.8)) * (1 + 0.07 * fine + 0.05 * spots) * _tint(rng, 0.05)
    colour = mortar * (1 - brick) + of_brick * brick
    relief = np.float32(rng.uniform(0.3, 1.6)) * cv2.GaussianBlur(brick, (0, 0), 0.9) + 0.10 * fine + 0.12 * spots
    return Surface(colour, relief, Courses(length, course, top, left))


def _brick_colour(rng: np.random.Generator) -> np.ndarray:
    choices = ((0.62, 0.33, 0.25), (0.50, 0.24, 0.18), (0.72, 0.60, 0.42), (0.74, 0.73, 0.72), (0.42, 0.30, 0.25))
    return np.array(choices[rng.integers(len(choices))]) * rng.uniform(0.85, 1.15)


def _tint(rng: np.random.Generator, amount: float) -> np.ndarray:
    warmth = rng.uniform(-amount, amount)
    return np.array([1 + warmth, 1 + 0.3 * warmth, 1 - warmth], np.float32).reshape(3, 1, 1)


def _upright(rng: np.random.Generator) -> float:
    return float(rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.02))


SURFACES = {"asphalt": asphalt, "concrete": concrete, "plaster": plaster, "masonry": masonry}
