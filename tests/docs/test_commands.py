"""Every command that the README and the docs show: composed as it stands, or listed here with why it is not run."""

import itertools
import shlex
import sys
from importlib import import_module
from importlib.util import find_spec
from unittest import mock

import hydra
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from csbsr.cli.config import check_words, config_folder
from tests.cli.inprocess import exit_code
from tests.docs import TEXTS, blocks, spoken

#: Commands of the shell whose words are not looked at, by how they begin, and why no test runs them as they stand.
NOT_RUN = {
    "python scripts/convert_encoder.py": "needs weights from a package index",
    "python scripts/train_lite.py": "trains on an accelerator, on photographs that are not in the repository",
    "python -m scripts.polish_lite": "trains for minutes, on photographs that are not in the repository",
    "python -m scripts.blur_picture": "reads test sets that are not in the repository",
    "bash scripts/quickstart.sh": "installs and trains for a quarter of an hour",
    "bash scripts/test.sh": "runs this test",
    "git clone": "needs a host",
    "python -m venv": "is the reader's environment",
    ".": "is the reader's environment",
    "export": "is the reader's environment",
    "cd": "is the reader's environment",
    "pip install": "needs a package index; tests/packaging builds the wheel and runs it",
    "pre-commit install": "writes into the reader's repository",
    "python -m pytest": "runs this test",
    "ruff": "scripts/test.sh runs it before the tests",
    "mypy": "scripts/test.sh runs it before the tests",
    "srun": "needs Slurm; its csbsr-train words are those of the other examples",
    "torchrun": "needs several machines; tests/cli/test_processes.py runs two processes on one",
    "for": "loops over a sweep's jobs; tests/cli/test_report.py compares seeds",
    "do": "is the same loop",
    "done": "is the same loop",
    "python -m tests.mosaics": "writes 200 MB; tests/cli/test_windows.py makes a small one",
    "python -m tests.measure.accuracy": "tests/measure/test_accuracy.py runs its parts",
    "python -m tests.strangers.fuzz": "goes on as long as one likes; tests/strangers runs a table of cases",
    "python -m sphinx": "tests/docs/test_build.py builds the site in its own process",
    "python scripts/benchmark_predict.py": "measures for minutes",
    "python scripts/benchmark_skip.py": "measures for minutes, on photographs that are not in the repository",
    "python scripts/benchmark_widths.py": "measures for minutes, some of it on data that are not here",
    "OMP_NUM_THREADS=1 python scripts/benchmark_systems.py": "measures for minutes",
    "csbsr-train experiment=name": "each experiment is trained by tests/cli/test_experiments.py",
    "python scripts/benchmark_gpu.py": "measures for minutes on a GPU",
    "python scripts/benchmark.py": "measures for minutes, some of it on a GPU",
    "csbsr-train recipe=quick segmentor=my_net": "the network is the reader's: tests/docs/test_contributing.py",
}
#: Modules of the commands that Hydra composes.
COMPOSED = {
    "csbsr-train": "train", "csbsr-eval": "evaluate", "csbsr-degrade": "degrade", "csbsr-predict": "predict",
    "csbsr-measure": "measure", "csbsr-check": "check", "csbsr-export": "export",
}  # fmt: skip


def statements(text):
    """Commands of a block, each a list of words, comments left out."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&;")
        lexer.whitespace_split, lexer.wordchars = True, lexer.wordchars + "$<>*?[]{}~"
        for separator, words in itertools.groupby(lexer, lambda word: set(word) <= set("&;")):
            if not separator:
                yield list(words)


SHOWN = [text for path in TEXTS for text in (*blocks(path, "bash|sh"), *spoken(path))]
COMMANDS = sorted({tuple(words) for text in SHOWN for words in statements(text)})
HAS_PLUGINS = find_spec("hydra_plugins") is not None
BEGINNINGS = [tuple(beginning.split()) for beginning in NOT_RUN]


def not_run(words):
    return any(words[: len(beginning)] == beginning for beginning in BEGINNINGS)


def composed(module, words):
    """The words and the name of the configuration with which a command starts Hydra."""
    started = {}

    def instead(config_name, **_):
        return lambda task: lambda: started.update(name=config_name, words=sys.argv[1:])

    with mock.patch.object(hydra, "main", instead):
        code = exit_code(import_module(f"csbsr.cli.{module}").main, *words)
    assert started, code
    return started["name"], started["words"]


def jobs(words):
    """The command line as one job, or as jobs of its sweep in which every value (of many the first ones) occurs."""
    choices = []
    for word in OverridesParser.create().parse_overrides(words):
        key = word.get_key_element()
        if not word.is_sweep_override():
            choices.append([word.input_line])
        elif word.is_interval_sweep():
            choices.append([f"{key}={word.value().start}"])
        else:
            choices.append([f"{key}={value}" for value in itertools.islice(word.sweep_string_iterator(), 3)])
    for number in range(max(map(len, choices), default=1)):
        yield [values[min(number, len(values) - 1)] for values in choices]


@pytest.mark.parametrize("words", [words for words in COMMANDS if not not_run(words)], ids=shlex.join)
def test_it_is_understood(words, tmp_path, monkeypatch):
    command, *arguments = words
    if not HAS_PLUGINS and any(word.startswith(("hydra/launcher=", "hydra/sweeper=")) for word in arguments):
        pytest.skip("needs csbsr[sweep]")
    monkeypatch.chdir(tmp_path)
    if command == "csbsr-report":  # evaluations that are not there are the only thing wrong with it
        assert str(exit_code(import_module("csbsr.cli.report").main, *arguments)).startswith("error: ")
        return
    assert command in COMPOSED, f"{shlex.join(words)}: name it in NOT_RUN with the reason, or compose it"
    if command == "csbsr-train":  # the words of the checkpoint's run come first: tests/cli/test_train.py
        arguments = [word for word in arguments if not word.startswith("ckpt=")]
    name, arguments = composed(COMPOSED[command], arguments)
    for job in jobs([word for word in arguments if not word.startswith("-")]):
        with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
            check_words(job, name)
            hydra.compose(name, overrides=list(job))


def test_what_is_not_run_is_still_shown():
    for beginning in BEGINNINGS:
        assert any(words[: len(beginning)] == beginning for words in COMMANDS), (
            f"{beginning}: no text shows it any more"
        )
