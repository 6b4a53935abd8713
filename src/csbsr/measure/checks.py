"""Checks of settings that come from a command line, where a word or nothing may stand for a number."""

from __future__ import annotations

import math


def check_number(name: str, value: object) -> None:
    """Raise ValueError unless ``value`` is a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ValueError(f"{name}: expected a number, got {value!r}; leave it out for the default")
