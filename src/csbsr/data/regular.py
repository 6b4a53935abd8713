"""Is it a file at all?  Pipes, devices and links to them would stop a command for good."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from csbsr.data.errors import DataError

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_REMEDY = "Check the path and your rights to read it."


def check_regular(path: str | Path) -> int:
    """The size of a regular file in bytes; links are followed, nothing is opened.

    Raises:
        DataError: there is nothing, it is something else (a folder, a pipe, a device, a socket), or a link to that.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or str(error)
        found = f"a link that leads nowhere ({reason})" if os.path.islink(path) else f"no readable file ({reason})"
        raise DataError.about(path, found, "a file", _REMEDY) from error
    if stat.S_ISREG(status.st_mode):
        return status.st_size
    kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "something else")
    found = f"a link to {kind}" if os.path.islink(path) else kind
    raise DataError.about(path, found, "a file", "Name a file, or move this away.")


def is_regular(path: str | Path) -> bool:
    """Whether `check_regular` would pass."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
