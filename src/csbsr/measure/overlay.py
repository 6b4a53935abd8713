"""Draw measured cracks over their photograph, coloured by width, with a scale."""

from __future__ import annotations

import math

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from csbsr.measure.reported import drawn_factor, reported_of_image
from csbsr.measure.results import Measurement

_COLOURS = {
    "cividis": cv2.COLORMAP_CIVIDIS,
    "viridis": cv2.COLORMAP_VIRIDIS,
}  # both keep their order for the colour-blind
_SHIFT = 4  # binary digits of a pixel that OpenCV is given


def draw_widths(
    image: np.ndarray,
    measurement: Measurement,
    *,
    widest: float | None = None,
    colours: str = "viridis",
    thinnest: int = 2,
    legend: bool = True,
) -> np.ndarray:
    """The photograph in grey with each crack drawn along its centrelines, as wide as it is reported
    and coloured by that width.

    Args:
        image: (H, W, 3) RGB or (H, W), uint8: the measured image, or the same view in another size.
        measurement: of that view.
        widest: width in pixels of the measured image at the upper end of the colours; wider parts have its colour.  If
            None, the percentile of the reported widths.
        colours: "viridis" or "cividis".
        thinnest: pixels of ``image`` that a line has at least, so that it is seen.
        legend: with a colour scale and a scale bar, in millimetres if the measurement has them, in the corner where
            the fewest cracks are.  On an image too small for them they are left out.

    Returns:
        (H, W, 3) RGB, uint8.

    Raises:
        ValueError: ``image`` of another type or proportion, unknown ``colours``, ``widest`` or ``thinnest`` not over 0.
    """
    canvas = _grey(image)
    height, width = canvas.shape[:2]
    rows, columns = measurement.shape
    scale = np.array([width / columns, height / rows])
    if abs(height - rows * scale[0]) > 1 + 0.01 * height:
        raise ValueError(
            f"image: expected the proportions of the measured {columns} x {rows} pixels, got {width} x {height}; "
            "hand in the measured image or the whole of it resized"
        )
    if colours not in _COLOURS:
        raise ValueError(f"colours: expected one of {', '.join(_COLOURS)}, got {colours!r}")
    for name, value in (("widest", widest), ("thinnest", thinnest)):
        if value is not None and not value > 0:
            raise ValueError(f"{name}: expected a number above 0, got {value!r}")
    together = reported_of_image(measurement)
    widest = widest or (together and together.percentile.value) or 1.0
    palette = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], _COLOURS[colours])[:, 0, ::-1]
    zoom = float(np.sqrt(scale.prod()))
    places = [np.empty((0, 2))]
    for crack in measurement.cracks:
        factor = drawn_factor(crack)
        for line in crack.centrelines:
            points = (line.points + 0.5) * scale - 0.5
            places.append(points)
            thick = np.maximum(np.rint(line.widths * factor * zoom), thinnest).astype(int).tolist()
            colour = palette[np.clip(line.widths * factor / widest * 255, 0, 255).astype(int)].tolist()
            corners = np.rint(points * 2**_SHIFT).astype(int).tolist()
            for index in range(len(corners) - 1):
                start, end = corners[index], corners[index + 1]
                cv2.line(canvas, start, end, colour[index], thick[index], cv2.LINE_8, _SHIFT)
    return _with_legend(canvas, measurement, widest, palette, zoom, np.concatenate(places)) if legend else canvas


def _grey(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise ValueError(
            f"image: expected uint8 of shape (H, W, 3) or (H, W), got {image.dtype} of {image.shape}; "
            "of floats in [0, 1] take (255 * image).round().astype(numpy.uint8)"
        )
    grey = image if image.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _with_legend(
    canvas: np.ndarray,
    measurement: Measurement,
    widest: float,
    palette: np.ndarray,
    zoom: float,
    places: np.ndarray,
) -> np.ndarray:
    height, width = canvas.shape[:2]
    size = max(11, min(height, width) // 36)
    panel_width, panel_height, gap = 13 * size, 7 * size, size // 2
    if width < panel_width + 2 * gap or height < 2 * panel_height:
        return canvas
    per_pixel, unit = (1.0, "px") if measurement.mm_per_pixel is None else (measurement.mm_per_pixel, "mm")
    corners = [(x, y) for y in (height - panel_height - gap, gap) for x in (gap, width - panel_width - gap)]
    hidden = [
        int(((places >= corner) & (places < np.add(corner, (panel_width, panel_height)))).all(axis=1).sum())
        for corner in corners
    ]
    x, y = corners[hidden.index(min(hidden))]
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size)
    draw.rectangle((x, y, x + panel_width, y + panel_height), fill=(255, 255, 255), outline=(0, 0, 0))
    left, bar = x + size, panel_width - 2 * size
    draw.text((left, y + gap), f"crack width, {unit}", fill=(0, 0, 0), font=font)
    top = y + gap + round(1.5 * size)
    picture.paste(Image.fromarray(np.tile(palette[np.linspace(0, 255, bar).astype(int)], (size, 1, 1))), (left, top))
    for share, anchor in ((0.0, "la"), (0.5, "ma"), (1.0, "ra")):
        text = _number(share * widest * per_pixel) + ("+" if share == 1 else "")
        draw.text((left + share * bar, top + round(1.2 * size)), text, fill=(0, 0, 0), font=font, anchor=anchor)
    long = round_below(bar / zoom * per_pixel)
    right, base = left + long / per_pixel * zoom, y + panel_height - size
    draw.text((left, base - round(1.6 * size)), f"{long:g} {unit}", fill=(0, 0, 0), font=font)
    draw.line((left, base, right, base), fill=(0, 0, 0), width=max(2, size // 5))
    return np.array(picture)


def _number(value: float) -> str:
    """Two digits after the point below 10, else as many as make three in all."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def round_below(value: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is at most ``value``."""
    power = 10.0 ** math.floor(math.log10(value))
    return power * max(step for step in (1, 2, 5) if step * power <= value * (1 + 1e-9))
