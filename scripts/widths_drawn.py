"""Widths of drawn dark lines on generated surfaces: from the mask and from the light, the blur known and not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.random import Generator

from csbsr.data.synthetic.surface import SURFACES
from csbsr.degradation import anisotropic_gaussian_kernel, degrade
from csbsr.measure import BlurMap, GroundSampling, Measurement, Width, measure_cracks, reported, with_light
from csbsr.measure.reported import NEITHER
from csbsr.predict import Predictor

WIDTHS = (0.3, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0, 8.0, 12.0)  # pixels of the photograph
ANGLES = (0.0, 15.0, 30.0, 45.0, 63.4, 75.0, 90.0)
SCALE = 4
MM = 0.25  # millimetres to a pixel of the photograph
_MM_SPREAD = 0.02  # share by which the given one is off
_SIDE = 112
_LENGTH = 80.0


class Case(NamedTuple):
    """One line and what was found of it, in pixels of the photograph."""

    width: float
    mask: Width
    known: Width | None
    estimated: Width | None
    reported: Width | None


def draw_line(width: float, angle: float, side: int, length: float, fine: int) -> np.ndarray:
    """Coverage (side, side) of a straight line through the middle, from ``fine`` x ``fine`` samples in each pixel."""
    step = (np.arange(side * fine) + 0.5) / fine - side / 2
    x, y = step[None], step[:, None]
    cos, sin = np.cos(np.radians(angle)), -np.sin(np.radians(angle))
    inside = (np.abs(y * cos - x * sin) <= width / 2) & (np.abs(x * cos + y * sin) <= length / 2)
    return inside.reshape(side, fine, side, fine).mean(axis=(1, 3)).astype(np.float32)


def scene(rng: Generator, cover: np.ndarray) -> np.ndarray:
    """(3, H, W) in [0, 1]: a surface with a dark gap of a black level as real cracks have it."""
    surface = SURFACES[str(rng.choice(sorted(SURFACES)))](rng, cover.shape)
    colour = np.clip(surface.colour * rng.uniform(0.8, 1.1), 0.05, 1)
    black = float(np.clip(rng.normal(0.13, 0.06), 0.02, 0.35)) * colour.mean()
    return (colour * (1 - cover) + black * cover).astype(np.float32)


def photograph(rng: Generator, image: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 with the noise of a sensor and JPEG at quality 90."""
    noisy = image + rng.normal(0, rng.uniform(0.5, 3) / 255, image.shape)
    pixels = np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def drawn(seeds: int) -> Iterator[Case]:
    """Lines in the photograph itself, blurred by anisotropic kernels of σ from 0.5 to 2 pixels."""
    for number, (width, angle) in enumerate((w, a) for w in WIDTHS for a in ANGLES for _ in range(seeds)):
        rng = np.random.default_rng([7, number])
        cover = draw_line(width, angle, _SIDE, _LENGTH, 15)
        sigmas, theta = rng.uniform(0.5, 2.0, 2), rng.uniform(0, 180)
        kernel = anisotropic_gaussian_kernel(*sigmas.tolist(), float(theta), 21)
        picture = photograph(rng, degrade(torch.from_numpy(scene(rng, cover))[None], kernel, 1, "reflect")[0].numpy())
        # As a segmentor marks it: at least about a pixel and a half wide, its edges off by up to half a pixel together.
        marked = max(width, 1.5) + rng.uniform(-0.3, 0.3)
        yield _case(width, draw_line(marked, angle, _SIDE, _LENGTH, 9), picture, kernel, 1, rng)


def degraded(seeds: int, predictor: Predictor | None = None) -> Iterator[Case]:
    """Lines in an image four times as large, blurred by kernels of σ up to 4 of its pixels and scaled down.

    With a predictor the kernels that its network estimates stand in the place of the fitted blur.
    """
    for number, (width, angle) in enumerate((w, a) for w in WIDTHS for a in ANGLES for _ in range(seeds)):
        rng = np.random.default_rng([8, number])
        cover = draw_line(width * SCALE, angle, _SIDE * SCALE, _LENGTH * SCALE, 3)
        sigmas, theta = rng.uniform(0.2, 4.0, 2), rng.uniform(0, 180)
        kernel = anisotropic_gaussian_kernel(*sigmas.tolist(), float(theta), 21)
        small = degrade(torch.from_numpy(scene(rng, cover))[None], kernel, SCALE, "reflect", antialias=True)[0].numpy()
        marked = max(width, 0.8) * SCALE + rng.uniform(-1.2, 1.2)
        segmentation = draw_line(marked, angle, _SIDE * SCALE, _LENGTH * SCALE, 3)
        picture = photograph(rng, small)
        guess = None if predictor is None else predictor.predict(picture).kernels
        yield _case(width, segmentation, picture, kernel, SCALE, rng, guess)


def _case(
    width: float,
    segmentation: np.ndarray,
    picture: np.ndarray,
    kernel: torch.Tensor,
    scale: int,
    rng: Generator,
    guess: np.ndarray | None = None,
) -> Case:
    gsd = GroundSampling(MM * (1 + rng.normal(0, _MM_SPREAD)), MM * _MM_SPREAD * 1.645)
    found = measure_cracks(segmentation, gsd_mm=gsd, scale=scale, min_pixels=20)
    blur = BlurMap.of_kernels(kernel.numpy(), scale, picture.shape[:2], within=0.0)  # it is what it is
    other = None if guess is None else BlurMap.of_kernels(guess, scale, picture.shape[:2])
    known, estimated = with_light(found, picture, blur), with_light(found, picture, other)
    return Case(
        width,
        _in_pixels(known, "mask"),
        _in_pixels(known, "light"),
        _in_pixels(estimated, "light"),
        _in_pixels(known, ""),
    )


def _in_pixels(found: Measurement, source: str) -> Width | None:
    """The mean width of the longest crack, from given millimetres back to pixels of the photograph as it is."""
    crack = max(found.cracks, key=lambda one: one.length)
    if source == "light":
        width = None if crack.light is None else crack.light.widths.mean
    elif source == "mask":
        width = crack.mask_widths.mean
    else:
        chosen = reported(crack)
        width = None if chosen.source == NEITHER else chosen.widths.mean
    return None if width is None else found.width_mm(width).times(1 / MM)


def table(cases: Iterator[Case]) -> str:
    """Markdown: bias, spread and coverage by width."""
    groups: dict[float, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.width, []).append(case)
    columns = [name for name in Case._fields if name != "width"]
    titles = ["mask", "light, kernel known", "light, blur fitted or estimated", "reported"]
    lines = [
        "| width, px | n | " + " | ".join(f"{title}: bias | spread | covers" for title in titles) + " |",
        "|" + "---|" * (2 + 3 * len(titles)),
    ]
    everything = [case for group in groups.values() for case in group]
    for label, group in [*((f"{width:g}", group) for width, group in groups.items()), ("all", everything)]:
        cells = [label, str(len(group))]
        for column in columns:
            pairs = [(getattr(case, column), case.width) for case in group if getattr(case, column) is not None]
            if not pairs:
                cells += ["", "", ""]
                continue
            errors = np.array([found.value - width for found, width in pairs])
            inside = np.mean([found.low <= width <= found.high for found, width in pairs])
            cells += [f"{errors.mean():+.3f}", f"{errors.std():.3f}", f"{100 * inside:.0f} %"]
        lines.append("| " + " | ".join(cells) + " |")
    neither = sum(case.reported is None for case in everything)
    return "\n".join([*lines, "", f"neither reported, because mask and light disagree: {neither} of {len(everything)}"])
