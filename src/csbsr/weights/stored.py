"""The configuration that a checkpoint stores, as it may be used: references within it, and nothing of this machine.

A configuration refers to its own entries (``${scale}``) and, by *resolvers*, to whatever is outside it: environment
variables, times, files.  What a stranger's file asks for in that way would end up in reports, so no resolver runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from csbsr.plain import check_plain
from csbsr.words import printable

_REFERENCE = re.compile(r"\$\{\.*[A-Za-z_]\w*(\.\w+)*\}")
#: Where data sets lie, as csbsr 0.1 stored it.
_DATA_ROOT = re.compile(r"\$\{oc\.env:CSBSR_DATA,\s*datasets\}(?P<rest>(/[\w.-]+)?)")
_MOST_VALUES = 20_000


def stored_settings(config: Mapping[str, Any], used: tuple[str, ...], name: str) -> dict[str, Any]:
    """A copy of a stored configuration without resolvers.

    An entry with one is left out, unless it is under ``used``: there the user has to say it.  The folder of the data as
    version 0.1 stored it, ``${oc.env:CSBSR_DATA,datasets}/…``, takes today's value of that variable.

    Args:
        config: ``config`` of a card.
        used: top-level entries that will be read.
        name: of the file, for errors.

    Returns:
        Plain containers; every ``${`` in them is a reference to another entry, alone in its text.

    Raises:
        ValueError: an entry that is used has a resolver, or references stand for very much or for themselves.
    """
    check_plain(config, f"{name}: config")
    cleaned = {key: _cleaned(value, key, key in used, name) for key, value in config.items()}
    cleaned = {key: value for key, value in cleaned.items() if value is not _LEFT_OUT}
    for key in used:
        if key in cleaned:
            _check_size(cleaned, key, name)
    return cleaned


_LEFT_OUT, _NOTHING = object(), object()


def _cleaned(value: Any, place: str, used: bool, name: str) -> Any:
    if isinstance(value, Mapping):
        parts = {key: _cleaned(part, f"{place}.{key}", used, name) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part is not _LEFT_OUT}
    if isinstance(value, (list, tuple)):
        return [part for item in value if (part := _cleaned(item, place, used, name)) is not _LEFT_OUT]
    if not isinstance(value, str) or "${" not in value or _REFERENCE.fullmatch(value):
        return value
    root = _DATA_ROOT.fullmatch(value)
    if root is not None and place == "data.root" and ".." not in root["rest"]:
        return os.environ.get("CSBSR_DATA", "datasets") + root["rest"]
    if used:
        raise ValueError(
            f"{name}: {printable(place)} is stored as {printable(value)[:80]}, which a file may not ask of this "
            f"machine; give {printable(place)}=<value> yourself"
        )
    return _LEFT_OUT


def _check_size(config: Mapping[str, Any], key: str, name: str) -> None:
    """Refuse references that lead in a circle, or that stand for more and more."""
    sizes: dict[tuple[str, ...], int] = {}

    def size_at(place: tuple[str, ...], above: tuple[tuple[str, ...], ...]) -> int:
        if place in above or len(above) > 64:
            raise ValueError(f"{name}: config: {printable('.'.join(place))} refers to itself")
        if place not in sizes:
            value = _at(config, place)
            if value is _NOTHING:
                raise ValueError(f"{name}: config: refers to {printable('.'.join(place))}, which it does not hold")
            sizes[place] = size_of(value, place, (*above, place))
        return sizes[place]

    def size_of(value: Any, place: tuple[str, ...], above: tuple[tuple[str, ...], ...]) -> int:
        if isinstance(value, Mapping):
            total = 1 + sum(size_of(part, (*place, str(part_key)), above) for part_key, part in value.items())
        elif isinstance(value, list):
            total = 1 + sum(size_of(part, (*place, str(index)), above) for index, part in enumerate(value))
        elif isinstance(value, str) and _REFERENCE.fullmatch(value):
            total = size_at(_target(value, place), above)
        else:
            total = 1
        if total > _MOST_VALUES:
            raise ValueError(f"{name}: config: {printable('.'.join(place))} stands for more than {_MOST_VALUES} values")
        return total

    size_at((key,), ())


def _target(reference: str, place: tuple[str, ...]) -> tuple[str, ...]:
    """Which entry a reference at ``place`` means: ``${a.b}`` from the top, ``${.a}`` beside it, ``${..a}`` above."""
    text = reference[2:-1]
    dots = len(text) - len(text.lstrip("."))
    names = tuple(text.lstrip(".").split("."))
    return (*place[: len(place) - dots], *names) if dots else names


def _at(config: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    """The entry at ``place``; `_NOTHING` if there is none."""
    value: Any = config
    for part in place:
        if isinstance(value, Mapping):
            value = value.get(part, _NOTHING)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _NOTHING
    return value
