"""What is no crack and belongs to the surface: joints, lines, holes, marks, text, stains, edges."""

from __future__ import annotations

import string
from collections.abc import Callable

import cv2
import numpy as np

from csbsr.data.synthetic.noise import clouds, smoothstep
from csbsr.data.world.ground import Generator, Ground, Size

#: How often each kind is tried on a surface.
OFTEN = {
    "joints": 0.22, "holes": 0.08, "scratches": 0.22, "text": 0.09, "paint": 0.08,
    "stains": 0.34, "streaks": 0.14, "edge": 0.09, "sealed": 0.03, "pits": 0.10,
}  # fmt: skip


def add_distractors(rng: Generator, ground: Ground, strength: float = 1.0) -> Ground:
    """``ground`` with a random choice of marks; ``strength`` multiplies how often each occurs."""
    for name, often in OFTEN.items():
        if rng.random() < often * strength:
            colour, relief = DRAWERS[name](rng, ground.colour, ground.relief)
            ground = ground._replace(colour=colour, relief=relief)
    return ground


def axis_distance(rng: Generator, size: Size, angle: float) -> np.ndarray:
    """Signed distance (H, W) in pixels to a straight line with normal ``angle`` through a random point."""
    height, width = size
    x = np.arange(width, dtype=np.float32) - np.float32(rng.uniform(0.05, 0.95) * width)
    y = np.arange(height, dtype=np.float32) - np.float32(rng.uniform(0.05, 0.95) * height)
    return x[None] * np.float32(np.cos(angle)) + y[:, None] * np.float32(np.sin(angle))


def joints(rng: Generator, colour: np.ndarray, relief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Straight joints: one or a set of parallels, at times crossed: panels, formwork, tiles, expansion joints.

    A joint is straight, of one width, with even edges; filled, open and dark, or raised where mortar ran out.
    """
    size = relief.shape
    angle = float(rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.05)) if rng.random() < 0.75 else rng.uniform(0, np.pi)
    wide = float(np.exp(rng.uniform(np.log(0.8), np.log(9.0))))
    angles = [angle, angle + np.pi / 2] if rng.random() < 0.3 else [angle]
    spacing = float(rng.uniform(30, 150)) if rng.random() < 0.45 else 0.0
    groove: np.ndarray = np.zeros(size, np.float32)
    for one in angles:
        across: np.ndarray = axis_distance(rng, size, one) + np.float32(rng.uniform(0.0, 0.35)) * clouds(
            rng, size, 30, 3
        )
        if spacing:
            across = across - np.round(across / np.float32(spacing)) * np.float32(spacing)
        groove = np.maximum(groove, smoothstep(np.float32(wide / 2) - np.abs(across), -0.45, 0.45))
    kind = rng.random()
    rough = 1 + np.float32(0.06) * clouds(rng, size, 6, 3, 0.7)
    if kind < 0.5:  # open: dark
        tone = np.float32(rng.uniform(0.08, 0.8))
        colour = colour * (1 - groove * (1 - tone * rough))
        relief = relief * (1 - 0.7 * groove) - groove * np.float32(rng.uniform(0.3, 2.0))
    elif kind < 0.85:  # filled with mortar or sealant of another colour
        hue = np.float32(rng.uniform(0.15, 0.9)) * (1 + rng.normal(0, 0.04, 3)).astype(np.float32).reshape(3, 1, 1)
        colour = colour * (1 - groove) + hue * rough * groove
        relief = relief * (1 - 0.6 * groove) - groove * np.float32(rng.uniform(-0.3, 0.8))
    else:  # a fin or step where two moulds met: only light shows it
        relief = relief + groove * np.float32(rng.choice([-1, 1]) * rng.uniform(0.4, 1.5))
    return colour, relief


def holes(rng: Generator, colour: np.ndarray, relief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tie holes or screw heads: a few round ones, often in a row."""
    height, width = relief.shape
    disc: np.ndarray = np.zeros((height, width), np.float32)
    radius = float(rng.uniform(2, 9))
    start, step = rng.uniform(0, 1, 2) * (width, height), rng.uniform(30, 120) * np.array([1.0, rng.normal(0, 0.05)])
    for number in range(int(rng.integers(1, 6))):
        x, y = start + step * number
        cv2.circle(disc, (int(x * 16), int(y * 16)), int(radius * 16), 1.0, -1, cv2.LINE_8, 4)
    disc = cv2.GaussianBlur(disc, (0, 0), 0.7)
    tone = np.float32(rng.uniform(0.1, 0.6) if rng.random() < 0.7 else rng.uniform(0.8, 1.2))
    return colour * (1 - disc * (1 - tone)), relief - disc * np.float32(rng.uniform(0, 2.5))


def pits(rng: Generator, colour: np.ndarray, relief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Air holes and broken-out grains: small, dark, of many sizes."""
    size = relief.shape
    cell = float(rng.uniform(2.5, 9))
    field = clouds(rng, size, cell, 2, 0.5)
    where = rng.uniform(2.0, 3.0)
    pit = smoothstep(field, where, where + 0.35)
    return colour * (1 - np.float32(rng.uniform(0.25, 0.85)) * pit), relief - pit * np.float32(rng.uniform(0.3, 2.0))


def scratches(rng: Generator, colour: np.ndarray, relief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Thin straight or gently bent marks: pale, or dark as pencil lines and rubber."""
    height, width = relief.shape
    marks = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        start = rng.uniform(0, 1, 2) * (width, height)
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.9) * width
        at, bend = np.linspace(0, 1, 14), rng.normal(0, 0.15)
        curve = start + length * np.stack([at * np.cos(angle + bend * at), at * np.sin(angle + bend * at)], 1)
        thick = 1 if rng.random() < 0.7 else int(rng.integers(2, 5))
        cv2.polylines(
            marks, [np.rint(curve * 16).astype(np.int32)], False, int(rng.integers(90, 240)), thick, cv2.LINE_AA, 4
        )
    strength = marks.astype(np.float32) / np.float32(255)
    strength = strength * np.clip(0.7 + 0.5 * clouds(rng, (height, width), 12, 3), 0, 1)
    tone = np.float32(rng.uniform(1.1, 1.7) if rng.random() < 0.7 else rng.uniform(0.3, 0.85))
    return colour * (1 + strength * (tone - 1)), relief - strength * np.float32(rng.uniform(0, 0.3))


def text(rng: Generator, colour: np.ndarray, relief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and letters in chalk, paint or marker, and hand-drawn strokes."""
    height, width = relief.shape
    ink: np.ndarray = np.zeros((height, width), np.uint8)
    if rng.random() < 0.7:
        letters = list(string.ascii_letters + string.digits)
        words = "".join(rng.choice(letters, int(rng.integers(1, 8))))
        font = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX]))
        where = (int(rng.uniform(-0.05, 0.7) * width), int(rng.uniform(0.1, 1.0) * height))
        cv2.putText(ink, words, where, font, float(rng.uniform(0.5, 3.0)), 255, int(rng.integers(1, 6)), cv2.LINE_AA)
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.normal(0, 25)), 1.0)
        ink = cv2.warpAffine(ink, turn, (width, height))
    else:
        for _ in range(int(rng.integers(1, 4))):
            path = np.cumsum(rng.normal(0, 0.1 * width, (7, 2)), 0) + rng.uniform(0, 1, 2) * (width, height)
            at = np.linspace(0, 6, 40)
            curve: np.ndarray = np.stack([np.interp(at, np.arange(7), path[:, axis]) for axis in (0, 1)], 1)
            curve = cv2.GaussianBlur(curve, (1, 9), 2)
            thick = int(rng.integers(1, 7))
            cv2.polylines(ink, [np.rint(curve * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)
    hue = rng.choice([[0.9, 0.9, 0.88], [0.75, 0.12, 0.1], [0.08, 0.08, 0.1], [0.1, 0.2, 0.6], [0.85, 0.7, 0.1]])
    worn = np.clip(0.75 + 0.4 * clouds(rng, (height, width), 5, 2), 0, 1) * np.float32(rng.uniform(0.3, 1.0))
    cover = ink.astype(np.float32) / np.float32(255) * worn
    return colour * (1 - cover) + hue.astype(np.float32).reshape(3, 1, 1) * cover, relief


def paint(rng: Generator, colour: np.ndarray, relief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A painted field or band with a worn edge: road marking, dado, patch of repair mortar."""
    size = relief.shape
    across = axis_distance(rng, size, float(rng.uniform(0, np.pi)))
    half = rng.uniform(0.04, 0.3) * size[1]
    worn = clouds(rng, size, rng.uniform(8, 40), 4, 0.65)
    ragged = np.float32(rng.uniform(0.3, 4.0))
    cover = smoothstep(np.float32(half) - np.abs(across) + ragged * worn, -1.0, 1.0)
    cover = cover * smoothstep(worn, -3.0, rng.uniform(-2.8, -0.2)) * np.float32(rng.uniform(0.4, 1.0))
    bright = rng.uniform(0.55, 0.9) if rng.random() < 0.7 else rng.uniform(0.15, 0.5)
    hue = np.float32(bright) * (1 + rng.normal(0, 0.08, 3)).astype(np.float32).reshape(3, 1, 1)
    grey = colour.mean(0)
    texture = 1 + np.float32(0.4) * (grey / (cv2.blur(grey, (9, 9)) + np.float32(1e-3)) - 1)
    return colour * (1 - cover) + hue * texture * cover, relief * (1 - 0.5 * cover)


def stains(rng: Generator, colour: np.ndarray, relief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Blotches with soft or hard borders, dark or pale, at times with the darker outline that dried water leaves."""
    size = relief.shape
    field = clouds(rng, size, rng.uniform(30, 140), 6, rng.uniform(0.45, 0.7))
    low = rng.uniform(0.2, 1.4)
    soft = rng.choice([0.12, 0.5, 1.4], p=[0.15, 0.35, 0.5])
    blotch = smoothstep(field, low, low + soft)
    tint = np.array([1, rng.uniform(0.88, 1.0), rng.uniform(0.75, 1.0)], np.float32)
    tint = tint * np.float32(rng.uniform(0.55, 1.2))
    tint = 1 + (tint - 1) * np.float32(1.0 if soft > 0.2 else 0.6)
    colour = colour * (1 + blotch * (tint.reshape(3, 1, 1) - 1))
    if rng.random() < 0.25:
        outline = np.exp(-0.5 * ((field - np.float32(low)) / np.float32(rng.uniform(0.02, 0.07))) ** 2)
        colour = colour * (1 - np.float32(rng.uniform(0.05, 0.3)) * outline)
    return colour, relief


def streaks(rng: Generator, colour: np.ndarray, relief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Water that has run down, moss and rust with it."""
    height, width = relief.shape
    columns = clouds(rng, (16, width), float(rng.uniform(5, 22)), 3, 0.7)[:1]
    first, last = rng.permutation([1.0, rng.uniform(0, 0.6)])
    fading = np.linspace(first, last, height, dtype=np.float32)[:, None]
    streak = smoothstep(columns, rng.uniform(0.2, 1.2), 2.4) * fading
    streak = streak * np.clip(0.8 + 0.3 * clouds(rng, (height, width), 20, 4, 0.6), 0, 1)
    tint = np.array([rng.uniform(0.7, 1), rng.uniform(0.6, 1), rng.uniform(0.5, 0.9)], np.float32).reshape(3, 1, 1)
    tint = tint if rng.random() < 0.8 else np.float32(1.3) + 0 * tint
    return colour * (1 + np.float32(rng.uniform(0.2, 0.7)) * streak * (tint - 1)), relief


def edge(rng: Generator, colour: np.ndarray, relief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two planes that meet: a corner, a kerb, a ledge; brightness changes there, a shadow may follow it."""
    size = relief.shape
    angle = float(rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.08)) if rng.random() < 0.6 else rng.uniform(0, np.pi)
    across = axis_distance(rng, size, angle) + np.float32(rng.uniform(0, 1.5)) * clouds(rng, size, 50, 4)
    beyond = smoothstep(across, -0.7, 0.7)
    gain = np.float32(rng.uniform(0.45, 1.5)) * (1 + rng.normal(0, 0.05, 3)).astype(np.float32).reshape(3, 1, 1)
    colour = colour * (1 + beyond * (gain - 1))
    reach = np.float32(np.exp(rng.uniform(np.log(1.0), np.log(14.0))))
    shadow = np.exp(-np.maximum(across, 0) / reach) * beyond * np.float32(rng.uniform(0, 0.75))
    return colour * (1 - shadow), relief


def sealed(rng: Generator, colour: np.ndarray, relief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A band of sealant poured over a former crack: smooth, dark, of even width; repaired, so no crack."""
    size = relief.shape
    height, width = size
    band = np.zeros(size, np.uint8)
    count = 9
    line = np.linspace(-0.1, 1.1, count)[:, None] * np.array([[width, 0.0]])
    line[:, 1] += rng.uniform(0.1, 0.9) * height
    line = line + np.cumsum(rng.normal(0, 0.03 * height, (count, 2)), 0)
    if rng.random() < 0.5:
        line = line[:, ::-1] * (width / height, height / width)
    at = np.linspace(0, count - 1, 60)
    curve = np.stack([np.interp(at, np.arange(count), line[:, axis]) for axis in (0, 1)], 1)
    cv2.polylines(band, [np.rint(curve * 16).astype(np.int32)], False, 255, int(rng.integers(7, 26)), cv2.LINE_AA, 4)
    cover = cv2.GaussianBlur(band, (0, 0), 0.9).astype(np.float32) / np.float32(255)
    tone = np.float32(rng.uniform(0.12, 0.4)) * (1 + np.float32(0.05) * clouds(rng, size, 10, 3))
    cover = cover * np.float32(rng.uniform(0.7, 1.0))
    return colour * (1 - cover) + tone * cover, relief * (1 - 0.8 * cover) + cover * np.float32(rng.uniform(0, 0.8))


Drawer = Callable[[Generator, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
DRAWERS: dict[str, Drawer] = {
    "joints": joints, "holes": holes, "scratches": scratches, "text": text, "paint": paint,
    "stains": stains, "streaks": streaks, "edge": edge, "sealed": sealed, "pits": pits,
}  # fmt: skip
