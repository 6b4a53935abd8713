"""The surfaces of the varied world: what is drawn on, lit, before anything lies on it or breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from csbsr.data.synthetic.noise import clouds, grain, smoothstep
from csbsr.data.synthetic.surface import SURFACES, Courses, Surface

Size = tuple[int, int]
Generator = np.random.Generator

#: Stones and binders as fractions of red, green and blue.
STONES = ((0.62, 0.60, 0.57), (0.48, 0.47, 0.46), (0.70, 0.66, 0.58), (0.38, 0.36, 0.36), (0.60, 0.50, 0.44))


class Ground(NamedTuple):
    """A surface and what a crack in it needs to know."""

    kind: str  #: asphalt, aggregate, concrete, plaster, masonry, boards or photograph
    colour: np.ndarray  #: (3, H, W) float32, reflected fraction of RGB
    relief: np.ndarray  #: (H, W) float32, height in pixels
    courses: Courses | None = None  #: masonry only


def procedural(rng: Generator, size: Size, kind: str) -> Ground:
    """A surface of ``kind`` made of noise.

    Args:
        rng: where the numbers come from.
        size: (H, W) in pixels.
        kind: one of `KINDS`.
    """
    surface = KINDS[kind](rng, size)
    return Ground(kind, surface.colour, surface.relief, surface.courses)


def cells(rng: Generator, size: Size, spacing: float, stretch: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Irregular cells, the stones of a surface.

    Args:
        rng: where the numbers come from.
        size: (H, W) in pixels.
        spacing: typical side of a cell in pixels.
        stretch: width of a cell divided by its height.

    Returns:
        Number (H, W) int32 of the cell of every pixel, from 0, and the distance (H, W) float32 in pixels to the
        nearest border between two cells.
    """
    height, width = size
    step_x, step_y = spacing * stretch**0.5, spacing / stretch**0.5
    rows, columns = int(height / step_y) + 3, int(width / step_x) + 3
    # points on a jittered lattice, in a picture whose cells are square
    side = 8
    canvas = np.full((rows * side, columns * side), 255, np.uint8)
    at = rng.integers(0, side, (2, rows, columns))
    canvas[np.arange(rows)[:, None] * side + at[0], np.arange(columns)[None] * side + at[1]] = 0
    _, labels = cv2.distanceTransformWithLabels(canvas, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    bend = 0.16 * spacing
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x += np.float32(bend) * clouds(rng, size, max(4.0, spacing / 2), 3, 0.5)
    y += np.float32(bend) * clouds(rng, size, max(4.0, spacing / 2), 3, 0.5)
    x, y = (x / np.float32(step_x) + 1) * side, (y / np.float32(step_y) + 1) * side
    cell = cv2.remap(labels.astype(np.float32), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    cell = cell.astype(np.int32) - 1
    inner = np.full(size, 255, np.uint8)
    inner[:, 1:][cell[:, 1:] != cell[:, :-1]] = 0
    inner[1:][cell[1:] != cell[:-1]] = 0
    return cell, cv2.distanceTransform(inner, cv2.DIST_L2, 3)


def aggregate(rng: Generator, size: Size) -> Surface:
    """Stones that stand out of worn asphalt or washed concrete, with dark gaps between them."""
    spacing = float(rng.uniform(4, 17))
    cell, inside = cells(rng, size, spacing, rng.uniform(0.8, 1.3))
    count = int(cell.max()) + 1
    level = rng.uniform(0.30, 0.62)
    fine = grain(rng, size, rng.uniform(0.6, 1.2))
    shade = level * np.exp(rng.normal(0, rng.uniform(0.12, 0.38), count))
    shown = rng.random(count) < rng.choice([rng.uniform(0.3, 1.0), 1.0])  # the rest lies under the binder
    tints = np.array(STONES)[rng.integers(len(STONES), size=count)] ** rng.uniform(0.0, 1.0)
    tints /= tints.mean(1, keepdims=True)
    colours = (shade[:, None] * tints).astype(np.float32)
    gap = float(rng.uniform(0.02, 0.11) * spacing)
    stone = smoothstep(inside, gap, gap + max(1.2, 0.12 * spacing)) * shown.astype(np.float32)[cell]
    binder = np.float32(level * rng.uniform(0.4, 1.0)) * (1 + 0.12 * fine)
    stones = np.moveaxis(colours[cell], 2, 0) * (1 + np.float32(rng.uniform(0.03, 0.1)) * fine)
    colour = binder * (1 - stone) + stones * stone
    colour = colour * (1 + np.float32(0.05) * clouds(rng, size, rng.uniform(40, 120)))
    dome = np.sqrt(np.minimum(inside, np.float32(0.5 * spacing)))
    relief = stone * dome * np.float32(rng.uniform(0.1, 0.7)) + np.float32(0.12) * fine
    return Surface(colour.astype(np.float32), relief)


def rough_plaster(rng: Generator, size: Size) -> Surface:
    """Thrown, combed or trowelled plaster: one colour, deep relief, often with a direction."""
    height, width = size
    cell = rng.uniform(5, 22)
    if rng.random() < 0.5:  # trowel strokes
        long = clouds(rng, (height, max(8, width // 5)), cell, 4, rng.uniform(0.5, 0.8))
        bumps = cv2.resize(long, (width, height), interpolation=cv2.INTER_CUBIC)
        bumps = np.ascontiguousarray(bumps.T) if rng.random() < 0.4 and height == width else bumps
    else:
        bumps = clouds(rng, size, cell, 4, rng.uniform(0.5, 0.85))
    if rng.random() < 0.4:  # lumps with flat ground between
        bumps = np.maximum(bumps, np.float32(rng.uniform(-0.6, 0.4)))
    fine = grain(rng, size, rng.uniform(0.6, 1.1))
    value = rng.uniform(0.45, 0.88) * (1 + 0.03 * fine + 0.04 * clouds(rng, size, rng.uniform(40, 150), 5))
    warmth, hue = rng.uniform(0, 1), rng.normal(0, 0.05, 3)
    tint = np.array([1.0, 1 - 0.08 * warmth, 1 - 0.22 * warmth]) * (1 + hue)
    colour = value * tint.astype(np.float32).reshape(3, 1, 1)
    colour = colour * (1 + np.float32(rng.uniform(0, 0.12)) * np.clip(bumps, -2, 2))  # dirt in the hollows
    relief = np.float32(rng.uniform(0.08, 0.32) * cell / 3) * bumps + np.float32(rng.uniform(0.05, 0.2)) * fine
    return Surface(colour.astype(np.float32), relief)


def boards(rng: Generator, size: Size) -> Surface:
    """Planks, or concrete that was poured against planks: parallel boards, their grain, gaps and fins between them."""
    height, width = size
    upright = height == width and rng.random() < 0.5
    wide, lean = rng.uniform(18, 90), rng.normal(0, 0.03)
    across = np.arange(height, dtype=np.float32)[:, None] + np.float32(lean) * np.arange(width, dtype=np.float32)[None]
    across = across + np.float32(rng.uniform(0, wide)) + np.float32(0.5) * clouds(rng, size, 60, 3)
    board = np.floor(across / np.float32(wide)).astype(np.intp)
    board -= board.min()
    edge = across - np.floor(across / np.float32(wide)) * np.float32(wide)
    edge = np.minimum(edge, np.float32(wide) - edge)
    count = int(board.max()) + 1
    along = clouds(rng, (height, max(8, width // 8)), rng.uniform(3, 8), 3, 0.7)
    along = cv2.resize(along, (width, height), interpolation=cv2.INTER_LINEAR)
    wooden = rng.random() < 0.45
    base = np.array([0.55, 0.42, 0.30] if wooden and rng.random() < 0.6 else [0.6, 0.59, 0.56]) * rng.uniform(0.6, 1.3)
    if wooden and rng.random() < 0.4:
        base = rng.uniform(0.2, 0.8, 3)  # painted
    shades = np.exp(rng.normal(0, rng.uniform(0.03, 0.15), count)).astype(np.float32)[board]
    fine = grain(rng, size, 0.7)
    value = shades * (1 + np.float32(rng.uniform(0.02, 0.12)) * along + np.float32(0.025) * fine)
    value = value * (1 + np.float32(0.05) * clouds(rng, size, rng.uniform(30, 120), 5, 0.6))
    seam = np.exp(-0.5 * (edge / np.float32(rng.uniform(0.6, 2.2))) ** 2)
    fin = not wooden and rng.random() < 0.4
    dark = np.float32(rng.uniform(-0.2, 0.3) if fin else rng.uniform(0.2, 0.95))
    colour = base.astype(np.float32).reshape(3, 1, 1) * (value * (1 - dark * seam))
    steps = rng.normal(0, 0.5, count).astype(np.float32)[board]
    relief = np.float32(rng.uniform(0.05, 0.3)) * along + (1.0 if fin else -1.0) * seam * rng.uniform(0.3, 1.5) + steps
    relief = relief.astype(np.float32) + np.float32(0.1) * fine
    if upright:
        colour, relief = np.ascontiguousarray(colour.transpose(0, 2, 1)), np.ascontiguousarray(relief.T)
    return Surface(colour.astype(np.float32), relief)


def rubble(rng: Generator, size: Size) -> Surface:
    """A wall of uneven stones with wide joints, flush, raked or raised."""
    spacing = float(rng.uniform(28, 90))
    cell, inside = cells(rng, size, spacing, rng.uniform(1.0, 2.2))
    count = int(cell.max()) + 1
    joint = float(rng.uniform(1.0, 0.09 * spacing + 1.5))
    stone = smoothstep(inside + np.float32(0.6) * clouds(rng, size, 8, 3), joint, joint + 2.5)
    tint = np.array(STONES[rng.integers(len(STONES))])
    shade = rng.uniform(0.8, 1.3) * np.exp(rng.normal(0, rng.uniform(0.05, 0.25), count))
    colours = (shade[:, None] * (tint + rng.normal(0, 0.01, (count, 3)))).astype(np.float32)
    fine, spots = grain(rng, size, 0.9), clouds(rng, size, rng.uniform(10, 40), 5, 0.7)
    stones = np.moveaxis(colours[cell], 2, 0) * (1 + np.float32(0.05) * fine + np.float32(0.09) * spots)
    mortar = np.float32(rng.uniform(0.3, 0.75)) * (1 + 0.07 * fine + 0.05 * spots)
    colour = mortar * (1 - stone) + stones * stone
    height = np.float32(rng.uniform(-0.3, 2.2)) * cv2.GaussianBlur(stone, (0, 0), 1.2)
    return Surface(colour.astype(np.float32), height + np.float32(0.25) * spots + np.float32(0.12) * fine)


def _near(rng: Generator, size: Size) -> Surface:
    """Bricks seen from so near that few fit into the picture; their grain is as fine as that of others."""
    height, width = size
    near = float(rng.uniform(1.2, 2.4))
    surface = SURFACES["masonry"](rng, (int(np.ceil(height / near)), int(np.ceil(width / near))))
    planes = [cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC) for plane in surface.colour]
    fine = np.float32(rng.uniform(0.0, 0.12)) * grain(rng, size, float(rng.uniform(0.7, 1.6)))
    relief = cv2.resize(surface.relief, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(near)
    courses = None if surface.courses is None else Courses(*(near * value for value in surface.courses))
    return Surface(np.stack(planes) * (1 + fine), relief + np.float32(0.5) * fine, courses)


def wall(rng: Generator, size: Size) -> Surface:
    """Bricks whose joints may be raked deep, so that they throw shadows, or painted over."""
    if rng.random() < 0.22:
        return rubble(rng, size)
    surface = _near(rng, size) if rng.random() < 0.45 else SURFACES["masonry"](rng, size)
    colour, relief = surface.colour, surface.relief * np.float32(rng.choice([1.0, 1.0, 2.0, 3.5]))
    if rng.random() < 0.2:  # one coat of paint over bricks and mortar
        paint = np.float32(rng.uniform(0.5, 0.9)) * (1 + rng.normal(0, 0.05, 3)).astype(np.float32).reshape(3, 1, 1)
        thick = np.float32(rng.uniform(0.75, 0.97))
        colour = colour * (1 - thick) + paint * thick
    return Surface(colour, relief, surface.courses)


def _any_plaster(rng: Generator, size: Size) -> Surface:
    return _smoothed(rng, SURFACES["plaster"](rng, size)) if rng.random() < 0.4 else rough_plaster(rng, size)


def _any_concrete(rng: Generator, size: Size) -> Surface:
    surface = SURFACES["concrete"](rng, size)
    if rng.random() < 0.35:  # coloured wash, dark or nearly white
        tint = (rng.uniform(0.35, 1.25) * (1 + rng.normal(0, 0.09, 3))).astype(np.float32).reshape(3, 1, 1)
        surface = surface._replace(colour=surface.colour * tint)
    return _smoothed(rng, surface)


def _smoothed(rng: Generator, surface: Surface) -> Surface:
    """The surface, half of the time with less of its fine grain: trowelled, painted, worn."""
    if rng.random() < 0.5:
        return surface
    less, sigma = np.float32(rng.uniform(0.1, 0.8)), float(rng.uniform(1.0, 3.0))
    planes = [plane + (cv2.GaussianBlur(plane, (0, 0), sigma) - plane) * (1 - less) for plane in surface.colour]
    relief = surface.relief + (cv2.GaussianBlur(surface.relief, (0, 0), sigma) - surface.relief) * (1 - less)
    return surface._replace(colour=np.stack(planes), relief=relief)


KINDS: dict[str, Callable[[Generator, Size], Surface]] = {
    "asphalt": SURFACES["asphalt"],
    "aggregate": aggregate,
    "concrete": _any_concrete,
    "plaster": _any_plaster,
    "masonry": wall,
    "boards": boards,
}
