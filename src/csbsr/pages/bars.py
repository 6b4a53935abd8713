"""Bar charts as SVG text, in the style of `csbsr.pages.charts`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _ROW, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 22, 260, 60, 6, 30


class Bar(NamedTuple):
    """One bar; a value that is not finite is shown as a dash."""

    name: str
    value: float


def bar_chart(bars: Sequence[Bar], label: str, marked: float | None = None) -> str:
    """Horizontal bars from 0, each with its name and value.

    Args:
        bars: from top to bottom; values >= 0.
        label: what the values are, with their unit.
        marked: a value at which a vertical line is drawn, e.g. that of the first bar.

    Returns:
        An ``<svg>`` element.
    """
    top = max([bar.value for bar in bars if math.isfinite(bar.value)], default=1.0) or 1.0
    height = _TOP + _ROW * len(bars) + _BOTTOM
    reach = _WIDTH - _LEFT - _RIGHT
    parts = []
    for i, bar in enumerate(bars):
        y = _TOP + i * _ROW
        text = f"{bar.value:.3f}" if math.isfinite(bar.value) else "–"
        length = max(0.0, bar.value / top * reach) if math.isfinite(bar.value) else 0.0
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(bar.name)}</text>')
        parts.append(f'<rect class="point" x="{_LEFT}" y="{y + 3}" width="{length:.1f}" height="{_ROW - 6}"/>')
        parts.append(f'<text x="{_LEFT + length + 6:.1f}" y="{y + 15}">{text}</text>')
    if marked is not None and math.isfinite(marked):
        x = _LEFT + marked / top * reach
        parts.append(f'<line class="marked" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{height - _BOTTOM}"/>')
    parts.append(
        f'<text class="name" x="{_LEFT + reach / 2:.0f}" y="{height - 8}" text-anchor="middle">{escape(label)}</text>'
    )
    name = escape(f"{label}: {', '.join(bar.name for bar in bars)}", quote=True)
    return f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{name}">{"".join(parts)}</svg>'
