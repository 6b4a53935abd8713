"""Runs what must be refused in a child process: its message, its memory, its time, and what it left on the disk."""

import contextlib
import os
import pickle
import re
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

# Beyond what the forked process held before, which depends on the tests before it; csbsr alone holds about 0.4 GB.
MOST_MEMORY = 1_600_000_000  # bytes: below 2 GB in all
_SECONDS = 60


class Outcome(NamedTuple):
    """How a child ended."""

    kind: str  #: class of the error; "" if there was none
    message: str  #: of the error; of SystemExit what was printed
    memory: int  #: bytes taken at the peak, beyond those held before
    trace: str


def in_child(call: Callable[[], Any]) -> Outcome:
    """Call in a forked process."""
    return _in_child([call])[0]


def _in_child(calls: Sequence[Callable[[], Any]]) -> list[Outcome]:
    """Call one after another in a forked process; a call that kills it is the last of the outcomes."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        with os.fdopen(write, "wb") as pipe:
            for call in calls:
                pickle.dump(_outcome(call), pipe)
                pipe.flush()
        os._exit(0)
    os.close(write)
    outcomes = []
    with os.fdopen(read, "rb") as pipe:
        while len(outcomes) < len(calls):
            try:
                outcomes.append(Outcome(*pickle.load(pipe)))
            except EOFError:
                break
    _, status = os.waitpid(child, 0)
    if len(outcomes) < len(calls):
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
        outcomes.append(Outcome("killed", how, 0, how))
    return outcomes


def _outcome(call: Callable[[], Any]) -> tuple[str, str, int, str]:
    signal.alarm(_SECONDS)  # kills a child that hangs
    _forget_peak()
    before = _peak()
    kind = message = trace = ""
    try:
        call()
    except SystemExit as stop:
        kind, message, trace = "SystemExit", str(stop.code), traceback.format_exc()
    except BaseException as error:
        kind, message, trace = type(error).__name__, str(error), traceback.format_exc()
    signal.alarm(0)
    return kind, message, _peak() - before, trace


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Bytes that the process held at most since `_forget_peak`; since its start where the system cannot forget."""
    try:
        return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
    except (OSError, TypeError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Trial(NamedTuple):
    """What came of a file that must be refused."""

    outcome: Outcome
    changed: bool  #: the folder is not as it was


def trials(prepare: Mapping[str, Callable[[Path], Callable[[], Any]]], root: Path) -> dict[str, Trial]:
    """Try many files, each in a folder of its own, in one forked process: forking costs more than refusing.

    Args:
        prepare: writes a case's files into its folder and returns what is to be called there.
        root: for the folders; each also gets a file that nothing may change.
    """
    found: dict[str, Trial] = {}
    todo = list(prepare)
    while todo:
        outcomes = _in_child([partial(_try, prepare[name], root / str(len(prepare) - len(todo) + at))
                              for at, name in enumerate(todo)])  # fmt: skip
        for name, outcome in zip(todo, outcomes, strict=False):
            changed = outcome.kind == _Changed.__name__
            found[name] = Trial(outcome, changed)
        todo = todo[len(outcomes) :]
    return found


class _Changed(Exception):
    """A call left its folder other than it was."""


def _try(prepare: Callable[[Path], Callable[[], Any]], folder: Path) -> None:
    folder.mkdir()
    os.chdir(folder)
    (folder / "victim.txt").write_text("mine")
    call = prepare(folder)
    before = tree(folder)
    _forget_peak()
    try:
        call()
    finally:
        if (after := tree(folder)) != before:
            raise _Changed(f"{sorted(before.items() ^ after.items())}")


def assert_refused(trial: Trial, message: str, kinds: tuple[str, ...] = ("ValueError",)) -> str:
    """Assert that a trial ended in one printable line, in bounded memory, and left its folder as it was."""
    outcome = trial.outcome
    assert not trial.changed, outcome.message
    assert outcome.kind in kinds, outcome.trace or "it was not refused"
    assert re.search(message, outcome.message), outcome.message
    assert outcome.message.isprintable(), ascii(outcome.message)
    assert outcome.memory < MOST_MEMORY, f"{outcome.memory / 1e9:.1f} GB"
    return outcome.message


class Finished(NamedTuple):
    """How a command ended."""

    code: int  #: its exit code
    out: str  #: what it printed
    err: str
    memory: int  #: bytes taken at the peak, beyond those held before
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


_FRESH = """
import re, sys
from importlib import import_module
main = import_module(sys.argv[1]).main
sys.argv[1:2] = []
try:
    main()
finally:
    sys.stdout.flush()
    peak = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())
    sys.stderr.write(f"\\x00{int(peak[1]) * 1024}")
"""


def fresh_command(module: str, *arguments: object) -> Finished:
    """Run an entry point of the command line in a new process: its memory is its own, all of it.

    A fork's grows by whatever it takes of what the tests before it had freed.
    """
    done = subprocess.run(
        [sys.executable, "-c", _FRESH, module, *map(str, arguments)], capture_output=True, text=True, timeout=_SECONDS
    )
    err, _, memory = done.stderr.partition("\x00")
    return Finished(done.returncode, done.stdout, err, int(memory.split()[0]), err)


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything under a folder: sizes and times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[path.relative_to(folder).as_posix()] = (status.st_size, status.st_mtime_ns)
    return found


def check_refused(call: Callable[[], Any], folder: Path, message: str, kinds: tuple[str, ...] = ("ValueError",)) -> str:
    """`assert_refused` of one call on files that are there."""
    before = tree(folder)
    outcome = in_child(call)
    return assert_refused(Trial(outcome, tree(folder) != before), message, kinds)
