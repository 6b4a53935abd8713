"""Line and scatter charts as SVG text: no script, scaled by the browser, coloured by the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

_WIDTH, _HEIGHT = 440, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 14, 12, 46
_DASHES = ("", "7 4", "2 3", "10 3 2 3", "1 4", "12 5")


class Line(NamedTuple):
    """A curve with its name; a point whose y is not finite interrupts it."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


class Point(NamedTuple):
    """One mark of a scatter chart; the label appears under the pointer."""

    x: float
    y: float
    label: str


def line_chart(
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    marked: float | None = None,
    y_range: tuple[float, float] | None = None,
) -> str:
    """Curves over one pair of axes.

    Args:
        lines: told apart by colour and by dashes.
        x_label: what x is, with its unit.
        y_label: what y is, with its unit.
        marked: an x at which a vertical line is drawn, e.g. the recommended threshold.
        y_range: lowest and highest y; None fits the data from 0.

    Returns:
        An ``<svg>`` element.
    """
    xs = [x for line in lines for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y)]
    ys = [y for line in lines for y in line.y if math.isfinite(y)]
    axes = _Axes(_limits(xs), y_range or (0.0, max(ys, default=1.0) or 1.0), x_label, y_label)
    parts = []
    if marked is not None:
        x = axes.x(marked)
        parts.append(
            f'<line class="marked" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"><title>'
            f"{escape(x_label)} {marked:g}</title></line>"
        )
    for i, line in enumerate(lines):
        dash = f' stroke-dasharray="{_DASHES[i % 6]}"' if i % 6 else ""
        parts.append(f'<path class="curve series-{i % 6}"{dash} d="{_path(axes, line)}"/>')
    return axes.drawn(parts, f"{y_label} against {x_label}: {', '.join(line.name for line in lines)}")


def scatter_chart(points: Sequence[Point], x_label: str, y_label: str, bins: int = 6) -> str:
    """Points, and the mean of y in bins of equally many points, where there are at least three of them in each.

    Args:
        points: those with a value that is not finite are left out.
        x_label: what x is, with its unit.
        y_label: what y is, with its unit.
        bins: number of bins, fewer for few points.

    Returns:
        An ``<svg>`` element.
    """
    points = sorted(point for point in points if math.isfinite(point.x) and math.isfinite(point.y))
    low, high = _limits([point.y for point in points])
    axes = _Axes(_limits([point.x for point in points]), (low, high), x_label, y_label)
    parts = [
        f'<circle class="point" cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="3.2">'
        f"<title>{escape(label)}</title></circle>"
        for x, y, label in points
    ]
    bins = min(bins, len(points) // 3)
    if bins >= 2:
        edges = [round(i * len(points) / bins) for i in range(bins + 1)]
        groups = [points[start:end] for start, end in pairwise(edges)]
        means = [[sum(values) / len(group) for values in list(zip(*group, strict=True))[:2]] for group in groups]
        line = Line("mean", *zip(*means, strict=True))
        parts.append(f'<path class="curve series-1" d="{_path(axes, line)}"/>')
    return axes.drawn(parts, f"{y_label} against {x_label}, one point per image")


def series_key(i: int) -> str:
    """A short piece of line ``i`` of a chart, as an ``<svg>`` element for its legend."""
    dash = f' stroke-dasharray="{_DASHES[i % 6]}"' if i % 6 else ""
    return (
        '<svg class="key" viewBox="0 0 30 10" aria-hidden="true">'
        f'<path class="curve series-{i % 6}"{dash} d="M1 5H29"/></svg>'
    )


class _Axes:
    def __init__(self, x_range: tuple[float, float], y_range: tuple[float, float], x_label: str, y_label: str) -> None:
        self.x_ticks, self.y_ticks = _ticks(*x_range), _ticks(*y_range)
        self.x_range = (min(x_range[0], self.x_ticks[0]), max(x_range[1], self.x_ticks[-1]))
        self.y_range = (min(y_range[0], self.y_ticks[0]), max(y_range[1], self.y_ticks[-1]))
        self.x_label, self.y_label = x_label, y_label

    def x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def drawn(self, parts: Sequence[str], description: str) -> str:
        """The chart with ``parts`` over its grid."""
        right, bottom, middle = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM, (_TOP + _HEIGHT - _BOTTOM) / 2
        grid = []
        for value, text in zip(self.y_ticks, _texts(self.y_ticks), strict=True):
            y = self.y(value)
            grid.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
            grid.append(f'<text x="{_LEFT - 7}" y="{y + 4.5:.1f}" text-anchor="end">{text}</text>')
        for value, text in zip(self.x_ticks, _texts(self.x_ticks), strict=True):
            grid.append(f'<text x="{self.x(value):.1f}" y="{bottom + 18}" text-anchor="middle">{text}</text>')
        grid.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
        grid.append(
            f'<text class="name" x="{(_LEFT + right) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">'
            f"{escape(self.x_label)}</text>"
        )
        grid.append(
            f'<text class="name" transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.y_label)}</text>"
        )
        name = escape(description, quote=True)
        head = f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{name}">'
        return "".join([head, *grid, *parts, "</svg>"])


def _path(axes: _Axes, line: Line) -> str:
    steps, pen_down = [], False
    for x, y in zip(line.x, line.y, strict=True):
        if math.isfinite(y):
            steps.append(f"{'L' if pen_down else 'M'}{axes.x(x):.1f} {axes.y(y):.1f}")
        pen_down = math.isfinite(y)
    return "".join(steps)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2, 5 times a power of ten apart) that reach at least from ``low`` to ``high``."""
    raw = (high - low) / about
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


def _texts(ticks: Sequence[float]) -> list[str]:
    digits = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    return [f"{value:.{digits}f}".replace("-", "−") for value in ticks]
