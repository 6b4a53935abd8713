"""Entry points of the commands: ``--version`` and ``--help`` are answered before anything heavy is imported."""

from __future__ import annotations

import importlib
import sys
from functools import partial

from csbsr.cli.config import run, show_version


def enter(command: str, module: str | None = None) -> None:
    """Run a command.

    Args:
        command: its name without ``csbsr-``, which is that of its configuration too.
        module: of `csbsr.cli` that holds its ``main``, if it is called otherwise; it reads its command line itself if
            there is no such configuration.
    """
    arguments = sys.argv[1:]
    show_version(arguments)
    if command != "report" and not {"--help", "-h"}.isdisjoint(arguments):
        run(lambda config: None, command, arguments)
        return
    importlib.import_module(f"csbsr.cli.{module or command}").main()


train = partial(enter, "train")
evaluate = partial(enter, "eval", "evaluate")
degrade = partial(enter, "degrade")
measure = partial(enter, "measure")
predict = partial(enter, "predict")
report = partial(enter, "report")
check = partial(enter, "check")
