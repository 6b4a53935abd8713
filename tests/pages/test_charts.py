"""Charts: well-formed SVG whose coordinates follow from the data."""

import math
import re
from xml.etree import ElementTree

import pytest

from csbsr.pages.charts import Line, Point, line_chart, scatter_chart


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def coordinates(path: str) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split())) for pair in re.findall(r"[ML]([-\d. ]+)", path)]


def ticks(root: ElementTree.Element) -> dict[str, tuple[float, float]]:
    """Position of each number on an axis, by its text and anchor."""
    found = {}
    for text in root.iter("text"):
        if text.get("class") is None:
            found[text.text, text.get("text-anchor")] = (float(text.get("x")), float(text.get("y")))
    return found


def test_a_curve_passes_through_its_data():
    root = parsed(line_chart([Line("a", [0, 0.5, 1], [0, 1, 0.25])], "x", "y", y_range=(0, 1)))
    (path,) = root.iter("path")
    (x0, y0), (x1, y1), (x2, y2) = coordinates(path.get("d"))
    marks = ticks(root)
    assert x0 == pytest.approx(marks["0.0", "middle"][0], abs=0.1)
    assert x2 == pytest.approx(marks["1.0", "middle"][0], abs=0.1)
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1)
    assert y0 == pytest.approx(marks["0.0", "end"][1] - 4.5, abs=0.1)
    assert y1 == pytest.approx(marks["1.0", "end"][1] - 4.5, abs=0.1)
    assert y2 == pytest.approx(y0 + (y1 - y0) / 4, abs=0.1)


def test_what_is_undefined_interrupts_a_curve():
    root = parsed(line_chart([Line("a", [0, 1, 2, 3, 4], [1, 2, math.nan, 3, math.inf])], "x", "y"))
    (path,) = root.iter("path")
    assert path.get("d").count("M") == 2
    assert len(coordinates(path.get("d"))) == 3


def test_lines_differ_without_colour_and_the_mark_is_drawn():
    lines = [Line(name, [0, 1], [0, 1]) for name in "abcdef"]
    root = parsed(line_chart(lines, "x", "y", marked=0.5))
    dashes = [path.get("stroke-dasharray") for path in root.iter("path")]
    assert len(set(dashes)) == 6
    (mark,) = (line for line in root.iter("line") if line.get("class") == "marked")
    marks = ticks(root)
    middle = (marks["0.0", "middle"][0] + marks["1.0", "middle"][0]) / 2
    assert float(mark.get("x1")) == pytest.approx(middle, abs=0.1)


def test_scatter_means_and_labels():
    points = [Point(float(i), float(i % 3), f"<{i}> & co") for i in range(9)] + [Point(math.nan, 1, "gone")]
    root = parsed(scatter_chart(points, "a < b", "y & z"))
    assert [title.text for title in root.iter("title")] == [f"<{i}> & co" for i in range(9)]
    (path,) = root.iter("path")
    heights = [y for _, y in coordinates(path.get("d"))]
    assert len(heights) == 3  # nine points, at least three in a bin
    assert max(heights) == pytest.approx(min(heights), abs=0.1)  # the mean of 0, 1, 2 in each


@pytest.mark.parametrize("points", [[], [Point(1, 2, "one")], [Point(1, 2, "a"), Point(1, 2, "b")]])
def test_few_points(points):
    root = parsed(scatter_chart(points, "x", "y"))
    assert len(list(root.iter("circle"))) == len(points)
    assert not list(root.iter("path"))


@pytest.mark.parametrize("values", [[0.0, 0.0], [math.nan], [1e-4, 2e-4], [1e5, 3e6], [-3.0, 2.0]])
def test_axes_hold_any_range(values):
    root = parsed(line_chart([Line("a", list(range(len(values))), values)], "x", "y"))
    numbers = [text for text, anchor in ticks(root) if anchor == "end"]
    assert 2 <= len(numbers) == len(set(numbers)) <= 9
