"""How the site is built: ``python -m sphinx -W -b html docs docs/_build``, without a network."""

import importlib

from csbsr import __version__

# Packages that import their names when they are first asked for: asked for here, so that autodoc sees them.
for package in ("csbsr", "csbsr.data", "csbsr.metrics", "csbsr.predict"):
    module = importlib.import_module(package)
    for name in module.__all__:
        setattr(module, name, getattr(module, name))

project = "csbsr"
author = "the csbsr contributors"
project_copyright = "the csbsr contributors, Apache-2.0"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}

# Pages are Markdown; headings can be linked to as page.md#heading.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["myst.header"]  # a changelog repeats its headings

# The API reference: the names a package lists in __all__, with what their docstrings say.
default_role = "py:obj"  # `csbsr.load` in a docstring is a link where it is documented
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Source"]

# A plain theme that asks no host for fonts or scripts.
html_theme = "alabaster"
html_theme_options = {
    "description": "Crack segmentation by joint blind super-resolution",
    "fixed_sidebar": True,
    "page_width": "72rem",
    "body_max_width": "56rem",
    "sidebar_width": "16rem",
    "font_family": "system-ui, sans-serif",
    "head_font_family": "system-ui, sans-serif",
}
html_copy_source = False
html_show_sourcelink = False
