"""Errors that a command reports in a line, wherever they come from."""

from __future__ import annotations


class NonFiniteLoss(RuntimeError):
    """The loss became NaN or infinite; training stopped before the update."""
