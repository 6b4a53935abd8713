"""How much memory there is, and that large arrays do not ask the system for it again and again."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
from pathlib import Path


def available_memory(enough: float = math.inf) -> int | None:
    """Bytes that the process may still take without swapping; None where the system does not say.

    On Linux the smaller of what the machine and what the control group (a container's limit) have left.  What this
    process keeps for later (`keep_freed_memory`) is given back, so that it counts, unless ``enough`` are free anyway.
    """
    free = _free_memory()
    if free is None or free >= enough:
        return free
    give_back_memory()
    return _free_memory()


def _free_memory() -> int | None:
    found = [value for value in (_machine(), _control_group()) if value is not None]
    return min(found) if found else None


#: Parameters of glibc's mallopt, as malloc.h numbers them, and the values that keep what is freed.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_NEVER, _PAD = -1, 64 << 20


def keep_freed_memory() -> bool:
    """Have this process keep the memory that it frees, until `give_back_memory`; whether it can.

    Every layer of a network makes an image of tens of megabytes and drops another.  glibc returns such blocks to the
    system at once, which fills each new one with zeros, page by page: a quarter to a half of a network's time on a CPU.
    Other C libraries are left as they are.
    """
    try:
        mallopt = _c_library().mallopt
    except (AttributeError, OSError, TypeError):
        return False
    settings = ((_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _PAD), (_MMAP_MAX, 0))
    return all([mallopt(parameter, value) == 1 for parameter, value in settings])


def give_back_memory() -> None:
    """Return what the process has freed to the system, where the C library can."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        _c_library().malloc_trim(0)


def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)  # Windows has none of this name, and says so by a TypeError


def _machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _control_group() -> int | None:
    root = Path("/sys/fs/cgroup")
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            return max(0, int((root / limit).read_text()) - int((root / used).read_text()) + _cached(root / used))
        except (OSError, ValueError):  # no such group, or its limit is "max"
            continue
    return None


def _cached(used: Path) -> int:
    """Bytes of files in memory that the control group gives back when asked."""
    for line in (used.parent / "memory.stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file"):
            return int(value)
    return 0
