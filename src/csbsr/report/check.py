"""The page and the record of a look at a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from markupsafe import Markup

from csbsr.data.audit import FAULTS, Audit, Part
from csbsr.pages.charts import Line, line_chart, series_key
from csbsr.pages.templates import template

_MOST = 500  # faults of a kind on the page
_WIDEST = 24  # pixels, of the chart
#: What each kind means and what to do, for the page.
MEANINGS: Mapping[str, str] = {
    "folder": "A part could not be looked at.",
    "format": "Photographs in a format that is not read.",
    "name twice": "Two files have one name up to the suffix, so it is not known which belongs to the other folder.",
    "no mask": "Images without a mask. Add masks, all black where there is no crack.",
    "no image": "Masks without an image; they are ignored.",
    "unreadable image": "Images that cannot be read to their end.",
    "unreadable mask": "Masks that cannot be read to their end.",
    "size": "An image and its mask differ in size.",
    "values": "The values of a mask are not those of crack and background.",
    "no cracks": "No mask of the part holds a crack: there is nothing to learn or to measure.",
    "inverted": "Nearly all masks of the part are crack on more than half of their pixels.",
    "duplicate": "Images with the same pixels within a part.",
    "leak": "Images with the same pixels in two parts: what is tested was trained on.",
    "near duplicate": "Images within a part that show the same, saved, resized or brightened again.",
    "near leak": "Images in two parts that show the same, saved, resized or brightened again.",
}


def record_of(found: Audit, about: Mapping[str, Any]) -> dict[str, Any]:
    """What ``check.json`` holds: a format number, the run, the parts, and every fault."""
    return {
        "format": 1,
        **about,
        "counts": found.counts(),
        "parts": [{**asdict(part), "width_edges_px": list(Part.edges)} for part in found.parts],
        "faults": [fault._asdict() for fault in found.faults],
    }


def check_page(found: Audit, about: Mapping[str, Any]) -> str:
    """The page: parts, faults by kind, widths of cracks against the scale.

    Args:
        found: what was seen.
        about: of the run: ``root``, ``scale``, ``date``.
    """
    scale = int(about["scale"])
    groups = [
        (kind, MEANINGS[kind], [fault for fault in found.faults if fault.kind == kind])
        for kind in FAULTS
        if any(fault.kind == kind for fault in found.faults)
    ]
    return template("report", "check.html").render(
        title="Data set",
        about=about,
        parts_of_set=found.parts,
        faults=len(found.faults),
        groups=[(kind, meaning, faults[:_MOST], len(faults)) for kind, meaning, faults in groups],
        chart=_chart(found.parts),
        widths=[(part.name, sentence) for part in found.parts if (sentence := widths_sentence(part, scale))],
        scale=scale,
    )


def widths_sentence(part: Part, scale: int) -> str:
    """How much of the length of a part's cracks is narrower than a pixel of the low-resolution image."""
    share, half = part.narrower(scale), part.narrower(max(1, scale // 2))
    if share is None:
        return ""
    text = f"{100 * share:.0f} % of the length of its cracks is narrower than {scale} px, one pixel after down-scaling"
    if half is not None and scale > 1:
        text += f"; {100 * half:.0f} % narrower than {max(1, scale // 2)} px, which hardly leaves a trace"
    return f"{text} (of {part.measured} masks)"


def _chart(parts: list[Part]) -> dict[str, Any] | None:
    """Shares of the length of cracks by width, a line for each part."""
    edges = list(Part.edges)
    lines = []
    for part in parts:
        total = sum(part.widths)
        if total:
            steps = [
                (place, count / total)
                for low, high, count in zip(edges, edges[1:], part.widths, strict=False)
                for place in (low, high)
                if low < _WIDEST
            ]
            lines.append(Line(part.name, [x for x, _ in steps], [y for _, y in steps]))
    if not lines:
        return None
    return {
        "title": "Length of cracks by their width",
        "svg": Markup(line_chart(lines, "width, px of the mask", "share of the length")),
        "legend": [(Markup(series_key(i)), line.name) for i, line in enumerate(lines)],
        "note": "",
    }
