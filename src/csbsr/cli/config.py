"""Where the configuration lies, and how the command line's words reach Hydra."""

from __future__ import annotations

import contextlib
import errno
import importlib.metadata
import os
import re
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

import csbsr
from csbsr.cli.composing import check_flags, explained_words
from csbsr.memory import keep_freed_memory
from csbsr.moved import present_words
from csbsr.names import SHIPPED
from csbsr.words import printable

#: A ground sampling distance, perhaps with its uncertainty, as people write it: ``0.4+-0.02``, ``0,4 ± 0,02 mm``.
_SAMPLING = re.compile(r"[0-9][0-9.,e\- ]*(?:mm)? ?(?:(?:\+-|\+/-|±) ?[0-9][0-9.,e\- ]*(?:mm)?)?")

#: Values that are paths: taken literally, whatever characters they hold, and made absolute.
_PLACES = (
    "ckpt", "init", "data.root", "data.surfaces", "data.surfaces_list", "input", "output", "out", "photos", "cameras"
)  # fmt: skip
PATH_KEYS = (*_PLACES, "gsd_mm", "hydra.run.dir", "hydra.sweep.dir")
#: Values that are lists.
LIST_KEYS = ("save", "layers")
#: Values that are words with spaces and commas: taken literally.
TEXT_KEYS = (
    "severity.exposure", "data.mask_name", "data.crack_label", "data.ignore_label", "crack_label", "ignore_label"
)  # fmt: skip
#: Those of which a sweep may try several, separated by commas.
SWEPT_KEYS = ("ckpt", "init", "data.root", "input")
SOME_FAILED = 2  # exit code where one or more of many inputs failed
_STOPPED = 128  # and the signal's number, as a shell has it
_FORMATTED = warnings.formatwarning
_COMMA = re.compile(r"([+-]?\d*),(\d+)( *mm)?")
_IN_OWN_FOLDER = ("train", "eval")  # commands whose run has a folder of its own, made by Hydra
_SHARED = ("base", "files")  # options of a group that hold what the others share
_FREE = ("trainer.", "logger.", "callbacks.", "hydra.")  # arguments of others' classes, some of several types


def config_folder() -> Path:
    """The folder of YAML files: ``csbsr/conf`` beside the code in a wheel, the top-level ``conf`` in a checkout."""
    installed = Path(csbsr.__file__).parent / "conf"
    return installed if installed.is_dir() else Path(csbsr.__file__).parents[2] / "conf"


def run(task: Callable, config_name: str, arguments: Sequence[str], stopped: str | None = None) -> None:
    """Run ``task`` as a Hydra application with the given command line (without the program's name).

    With ``stopped``, Ctrl-C and SIGTERM print that and exit with 128 and the signal's number; csbsr-train listens to
    SIGTERM itself.
    """
    keep_freed_memory()
    warnings.formatwarning = _in_a_line
    if config_name in _IN_OWN_FOLDER:
        check_writable(value_of(arguments, "output"))
    check_flags(arguments)
    sys.argv = [sys.argv[0], *said_now(arguments)]
    received = [signal.SIGINT]
    try:
        listening = contextlib.nullcontext() if config_name == "train" else _interrupted_by_sigterm(received)
        with listening, explained_words(arguments, config_folder(), config_name) as composed:

            @wraps(task)
            def job(config: DictConfig) -> Any:
                composed()
                return task(config)

            hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=config_name)(job)()
    except KeyboardInterrupt:
        if stopped is None:
            raise
        print(f"stopped; {stopped}", file=sys.stderr)
        raise SystemExit(_STOPPED + received[-1]) from None


def _in_a_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning of ours as the terminal's other lines, without its place in the code; others' as Python has it."""
    if Path(filename).is_relative_to(Path(csbsr.__file__).parent):
        return f"note     {printable(str(message))}\n"
    return _FORMATTED(message, category, filename, lineno, line)


@contextlib.contextmanager
def _interrupted_by_sigterm(received: list[signal.Signals]) -> Iterator[None]:
    """Inside, SIGTERM is noted and raises KeyboardInterrupt, as Ctrl-C does, where nobody else listens to it."""

    def interrupt(number: int, frame: object) -> None:
        received.append(signal.Signals(number))
        raise KeyboardInterrupt

    here = threading.current_thread() is threading.main_thread()  # no other may listen
    if not here or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def check_writable(output: str | None) -> None:
    """Leave with a line if the folder of a run, or without one the working folder, cannot be written.

    Hydra makes that folder before any of our code runs, and shows what goes wrong there as a traceback.
    """
    wanted = Path(output).expanduser().absolute() if output not in (None, "", "null") else Path.cwd()
    place = next(folder for folder in (wanted, *wanted.parents) if folder.exists())
    try:
        if not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with tempfile.TemporaryDirectory(prefix=".csbsr-", dir=place):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise SystemExit(
            f"error: output: {printable(wanted)} cannot be written ({reason}); go to another folder, or say "
            "output=<folder>"
        ) from None


def said_now(arguments: Sequence[str]) -> list[str]:
    """The words with those of an earlier version as they are said now, and a note of each on the terminal."""
    words = present_words(arguments)
    for old, new in zip(arguments, words, strict=True):
        if old != new:
            print(f"note: {old} is said {new} now; the old word goes with the next version", file=sys.stderr)
    return words


def literal_paths(arguments: Sequence[str]) -> list[str]:
    """Quote the values of `PATH_KEYS` and `TEXT_KEYS`, so that Hydra's grammar does not read them.

    Spaces, commas, brackets, ``=`` and umlauts may then stand in a path without any quoting of one's own.  Relative
    paths become absolute; ``null``, words with a meaning of their own (``last``, ``lite``, ``auto``) and what is quoted
    already stay as they are, whatever files of these names lie here: those are ``./last``.  In a sweep a comma
    separates the values of `SWEPT_KEYS`.
    """
    sweep = any(argument in ("-m", "--multirun") for argument in arguments)
    return [_literal(argument if sweep else with_point(argument), sweep) for argument in arguments]


def lists_in_brackets(arguments: Sequence[str]) -> list[str]:
    """``save=mask,sr`` as the list ``save=[mask,sr]``: for Hydra alone the comma would start a sweep."""
    words = []
    for word in arguments:
        key, equals, value = word.partition("=")
        words.append(f"{key}=[{value}]" if equals and key in LIST_KEYS and value[:1] != "[" else word)
    return words


def with_point(argument: str) -> str:
    """``threshold=0,5`` as ``threshold=0.5``: outside of a sweep a comma in a number can be nothing else.

    Raises:
        SystemExit: it may also divide thousands.
    """
    key, _, value = argument.partition("=")
    found = _COMMA.fullmatch(value)
    if found is None or key.lstrip("+") in (*_PLACES, *TEXT_KEYS, *LIST_KEYS):
        return argument
    whole, part, unit = found.groups()
    if len(part) == 3 and whole.strip("+-") not in ("", "0"):
        raise SystemExit(f"error: {key}: write {whole}{part} or {whole}.{part}: a comma is no part of a number here")
    return f"{key}={whole or 0}.{part}{unit or ''}"


def _literal(argument: str, sweep: bool) -> str:
    key, equals, value = argument.partition("=")
    name = key.lstrip("+")
    if not equals or value in ("", "null", "last") or is_shipped(name, value) or value[0] in "'\"" or "${" in value:
        return argument
    if name in TEXT_KEYS:
        return f"{key}={quoted(value)}"
    if name not in PATH_KEYS or (name == "gsd_mm" and (value == "auto" or _is_number(value))):
        return argument
    if name == "gsd_mm" and _SAMPLING.fullmatch(value):
        return f"{key}={quoted(value)}"
    paths = value.split(",") if sweep and name in SWEPT_KEYS else [value]
    return f"{key}={','.join(quoted(Path(path).expanduser().absolute()) for path in paths)}"


def is_shipped(name: str, value: str) -> bool:
    """Whether ``value`` of the setting ``name`` means weights that come with the package."""
    return name in ("ckpt", "init") and value in SHIPPED


def _is_number(text: str) -> bool:
    try:
        float(text.removesuffix("mm"))
    except ValueError:
        return False
    return True


def quoted(value: object) -> str:
    """``value`` as one single-quoted word of Hydra's grammar."""
    text = str(value)
    end = len(text) - len(text.rstrip("\\"))  # only backslashes before a quote are special there
    return "'" + text.replace("\\'", "\\\\'").replace("'", "\\'") + "\\" * end + "'"


def unquoted(arguments: Sequence[str]) -> list[str]:
    """The words of `literal_paths` as one would type them: its values without quotes."""
    parser = OverridesParser.create()
    words = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        is_literal = key.lstrip("+") in (*PATH_KEYS, *TEXT_KEYS) and value[:1] in ("'", '"')
        words.append(f"{key}={parser.parse_override(argument).value()}" if is_literal else argument)
    return words


def value_of(arguments: Sequence[str], key: str) -> str | None:
    """The last value given to ``key``, as typed, without quotes."""
    for argument in reversed(arguments):
        name, equals, value = argument.partition("=")
        if equals and name.lstrip("+") == key:
            return value.strip("'\"")
    return None


def merged(earlier: Sequence[str], later: Sequence[str]) -> list[str]:
    """Overrides ``earlier`` with those replaced that ``later`` gives anew."""
    keys = {argument.partition("=")[0].lstrip("+~") for argument in later}
    return [argument for argument in earlier if argument.partition("=")[0].lstrip("+~") not in keys] + list(later)


def without(arguments: Sequence[str], *keys: str) -> list[str]:
    """``arguments`` except those that set one of ``keys``."""
    return [argument for argument in arguments if argument.partition("=")[0].lstrip("+~") not in keys]


def check_words(words: Sequence[str], config_name: str | None) -> None:
    """Check the overrides of a job against the settings that they replace: a word where a number stands, say.

    Args:
        words: overrides of the job, as Hydra records them.
        config_name: of the command.

    Raises:
        ValueError: an option that only others build on, or text instead of a number or of true and false.
    """
    parsed = OverridesParser.create().parse_overrides(list(words))
    groups = {word.key_or_group: word for word in parsed if (config_folder() / word.key_or_group).is_dir()}
    for group, word in groups.items():
        if word.value() in _SHARED:
            options = sorted(path.stem for path in (config_folder() / group).glob("*.yaml") if path.stem not in _SHARED)
            raise ValueError(f"{group}: {word.value()} is what the options share; expected one of {', '.join(options)}")
    chosen = [word.input_line or "" for word in groups.values()]
    literal = (*groups, *PATH_KEYS, *TEXT_KEYS)
    values = {word.key_or_group: word.value() for word in parsed if word.key_or_group not in literal}
    texts = {key: value for key, value in values.items() if isinstance(value, str)}
    if not texts or any(word.key_or_group.startswith("hydra") for word in groups.values()):
        return
    defaults = hydra.compose(config_name, chosen)
    for key, text in texts.items():
        if key.startswith(_FREE) or "${" in text:
            continue
        default = OmegaConf.select(defaults, key)
        if isinstance(default, (bool, int, float)):
            expected = "true or false" if isinstance(default, bool) else f"a number, such as {default}"
            raise ValueError(f"{key}: expected {expected}, got {text!r}")


def show_version(arguments: Sequence[str]) -> None:
    """Print the version and leave, if ``--version`` was asked for."""
    if "--version" in arguments:
        torch = importlib.metadata.version("torch")
        print(f"csbsr {csbsr.__version__} (torch {torch}, Python {sys.version.split()[0]})")
        raise SystemExit(0)
