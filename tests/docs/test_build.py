"""The site builds without a warning and without a network, and documents what is public."""

import importlib
import re
from io import StringIO

import pytest
from sphinx.application import Sphinx

from tests.docs import ROOT

DOCS = ROOT / "docs"
#: Packages whose public names the API reference has to hold.
PUBLIC = (
    "csbsr", "csbsr.data", "csbsr.degradation", "csbsr.joint", "csbsr.loss", "csbsr.measure", "csbsr.metrics",
    "csbsr.predict", "csbsr.segmentor", "csbsr.sr", "csbsr.training", "csbsr.weights",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site, the application that built it, and what it complained of."""
    folder = tmp_path_factory.mktemp("site")
    warnings = StringIO()
    app = Sphinx(DOCS, DOCS, folder / "html", folder / "doctrees", "html", status=None, warning=warnings)
    app.build()
    return folder / "html", app, warnings.getvalue()


def test_it_builds_without_a_warning(site):
    assert site[2] == ""
    assert site[1].statuscode == 0


def test_it_asks_no_host_for_anything(site):
    for page in [*site[0].rglob("*.html"), *site[0].rglob("*.css")]:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"""(?:src=|@import |url\()["']?(?:https?:)?//[^"')\s]+""", text)
        loaded += re.findall(r"<link[^>]+href=\"(?:https?:)?//[^>]+>", text)
        assert not loaded, f"{page.name}: {loaded}"


def test_every_public_name_is_documented(site):
    documented = {entry[0] for entry in site[1].env.get_domain("py").get_objects()}
    for package in PUBLIC:
        names = [name for name in importlib.import_module(package).__all__ if not name.isupper() and name[0] != "_"]
        missing = [name for name in names if f"{package}.{name}" not in documented]
        assert not missing, f"{package}: no entry in docs/api for {', '.join(missing)}"
