"""Tables as spreadsheets save them: the same numbers, or an error with file and line."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csbsr.data.tables import number, read_table
from csbsr.measure import ground_sampling, gsd_of

WANTED = {"a.png": 0.4, "Brücke.jpg": 1.25}
PLAIN = "file,gsd_mm\na.png,0.4\nBrücke.jpg,1.25\n"
GERMAN = "file;gsd_mm\r\na.png;0,4\r\nBrücke.jpg;1,25\r\n"


def xlsx(rows):
    from openpyxl import Workbook

    book, data = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(data)
    return data.getvalue()


SOUND = {
    "plain": PLAIN.encode(),
    "mark": PLAIN.encode("utf-8-sig"),
    "cp1252": GERMAN.encode("cp1252"),
    "utf16": GERMAN.encode("utf-16"),
    "utf16 big": b"\xfe\xff" + GERMAN.encode("utf-16-be"),
    "utf16 without mark": GERMAN.encode("utf-16-le"),
    "semicolons": GERMAN.encode(),
    "tabs": PLAIN.replace(",", "\t").encode(),
    "sep line": b"sep=;\r\n" + GERMAN.encode(),
    "old mac": PLAIN.replace("\n", "\r").encode(),
    "header case": PLAIN.replace("file,gsd_mm", " File , GSD_mm ").encode(),
    "header spaces": PLAIN.replace("gsd_mm", "GSD mm").encode(),
    "blank rows": PLAIN.encode() + b",\n,\n\n   ,  \n",
    "blank first": b"\n,\n" + PLAIN.encode(),
    "more columns": b"note,file,gsd_mm,x\nn,a.png,0.4,\nn,Br\xc3\xbccke.jpg,1.25,9\n",
    "short rows": b"file,gsd_mm,remark\na.png,0.4\nBr\xc3\xbccke.jpg,1.25,,\n",
    "quoted": b'"file","gsd_mm"\n"a.png","0,4"\n"Br\xc3\xbccke.jpg","1,25"\n',
    "units": PLAIN.replace("0.4", "0.4 mm")
    .replace("1.25", "1,25mm")
    .replace(",", ";")
    .replace("1;25", "1,25")
    .encode(),
    "decomposed": PLAIN.replace("ü", "u\u0308").encode(),
    "xlsx": xlsx([["file", "gsd_mm"], ["a.png", 0.4], [None, None], ["Brücke.jpg", "1,25"]]),
}


@pytest.mark.parametrize("kind", SOUND)
def test_the_numbers_are_read(tmp_path, kind):
    path = tmp_path / "table"
    path.write_bytes(SOUND[kind])
    assert ground_sampling(path) == WANTED


BROKEN = {
    "no column": (b"name,gsd_mm\na,1\n", r"table, line 1: expected the columns file, gsd_mm, got 'name, gsd_mm'"),
    "one column": (b"a.png 0.4\n", "line 1: expected the columns"),
    "empty": (b"\n\n", "empty table"),
    "nothing": (b"", "columns file, gsd_mm, got an empty table"),
    "header alone": (b"file,gsd_mm\n", "row for each photograph"),
    "word": (b"file,gsd_mm\n\na.png,thin\n", r"table, line 3: expected gsd_mm above 0 for a.png, got 'thin'"),
    "zero": (b"file;gsd_mm\na.png;0,0\n", "line 2: expected gsd_mm above 0"),
    "not a number": (b"file,gsd_mm\na.png,nan\n", "line 2: expected gsd_mm above 0"),
    "twice": (b"file,gsd_mm\na.png,1\na.png,2\n", "line 3: a.png is listed twice"),
    "no name": (b"file,gsd_mm\n,1\n", "line 2: expected a photograph's name"),
    "missing": (b"file,gsd_mm\na.png,\n", "line 2: expected gsd_mm"),
    "double header": (b"file,gsd_mm,gsd_mm\na,1,2\n", "column gsd_mm is there twice"),
    "binary": (b"file,gsd_mm\n\x00\x81\x9d", "UTF-8"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1", "Excel 97"),
    "zip": (b"PK\x03\x04 and no more", "workbook"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path, kind):
    content, message = BROKEN[kind]
    path = tmp_path / "table"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        ground_sampling(path)
    assert "table" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0,4", 0.4),
        ("0.4 mm", 0.4),
        (" 1,5mm/px", 1.5),
        ("1.234,5", 1234.5),
        ("1,234.5", 1234.5),
        ("1e-1", 0.1),
        ("2", 2),
    ],
)
def test_numbers_as_people_write_them(text, value):
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "mm", "1_0", "0,4,5", "a.png"])
def test_what_is_no_number(text):
    with pytest.raises(ValueError):
        number(text)


def test_names_without_suffix_other_case_backslashes_and_unicode_form():
    gsd = {"north/IMG_1": 0.4, "c.jpg": 1.0, "Brücke.jpg": 2.0}
    assert gsd_of("north/img_1.JPG", gsd) == 0.4
    assert gsd_of("sub/C.JPG", gsd) == 1.0
    assert gsd_of("Bru\u0308cke.jpg", gsd) == 2.0
    assert gsd_of("d.jpg", gsd) is None
    assert gsd_of("x/a.jpg", {"a.png": 1.0, "a": 2.0}) == 2.0


def test_a_path_with_backslashes(tmp_path):
    (tmp_path / "t.csv").write_text("file,gsd_mm\nnorth\\a.jpg,0.5\n")
    assert gsd_of("north/a.jpg", ground_sampling(tmp_path / "t.csv")) == 0.5


@settings(max_examples=60, deadline=None)
@given(
    rows=st.dictionaries(
        st.text(st.characters(categories=("L", "N"), include_characters=" _-.;,'\""), min_size=1, max_size=12).filter(
            lambda name: name.strip(" '\"").strip()),
        st.floats(0.001, 1000).map(lambda value: round(value, 4)), min_size=1, max_size=8),
    separator=st.sampled_from(",;\t"), comma=st.booleans(), code=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)  # fmt: skip
def test_round_trip_of_tables(tmp_path_factory, rows, separator, comma, code):
    import csv

    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(["File", "gsd_mm"])
    for name, value in rows.items():
        writer.writerow([name, repr(value).replace(".", ",") if comma else repr(value)])
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(text.getvalue().encode(code))
    read = [(row.cells["file"], number(row.cells["gsd_mm"])) for row in read_table(path, ("file", "gsd_mm"))]
    assert read == [(name.strip(), pytest.approx(value)) for name, value in rows.items()]
