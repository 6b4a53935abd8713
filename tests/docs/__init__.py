"""What the README and the site say, held against the code."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Everything a reader may follow.
TEXTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def blocks(path: Path, language: str) -> list[str]:
    """Contents of the fenced code blocks of a language (a pattern), without the indentation of a list."""
    found = re.findall(rf"^( *)```(?:{language})\n(.*?)^ *```$", path.read_text(encoding="utf-8"), re.M | re.S)
    return [re.sub(rf"^{indent}", "", text, flags=re.M) for indent, text in found]


def spoken(path: Path) -> list[str]:
    """Commands inside sentences; what stands for something is filled in, and ``…`` leaves a command out."""
    found = re.findall(r"`((?:csbsr-[a-z]+|python|pip install|bash|OMP_NUM_THREADS=1) [^`]+)`", path.read_text("utf-8"))
    return [re.sub(r"<(\w+)>", r"\1", command) for command in found if "…" not in command]
