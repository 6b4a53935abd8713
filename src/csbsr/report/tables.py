"""One table of several evaluations, the published rows beside them: Markdown, CSV, LaTeX."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from csbsr.pages.files import csv_text
from csbsr.report.collect import Evaluation
from csbsr.report.published import FOOTNOTE, PUBLISHED


class Column(NamedTuple):
    """A column of the table."""

    key: str  #: as in `csbsr.metrics.CrackMetrics.compute` and `csbsr.measure.comparison.summary`
    title: str
    digits: int
    better: str = ""  #: "higher" or "lower", where one of them is


COLUMNS = (
    Column("images", "images", 0),
    Column("iou_max", "IoU_max", 3, "higher"),
    Column("aiu", "AIU", 3, "higher"),
    Column("hd95_min", "HD95_min", 2, "lower"),
    Column("ahd95", "AHD95", 2, "lower"),
    Column("hd50_min", "HD50_min", 2, "lower"),
    Column("ahd50", "AHD50", 2, "lower"),
    Column("iou_lost", "IoU lost by threshold", 3, "lower"),
    Column("f1", "F1", 3, "higher"),
    Column("f1_2px", "F1 (2 px)", 3, "higher"),
    Column("cldice", "clDice", 3, "higher"),
    Column("width_mae", "width MAE, px", 2, "lower"),
    Column("width_bias", "width bias, px", 2),
    Column("width_ratio", "width ratio", 2),
    Column("width_error_90", "width error 90 %, px", 2, "lower"),
    Column("length_found", "length found", 3, "higher"),
    Column("psnr", "PSNR", 2, "higher"),
    Column("psnr_interior", "PSNR without frame", 2, "higher"),
    Column("ssim", "SSIM", 3, "higher"),
    Column("kernel_psnr", "kernel PSNR", 2, "higher"),
)  # fmt: skip
PUBLISHED_MARK = "†"
_FOOTNOTED = ("hd95_min", "ahd95")


class Row(NamedTuple):
    """A line of the table: texts by column."""

    name: str
    system: str
    data: str
    values: dict[str, float]
    published: bool = False

    def text(self, column: Column) -> str:
        """The value with the column's digits; a dash where there is none, a mark where the footnote applies."""
        value = self.values.get(column.key, math.nan)
        if math.isnan(value):
            return "–"
        mark = PUBLISHED_MARK if self.published and column.key in _FOOTNOTED else ""
        return f"{value:.{column.digits}f}{mark}"


def table_rows(evaluations: Sequence[Evaluation]) -> list[Row]:
    """The evaluations, then the published rows."""
    ours = [Row(e.label, e.system, e.data, e.metrics) for e in evaluations]
    return ours + [Row(name, "published", "khanhha", values, True) for name, values in PUBLISHED.items()]


def shown_columns(evaluations: Sequence[Evaluation]) -> list[Column]:
    """The columns of which some evaluation has a value."""
    return [c for c in COLUMNS if any(not math.isnan(e.metrics.get(c.key, math.nan)) for e in evaluations)]


def markdown(evaluations: Sequence[Evaluation]) -> str:
    """A GitHub-flavoured Markdown table with its footnote."""
    columns = shown_columns(evaluations)
    lines = [
        "| run | system | data | " + " | ".join(column.title for column in columns) + " |",
        "|---|---|---|" + "---:|" * len(columns),
    ]
    for row in table_rows(evaluations):
        cells = [*(escaped(text) for text in (row.name, row.system, row.data)), *(row.text(c) for c in columns)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"{PUBLISHED_MARK} {FOOTNOTE}", ""])


def comma_separated(evaluations: Sequence[Evaluation]) -> str:
    """CSV with every number of every evaluation, unrounded; a column says which rows are published."""
    keys = dict.fromkeys(key for evaluation in evaluations for key in evaluation.metrics)
    rows = [
        {"run": row.name, "system": row.system, "data": row.data, "published": "yes" if row.published else "no"}
        | row.values
        for row in table_rows(evaluations)
    ]
    return csv_text(rows, ["run", "system", "data", "published", *keys])


def latex(evaluations: Sequence[Evaluation]) -> str:
    r"""A ``tabular`` with rules of ``booktabs``, its footnote below; ``\usepackage{booktabs}``."""
    columns = shown_columns(evaluations)
    arrows = {"higher": r" $\uparrow$", "lower": r" $\downarrow$", "": ""}
    titles = [_latex(column.title) + arrows[column.better] for column in columns]
    lines = [
        rf"\begin{{tabular}}{{ll{'r' * len(columns)}}}",
        r"\toprule",
        " & ".join(["run", "data", *titles]) + r" \\",
        r"\midrule",
    ]
    rows = table_rows(evaluations)
    for i, row in enumerate(rows):
        if row.published and not rows[i - 1].published:
            lines.append(r"\midrule")
        name = row.name if row.published else f"{row.name} ({row.system})"
        cells = [_latex(name), _latex(row.data), *(_latex(row.text(column)) for column in columns)]
        lines.append(" & ".join(cells) + r" \\")
    lines += [
        r"\bottomrule",
        r"\end{tabular}",
        "",
        rf"\par\smallskip\footnotesize \textsuperscript{{\textdagger}} {_latex(FOOTNOTE)}",
    ]
    return "\n".join(lines) + "\n"


def same_data(evaluations: Sequence[Evaluation]) -> bool:
    """Whether all evaluations saw the same low-resolution images, by what their run cards say."""
    return len({seen_data(evaluation.card) for evaluation in evaluations}) <= 1


def seen_data(card: dict[str, Any]) -> str:
    """What tells of the low-resolution images that an evaluation saw, by its run card; equal for equal images."""
    seen = {key: card["data"].get(key) for key in ("fingerprint", "images")} | {"scale": card.get("scale")}
    if card["data"].get("name") != "degraded":  # else the images are files, which the fingerprint covers
        seen |= {"seed": card.get("seed"), "degradation": card.get("config", {}).get("degradation")}
    return json.dumps(seen, sort_keys=True)


def escaped(text: str) -> str:
    """The text without what Markdown would read as its own."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("_", "\\_").replace("`", "\\`")


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "×": r"$\times$", "β": r"$\beta$",
    "†": r"\textsuperscript{\textdagger}",
}  # fmt: skip


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
