"""A strict look at an HTML page: nesting, duplicate ids, and everything that could be loaded from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

VOID = {"meta", "link", "img", "input", "br", "hr", "circle", "line", "path"}
LOADING = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}


class Checker(HTMLParser):
    """Raises at wrong nesting; collects ``ids``, ``resources``, ``links``, ``text`` and ``tags``."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.resources, self.links, self.text, self.tags = [], [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"<{tag}>: an attribute twice"
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if tag == "a" and name == "href":
                self.links.append(value)
            elif name in LOADING:
                self.resources.append(value)
            self.resources += re.findall(r"url\(([^)]*)\)", value or "")
            assert not name.startswith("on"), f"<{tag} {name}>"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if self.open and self.open[-1] in ("style", "script"):
            self.resources += re.findall(r"url\(([^)]*)\)|@import\s+(\S+)", data)
            assert not re.search(r"\b(fetch|XMLHttpRequest|import|WebSocket|sendBeacon)\b", data)
        else:
            self.text.append(data)


def checked(page: str, beside: Path | None = None) -> Checker:
    """Parse a page and check what every page must hold; its links lead to itself, or to files in ``beside``."""
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert page.startswith("<!DOCTYPE html>")
    assert not checker.open
    assert len(checker.ids) == len(set(checker.ids))
    assert all(resource.startswith("data:") for resource in checker.resources), "something is loaded from elsewhere"
    for link in checker.links:
        if link.startswith("#"):
            assert link[1:] in checker.ids
        elif not link.startswith("geo:"):
            assert beside is not None, link
            assert (beside / unquote(link)).is_file(), link
    visible = "".join(checker.text) + "".join(value or "" for _, pairs in checker.tags for value in pairs.values())
    assert not re.search(r"https?://", visible)
    pictures = [pairs for tag, pairs in checker.tags if tag == "img"]
    assert all(picture.get("alt") and picture.get("src") for picture in pictures)
    return checker
