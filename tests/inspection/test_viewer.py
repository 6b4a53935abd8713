"""The viewer of the report: what is embedded and how much, and that it zooms, pans and finds cracks in a browser."""

import html
import json
import re

import numpy as np
import pytest
from PIL import Image

from csbsr.data.reading.geo import GeoReference
from csbsr.inspection import viewer as module
from csbsr.inspection.classes import WIDTH, class_label, width_class
from csbsr.inspection.lines import CrackLine, Frame
from csbsr.inspection.measuring import Measuring
from csbsr.inspection.page import Entry, inspection_page
from csbsr.inspection.record import DONE, Record
from csbsr.inspection.report import entry_for
from csbsr.inspection.store import PREDICT, GrowingFiles, Store
from csbsr.inspection.viewer import length, north, svg_path, viewer_of, viewers
from csbsr.measure.ground import Scale
from tests.report.browser import NEEDS_BROWSER
from tests.report.html_check import checked

STRANGE = "wall/a \"<b>&'.jpg"
GEO = GeoReference((0.0, 0.001, 500000.0, 0.001, 0.0, 5500000.0), 25832, False, 1.0, (600, 400))  # north to the right


def put(store, name, width=8, *, geo=None, before=True):
    """A photograph of 600 x 400 pixels of 1 mm with two cracks along its rows 100 and 300; the first is the wider."""
    mask = np.zeros((400, 600), bool)
    mask[100 : 100 + width, 50:550] = True
    mask[300:303, 200:400] = True
    measuring = Measuring({name: 1.0})
    measurement = measuring.measure(name, mask, 0.5, 1, ground=Scale(1.0, "gsd_mm"))
    stem = name.rpartition(".")[0]
    picture = np.random.default_rng(width).integers(60, 200, (400, 600, 3), np.uint8)
    with store.growing() as partial:
        files = GrowingFiles({}, store.pictures(stem), partial)
        table = measuring.save(measurement, name, files, picture if before else None, picture, Frame(1, geo))
        files.pictures.cracks.write_text(table)
    store.put(Record(name, DONE, stem=stem, measured=measuring.numbers(measurement), results={}))
    return stem


def page_of(store):
    entries = [entry_for(record, store) for record in store.sorted_records]
    text = inspection_page(entries, store.folder)
    (store.folder / "report.html").write_text(text, encoding="utf-8")
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("viewer"), PREDICT)
    put(store, STRANGE)
    put(store, "mosaic.tif", geo=GEO, before=False)
    page_of(store)
    return store.folder


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def article(page, number):
    return page[page.index(f'id="p{number}"') :].partition("</article>")[0]


# ---- what is embedded ----


def test_a_viewer_holds_a_preview_and_the_lines(folder):
    found = viewer_of(Store(folder, PREDICT).pictures("mosaic"), 300)
    assert found.picture.startswith("data:image/jpeg;base64,")
    assert found.size == (600, 400)
    assert found.finest == 2  # pixels of the photograph to one of the preview
    assert [crack.number for crack in found.cracks] == [1, 2]
    assert found.left_out == 0
    assert [number for number, _, _ in found.classes] == [4]
    points = np.array(re.findall(r"[\d.]+", found.cracks[0].path), float).reshape(-1, 2)
    assert np.abs(points[:, 1] - 104).max() <= 0.6  # rows 100 to 108, from the picture's upper edge
    assert points[:, 0].min() == pytest.approx(50, abs=1)
    assert points[:, 0].max() == pytest.approx(550, abs=1)
    assert found.characters == len(found.picture) + sum(len(crack.path) for crack in found.cracks)


def test_lines_take_six_digits_and_leave_out_what_is_not_seen():
    line = np.array([[12345.678, 0.0], [12355.6, 0.2], [12365.0, 0.0]])
    assert svg_path(CrackLine((line, line[:2]), {}), 0.1) == "M12345.7 0 12355.6 0.2 12365 0M12345.7 0 12355.6 0.2"
    assert svg_path(CrackLine((line,), {}), 1.0) == "M12345.7 0 12365 0"


@pytest.mark.parametrize(
    ("value", "in_mm", "expected", "label"),
    [
        (0.1, True, 0, "0 to 0.1 mm"),
        (0.11, True, 1, "0.1 to 0.2 mm"),
        (9.0, True, 4, "over 0.4 mm"),
        (3.0, False, 1, "2 to 4 px"),
        (None, False, 0, "0 to 2 px"),
    ],
)
def test_classes_of_width(value, in_mm, expected, label):
    unit = "mm" if in_mm else "px"
    assert width_class({f"width_reported_percentile_high_{unit}": value}, in_mm) == expected
    assert class_label(expected, in_mm) == label


@pytest.mark.parametrize(
    ("transform", "degrees"),
    [
        ((1, 0, 0, 0, -1, 0), 0),
        ((2, 0, 0, 0, 2, 0), 180),  # rows run northwards
        ((2.0, 0.0, 0.0, 0.0, 2.0, 0.0), 180),
        ((-2.0, 0.0, 0.0, 0.0, -2.0, 0.0), 0),  # mirrored
        ((0, 1, 0, 1, 0, 0), 90),
        ((0, -1, 0, -1, 0, 0), 270),
        ((0, -1, 0, 1, 0, 0), 90),
        ((np.cos(0.5), np.sin(0.5), 9, np.sin(0.5), -np.cos(0.5), 9), np.degrees(0.5)),
    ],
)
def test_north_is_where_the_second_coordinate_grows(transform, degrees):
    geo = GeoReference(transform, 25832, False, 1.0, (10, 10))
    found = north(geo)
    assert found.degrees == pytest.approx(degrees, abs=0.01)
    moved = geo.at(*found.tip)[1] - geo.at(0, 0)[1]
    assert moved > 0
    assert geo.at(*found.tip)[0] == pytest.approx(geo.at(0, 0)[0], abs=1e-3)


def test_no_north_without_a_system_of_coordinates():
    assert north(None) is None
    assert north(GeoReference((1, 0, 0, 0, -1, 0), None, False, 1.0, (10, 10))) is None


@pytest.mark.parametrize(("mm", "text"), [(0.5, "0.5 mm"), (10, "1 cm"), (200, "20 cm"), (1000, "1 m"), (5e5, "500 m")])
def test_lengths_of_scale_bars(mm, text):
    assert length(mm) == text


def test_what_the_page_says(folder, page):
    checker = checked(page, beside=folder)
    mosaic, wall = article(page, 1), article(page, 2)
    for crack in (1, 2):
        assert f'id="p1-crack{crack}"' in mosaic
        assert f'href="#p1-crack{crack}"' in mosaic
        assert f'id="p1-row{crack}"' in mosaic
    title = html.unescape(re.search(r"<title>(crack 1,.*?)</title>", mosaic)[1])
    width = r"8\.00 \(7\.70–8\.30\) mm \(8\.0 px\)"
    assert re.fullmatch(rf"crack 1, length 500 ± 15 mm \(500 px\), mean width {width}, largest width {width}", title)
    assert "north of the grid (EPSG:25832)" in mosaic
    assert 'transform="rotate(90.0)"' in mosaic
    assert ">10 cm</text>" in mosaic  # of 600 mm over 800 pixels, at most 160 pixels: 120 mm
    assert 'd="M0-8v8h133.33v-8"' in mosaic
    assert "over 0.4 mm" in mosaic
    assert 'class="compare"' not in mosaic  # one view: the viewer alone
    assert 'class="compare"' in wall
    assert 'class="north"' not in wall
    assert "<b>" not in wall.partition("</h3>")[2]
    assert any(pairs.get("aria-label") == f"{STRANGE}: zoom in" for _, pairs in checker.tags)


def test_previews_shrink_with_their_number(tmp_path, monkeypatch):
    store = Store(tmp_path, PREDICT)
    stems = [put(store, f"{i}.jpg") for i in range(3)]
    monkeypatch.setattr(module, "_SIDES", ((1, 400), (2, 200), (np.inf, 100)))
    for count, finest in ((1, 1.5), (2, 3.0), (3, 6.0)):
        assert [one.finest for one in viewers(stems[:count], tmp_path).values()] == [finest] * count


def test_the_budget_goes_to_the_widest(tmp_path, monkeypatch):
    store = Store(tmp_path, PREDICT)
    for i, width in enumerate((4, 12, 8)):
        put(store, f"{i}.jpg", width, before=False)
    one = viewer_of(store.pictures("0"), 4096).characters
    monkeypatch.setattr(module, "_BUDGET", int(2.5 * one))
    text = page_of(store)
    assert ['class="viewer"' in article(text, n) for n in (1, 2, 3)] == [False, True, True]
    assert ['class="compare"' in article(text, n) for n in (1, 2, 3)] == [True, False, False]
    checked(text, beside=tmp_path)


def test_two_hundred_photographs_stay_within_the_budget(tmp_path, monkeypatch):
    store = Store(tmp_path, PREDICT)
    places = store.pictures(put(store, "a.jpg"))
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (1500, 2250, 3), np.uint8)).save(places.after)
    monkeypatch.setattr(module.PicturePlaces, "of", lambda folder, stem: places)
    found = viewers([str(i) for i in range(200)], tmp_path)
    assert 1 < len(found) < 200
    assert sum(one.characters for one in found.values()) <= 24_000_000
    assert {one.size[0] / one.finest for one in found.values()} == {1280}


def test_narrow_cracks_are_left_out_where_there_are_too_many(folder, monkeypatch):
    places = Store(folder, PREDICT).pictures("mosaic")
    monkeypatch.setattr(module, "_LINES", len(viewer_of(places, 4096).cracks[0].path))
    found = viewer_of(places, 4096)
    assert [crack.number for crack in found.cracks] == [1]
    assert found.left_out == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": [-1, 400]}, {"size": ["<b>", 400]}, {"size": [1e30, 400]}, {"mm_per_pixel": "x"},
        {"mm_per_pixel": 1e999},
        {"cracks": [{"properties": {}, "lines": [[[0, 0], [1, 1]]]}]},
        {"cracks": [{"properties": {"crack": "<b>"}, "lines": [[[0, 0], [1, 1]]]}]},
        {"cracks": [{"properties": {"crack": 1, WIDTH[True]: "<b>"}, "lines": [[[0, 0], [1, 1]]]}]},
    ],
    ids=str,
)  # fmt: skip
def test_lines_from_a_stranger_do_no_harm(tmp_path, caplog, wrong):
    store = Store(tmp_path, PREDICT)
    put(store, "a.jpg", geo=GEO)
    lines = store.pictures("a").lines
    lines.write_text(json.dumps({**json.loads(lines.read_text()), **wrong}))
    text = page_of(store)
    assert 'class="viewer"' not in text
    assert 'class="compare"' in text
    assert "a: its lines cannot be drawn" in caplog.text
    checked(text, beside=tmp_path)


def test_a_folder_without_lines_has_sliders(tmp_path):
    store = Store(tmp_path, PREDICT)
    put(store, "a.jpg")
    store.pictures("a").lines.unlink()
    assert 'class="viewer"' not in page_of(store)
    assert viewers([Entry({"file": "b"}, "b").stem], tmp_path) == {}


# ---- in Chromium ----

BOTH = pytest.mark.parametrize("width", [1280, 390])
VIEW = "document.querySelector('#p1 .view')"
BOX = f"(() => {{ const box = {VIEW}.getBoundingClientRect(); return [box.left, box.top, box.width, box.height] }})()"
SEEN = f"{VIEW}.getAttribute('viewBox').split(' ').map(Number)"
TOLD = "document.querySelector('#p1 output').value"


@pytest.fixture
def opened(browser, folder):
    def at(width):
        browser.open(folder / "report.html", width, 800)
        browser.evaluate(f"{VIEW}.scrollIntoView({{block: 'center'}})")
        return browser

    yield at
    assert browser.errors == []
    assert [url for url in browser.requests if not url.startswith("data:")] == [(folder / "report.html").as_uri()]


def click(browser, what):
    browser.evaluate(f"document.querySelector('#p1 [data-do={what}]').click()")


def on_screen(browser, x, y):
    """Where a pixel of the photograph is on the screen."""
    left, top, width, height = browser.evaluate(BOX)
    x0, y0, across, down = browser.evaluate(SEEN)
    return left + (x - x0) / across * width, top + (y - y0) / down * height


def settle(browser):
    """Let what was sent arrive."""
    browser.send("Runtime.evaluate", expression="new Promise(done => setTimeout(done, 200))", awaitPromise=True)


def wheel(browser, point, turn):
    x, y = point
    browser.send("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=turn)
    settle(browser)


@NEEDS_BROWSER
@BOTH
def test_it_fits_and_shows_all_at_first(opened, width):
    browser = opened(width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    x, y, across, down = browser.evaluate(SEEN)
    _, _, wide, high = browser.evaluate(BOX)
    assert across / down == pytest.approx(wide / high, rel=1e-6)
    assert min(600 - across, 400 - down) == pytest.approx(0, abs=1e-6) or (across >= 600 and down >= 400)
    assert (x + across / 2, y + down / 2) == pytest.approx((300, 200))
    assert browser.evaluate("document.querySelector('#p1 [data-do=out]').disabled")
    least = browser.evaluate("Math.min(...[...document.querySelectorAll('.buttons button')].map(b => b.offsetHeight))")
    assert least >= (44 if width == 390 else 40)


@NEEDS_BROWSER
@BOTH
def test_buttons_and_keys_zoom_and_move(opened, width):
    browser = opened(width)
    _, _, across, _ = browser.evaluate(SEEN)
    click(browser, "in")
    assert browser.evaluate(SEEN)[2] == pytest.approx(across / 1.4)
    browser.evaluate(f"{VIEW}.focus()")
    browser.press("+", 187)
    assert browser.evaluate(SEEN)[2] == pytest.approx(across / 1.4**2)
    before = browser.evaluate(SEEN)
    browser.press("ArrowRight", 39)
    assert browser.evaluate(SEEN)[0] == pytest.approx(before[0] + before[2] / 8)
    browser.press("-", 189)
    assert browser.evaluate(SEEN)[2] == pytest.approx(across / 1.4)
    browser.press("0", 48)
    assert browser.evaluate(SEEN)[2] == pytest.approx(across)
    for _ in range(30):
        click(browser, "in")
    assert browser.evaluate(SEEN)[2] == pytest.approx(browser.evaluate(BOX)[2] / 16)  # as deep as it goes
    assert browser.evaluate("document.querySelector('#p1 [data-do=in]').disabled")
    click(browser, "whole")
    assert browser.evaluate(SEEN)[2] == pytest.approx(across)


@NEEDS_BROWSER
@BOTH
def test_the_wheel_zooms_where_it_points(opened, width):
    browser = opened(width)
    before = browser.evaluate(SEEN)
    point = on_screen(browser, 450, 150)
    wheel(browser, point, -300)
    assert browser.evaluate(SEEN) == before  # it scrolls the page until the picture has the focus
    browser.evaluate(f"{VIEW}.scrollIntoView({{block: 'center'}}); {VIEW}.focus({{preventScroll: true}})")
    wheel(browser, on_screen(browser, 450, 150), -300)
    assert browser.evaluate(SEEN)[2] == pytest.approx(before[2] / np.exp(0.6), rel=1e-3)
    assert on_screen(browser, 450, 150) == pytest.approx(point, abs=1.5)


@NEEDS_BROWSER
@BOTH
def test_dragging_moves_and_stays_inside(opened, width):
    browser = opened(width)
    for _ in range(4):
        click(browser, "in")
    start = on_screen(browser, 300, 200)
    browser.drag(start, (start[0] - 60, start[1] + 40))
    assert on_screen(browser, 300, 200) == pytest.approx((start[0] - 60, start[1] + 40), abs=0.1)
    for _ in range(20):
        browser.drag(start, (start[0] + 100, start[1] + 100))
    x, y, across, down = browser.evaluate(SEEN)
    assert (x + across / 2, y + down / 2) == pytest.approx((0, 0), abs=1e-6)  # its corner, and no further
    assert browser.evaluate(TOLD) == ""  # a drag is no click


@NEEDS_BROWSER
@BOTH
def test_two_fingers_zoom(opened, width):
    browser = opened(width)
    across = browser.evaluate(SEEN)[2]
    x, y = on_screen(browser, 300, 200)

    def touch(kind, apart, down=0):
        points = [{"x": x + side * apart / 2, "y": y + down, "id": id} for id, side in enumerate((-1, 1)) if apart]
        browser.send("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    touch("touchStart", 60)
    touch("touchMove", 90)
    touch("touchMove", 120, 30)
    touch("touchEnd", 0)
    browser.evaluate("0")
    assert browser.evaluate(SEEN)[2] == pytest.approx(across / 2, rel=0.02)
    assert on_screen(browser, 300, 200) == pytest.approx((x, y + 30), abs=2)


@NEEDS_BROWSER
@BOTH
def test_a_click_on_a_crack_tells_of_it(opened, width):
    browser = opened(width)
    x, y = on_screen(browser, 300, 301.5)
    browser.drag((x, y + 7), (x, y + 7))  # beside it, within a finger's reach
    assert browser.evaluate(TOLD).startswith("crack 2, length 20")
    assert browser.evaluate("document.querySelector('#p1 .chosen').id") == "p1-crack2"
    browser.evaluate("document.querySelector('#p1 .to-row').click()")
    assert browser.evaluate("location.hash") == "#p1-row2"
    assert browser.evaluate("document.querySelector('#p1-row2').closest('details').open")
    x, y = on_screen(browser, 300, 200)
    browser.evaluate(f"{VIEW}.scrollIntoView({{block: 'center'}})")
    browser.drag(on_screen(browser, 300, 200), on_screen(browser, 300, 200))
    assert browser.evaluate(TOLD) == ""


@NEEDS_BROWSER
@BOTH
def test_the_list_leads_to_the_crack(opened, width):
    browser = opened(width)
    browser.evaluate("document.querySelector('#p1 .show').click(); document.querySelector('#p1 details').open = true")
    lines = "getComputedStyle(document.querySelector('#p1 .lines')).visibility"
    assert browser.evaluate(lines) == "hidden"
    link = """document.querySelector('#p1 a[href="#p1-crack2"]')"""
    for _ in range(2):  # also where the address is there already
        browser.evaluate(f"{link}.click()")
        settle(browser)
        assert browser.evaluate(TOLD).startswith("crack 2")
        assert browser.evaluate(lines) == "visible"
        x, y, across, down = browser.evaluate(SEEN)
        assert x + across / 2 == pytest.approx(300, abs=1)
        assert y + down / 2 == pytest.approx(301.5, abs=15)  # as near as the border lets it
        assert 200 < across < 600
        click(browser, "whole")
    click(browser, "next")
    assert browser.evaluate(TOLD).startswith("crack 1")  # behind the last the widest
    click(browser, "before")
    assert browser.evaluate(TOLD).startswith("crack 2")


@NEEDS_BROWSER
@BOTH
def test_scale_bar_and_north(opened, width):
    browser = opened(width)

    def bar():
        path = browser.evaluate("document.querySelector('#p1 .bar path').getBoundingClientRect().width")
        return browser.evaluate("document.querySelector('#p1 .bar text').textContent"), path

    for _ in range(8):
        text, pixels = bar()
        value, unit = text.split()
        mm = float(value) * {"mm": 1, "cm": 10, "m": 1000}[unit]
        wide = browser.evaluate(BOX)[2]
        assert pixels == pytest.approx(mm * wide / browser.evaluate(SEEN)[2], abs=4)  # its stroke is as wide
        assert 60 <= pixels <= 165
        click(browser, "in")
    left, top, wide, _ = browser.evaluate(BOX)
    arrow = "document.querySelector('#p1 .north path').getBoundingClientRect()"
    place = browser.evaluate(f"(box => [box.left + box.width / 2, box.top + box.height / 2])({arrow})")
    assert place == pytest.approx([left + wide - 40, top + 40], abs=8)


@NEEDS_BROWSER
def test_without_scripts_there_is_a_still_picture(browser, folder):
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(folder / "report.html", 1000, 800)
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.evaluate(SEEN) == [0, 0, 600, 400]
    assert browser.evaluate("document.querySelector('#p1 .buttons').offsetParent === null")


@NEEDS_BROWSER
def test_printed_it_is_whole(opened):
    browser = opened(794)
    for _ in range(3):
        click(browser, "in")
    browser.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.evaluate("document.querySelector('#p1 [data-do=out]').disabled")
