"""The templates of the self-contained HTML pages: the frame that all share, and those of a folder of this package."""

from __future__ import annotations

from functools import cache

import jinja2

import csbsr
from csbsr.pages.overlay import VERDICTS


def template(folder: str, name: str) -> jinja2.Template:
    """A page's template.

    Args:
        folder: of the package, e.g. ``report``; the frame ``page.html`` is found from everywhere.
        name: of the file.
    """
    return _environment(folder).get_template(name)


@cache
def _environment(folder: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader("csbsr", part) for part in (folder, "pages")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals.update(version=csbsr.__version__, verdicts=VERDICTS)
    return environment
