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
