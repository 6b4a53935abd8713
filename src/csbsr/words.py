"""Text that comes from files, names above all, as a terminal and a spreadsheet may be shown it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

#: A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: Unicode's categories of what is not to be printed: control, surrogate (bytes that are no UTF-8), line and paragraph.
_HIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: Marks that turn the direction of what follows, so that a name reads as another one.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: object) -> str:
    """``text`` on one line, with whatever steers a terminal written as an escape such as ``\\x1b``.

    Args:
        text: a name or a message; anything else as `str` writes it.

    Returns:
        Text without control characters, line breaks, direction marks and lone surrogates.  A byte of a file name that
        is no UTF-8 is written as ``\\xff``.
    """
    return "".join(_escaped(character) for character in str(text))


def first_names(names: Sequence[object], most: int = 3) -> str:
    """The first of some names, and whether there are more."""
    return ", ".join(map(printable, names[:most])) + (", …" if len(names) > most else "")


def printable_lines(text: object) -> str:
    """As `printable`, line by line: for a text of several lines."""
    return "\n".join(map(printable, str(text).split("\n")))


def _escaped(character: str) -> str:
    if character not in _TURNING and unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps such a byte
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def spreadsheet_text(text: str) -> str:
    """``text`` as a cell that no spreadsheet runs: a ``'`` before what it would take for a formula.

    Numbers are to be written as numbers; this is for words.  `from_spreadsheet` gives ``text`` back exactly.
    """
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def from_spreadsheet(cell: str) -> str:
    """The text of which `spreadsheet_text` made ``cell``."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell
