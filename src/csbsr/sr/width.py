"""How the ``width`` argument of a network shrinks its published channel counts."""

from __future__ import annotations


def scaled(channels: int, width: float, multiple: int = 8) -> int:
    """``width · channels`` rounded to a whole multiple of ``multiple``, at least ``multiple``; exact at width 1.

    Raises:
        ValueError: ``width`` is not positive.
    """
    if not width > 0:
        raise ValueError(f"width: expected a positive fraction of the published channel counts, got {width}")
    if width == 1:
        return channels
    return max(multiple, round(channels * width / multiple) * multiple)
