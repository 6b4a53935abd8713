"""Tables from spreadsheets as rows of text: any usual separator, encoding and line end, and xlsx."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_SEPARATORS = (";", "\t", ",", "|")
_LARGEST = 64 << 20  # bytes of a table, and of what an xlsx unpacks to


class TableRow(NamedTuple):
    """A row with something in it."""

    line: int  #: in the file, from 1
    cells: dict[str, str]  #: by the header's names as they were asked for; stripped


def read_table(path: str | Path, columns: Sequence[str], optional: Sequence[str] = ()) -> list[TableRow]:
    """The rows of a CSV file or of the first sheet of an xlsx workbook.

    Understood are commas, semicolons, tabs and bars between cells, UTF-8 with or without a mark, UTF-16 and cp1252,
    header names in any letter case with spaces around them, ``sep=;`` on the first line, and rows without anything in
    them, which are passed over.

    Args:
        path: of the file.
        columns: that must be there, in any order among others.
        optional: that may be there; else their cells are empty.

    Raises:
        ValueError: the file cannot be read, or a column is missing; names the file and the line.
    """
    name = Path(path)
    if name.exists() and not name.is_file():
        raise ValueError(f"{name}: expected a table, got a folder, a pipe or a device")
    try:
        data = name.read_bytes()
    except OSError as error:
        raise ValueError(f"{name}: expected a table that can be read, got {error.strerror or error}") from error
    if len(data) > _LARGEST:
        raise ValueError(f"{name}: expected a table of at most {_LARGEST >> 20} MB, got {len(data) >> 20} MB; cut it")
    if data[:4] == b"PK\x03\x04":
        lines = list(_workbook(name, data))
    elif data[:4] == b"\xd0\xcf\x11\xe0":
        raise ValueError(f"{name}: an .xls workbook of Excel 97; save it as .xlsx or CSV")
    else:
        lines = list(_text(name, data, columns))
    return _rows(name, lines, columns, optional)


def number(text: str) -> float:
    """A number as people write it: with a decimal comma, thousands apart, and a unit ``mm`` behind it.

    Raises:
        ValueError: it is none.
    """
    word = text.strip().strip("'\"").replace("\u00a0", " ").replace("\u202f", " ").replace("\u2212", "-")
    lowered = word.casefold()
    for unit in ("mm/px", "mm/pixel", "mm/pix", "mm"):
        if lowered.endswith(unit):
            word = word[: -len(unit)]
            break
    word = word.strip().replace(" ", "")
    if "," in word and "." in word:  # the last one is the decimal mark
        thousands = "," if word.rindex(".") > word.rindex(",") else "."
        word = word.replace(thousands, "")
    if "_" in word:
        raise ValueError(f"expected a number, got {text!r}")
    return float(word.replace(",", "."))


def _text(name: Path, data: bytes, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    text = _decoded(name, data)
    first, _, rest = text.partition("\n")
    start, separator = 1, ""
    if first.strip().casefold().startswith("sep=") and len(first.strip()) == 5:
        separator, text, start = first.strip()[4], rest, 2
    if not separator:
        separator = _separator(text, columns)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for cells in reader:
            yield reader.line_num + start - 1, cells
    except csv.Error as error:
        raise ValueError(f"{name}, line {reader.line_num + start - 1}: expected cells of a table ({error})") from None


def _decoded(name: Path, data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        codes = ["utf-16"]
    elif data[:3] == b"\xef\xbb\xbf":
        codes = ["utf-8-sig"]
    elif data[1:2] == b"\x00" or data[:1] == b"\x00":
        codes = ["utf-16-le" if data[1:2] == b"\x00" else "utf-16-be"]
    else:
        codes = ["utf-8", "cp1252"]
    for code in codes:
        try:
            text = data.decode(code)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        return text.replace("\r\n", "\n").replace("\r", "\n")
    raise ValueError(f"{name}: expected text in UTF-8, UTF-16 or cp1252; save it as CSV (UTF-8) or .xlsx")


def _separator(text: str, columns: Sequence[str]) -> str:
    """The one that makes most of the header's cells ones that are asked for."""
    header = next((line for line in text.splitlines() if line.strip()), "")

    def known(separator: str) -> tuple[int, int]:
        names = {_name(cell) for cell in next(csv.reader([header], delimiter=separator), [])}
        return len(names & {_name(column) for column in columns}), header.count(separator)

    return max(_SEPARATORS, key=known)


def _workbook(name: Path, data: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise ValueError(f"{name}: .xlsx needs openpyxl: pip install 'csbsr[xlsx]', or save it as CSV") from None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise ValueError(f"{name}: expected a workbook of at most {_LARGEST >> 20} MB unpacked; cut it")
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        for line, cells in enumerate(sheet.iter_rows(values_only=True), 1):
            yield line, ["" if cell is None else str(cell) for cell in cells]
    except ValueError:
        raise
    except Exception as error:  # openpyxl raises what its parsers raise
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{name}: expected a workbook ({reason}); save it again, or as CSV") from None


def _rows(
    name: Path, lines: Sequence[tuple[int, list[str]]], columns: Sequence[str], optional: Sequence[str]
) -> list[TableRow]:
    filled = [(line, cells) for line, cells in lines if any(cell.strip() for cell in cells)]
    if not filled:
        raise ValueError(f"{name}: expected the columns {', '.join(columns)}, got an empty table")
    line, header = filled[0]
    names = [_name(cell) for cell in header]
    missing = [column for column in columns if _name(column) not in names]
    if missing:
        shown = ", ".join(cell.strip() for cell in header if cell.strip())[:200]
        raise ValueError(f"{name}, line {line}: expected the columns {', '.join(columns)}, got {shown!r}")
    for column in (*columns, *optional):
        if names.count(_name(column)) > 1:
            raise ValueError(f"{name}, line {line}: column {column} is there twice; keep one")
    wanted = (*columns, *optional)
    places = {column: names.index(_name(column)) if _name(column) in names else len(names) for column in wanted}
    return [
        TableRow(
            count,
            {
                column: cells[place].strip() if place < min(len(cells), len(names)) else ""
                for column, place in places.items()
            },
        )
        for count, cells in filled[1:]
    ]


def _name(cell: str) -> str:
    """A header's name without what spreadsheets and people vary."""
    return cell.strip().strip("'\"\ufeff").strip().casefold().replace(" ", "_").replace("-", "_")
