"""What was seen in files before, by path, size and time of change, so that a second start need not look again.

It lies in the user's cache folder and may be deleted at any time; where it cannot be written, nothing is remembered.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

_VERSION = 1  # of what is remembered; raise it when a reader changes its mind about files
_WAIT = 5.0  # seconds for another process that writes


class Looked:
    """A table of (kind of look, path) with a file's size and time and what was seen.

    Args:
        folder: of the table; None for the user's cache folder (``$XDG_CACHE_HOME/csbsr`` or ``~/.cache/csbsr``).
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.path = (folder or cache_folder()) / f"looked-{_VERSION}.sqlite"

    def known(self, kind: str, paths: Sequence[Path]) -> dict[Path, object]:
        """What was seen in those of ``paths`` that have not changed since."""
        stats = {path: _stat(path) for path in paths}
        found: dict[Path, object] = {}
        with self._open(write=False) as table:
            if table is None or not paths:
                return found
            names = {os.fsencode(path.absolute()): path for path in paths}
            folder = os.path.commonpath({os.fsencode(path.absolute().parent) for path in paths})
            query = "SELECT path, size, time, seen FROM looked WHERE kind = ? AND path >= ? AND path < ?"
            for name, size, time, seen in table.execute(query, (kind, folder, folder + b"\xff")):
                path = names.get(name)
                if path is not None and stats[path] == (size, time):
                    found[path] = json.loads(seen)
        return found  # also where reading the table failed

    def remember(self, kind: str, seen: Mapping[Path, object]) -> None:
        """Keep what was seen in files."""
        rows = []
        for path, value in seen.items():
            stat = _stat(path)
            if stat is not None:
                rows.append((kind, os.fsencode(path.absolute()), *stat, json.dumps(value)))
        if not rows:
            return
        with self._open(write=True) as table:
            if table is not None:
                table.executemany("INSERT OR REPLACE INTO looked VALUES (?, ?, ?, ?, ?)", rows)
                table.commit()

    @contextlib.contextmanager
    def _open(self, write: bool):  # type: ignore[no-untyped-def]
        """The table, or None where there is none or it cannot be used."""
        table = None
        try:
            if write:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            if write or self.path.is_file():
                table = sqlite3.connect(self.path, timeout=_WAIT)
                table.execute(
                    "CREATE TABLE IF NOT EXISTS looked (kind TEXT, path BLOB, size INTEGER, time INTEGER, seen TEXT, "
                    "PRIMARY KEY (kind, path)) WITHOUT ROWID"
                )
        except (OSError, sqlite3.Error) as error:
            log.debug("%s cannot be used: %s", self.path, error)
            if table is not None:
                table.close()
            table = None
        try:
            yield table
        except sqlite3.Error as error:
            log.debug("%s cannot be used: %s", self.path, error)
        finally:
            if table is not None:
                table.close()


def cache_folder() -> Path:
    """Where programs of this user keep what they can make anew."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/.cache")
    return Path(base) / "csbsr"


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
