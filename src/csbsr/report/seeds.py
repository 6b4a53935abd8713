"""Evaluations that differ in nothing but the seed, taken together, and the systems compared on the same images."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from csbsr.report.collect import Evaluation
from csbsr.report.statistics import Estimate, over_images, over_seeds, paired
from csbsr.report.tables import COLUMNS, escaped, seen_data

#: Words of a training that do not make another system.
_NOT_THE_SYSTEM = (
    "seed", "output", "ckpt", "resume", "cluster", "objective", "save_every_minutes", "data.num_workers",
)  # fmt: skip
#: Metrics of each image by which systems are compared, those that are there.
COMPARED = ("aiu", "iou", "hd95", "psnr")
_MOST_SYSTEMS = 8  # of which every two are compared


@dataclass(frozen=True)
class Seeds:
    """The evaluations of one system on one test, a seed each.

    Attributes:
        name: what tells it from the other systems.
        evaluations: by seed.
    """

    name: str
    evaluations: tuple[Evaluation, ...]

    @property
    def images(self) -> list[str]:
        """The images that all of them have."""
        return sorted(set.intersection(*(set(one.rows) for one in self.evaluations)))

    def of_images(self, key: str, images: Sequence[str]) -> np.ndarray:
        """A metric (S, N) of each image by each seed; NaN where there is none."""
        return np.array([[one.rows[name].get(key, math.nan) for name in images] for one in self.evaluations])

    def estimate(self, key: str) -> Estimate | None:
        """The metric ``key`` of the reports, with its interval where it is a mean over images; None without one."""
        values = np.array([one.metrics.get(key, math.nan) for one in self.evaluations])
        if np.isnan(values).any():
            return None
        rows = self.of_images(key, self.images)
        if rows.size and not np.isnan(rows).any() and np.allclose(rows.mean(1), values, rtol=1e-6, atol=1e-9):
            return over_images(rows)
        return over_seeds(values)


def grouped(evaluations: Sequence[Evaluation]) -> list[Seeds]:
    """The evaluations by system and test, in the order in which the systems first appear.

    What belongs together has the same network, was trained by the same words but for the seed, and saw the same images.
    """
    together: dict[str, list[Evaluation]] = {}
    words: dict[str, tuple[str, ...]] = {}
    for one in evaluations:
        own = _words(one)
        key = json.dumps([one.card["network"], own or one.label, seen_data(one.card)], sort_keys=True)
        together.setdefault(key, []).append(one)
        words[key] = own
    shared = set.intersection(*(set(each) for each in words.values())) if words else set()
    names = {
        key: " ".join([group[0].system, *(word for word in words[key] if word not in shared)])
        for key, group in together.items()
    }
    names = {
        key: name if list(names.values()).count(name) == 1 else f"{name} ({together[key][0].label})"
        for key, name in names.items()
    }
    return [Seeds(name, tuple(together[key])) for key, name in names.items()]


def _words(one: Evaluation) -> tuple[str, ...]:
    training = one.card.get("training")
    words = training.get("overrides") if isinstance(training, dict) else None
    words = [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
    return tuple(sorted(word for word in words if word.partition("=")[0].lstrip("+~") not in _NOT_THE_SYSTEM))


def statistics(evaluations: Sequence[Evaluation]) -> str:
    """Mean, spread over seeds and interval over images of each system, and paired tests of every two: Markdown."""
    systems = grouped(evaluations)
    lines = [
        "Mean over the seeds ± their standard deviation; in brackets the 95 % interval over images (BCa bootstrap of "
        "the images' means over the seeds), for metrics that are means over images.",
        "",
    ]
    columns = [c for c in COLUMNS if c.key != "images" and any(system.estimate(c.key) for system in systems)]
    lines += [
        "| system | seeds | images | " + " | ".join(column.title for column in columns) + " |",
        "|---|---:|---:|" + "---:|" * len(columns),
    ]
    for system in systems:
        cells = [_text(system.estimate(column.key), column.digits) for column in columns]
        head = (escaped(system.name), str(len(system.evaluations)), str(len(system.images)))
        lines.append(f"| {' | '.join((*head, *cells))} |")
    tests = [line for pair in combinations(systems[:_MOST_SYSTEMS], 2) for line in _tests(*pair)]
    if tests:
        lines += [
            "",
            "Second system less the first on the same images, with its 95 % interval; p of a paired permutation test "
            "(random signs), not corrected for the number of comparisons.",
            "",
            "| first | second | metric | images | difference | 95 % interval | p |",
            "|---|---|---|---:|---:|---:|---:|",
            *tests,
        ]
    return "\n".join([*lines, ""])


def _tests(one: Seeds, other: Seeds) -> list[str]:
    """Lines of the paired tests of two systems; none if they did not see the same images."""
    if seen_data(one.evaluations[0].card) != seen_data(other.evaluations[0].card):
        return []
    images = sorted(set(one.images) & set(other.images))
    lines = []
    for key in COMPARED:
        pair = [system.of_images(key, images).mean(0) for system in (one, other)]
        found = paired(*pair)
        if found.images > 1:
            lines.append(
                f"| {escaped(one.name)} | {escaped(other.name)} | {key} | {found.images} | {found.mean:+.4f} | "
                f"{found.low:+.4f} … {found.high:+.4f} | {found.p:.4f} |"
            )
    return lines


def _text(estimate: Estimate | None, digits: int) -> str:
    if estimate is None or math.isnan(estimate.mean):
        return "–"
    text = f"{estimate.mean:.{digits}f}"
    if not math.isnan(estimate.spread):
        text += f" ± {estimate.spread:.{digits}f}"
    if not math.isnan(estimate.low):
        text += f" [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"
    return text
