"""Files that appear whole or not at all: written beside their place, brought to the disk, then moved there."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

#: Ending of a file that is being written; what a kill leaves of it, `remove_partial` takes away.
PARTIAL = ".partial"
#: Errors of a disk, and what a person can do about them.
DISK_ERRORS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EROFS: "the file system cannot be written to; choose another folder",
    errno.EIO: "the disk reports an error; choose another one",
}


@contextmanager
def whole(path: str | Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """A file opened for writing that takes its place when the block ends without an error.

    It grows under another name in the same folder, so the last step is a rename within one file system: whoever reads
    ``path``, after a kill, a power cut or with a full disk, finds the earlier file or the new one.

    Args:
        path: place of the file; its folder is made if it is missing.
        mode: of ``open``, for writing.
        options: further arguments of ``open``, such as ``encoding`` or ``newline``.

    Raises:
        OSError: the file cannot be written; what stood at ``path`` stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = partial_name(path)
    try:
        with temporary.open(mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # a write knows no name
            error.filename = str(path)
        raise
    sync_folder(path.parent)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file whole; see `whole`."""
    with whole(path) as file:
        file.write(data)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole, in UTF-8; characters of file names that are none stay the bytes they were."""
    write_bytes(path, text.encode("utf-8", errors="surrogateescape"))


def write_pieces(path: str | Path, pieces: Iterable[str]) -> None:
    """Write a text file whole that comes in pieces; as `write_text`."""
    with whole(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.writelines(pieces)


def partial_name(path: Path) -> Path:
    """Where a file grows: of the same length whatever the name, which may fill what the file system allows."""
    return path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32]}{PARTIAL}")


def remove_partial(folder: str | Path) -> None:
    """Remove what kills have left of unfinished files directly in ``folder``, which nobody else may be writing to."""
    for path in Path(folder).glob(f".*{PARTIAL}"):
        path.unlink(missing_ok=True)


def keep_as(path: Path, other: Path) -> None:
    """Let the file at ``path``, if there is one, be found at ``other`` in the same folder too, without copying it."""
    link = partial_name(other)
    link.unlink(missing_ok=True)
    if not path.exists() or (other.exists() and path.samefile(other)):
        return
    try:
        os.link(path, link)
        os.replace(link, other)
    except OSError:  # a file system without hard links
        os.replace(path, other)


def sync_folder(folder: Path) -> None:
    """Bring the names in ``folder`` to the disk, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def disk_trouble(error: BaseException) -> str | None:
    """What is wrong with the disk, in words with the way out; None for any other error."""
    if not isinstance(error, OSError) or error.errno not in DISK_ERRORS:
        return None
    return f"{error.filename or 'writing'}: {DISK_ERRORS[error.errno]}"
