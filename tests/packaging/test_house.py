"""The layout's rules: which folder may import which, who may import the frameworks, one list of packages."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "csbsr"
#: Folders from left to right; those of one line do not import each other.
ORDER = [
    ["data"], ["degradation"], ["sr"], ["segmentor"], ["joint"], ["weights"], ["loss"], ["metrics"], ["predict"],
    ["measure"], ["pages"], ["inspection", "report"], ["training", "export"], ["cli"],
]  # fmt: skip
LEFT = {
    folder: {folder, *(left for line in ORDER[:i] for left in line)} for i, line in enumerate(ORDER) for folder in line
}
TOP_LEVEL = {
    ".ci", ".gitignore", ".pre-commit-config.yaml", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE",
    "README.md", "THIRD_PARTY.md", "conf", "docs", "examples", "pyproject.toml", "scripts", "src", "tests",
}  # fmt: skip
FILES = sorted(path for path in SOURCE.rglob("*.py") if path.parent != SOURCE)


def imported(path: Path) -> set[str]:
    """Dotted names that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_left(path):
    folder = path.relative_to(SOURCE).parts[0]
    for name in imported(path):
        top, _, rest = name.partition(".")
        if top == "csbsr" and (SOURCE / rest.partition(".")[0]).is_dir() and rest:
            assert rest.partition(".")[0] in LEFT[folder], f"{folder} imports {name}"
        if top in ("hydra", "omegaconf"):
            assert folder == "cli", f"{folder} imports {name}"
        if top in ("pytorch_lightning", "lightning"):
            assert folder in ("training", "cli") or path.name == "datamodule.py", f"{path.name} imports {name}"
        assert top not in ("lightning", "torchvision"), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", sorted(SOURCE.glob("*.py")), ids=lambda path: path.name)
def test_what_all_folders_may_import_imports_none_of_them(path):
    names = [name.split(".") for name in imported(path) if name.startswith("csbsr.") and path.name != "__init__.py"]
    assert not [name for name in names if (SOURCE / name[1]).is_dir()]


def test_every_folder_is_packaged():
    text = (ROOT / "pyproject.toml").read_text()  # tomllib is not in Python 3.10
    listed = re.findall(r'"([\w.]+)"', re.search(r"^packages = \[(.*?)\]", text, re.M | re.S).group(1))
    found = {"csbsr", "csbsr.conf"} | {
        "csbsr." + ".".join(path.parent.relative_to(SOURCE).parts) for path in SOURCE.rglob("*/__init__.py")
    }
    assert sorted(listed) == sorted(found)


def test_files_open_with_a_sentence():
    for path in SOURCE.rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path}: no docstring"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout: what is tracked is not known")
def test_nothing_lies_about_at_the_top_level():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.partition("/")[0] for line in tracked.splitlines()} == TOP_LEVEL
