"""Generated photographs of cracked surfaces with exact masks: the data set that needs no files."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

from csbsr.data.seeds import item_seed
from csbsr.data.synthetic.crack import CrackPath, coverage, draw_cracks
from csbsr.data.synthetic.noise import clouds, grain, illumination, shading, smoothstep
from csbsr.data.synthetic.surface import SURFACES, Courses

UNCRACKED = 0.12  # share of images without a crack
COVERED = 0.5  # a pixel belongs to the crack if at least this fraction of it is covered
VISIBLE = 0.001  # a cracked image shows at least this fraction of crack pixels
ATTEMPTS = 10  # ... or the last of so many drawings


class SyntheticPairs:
    """Generated crack images, a `csbsr.contracts.PairSource`.

    Image ``index`` is a function of (seed, split, index) and of nothing else; the mask is where at least half of a
    pixel's area lies inside a crack, and the same areas darken the picture.

    Args:
        split: "train", "test" or any other name; splits share no image.
        count: number of images.
        size: (H, W) in pixels, at least 32 each.
        seed: another seed gives another data set.
    """

    def __init__(self, split: str, count: int, size: tuple[int, int] = (320, 320), seed: int = 0) -> None:
        height, width = (int(value) for value in size)
        if count < 1:
            raise ValueError(f"count: expected at least 1 image for the split {split!r}, got {count}")
        if min(height, width) < 32:
            raise ValueError(f"size: expected at least 32 by 32 pixels, got {height} by {width}")
        self.split, self.count, self.size, self.seed = split, int(count), (height, width), int(seed)

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        """CrackPath of the image within its split."""
        if not 0 <= index < self.count:
            raise IndexError(f"image {index} of {self.count}")
        return f"synthetic_{index:05d}.png"

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 RGB and mask (H, W) uint8 in {0, 1}."""
        self.name(index)  # rejects an index outside the data set
        return photograph(np.random.default_rng(item_seed(self.seed, "synthetic", self.split, index)), self.size)

    def fingerprint(self) -> str:
        """Short hash of everything the images depend on."""
        return hashlib.blake2b(repr((self.split, self.count, self.size, self.seed)).encode(), digest_size=8).hexdigest()


def photograph(rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """One generated photograph (H, W, 3) uint8 RGB and the mask (H, W) uint8 in {0, 1} of its cracks."""
    kind = rng.choice(list(SURFACES), p=(0.35, 0.27, 0.18, 0.20))
    surface = SURFACES[kind](rng, size)
    cracked = rng.random() >= UNCRACKED
    paths, covered = _visible_cracks(rng, size, surface.courses) if cracked else ([], coverage([], size))
    mask = (covered >= COVERED).astype(np.uint8)

    colour = _stains(rng, surface.colour)
    colour = _scratches(rng, colour)
    relief, angle = surface.relief, rng.uniform(0, 2 * np.pi)
    light = (float(np.cos(angle)), float(np.sin(angle)))
    if paths:
        colour, relief = _open(rng, colour, relief, covered)
    lit = colour * (shading(relief, light) * illumination(rng, size))
    return _camera(rng, lit), mask


def _visible_cracks(
    rng: np.random.Generator, size: tuple[int, int], courses: Courses | None
) -> tuple[list[CrackPath], np.ndarray]:
    """Cracks, drawn again if hardly any of them lies inside the picture."""
    for _ in range(ATTEMPTS):
        paths = draw_cracks(rng, size, courses)
        covered = coverage(paths, size)
        if np.mean(covered >= COVERED) >= VISIBLE:
            break
    return paths, covered


def _open(
    rng: np.random.Generator, colour: np.ndarray, relief: np.ndarray, covered: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Darkens the inside of a crack, dirties its edges and lowers the surface, so that its lips catch light."""
    size = covered.shape[:2]
    core = cv2.GaussianBlur(covered, (0, 0), 1.2)  # wide places let less light in than narrow ones
    unevenness = 0.22 * clouds(rng, size, rng.uniform(8, 30), 4, 0.8)
    depth = np.float32(rng.uniform(0.55, 1.0)) * np.clip(0.45 + 0.6 * core + unevenness, 0.15, 0.97)
    dirt = cv2.GaussianBlur(covered, (0, 0), rng.uniform(1.0, 2.6)) * np.float32(rng.uniform(0.0, 0.35))
    shade = (1 - covered * depth) * (1 - dirt * (1 - covered))
    earth = rng.uniform(0, 0.22) * np.array([0.0, 0.45, 1.0], np.float32).reshape(3, 1, 1)
    sunken = core * np.float32(rng.uniform(0.2, 1.3))
    return colour * shade * (1 - earth * covered), relief * (1 - 0.8 * covered) - sunken


def _stains(rng: np.random.Generator, colour: np.ndarray) -> np.ndarray:
    """Blotches, running water, tyre marks and oil: dark or pale, but with soft edges."""
    size = colour.shape[1:3]
    if rng.random() < 0.6:
        blotch = smoothstep(clouds(rng, size, rng.uniform(40, 140), 6, 0.6), rng.uniform(0.3, 1.2), 2.4)
        tint = np.array([1, rng.uniform(0.9, 1), rng.uniform(0.8, 1)], np.float32) * np.float32(rng.uniform(0.55, 1.12))
        tint = tint.reshape(3, 1, 1)
        colour = colour * (1 + blotch * (tint - 1))
    if rng.random() < 0.2:
        columns = clouds(rng, (8, size[1]), 18, 4, 0.7)[:1]
        first, last = rng.permutation([1.0, rng.uniform(0, 0.6)])
        fading = np.linspace(first, last, size[0], dtype=np.float32)[:, None]
        streak = smoothstep(columns, 0.2, 2.2) * fading
        streak = streak.T if rng.random() < 0.25 and size[0] == size[1] else streak
        colour = colour * (1 - np.float32(rng.uniform(0.1, 0.4)) * streak)
    return colour


def _scratches(rng: np.random.Generator, colour: np.ndarray) -> np.ndarray:
    """Thin pale or dark straight marks, wires, twigs: like a crack, but none."""
    if rng.random() > 0.3:
        return colour
    height, width = colour.shape[1:]
    marks = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        start = rng.uniform(0, 1, 2) * (width, height)
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.08, 0.6) * width
        bend = rng.normal(0, 0.12)
        at = np.linspace(0, 1, 12)
        curve = start + length * np.stack([at * np.cos(angle + bend * at), at * np.sin(angle + bend * at)], 1)
        cv2.polylines(
            marks, [np.rint(curve * 16).astype(np.int32)], False, int(rng.integers(90, 230)), 1, cv2.LINE_AA, 4
        )
    strength = marks.astype(np.float32) / np.float32(255)
    tone = np.float32(rng.uniform(0.75, 0.95) if rng.random() < 0.75 else rng.uniform(0.15, 0.3))
    return colour * (1 - 0.7 * strength) + 0.7 * strength * tone


def _camera(rng: np.random.Generator, scene: np.ndarray) -> np.ndarray:
    """Lens, sensor and tone: slight blur, white balance, exposure, noise, 8 bits; (3, H, W) to (H, W, 3)."""
    sigma, noise = rng.uniform(0.35, 0.75), np.float32(255 * rng.uniform(0.004, 0.018))
    warmth = rng.normal(0, 0.03)
    balance = np.array([1 + warmth, 1 + rng.normal(0, 0.01), 1 - warmth]) * rng.uniform(0.8, 1.15)
    speckle = noise * grain(rng, scene.shape[1:3], 0.0) + np.float32(0.5)
    planes = []
    for plane, gain in zip(scene, balance, strict=True):
        plane = cv2.GaussianBlur(plane, (0, 0), sigma) * np.float32(gain)
        plane = plane / (1 + 0.25 * np.maximum(plane - np.float32(0.75), 0))  # highlights roll off
        planes.append(np.clip(plane * 255 + speckle, 0, 255).astype(np.uint8))
    return cv2.merge(planes)
