"""A file of weights looked at before torch reads it: whole, no larger inside than outside, naming nothing but tensors.

What ``torch.save`` writes is a zip archive of one pickle and the tensors' bytes.  ``torch.load(weights_only=True)``
runs no code from it, but takes the archive's word for everything else: it does not compare the bytes with the archive's
own check sums, unpacks what was packed to a thousandth, and lets the pickle ask for memory without bound.
"""

from __future__ import annotations

import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import torch

from csbsr.data.regular import check_regular
from csbsr.seal import check_seal
from csbsr.weights.tensors import check_values
from csbsr.words import printable

#: What a pickle of weights may name: containers, and how a tensor is put together from its storage.
_NAMES = frozenset(
    {
        "collections OrderedDict",
        "torch Size",
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        *(
            f"torch {kind}Storage"
            for kind in (
                "Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"
            )
        ),
    }
)  # fmt: skip
_LARGEST_PICKLE = 64 << 20  # bytes; that of a system with ten thousand tensors has two million
_BLOCK = 1 << 20
_LEGACY_PICKLES = 5  # of the format before torch 1.6: magic number, protocol, system, contents, storages
_ZIP = b"PK\x03\x04"


def read_weights(path: Path, name: str) -> Any:
    """What a file of weights holds, on the CPU, once it is sure to be sound.

    Args:
        path: of the file.
        name: of the setting, for the errors.

    Returns:
        Containers of tensors and plain values.

    Raises:
        ValueError: it is no file, empty, damaged, packed, or holds or names something else.
    """
    try:
        size = check_regular(path)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    shown = printable(path)
    if size == 0:
        raise ValueError(f"{name}: {shown} is empty; expected a checkpoint of csbsr-train or released weights")
    with path.open("rb") as file:
        check_seal(file, f"{name}: {shown}")
        check_container(file, size, f"{name}: {shown}")
        file.seek(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about odd pickles; what comes of them is checked below
                held = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # which one depends on what the file is instead
            raise ValueError(
                f"{name}: {shown} cannot be read as a checkpoint ({_line(error)}); expected a file written by "
                "csbsr-train or released weights"
            ) from error
    check_values(held, f"{name}: {shown}")
    return held


def check_container(file: IO[bytes], size: int, name: str) -> None:
    """Check a file of weights without making anything from it.

    Args:
        file: opened for reading in binary.
        size: its bytes.
        name: of the file, for the errors.

    Raises:
        ValueError: it is damaged, packed, or names something else than tensors.
    """
    archive = file.read(len(_ZIP)) == _ZIP
    file.seek(0)
    try:
        if archive:
            _check_archive(file, size)
        else:
            for _ in range(_LEGACY_PICKLES):
                _check_names(file)
    except _Unsound as error:
        raise ValueError(f"{name} {error}") from None
    except Exception as error:  # zipfile and pickletools raise many kinds
        if archive:
            raise ValueError(f"{name} is damaged ({_line(error)}); copy it again from its source") from error
        raise ValueError(
            f"{name} cannot be read as a checkpoint ({_line(error)}); expected a file written by csbsr-train or "
            "released weights"
        ) from error


class _Unsound(Exception):
    """What is wrong with a file, as the rest of a sentence about it."""


def _check_archive(file: IO[bytes], size: int) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
            raise _Unsound("holds packed or encrypted entries, which torch.save never writes; do not trust it")
        if sum(entry.file_size for entry in entries) > size:
            raise _Unsound("claims to hold more bytes than it has; it is damaged, or made to fill the memory")
        pickles = [entry for entry in entries if entry.filename.endswith("data.pkl")]
        if not pickles:
            raise _Unsound("is a zip archive without weights; expected a file written by torch.save")
        for entry in entries:
            with archive.open(entry) as stream:  # compares with the check sum when it has read all
                while stream.read(_BLOCK):
                    pass
        for entry in pickles:
            if entry.file_size > _LARGEST_PICKLE:
                raise _Unsound(f"describes its tensors in {entry.file_size >> 20} MB; expected a system of ours")
            with archive.open(entry) as stream:
                _check_names(stream)


def _check_names(stream: IO[bytes]) -> None:
    """Read one pickle up to its end; see that it names nothing but `_NAMES`."""
    for name in _names(stream):
        if name not in _NAMES:
            raise _Unsound(
                f"names {printable(name)[:80].replace(' ', '.')}, which no weights need; expected a file of tensors "
                "written by csbsr-train, or released weights"
            )


def _names(stream: IO[bytes]) -> Iterator[str]:
    for operation, argument, _ in pickletools.genops(stream):
        if operation.name in ("GLOBAL", "INST"):
            yield str(argument)
        elif operation.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
            yield operation.name


def _line(error: BaseException) -> str:
    """The first line of an error; of torch's long advice what it found."""
    found = re.search(r"WeightsUnpickler error: (.+)", str(error))
    if found is not None:
        return printable(found[1])[:160]
    return printable(str(error).splitlines()[0] if str(error) else type(error).__name__)[:160]
