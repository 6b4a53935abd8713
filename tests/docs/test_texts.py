"""The README's size, links that lead somewhere, and tables that say what the code does."""

import re
from pathlib import Path

import pytest

import csbsr
from csbsr.cli.config import config_folder
from csbsr.measure import comparison
from csbsr.metrics import DEFINITIONS
from tests.docs import ROOT, TEXTS
from tests.packaging.test_house import ORDER, SOURCE

README = ROOT / "README.md"
DOCS = ROOT / "docs"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_readme_is_short():
    lines = read(README).splitlines()
    assert len(lines) <= 150
    assert max(map(len, lines)) <= 120


def test_pictures_are_small():
    pictures = [path for path in DOCS.rglob("*") if path.suffix in (".jpg", ".png")]
    assert pictures
    assert all(path.stat().st_size < 200_000 for path in pictures)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_named_files_exist(path):
    text = read(path)
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not link.startswith(("http://", "https://")):
            assert (path.parent / link).exists(), link
    for name in re.findall(r"`?((?:scripts|examples|tests|docs|conf)/[\w/]+\.(?:py|sh|md|yaml))", text):
        if "my_" not in name:
            assert (ROOT / name).exists(), name


def test_every_option_is_in_the_table_of_groups():
    rows = [line for line in read(DOCS / "researchers.md").splitlines() if line.startswith("| `")]
    cells = {name: row for row in rows for name in re.findall(r"`([\w/]+)`", row.split("|")[1])}
    shared = {"base", "files", "evaluation"}  # what other options build on
    other = {"experiment", "severity", "hydra"}  # a page of its own, for measuring, below
    for group in sorted(path for path in config_folder().iterdir() if path.is_dir() and path.name not in other):
        assert group.name in cells, f"docs/researchers.md: no row for the group {group.name}"
        for option in sorted(path.stem for path in group.glob("*.yaml") if path.stem not in shared):
            assert f"`{option}`" in cells[group.name], f"docs/researchers.md: {group.name}={option} is missing"
    for path in (config_folder() / "hydra").glob("*/*.yaml"):  # by other names than the plugins' own configurations
        group = f"hydra/{path.parent.name}"
        assert f"`{path.stem}`" in cells[group], f"docs/researchers.md: {group}={path.stem} is missing"


def test_every_published_row_is_in_the_table_of_systems():
    text = read(DOCS / "systems.md")
    for path in (config_folder() / "experiment").glob("*.yaml"):
        assert f"`{path.stem}`" in text


def test_every_metric_is_defined_as_the_program_defines_it():
    text = read(DOCS / "accuracy.md")
    for name, definition in (DEFINITIONS | comparison.DEFINITIONS).items():
        assert f"| `{name}` | {definition} |" in text


def test_the_layout_is_as_it_is_drawn():
    text = read(DOCS / "layout.md")
    drawn = " ".join(re.search(r"^    image file(.*?)\n\n", text, re.M | re.S).group(1).split())
    line = " -> ".join(", ".join(folders) for folders in ORDER)
    assert drawn == f"-> {line}"
    for folder in SOURCE.iterdir():
        if (folder / "__init__.py").exists():
            assert f"`{folder.name}/`" in text, f"docs/layout.md says nothing of {folder.name}"


def test_the_version_is_the_same_everywhere():
    assert re.search(r"^version: (.+)$", read(ROOT / "CITATION.cff"), re.M).group(1) == csbsr.__version__
    assert re.search(r"^## (\d+\.\d+\.\d+)", read(ROOT / "CHANGELOG.md"), re.M).group(1) == csbsr.__version__
