"""Tables and records as text for files: CSV and JSON, in which what is not known is empty or null."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from csbsr import plain
from csbsr.words import from_spreadsheet, spreadsheet_text

_NUMBER = re.compile(r"[+-]?[\d.]+([eE][+-]?\d+)?")


def csv_text(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as the text of a CSV file with ``columns``; None and what is not finite are empty, True and False 1 and 0.

    Entries of a row that are no column are left out, missing ones are empty.  What a spreadsheet would run is marked,
    see `csbsr.words.spreadsheet_text`.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, extrasaction="ignore", restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return stream.getvalue()


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file of `csv_text`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no table, or a row is longer than its head.
    """
    if not path.is_file():  # a pipe would be waited for
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = list(csv.DictReader(file))
    except csv.Error as error:
        raise ValueError(f"{path.name}: {error}") from error
    if any(None in row or None in row.values() for row in rows):
        raise ValueError(f"{path.name}: a row with more or fewer entries than the first line")
    return [{key: from_spreadsheet(value) for key, value in row.items()} for row in rows]


def json_text(value: Any) -> str:
    """``value`` as JSON, with null for what is not finite."""
    return json.dumps(_defined(value), indent=1, ensure_ascii=False, allow_nan=False)


def json_line(value: Any) -> str:
    """As `json_text`, on one line."""
    return json.dumps(_defined(value), ensure_ascii=False, allow_nan=False)


def read_json(path: Path) -> Any:
    """The contents of a JSON file; names of files in it may hold bytes that are no UTF-8.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no JSON, nested without end, or very large.
    """
    return plain.read_json(path, path.name)


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return spreadsheet_text(value)
    return "" if value is None or (isinstance(value, float) and not math.isfinite(value)) else value


def _defined(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _defined(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_defined(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
