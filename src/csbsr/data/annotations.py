"""What files of polygons share, LabelMe's and COCO's: JSON is read within limits, labels are crack or left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from csbsr.data.errors import DataError
from csbsr.data.limits import check_memory
from csbsr.data.mask_values import MaskRule
from csbsr.data.regular import check_regular

EXCLUDE = "exclude"  #: label of areas that are left out
LARGEST_SIDE = 100_000  #: pixels of an image that a file may tell of
_IGNORED_NAMES = ("ignore", "ignored", EXCLUDE)
_LARGEST_FILE = 1 << 30  # bytes
_VALUES = 12  # bytes of values to a byte of JSON


def read_json(path: str | Path, expected: str) -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        path: of the file.
        expected: what it ought to hold, for the error.

    Raises:
        DataError: it cannot be read, is too large, or is no JSON object.
    """
    size = check_regular(path)
    if size > _LARGEST_FILE:
        raise DataError.about(path, f"{size >> 20} MB of JSON", f"at most {_LARGEST_FILE >> 20} MB", "Divide the set.")
    check_memory(path, _VALUES * size)
    try:
        content = json.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise DataError.about(path, f"no readable file ({error.strerror})", expected, "Check your rights.") from error
    except (ValueError, RecursionError) as error:
        raise DataError.about(path, f"no JSON ({error})", expected, "Export it again.") from error
    if not isinstance(content, dict):
        raise DataError.about(path, "JSON of another kind", expected, "Export it again.")
    return content


def is_crack(name: str, rule: MaskRule) -> bool:
    """Whether a label means crack: it is the rule's, or holds ``crack`` where the rule has none; in any letter case."""
    if rule.crack_label is not None:
        return name.casefold() == str(rule.crack_label).casefold()
    return "crack" in name.casefold()


def is_ignored(name: str, rule: MaskRule) -> bool:
    """Whether a label means an area that is left out: it is the rule's, ``ignore`` or ``exclude``."""
    if rule.ignore_label is not None and name.casefold() == str(rule.ignore_label).casefold():
        return True
    return name.casefold() in _IGNORED_NAMES
