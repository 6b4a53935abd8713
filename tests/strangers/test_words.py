"""Names as a terminal and a spreadsheet may be shown them."""

import csv
import io

import pytest

from csbsr.words import from_spreadsheet, printable, spreadsheet_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("bröcke (2).jpg", "bröcke (2).jpg"),
        ("裂缝 α.png", "裂缝 α.png"),
        ("a\x1b[2J\x1b]0;owned\x07.jpg", r"a\x1b[2J\x1b]0;owned\x07.jpg"),
        ("two\nlines\r.jpg", r"two\nlines\r.jpg"),
        ("\x9b31m.jpg", r"\x9b31m.jpg"),
        ("\udcff\udc80.jpg", r"\xff\x80.jpg"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("a\u2028b", r"a\u2028b"),
        ("\x7f", r"\x7f"),
    ],
)
def test_what_steers_a_terminal_is_escaped(text, shown):
    assert printable(text) == shown
    printable(text).encode()  # no lone surrogate is left


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"), ("+1+1.jpg", "'+1+1.jpg"),
        ("-2.jpg", "'-2.jpg"), ("@sum.jpg", "'@sum.jpg"),
        ("\t=1", "'\t=1"), ("'=1", "''=1"), ("a=b.jpg", "a=b.jpg"), ("'quoted'.jpg", "'quoted'.jpg"), ("", ""),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula_and_the_name_comes_back(text, cell):
    assert spreadsheet_text(text) == cell
    assert from_spreadsheet(cell) == text
    stream = io.StringIO()
    csv.writer(stream).writerow([spreadsheet_text(text), "b"])
    assert from_spreadsheet(next(csv.reader(io.StringIO(stream.getvalue(), newline="")))[0]) == text
