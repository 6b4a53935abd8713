"""Files of LabelMe among the files to measure: which of them are masks, and which pictures they are drawn on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from csbsr.data.annotations import EXCLUDE, read_json
from csbsr.data.errors import DataError
from csbsr.data.labelme_files import POLYGONS
from csbsr.data.reading import SUFFIXES

#: Of csbsr-predict's files, and of masks in data sets, which a photograph's name lacks.
ENDINGS = ("_mask", "_probability", "_label", "_gt", "_seg")
_OWN = "_labelme"  # of csbsr-predict's polygons
_HEAD = 4096  # bytes; LabelMe writes its shapes before the image


def drawn_masks(files: Iterable[Path]) -> dict[Path, Path | None]:
    """The files of LabelMe among ``files`` that are masks, each with the picture beside it that it is drawn on.

    Left out are other JSON, files that hold nothing but areas labelled ``exclude``, and those of a photograph whose
    mask lies beside them as a picture.
    """
    found = {}
    for path in files:
        if path.suffix.lower() not in POLYGONS or not path.is_file() or _has_mask(path):
            continue
        content = _labelme(path)
        if content is not None and not _excludes(content):
            found[path] = _picture(path, content)
    return found


def _labelme(path: Path) -> dict[str, Any] | None:
    """What a file of LabelMe holds: nothing of a damaged one, whose reader will say so; None of other files."""
    try:
        content = read_json(path, "polygons of LabelMe")
    except DataError:
        try:
            with path.open("rb") as file:
                return {} if b'"shapes"' in file.read(_HEAD) else None
        except OSError:
            return None
    return content if isinstance(content.get("shapes"), list) else None


def _excludes(content: dict[str, Any]) -> bool:
    """Whether all shapes, and there are some, are areas to be left out of another mask."""
    shapes = content.get("shapes") or []
    labels = [str(shape.get("label")) if isinstance(shape, dict) else "" for shape in shapes]
    return bool(labels) and all(label.casefold() == EXCLUDE for label in labels)


def _has_mask(path: Path) -> bool:
    own = path.stem.removesuffix(_OWN)
    return any(
        path.with_name(f"{own}{ending}{suffix}").is_file() for ending in ENDINGS for suffix in (".png", *SUFFIXES)
    )


def _picture(path: Path, content: dict[str, Any]) -> Path | None:
    """The picture that the file names, if it lies beside it, or one of the file's own name."""
    named = PurePosixPath(str(content.get("imagePath") or "").replace("\\", "/")).name
    beside = (path.with_name(named) if named else path, *(path.with_suffix(suffix) for suffix in sorted(SUFFIXES)))
    return next((one for one in beside if one.suffix.lower() in SUFFIXES and _is_there(one)), None)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or with a character that none has
        return False
