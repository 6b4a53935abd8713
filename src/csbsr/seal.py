"""A SHA-256 inside a checkpoint: a file that lost or changed a single bit is told from a sound one.

A checkpoint of torch is a zip archive.  The seal is the archive's comment, the last bytes of the file: a marker and the
SHA-256 of everything before the digits.  Zip readers pass over a comment, so torch loads a sealed file as any other.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from typing import IO

MARKER = b"csbsr sha256 "
_DIGITS = 64
_SEAL = len(MARKER) + _DIGITS
_END = 22  # bytes of a zip's last record, of which the last two are the length of the comment
_END_SIGNATURE = b"PK\x05\x06"
_CHUNK = 1 << 20


class SealingWriter:
    """Passes bytes on to ``file`` and puts a seal at the end of the archive that they make up.

    Args:
        file: opened for writing in binary.

    Attributes:
        error: the first error of ``file``; libraries that write through an object like this hide it behind their own.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.error: OSError | None = None
        self._file = file
        self._hash = hashlib.sha256()
        self._tail = b""  # the end record will be changed, so its bytes wait

    def write(self, data: bytes) -> int:
        """Write, all but the last bytes."""
        waiting = self._tail + bytes(data)
        cut = max(0, len(waiting) - _END)
        self._tail = waiting[cut:]
        self._put(waiting[:cut])
        return len(data)

    def flush(self) -> None:
        """Nothing: the file is flushed by whoever opened it."""

    def seal(self) -> None:
        """Write the last record with the seal.

        Raises:
            ValueError: what was written is no zip archive without a comment.
        """
        if not _plain_end(self._tail):
            raise ValueError("seal: expected a zip archive without a comment")
        self._put(self._tail[:-2] + struct.pack("<H", _SEAL) + MARKER)
        self._file.write(self._hash.hexdigest().encode())

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise
        self._hash.update(data)


def check_seal(file: IO[bytes], name: str) -> bool:
    """Compare a file with its seal, and go back to its start.

    Args:
        file: opened for reading in binary; it can be sought in.
        name: of the file, for the error.

    Returns:
        Whether it is sealed; released weights and older checkpoints are not.

    Raises:
        ValueError: the file is not as it was written.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END - _SEAL))
    end = file.read()
    file.seek(0)
    comment = end[-_SEAL:]
    sealed = size >= _END + _SEAL and re.fullmatch(re.escape(MARKER) + rb"[0-9a-f]{64}", comment)
    if not sealed:
        is_zip = file.read(2) == b"PK"
        file.seek(0)
        if (is_zip and not _plain_end(end[-_END:])) or comment.startswith(MARKER):
            raise ValueError(_damaged(name))
        return False
    digest = hashlib.sha256()
    left = size - _DIGITS
    while left and (chunk := file.read(min(left, _CHUNK))):
        digest.update(chunk)
        left -= len(chunk)
    file.seek(0)
    if digest.hexdigest().encode() != comment[-_DIGITS:]:
        raise ValueError(_damaged(name))
    return True


def _plain_end(record: bytes) -> bool:
    """Whether a zip's last record ends an archive without a comment."""
    return len(record) == _END and record.startswith(_END_SIGNATURE) and record.endswith(b"\0\0")


def _damaged(name: str) -> str:
    return f"{name} is damaged: its contents do not match their checksum; copy it anew, or use an earlier checkpoint"
