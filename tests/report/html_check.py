"""A strict look at an HTML page: nesting, duplicate ids, and everything that could be loaded from elsewhere."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "input", "br", "hr", "circle", "line", "path"}
LOADING = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}


class Checker(HTMLParser):
    """Raises at wrong nesting; collects ``ids``, ``resources``, ``text`` and ``tags``."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.resources, self.text, self.tags = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"<{tag}>: an attribute twice"
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in LOADING:
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


def checked(page: str) -> Checker:
    """Parse a page and check what every page must hold."""
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert page.startswith("<!DOCTYPE html>")
    assert not checker.open
    assert len(checker.ids) == len(set(checker.ids))
    assert all(resource.startswith("data:") for resource in checker.resources), "something is loaded from elsewhere"
    visible = "".join(checker.text) + "".join(value or "" for _, pairs in checker.tags for value in pairs.values())
    assert not re.search(r"https?://", visible)
    pictures = [pairs for tag, pairs in checker.tags if tag == "img"]
    assert all(picture.get("alt") and picture.get("src") for picture in pictures)
    return checker
