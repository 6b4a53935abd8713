"""Values that come from a file of whoever wrote it: plain, shallow and few, or refused before they are used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from csbsr.words import printable

DEEPEST = 32  #: how far containers may lie in each other
MOST_VALUES = 200_000  #: values in one description
_LONGEST_TEXT = 100_000
_LARGEST_NUMBER = 2**63
_LARGEST_JSON = 128 << 20  # bytes; beyond it the values alone would take some gigabytes


def check_plain(value: Any, name: str, most: int = MOST_VALUES, deepest: int = DEEPEST) -> None:
    """Check that ``value`` is made of mappings with text keys, lists, texts, numbers, true, false and None alone.

    What is referred to twice counts twice, so that a small file cannot describe something that grows without end.

    Args:
        value: what was read.
        name: of it, for the error.
        most: values that it may hold.
        deepest: how far containers may lie in each other.

    Raises:
        ValueError: something else is in it, it is nested deeper, or holds more; names the place.
    """
    pending: list[tuple[Any, tuple[str, ...]]] = [(value, ())]
    count = 0
    while pending:
        item, place = pending.pop()
        count += 1
        if count > most:
            raise ValueError(f"{name}: holds more than {most} values; expected a short description")
        if len(place) > deepest:
            raise ValueError(f"{name}: nested more than {deepest} deep at {_place(place)}; expected a flat description")
        if isinstance(item, Mapping):
            odd = next((key for key in item if not isinstance(key, (str, int))), None)
            if odd is not None:
                raise ValueError(f"{name}: a key at {_place(place)} is {kind_of(odd)}; expected text")
            pending += [(part, (*place, str(key))) for key, part in item.items()]
        elif isinstance(item, (list, tuple)):
            pending += [(part, (*place, str(index))) for index, part in enumerate(item)]
        else:
            _check_leaf(item, name, place)


def _check_leaf(item: Any, name: str, place: tuple[str, ...]) -> None:
    if isinstance(item, str):
        if len(item) > _LONGEST_TEXT:
            raise ValueError(f"{name}: a text of {len(item)} characters at {_place(place)}")
    elif isinstance(item, (int, float)):
        if isinstance(item, int) and abs(item) > _LARGEST_NUMBER:
            raise ValueError(f"{name}: a number of {item.bit_length()} bits at {_place(place)}")
    elif item is not None:
        raise ValueError(f"{name}: {kind_of(item)} at {_place(place)}; expected text, a number, true, false or null")


def field(container: Mapping[str, Any], key: str, kind: type | tuple[type, ...], name: str) -> Any:
    """``container[key]``, checked to be of ``kind``.

    Raises:
        ValueError: it is missing or something else; says ``name``, what was expected and what was found.
    """
    if key not in container:
        raise ValueError(f"{name}: expected {key} ({expected(kind)}), found none")
    value = container[key]
    if not is_kind(value, kind):
        raise ValueError(f"{name}: {key}: expected {expected(kind)}, got {kind_of(value)}")
    return value


def is_kind(value: Any, kind: type | tuple[type, ...]) -> bool:
    """As isinstance, but true and false are no numbers, and whole numbers are numbers."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) or (float in kinds and isinstance(value, int))


def expected(kind: type | tuple[type, ...]) -> str:
    """The kinds in words."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(_WORDS.get(each, each.__name__) for each in kinds)


def kind_of(value: Any) -> str:
    """What a value is, in words, with the value where it is short."""
    word = next((word for kind, word in _WORDS.items() if type(value) is kind), f"a {type(value).__name__}")
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        text = printable(value) if isinstance(value, str) or abs(value) < _LARGEST_NUMBER else "very large"
        word += f" ({text[:40]}{'…' if len(text) > 40 else ''})"
    return word


def read_json(path: str | Path, name: str, most_bytes: int = _LARGEST_JSON) -> Any:
    """What a JSON file holds.

    Args:
        path: of the file.
        name: by which the error calls it.
        most_bytes: a larger file is not read.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: it is too large, nested too deep, or no JSON.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{name}: no file {printable(path)}")
    size = path.stat().st_size
    if size > most_bytes:
        raise ValueError(f"{name}: {printable(path)} has {size / 1e6:.0f} MB, expected at most {most_bytes / 1e6:.0f}")
    try:
        return json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except RecursionError:
        raise ValueError(f"{name}: {printable(path)} is nested too deep to be read") from None
    except ValueError as error:
        raise ValueError(f"{name}: {printable(path)} is no JSON file ({error})") from error


def _place(place: tuple[str, ...]) -> str:
    if not place:
        return "its top"
    text = printable(".".join(place[:6]))
    return text[:80] + ("…" if len(place) > 6 or len(text) > 80 else "")


_WORDS: dict[type, str] = {
    str: "text", bool: "true or false", int: "a whole number", float: "a number", dict: "a mapping", list: "a list",
    type(None): "null", Mapping: "a mapping",
}  # fmt: skip
