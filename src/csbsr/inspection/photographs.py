"""Which photographs a command means: a file, a folder with its sub-folders, or a pattern; and their results' names."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from csbsr.data.reading import PHOTOGRAPHS, SUFFIXES, check_regular, is_junk
from csbsr.inspection.annotated import drawn_masks
from csbsr.inspection.corrections import is_exclusion

#: Files that can be read; from folders and patterns also photographs are taken that cannot, and fail with a way out.
#: A file named itself may have any name.
READABLE = SUFFIXES


class Photograph(NamedTuple):
    """A file to predict, or a mask to measure."""

    path: Path
    name: str  #: path below the input's folder, with forward slashes
    stem: str  #: path of its results below the output folder, without what follows the stem, with forward slashes
    picture: Path | None = None  #: on which the polygons of a file of LabelMe are drawn, if it lies beside them


class Found(NamedTuple):
    """What lies under an input."""

    photographs: list[Photograph]  #: sorted by name
    others: list[str]  #: what is no photograph by its suffix, and folders that are links or earlier results, by name
    unread: list[str]  #: folders that could not be searched, and why


def find(source: str | Path, output: str | Path, polygons: bool = False) -> Found:
    """All photographs that ``source`` means.

    Args:
        source: a file; a folder, searched with its sub-folders; or a pattern with ``*``, ``?``, ``[…]`` or ``**``.
            What exists is taken as it is, whatever characters its name holds.
        output: where the results go; files in it are never photographs, unless named themselves.  Hidden files and
            folders are left out.
        polygons: files of LabelMe are meant too, in place of the pictures that they are drawn on.

    Raises:
        FileNotFoundError: nothing is there, or no photograph among it.
        ValueError: ``output`` is the folder that is searched.
    """
    source, output = Path(source), Path(output)
    if source.is_file():
        return Found(_named([source], source.parent, drawn_masks([source]) if polygons else {}), [], [])
    unread: list[str] = []
    if source.is_dir():
        root, files = source, list(_walk(source, output, unread))
    else:
        root = _fixed_part(source)
        if root == source:
            if source.exists():
                check_regular(source)  # says that it is a pipe or a device
            raise FileNotFoundError(f"input: no file or folder {source}; expected photographs, a folder or a pattern")
        matches = (Path(match) for match in glob.iglob(str(source), recursive=True))
        files = [path for path in matches if path.is_file() and not _inside(path, output) and not is_junk(path.name)]
    if _same(root, output):
        raise ValueError(f"output: expected another folder than the one with the photographs, got {output} for both")
    photographs = {path for path in files if path.suffix.lower() in PHOTOGRAPHS and not _special(path)}
    drawn = drawn_masks(files) if polygons else {}
    photographs = photographs.difference(drawn.values()).union(drawn)
    chosen = sorted(path for path in photographs if not is_exclusion(path))
    others = sorted(path.relative_to(root).as_posix() for path in set(files) - set(chosen))
    if not chosen:
        detail = f"; found {', '.join(others[:3])}" if others else ""
        raise FileNotFoundError(
            f"input: no {'mask' if polygons else 'photograph'} in {source} (expected "
            f"{'polygons of LabelMe, or ' if polygons else ''}files ending in {', '.join(sorted(READABLE))}){detail}"
        )
    return Found(_named(chosen, root, drawn), others, unread)


def _walk(folder: Path, output: Path, unread: list[str]) -> Iterable[Path]:
    """Files below ``folder``, and the folders among them that are not entered."""

    def missed(error: OSError) -> None:
        unread.append(f"{error.filename}: cannot be searched ({error.strerror})")

    for here, folders, files in os.walk(folder, onerror=missed):
        if "report.html" in files and "summary.json" in files and Path(here) != folder:  # of an earlier inspection
            folders.clear()
            yield Path(here)
            continue
        folders[:] = sorted(name for name in folders if not is_junk(name) and not _same(Path(here, name), output))
        yield from (Path(here, name) for name in folders if Path(here, name).is_symlink())
        yield from (Path(here, name) for name in files if not is_junk(name))


def _fixed_part(pattern: Path) -> Path:
    """The folder of ``pattern`` above its first part with a wildcard; the pattern itself if there is none."""
    parts = pattern.parts
    wild = next((i for i, part in enumerate(parts) if glob.has_magic(part)), None)
    return pattern if wild is None else Path(*parts[:wild])


def _named(files: list[Path], root: Path, drawn: Mapping[Path, Path | None]) -> list[Photograph]:
    """Results are named after a file's stem, and after its whole name where two files would share results."""
    names = {path: path.relative_to(root).as_posix() for path in files}
    stems = {path: path.relative_to(root).with_suffix("").as_posix() for path in files}
    while True:
        count = Counter(stem.casefold() for stem in stems.values())
        shared = [path for path in files if count[stems[path].casefold()] > 1 and stems[path] != names[path]]
        if not shared:
            ordered = sorted(files, key=names.__getitem__)
            return [Photograph(path, names[path], stems[path], drawn.get(path)) for path in ordered]
        stems.update((path, names[path]) for path in shared)


def _special(path: Path) -> bool:
    """Is it a folder, a pipe or a device, or a link to one?  What is missing is not: reading it says so."""
    return path.exists() and not path.is_file()


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _inside(path: Path, folder: Path) -> bool:
    return folder.resolve() in path.resolve().parents
