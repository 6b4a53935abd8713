"""Entry points of the commands: ``--version`` and ``--help`` are answered before anything heavy is imported."""

from __future__ import annotations

import codecs
import importlib
import io
import sys
from functools import partial

from csbsr.cli.config import run, show_version

#: What lines of ours hold beside ASCII, for terminals that do not know it.
_PLAIN = {
    "×": "x", "…": "...", "–": "-", "—": "-", "→": "->", "±": "+-", "σ": "sigma", "θ": "theta", "α": "alpha",
    "β": "beta", "↑": "^", "↓": "v", "·": "*", "√": "sqrt", "²": "2", "“": '"', "”": '"', "’": "'", "≥": ">=",
    "≤": "<=", "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue",
}  # fmt: skip


def enter(command: str, module: str | None = None) -> None:
    """Run a command.

    Args:
        command: its name without ``csbsr-``, which is that of its configuration too.
        module: of `csbsr.cli` that holds its ``main``, if it is called otherwise; it reads its command line itself if
            there is no such configuration.
    """
    speak_ascii()
    arguments = sys.argv[1:]
    show_version(arguments)
    if command != "report" and not {"--help", "-h"}.isdisjoint(arguments):
        run(lambda config: None, command, arguments)
        return
    importlib.import_module(f"csbsr.cli.{module or command}").main()


def speak_ascii() -> None:
    """Let terminals that know fewer characters show what they can of a line: ``×`` as ``x``, others as an escape."""
    codecs.register_error("csbsr", _plainer)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "backslashreplace"):
            stream.reconfigure(errors="csbsr")


def _plainer(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    text = "".join(_PLAIN.get(c, c.encode("ascii", "backslashreplace").decode()) for c in part)
    return text, error.end


train = partial(enter, "train")
evaluate = partial(enter, "eval", "evaluate")
degrade = partial(enter, "degrade")
measure = partial(enter, "measure")
predict = partial(enter, "predict")
report = partial(enter, "report")
check = partial(enter, "check")
export = partial(enter, "export")
