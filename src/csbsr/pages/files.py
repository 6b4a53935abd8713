"""Tables and records as text for files: CSV and JSON, in which what is not known is empty or null."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def csv_text(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as the text of a CSV file with ``columns``; None and what is not finite are empty, True and False 1 and 0.

    Entries of a row that are no column are left out, missing ones are empty.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, extrasaction="ignore", restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return stream.getvalue()


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def json_text(value: Any) -> str:
    """``value`` as JSON, with null for what is not finite."""
    return json.dumps(_defined(value), indent=1, ensure_ascii=False, allow_nan=False)


def read_json(path: Path) -> Any:
    """The contents of a JSON file; names of files in it may hold bytes that are no UTF-8.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no JSON.
    """
    return json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return "" if value is None or (isinstance(value, float) and not math.isfinite(value)) else value


def _defined(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _defined(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_defined(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
