"""The inspection report: what it says, that it stays small and loads nothing, and that it works in a real browser."""

import re

import numpy as np
import pytest
from PIL import Image

from csbsr.inspection import page as inspection
from csbsr.inspection import viewer
from csbsr.inspection.lines import Frame
from csbsr.inspection.measuring import Measuring
from csbsr.inspection.page import Entry, inspection_page, remarks, shown_columns
from csbsr.inspection.page_widths import both_units
from csbsr.inspection.record import BICUBIC, DONE, MEASURED, MEASURED_BICUBIC, Agreement, Metadata, Record
from csbsr.inspection.report import entry_for, write_report
from csbsr.inspection.store import PREDICT, GrowingFiles, Store
from csbsr.inspection.views import embedded_views, shrunken_layer, width_layer
from csbsr.measure import WidthGuide, measure_cracks
from tests.report.browser import NEEDS_BROWSER
from tests.report.html_check import checked

GUIDE = WidthGuide("Guide, table 1", "a book", [{"exposure": "wet", "width_mm": 1.0}], note="A note.")
NAMES = ("wall/a <b>&.jpg", "wall/plain (2), [x] = 1.jpg", "ü 10.jpg", "ü 9.jpg")


def mask(width):
    found = np.zeros((90, 120), bool)
    found[30 : 30 + width, 10:110] = True
    found[70:72, 0:40] = width > 0
    return found


def measured(store, name, width, measuring, metadata=None, agreement=None):
    """One photograph's files and record; the bicubic result is a pixel wider."""
    stem = name.rpartition(".")[0]
    measurement = measuring.measure(name, mask(width), 0.5, 4)
    photograph = np.random.default_rng(width).integers(60, 200, (30, 40, 3), np.uint8)
    sr = np.asarray(Image.fromarray(photograph).resize((120, 90)))
    kinds = ("widths", "cracks")
    with store.growing() as partial:
        files = GrowingFiles(store.places(stem, kinds), store.pictures(stem), partial)
        measuring.save(measurement, name, files, photograph, sr, Frame(4))
        files.move()
    return Record(
        name, DONE, metadata=metadata, agreement=agreement, stem=stem, measured=measuring.numbers(measurement),
        bicubic=measuring.numbers(measuring.measure(name, mask(width + 1), 0.5, 4)),
        results=store.results(stem, kinds),
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspection")
    gsd = {name: 1.0 for name in NAMES}
    measuring = Measuring(gsd, GUIDE)
    store = Store(folder, PREDICT)
    place = Metadata(latitude=48.2, longitude=-11.5, taken="2024-05-01")
    for record in (
        Record("broken.jpg", error="a damaged <file>"),
        measured(store, NAMES[0], 8, measuring, place, Agreement(0.02)),
        measured(store, NAMES[1], 3, measuring, agreement=Agreement(0.09, consistency_flag=True)),
        measured(store, NAMES[2], 12, measuring, agreement=Agreement(0.01)),
        measured(store, NAMES[3], 0, measuring, agreement=Agreement(0.03)),
    ):
        store.put(record)
    write_report(store, measuring, ("photograph", "super-resolved"), {"network": "KBPN"})
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_page_is_whole_and_loads_nothing(folder, page):
    checker = checked(page, beside=folder)
    text = " ".join("".join(checker.text).split())
    for expected in (
        "Preliminary.", "qualified engineer", "5photographs", "1not readable", "3with cracks", "a damaged <file>",
        "wall/a <b>&.jpg", "48.200000, -11.500000", "2024-05-01", "over 1.00 mm", "Guide, table 1", "A note.",
        "does not agree with the photograph", "at the limit of measurement", "KBPN", "super-resolved",
    ):  # fmt: skip
        assert expected in text
    assert "geo:48.200000,-11.500000" in checker.links
    assert sum(tag == "article" for tag, _ in checker.tags) == 4
    assert sum(tag == "input" and pairs["type"] == "range" for tag, pairs in checker.tags) == 4


def test_numbers_of_a_photograph(page):
    article = page[page.index('id="p1"') : page.index('id="p2"')]
    figures = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", article))
    assert figures["cracks"] == "2"
    assert figures["largest width"] == "2.00 (1.93–2.08) mm (8.0 px)"  # 8 ± 0.3 pixels of a quarter of a millimetre
    assert re.fullmatch(r"3[45]\.\d ± \d\.\d mm \(1[34]\d px\)", figures["length"])
    compared = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td>', article)
    assert ("largest width", "2.00 mm (8.0 px)", "2.25 mm (9.0 px)") in compared
    assert "<span>0.00</span><span>1.00</span><span>2.00+</span>" in article
    assert 'style="width:16.667%"' in article  # 5 mm of 30 mm
    assert ">5 mm</span>" in article


def test_a_photograph_without_cracks(page):
    article = page[page.index('id="p4"') :]
    assert "<dt>cracks</dt><dd>0</dd>" in article
    assert "<dt>length</dt>" not in article
    assert "crack width, mm" not in article  # nothing is coloured


def test_rows_keep_their_columns(folder):
    measuring = Measuring()
    found = measuring.numbers(measuring.measure("a", mask(3), 0.5, 1))
    row = Record("a", measured=found, bicubic=found).row()
    assert list(row) == ["file", "status", "error", *MEASURED, *MEASURED_BICUBIC]
    assert row["length_mm"] is row["severity"] is row[f"{BICUBIC}severity"] is None
    assert row["cracks"] == row["bicubic_cracks"] == 2


def test_columns_follow_what_is_known():
    px = {"file": "a", "cracks": 1, "length_px": 9, "width_percentile_px": 2, "percentile": 90}
    assert [column.title for column in shown_columns([px])] == ["width, 90 % below, px", "length, px", "cracks"]
    mm = px | {"length_mm": 3, "width_percentile_mm": 0.5}
    assert [column.key for column in shown_columns([px, mm])] == [
        "width_percentile_mm", "width_percentile_px", "length_mm", "cracks",
    ]  # fmt: skip


def test_without_millimetres_the_width_comes_before_what_it_is_compared_with():
    px = {"file": "a", "width_percentile_px": 2, "bicubic_width_percentile_px": 3, "length_px": 9}
    assert [column.key for column in shown_columns([px])] == [
        "width_percentile_px", "bicubic_width_percentile_px", "length_px",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("length", "around", "text"),
    [
        (10.04, 0.3, "10.0 ± 0.3 mm"),
        (250.4, 7.5, "250 ± 8 mm"),
        (250.4, 0.2, "250.4 ± 0.2 mm"),
        (2.0, 0.04, "2.00 ± 0.04 mm"),
        (2.0, 0.0, "2.0 ± 0.0 mm"),
    ],
)
def test_an_uncertainty_has_the_digits_it_needs(length, around, text):
    assert both_units({"l_mm": 1}, "l", None) == "1.00 mm"
    row = {"length_mm": length, "length_uncertainty_mm": around}
    assert both_units(row, "length", "length_uncertainty") == text


def test_measuring_takes_numbers_alone():
    assert Measuring(min_pixels=None).min_pixels == 1
    for name in ("percentile", "spur", "hole", "megapixels"):
        with pytest.raises(ValueError, match=f"{name}: expected a number, got None"):
            Measuring(**{name: None})


def test_remarks():
    assert remarks({}) == []
    assert remarks({"at_limit": "0", "severity_uncertain": 0, "consistency_flag": False}) == []
    found = remarks(
        {"at_limit": "1", "severity_uncertain": 1, "exposure_exceeded": 1, "consistency_flag": True, "reduced": 2}
    )
    assert len(found) == 5


def test_thin_cracks_survive_shrinking():
    measurement = measure_cracks(mask(2))
    layer = width_layer(measurement, (900, 1200))
    assert set(np.unique(layer[..., 3])) == {0, 255}
    small = shrunken_layer(layer, 48)
    assert small.shape == (36, 48, 4)
    assert small[12:14, 6:42, 3].any(axis=0).all()
    assert shrunken_layer(small, 48) is small


def test_the_page_stays_small(folder, page, monkeypatch):
    measuring = Measuring()
    store = Store(folder, PREDICT)
    entries = [entry_for(measured(store, name, 5, measuring), store) for name in ("many/1.jpg", "many/2.jpg")]
    entries[1].row["width_percentile_px"] = 99.0
    one = embedded_views(store.pictures("many/2"), 1280).size
    monkeypatch.setattr(inspection, "_BUDGET", int(1.5 * one))
    monkeypatch.setattr(viewer, "_BUDGET", 0)
    text = inspection_page(entries, folder)
    assert text.count('<div class="compare"') == 1
    assert text.index('<div class="compare"') > text.index('id="p2"')  # the wider one's
    assert "Not embedded" in text
    checked(text, beside=folder)


def test_pages_of_nothing(tmp_path):
    assert "0 photographs" in inspection_page([], tmp_path)
    text = inspection_page([Entry({"file": "a", "error": "b"}, "a")], tmp_path)
    assert "Not read" in "".join(checked(text).text)


# ---- in Chromium ----

SHOWN = "[...document.querySelectorAll('#photographs tbody tr')].filter(r => !r.hidden).map(r => r.dataset.name)"
ARTICLES = "[...document.querySelectorAll('article')].filter(a => a.offsetParent !== null).map(a => a.id)"


def press(browser, heading):
    browser.evaluate(
        f"[...document.querySelectorAll('#photographs thead button')].find(b => b.textContent === '{heading}').click()"
    )


def enter(browser, field, value):
    field = f"document.getElementById('{field}')"
    browser.evaluate(f"{field}.value = '{value}'; {field}.dispatchEvent(new Event('input', {{bubbles: true}}))")


@NEEDS_BROWSER
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_it_loads_nothing_and_fits(browser, folder, width, scheme):
    browser.open(folder / "report.html", width, 800, scheme)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("[...document.images].filter(i => !i.complete || i.naturalWidth === 0).length") == 0
    assert [url for url in browser.requests if not url.startswith("data:")] == [(folder / "report.html").as_uri()]
    assert browser.errors == []


@NEEDS_BROWSER
def test_sorting(browser, folder):
    browser.open(folder / "report.html", 1280, 800)
    press(browser, "width, 95 % below, mm")
    assert browser.evaluate(SHOWN) == [NAMES[2], NAMES[0], NAMES[1], NAMES[3]]  # the widest first, none last
    press(browser, "width, 95 % below, mm")
    assert browser.evaluate(SHOWN) == [NAMES[1], NAMES[0], NAMES[2], NAMES[3]]  # none stays last
    assert browser.evaluate("document.querySelectorAll('[aria-sort]').length") == 1
    press(browser, "photograph")
    assert browser.evaluate(SHOWN) == ["ü 9.jpg", "ü 10.jpg", NAMES[0], NAMES[1]]  # numbers by their size
    assert browser.errors == []


@NEEDS_BROWSER
def test_filtering(browser, folder):
    browser.open(folder / "report.html", 1280, 800)
    assert browser.evaluate("shown.value") == "4 of 4 shown"
    enter(browser, "find", "WALL")
    assert browser.evaluate(SHOWN) == list(NAMES[:2])
    assert browser.evaluate(ARTICLES) == ["p1", "p2"]
    assert browser.evaluate("shown.value") == "2 of 4 shown"
    enter(browser, "least", "1.9")
    assert browser.evaluate(SHOWN) == [NAMES[0]]
    enter(browser, "find", "")
    enter(browser, "least", "")
    browser.evaluate("cracked.click()")
    assert browser.evaluate(SHOWN) == list(NAMES[:3])
    enter(browser, "class", "1")
    assert browser.evaluate(SHOWN) == [NAMES[0], NAMES[2]]
    enter(browser, "class", "")
    browser.evaluate("remarked.click()")
    assert NAMES[1] in browser.evaluate(SHOWN)
    assert browser.errors == []


@NEEDS_BROWSER
def test_the_slider_uncovers_the_cracks(browser, folder):
    browser.open(folder / "report.html", 1000, 800)
    cut = "getComputedStyle(document.querySelector('.compare')).getPropertyValue('--cut').trim()"
    layer = "getComputedStyle(document.querySelector('.compare .layer'))"
    browser.evaluate("document.querySelector('input.border').focus()")
    browser.press("ArrowRight", 39)
    assert browser.evaluate(cut) == "51%"
    assert browser.evaluate(f"{layer}.clipPath") == "inset(0px 0px 0px 51%)"
    assert browser.evaluate(f"{layer}.backgroundImage").startswith('url("data:image/webp')
    browser.evaluate("document.querySelector('.toggle').click()")
    assert browser.evaluate(f"{layer}.visibility") == "hidden"
    assert browser.errors == []


@NEEDS_BROWSER
def test_it_prints(browser, folder):
    browser.open(folder / "report.html", 794, 1100)
    browser.send("Emulation.setEmulatedMedia", media="print")
    hidden = "[...document.querySelectorAll('.filters, input.border, .toggle')].every(e => e.offsetParent === null)"
    assert browser.evaluate(hidden)
    exact = "[...document.querySelectorAll('.compare, .layer, .colours')].every("
    assert browser.evaluate(exact + "e => getComputedStyle(e).printColorAdjust === 'exact')")
    assert browser.evaluate("document.documentElement.scrollWidth") <= 794
    # All of the super-resolved image with all of its cracks, wherever the border was dragged.
    cuts = "[...document.querySelectorAll('.photo .compare')].map(e => getComputedStyle(e).getPropertyValue('--cut'))"
    assert set(browser.evaluate(cuts)) == {"0%"}
