"""What an evaluation folder says, checked before a page is made of it; it may come from anyone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from csbsr.inside import check_relative
from csbsr.plain import check_plain, field, is_kind, kind_of
from csbsr.words import printable

_MOST_METRICS = 1000
_TEXTS = ("command", "version", "date", "commit")
_NUMBERS = ("scale", "seed", "recommended_threshold")


def check_metrics(values: Any) -> None:
    """Check ``metrics.json``: numbers by name, null where a metric is undefined.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"metrics.json: expected a mapping of numbers, got {kind_of(values)}")
    check_plain(values, "metrics.json", most=_MOST_METRICS, deepest=1)
    for key, value in values.items():
        if value is not None and not is_kind(value, float):
            raise ValueError(f"metrics.json: {printable(key)}: expected a number, got {kind_of(value)}")
        if value is not None and math.isinf(value):
            raise ValueError(f"metrics.json: {printable(key)}: expected a finite number, got {value}")


def check_run_card(card: Any) -> None:
    """Check those entries of ``run_card.json`` that pages and tables read.

    Raises:
        ValueError: one is missing or of another kind.
    """
    name = "run_card.json"
    if not isinstance(card, Mapping):
        raise ValueError(f"{name}: expected a mapping, got {kind_of(card)}")
    check_plain(card, name)
    network, data = field(card, "network", dict, name), field(card, "data", dict, name)
    for part in ("sr", "segmentor"):
        inner = network.get(part)
        if inner is not None and not isinstance(inner, Mapping):
            raise ValueError(f"{name}: network.{part}: expected a mapping, got {kind_of(inner)}")
        if isinstance(inner, Mapping) and not isinstance(inner.get("network", {}), Mapping):
            raise ValueError(f"{name}: network.{part}.network: expected a mapping, got {kind_of(inner['network'])}")
    for key, kind in (("name", str), ("degradation", str), ("fingerprint", str), ("images", int)):
        if data.get(key) is not None:
            field(data, key, kind, f"{name}: data")
    kinds: dict[str, type] = dict.fromkeys(_TEXTS, str) | dict.fromkeys(_NUMBERS, float)
    for key, entry_kind in {**kinds, "config": dict, "training": dict}.items():
        if card.get(key) is not None:
            field(card, key, entry_kind, name)


def check_names(names: Iterable[str | None]) -> None:
    """Check the names of images: paths below a folder, where their pictures lie.

    Raises:
        ValueError: one leads elsewhere, or is missing.
    """
    for name in names:
        if not isinstance(name, str):
            raise ValueError("per_image.csv: a row without a name")
        check_relative(name, "per_image.csv: name")
