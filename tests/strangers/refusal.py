"""Runs what must be refused in a child process: its message, its memory, its time, and what it left on the disk."""

import os
import pickle
import re
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

MOST_MEMORY = 2 << 30  # bytes, the test's own process included
_SECONDS = 60


class Outcome(NamedTuple):
    """How a child ended."""

    kind: str  #: class of the error; "" if there was none
    message: str  #: of the error; of SystemExit what was printed
    memory: int  #: bytes, at its peak
    trace: str


def in_child(call: Callable[[], Any]) -> Outcome:
    """Call in a forked process."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        _answer(call, write)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    _, status, usage = os.wait4(child, 0)
    assert answer, f"killed by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {status}"
    kind, message, trace = pickle.loads(answer)
    return Outcome(kind, message, usage.ru_maxrss * 1024, trace)


def _answer(call: Callable[[], Any], write: int) -> None:
    signal.alarm(_SECONDS)  # kills a child that hangs
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        call()
        answer = ("", "", "")
    except SystemExit as stop:
        answer = ("SystemExit", str(stop.code), traceback.format_exc())
    except BaseException as error:
        answer = (type(error).__name__, str(error), traceback.format_exc())
    with os.fdopen(write, "wb") as pipe:
        pipe.write(pickle.dumps(answer))
    os._exit(0)


class Finished(NamedTuple):
    """How a command ended."""

    code: int  #: its exit code
    out: str  #: what it printed
    err: str
    memory: int  #: bytes, at its peak
    trace: str


def command(main: Callable[[], Any], *arguments: object) -> Finished:
    """Run an entry point of the command line in a forked process; what ends in a traceback has the code 99."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:

        def call() -> None:
            for descriptor, file, stream in ((1, out, "stdout"), (2, err, "stderr")):
                os.dup2(file.fileno(), descriptor)
                setattr(sys, stream, os.fdopen(descriptor, "w", buffering=1, closefd=False))
            sys.argv = ["command", *map(str, arguments)]
            main()

        outcome = in_child(call)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read())
    code = {"": 0, "SystemExit": 1}.get(outcome.kind, 99)
    if outcome.kind == "SystemExit":
        if outcome.message.isdigit():
            code = int(outcome.message)
        else:
            texts[1] += outcome.message + "\n"
    return Finished(code, texts[0], texts[1], outcome.memory, outcome.trace)


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything under a folder: sizes and times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[path.relative_to(folder).as_posix()] = (status.st_size, status.st_mtime_ns)
    return found


def check_refused(call: Callable[[], Any], folder: Path, message: str, kinds: tuple[str, ...] = ("ValueError",)) -> str:
    """Assert that ``call`` is refused in one printable line, in bounded memory, leaving ``folder`` as it is."""
    before = tree(folder)
    outcome = in_child(call)
    assert outcome.kind in kinds, outcome.trace or "it was not refused"
    assert re.search(message, outcome.message), outcome.message
    assert "\n" not in outcome.message
    assert outcome.message.isprintable(), ascii(outcome.message)
    assert outcome.memory < MOST_MEMORY, f"{outcome.memory / 1e9:.1f} GB"
    assert tree(folder) == before
    return outcome.message
