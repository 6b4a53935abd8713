"""The pages in a real browser: no errors, no requests, sliders that move by mouse and keyboard, any width."""

import pytest

from csbsr.report.collect import collect
from csbsr.report.page import comparison_page
from tests.report.browser import NEEDS_BROWSER
from tests.report.invented import evaluation

pytestmark = NEEDS_BROWSER

CUT = "getComputedStyle(document.querySelector('.compare')).getPropertyValue('--cut').trim()"
SHOWN = "[...document.querySelectorAll('article')].filter(a => a.offsetParent !== null).map(a => a.dataset.choice)"
CENTRE = """(() => { const box = document.querySelector('.compare').getBoundingClientRect();
return [box.left, box.top + box.height / 2, box.width] })()"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    root = tmp_path_factory.mktemp("pages")
    folders = [evaluation(root / name, count=6, seed=seed) for seed, name in enumerate(("one", "a" * 60))]
    comparison = root / "comparison.html"
    comparison.write_text(comparison_page(collect(folders)), encoding="utf-8")
    return {"report": folders[0] / "report.html", "comparison": comparison}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("page", ["report", "comparison"])
def test_pages_load_nothing_and_fit(browser, pages, page, width, scheme):
    browser.open(pages[page], width, 800, scheme)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    broken = "[...document.images].filter(i => !i.complete || i.naturalWidth === 0).length"
    assert browser.evaluate(broken) == 0
    dark = browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 27)"
    assert dark == (scheme == "dark")
    assert [url for url in browser.requests if not url.startswith("data:")] == [pages[page].as_uri()]
    assert browser.errors == []


def test_the_policy_forbids_requests(browser, pages):
    browser.open(pages["report"], 1280, 800)
    browser.evaluate("new Image().src = 'http://192.0.2.1/x.png'; fetch('http://192.0.2.1/y').catch(() => 0); 0")
    browser.evaluate("0")
    assert any("Content Security Policy" in error for error in browser.errors)


def test_the_slider_moves(browser, pages):
    browser.open(pages["report"], 1000, 800)
    assert browser.evaluate(CUT) == "50%"
    browser.evaluate("document.querySelector('input.border').focus()")
    for _ in range(3):
        browser.press("ArrowRight", 39)
    assert browser.evaluate(CUT) == "53%"
    browser.press("Home", 36)
    assert browser.evaluate(CUT) == "0%"
    browser.evaluate("document.querySelector('.compare').scrollIntoView({block: 'center'})")
    left, y, width = browser.evaluate(CENTRE)
    browser.drag((left + 0.2 * width, y), (left + 0.75 * width, y))
    assert float(browser.evaluate(CUT).rstrip("%")) == pytest.approx(75, abs=4)
    line = "document.querySelector('.compare .line').getBoundingClientRect().left"
    assert browser.evaluate(line) == pytest.approx(left + 0.75 * width, abs=0.05 * width)
    assert browser.errors == []


def test_cracks_can_be_hidden(browser, pages):
    browser.open(pages["report"], 1000, 800)
    state = "getComputedStyle(document.querySelector('.still .layer')).visibility"
    assert browser.evaluate(state) == "visible"
    browser.evaluate("document.querySelector('.still').parentElement.querySelector('.toggle').click()")
    assert browser.evaluate(state) == "hidden"


def test_one_image_at_a_time_is_compared(browser, pages):
    browser.open(pages["comparison"], 1000, 800)
    assert browser.evaluate(SHOWN) == ["0"]
    browser.evaluate("choice.value = '2'; choice.dispatchEvent(new Event('change'))")
    assert browser.evaluate(SHOWN) == ["2"]
    assert browser.errors == []
