"""Kills real training processes with SIGKILL and compares what they become with an uninterrupted run.

``python -m tests.cli.killing FOLDER --aimed 20 --random 20`` does it at length; the process that imports everything is
forked for each run, so that a run costs no imports.  A run that is aimed at waits at a certain call, half-way through
it where that is possible, and says so through a pipe; then it is killed.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

WORDS = [
    "width.sr=0.0625", "width.segmentor=0.0625", "stages=2", "data.crop=32", "data.batch_size=2", "data.num_workers=0",
    "trainer.accelerator=cpu", "trainer.log_every_n_steps=1", "optimizer.lr=1e-3", "callbacks=ema",
    "callbacks.progress=null", "+trainer.enable_progress_bar=false", "phases=quick", "scheduler=cosine",
    "data.train_images=10", "data.test_images=2", "data.size=[40,48]", "data.cache=none",
    "data.validation_fraction=0.2",
    "phases.phases.sr_true_kernel.fraction=0.25", "phases.phases.kernel.fraction=0.125",
    "phases.phases.sr.fraction=0.125", "steps=8", "trainer.val_check_interval=2", "callbacks.last.every_n_steps=3",
    "resume=true",
]  # fmt: skip
#: Of the curves, what depends on the clock.
TIMES = {"train/steps_per_second"}
_CODE = 86  # of a run that came to its end without meeting the moment it was to wait for


def moments() -> dict[str, tuple[Any, str, str, int]]:
    """Where an aimed kill can hit: object, method, "before", "after" or "within" the call, and which call."""
    from csbsr import files, seal
    from csbsr.cli import build, folders, train
    from csbsr.training import callbacks, curves, module, saving

    step, epoch_end = "training_step", "on_validation_epoch_end"
    return {
        "the folder is claimed": (folders.OwnFolder, "on_run_start", "after", 1),
        "building": (build, "build_data", "before", 1),
        "before the first step": (module.CrackModule, step, "before", 1),
        "fitted begins": (train, "fitted", "before", 1),
        "curves opened": (curves.CurveFile, "__init__", "after", 1),
        "first row": (curves.CurveFile, "_write_anew", "before", 1),
        "first row written": (curves.CurveFile, "_write_anew", "after", 1),
        "columns of the validation": (curves.CurveFile, "_write_anew", "before", 2),
        "in a step": (module.CrackModule, step, "after", 5),
        "at a border of phases": (callbacks.PhaseControl, "on_train_batch_start", "after", 4),
        "first save, first bytes": (seal.SealingWriter, "write", "after", 1),
        "a save, half written": (seal.SealingWriter, "write", "after", 40),
        "a save, not yet moved": (files.os, "replace", "before", 3),
        "previous kept, last not saved": (saving.SealedFiles, "save_checkpoint", "before", 3),
        "a save, moved": (saving.SealedFiles, "save_checkpoint", "after", 3),
        "a validation begins": (module.CrackModule, "validation_step", "before", 1),
        "within a validation": (module.CrackModule, "validation_step", "after", 6),
        "a panel is drawn": (callbacks, "panel", "after", 2),
        "metrics are computed": (module.CrackModule, epoch_end, "after", 2),
        "best saved, last not": (saving.BestCheckpoint, "on_validation_end", "after", 1),
        "the last validation": (module.CrackModule, epoch_end, "before", 4),
        "the last best, last not": (saving.BestCheckpoint, "on_validation_end", "after", 4),
        "the last save": (saving.SaveLast, "on_validation_end", "before", 4),
        "before the farewell": (train, "log_final", "before", 1),
    }


def wait_at(moment: tuple[Any, str, str, int], pipe: int) -> None:
    """Have this process wait for its end at a moment."""
    owner, name, when, number = moment
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def waiting(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        result = None
        if calls == number and when == "before":
            os.write(pipe, b"x")
            time.sleep(600)
        result = original(*args, **kwargs)
        if calls == number:
            os.write(pipe, b"x")
            time.sleep(600)
        return result

    setattr(owner, name, waiting)


def start(words: list[str], log: Path, temporary: Path | None = None, moment: Any = None) -> tuple[int, int]:
    """Fork a training; its process id, and the pipe on which it says that it has come to ``moment``."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    code = 1
    try:
        os.close(reading)
        with log.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        if temporary is not None:
            os.environ["TMPDIR"] = str(temporary)
        if moment is not None:
            wait_at(moment, writing)
        from csbsr.cli import train

        sys.argv = ["csbsr-train", *words]
        train.main()
        code = _CODE if moment is not None else 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1 if stop.code else 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def finish(child: int, reading: int) -> int:
    """Wait for a process; its exit code, negative for a signal."""
    os.close(reading)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def differences(one: Path, other: Path) -> list[str]:
    """Where two run folders differ: checkpoints entry by entry, curves but for times, panels and the split by bytes."""
    found = []
    for name in ("last.ckpt", "best.ckpt"):
        pair = [folder / "checkpoints" / name for folder in (one, other)]
        if not all(path.is_file() for path in pair):
            found.append(f"{name} is missing")
            continue
        found += [f"{name}: {line}" for line in _compared(*(torch.load(path, weights_only=True) for path in pair))]
    rows = []
    for folder in (one, other):
        with (folder / "metrics.csv").open(newline="") as file:
            rows.append([{key: row[key] for key in row.keys() - TIMES} for row in csv.DictReader(file)])
    if rows[0] != rows[1]:
        found.append(f"metrics.csv: {rows[0]} != {rows[1]}")
    names = [
        sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file()) for folder in (one, other)
    ]
    if names[0] != names[1]:
        found.append(f"files: {set(map(str, names[0])) ^ set(map(str, names[1]))}")
    found += [
        f"{name} differs"
        for name in names[0]
        if (name.suffix == ".png" or name.name == "split.json")
        and (other / name).is_file()
        and (one / name).read_bytes() != (other / name).read_bytes()
    ]
    return found


def _compared(one: Any, other: Any, place: str = "") -> list[str]:
    if isinstance(one, torch.Tensor):
        same = isinstance(other, torch.Tensor) and torch.equal(one.nan_to_num(), other.nan_to_num())
        return [] if same else [place]
    if isinstance(one, dict):
        if not isinstance(other, dict) or one.keys() != other.keys():
            return [f"{place}: {list(one)} != {list(other) if isinstance(other, dict) else other}"]
        skipped = {"overrides", "output", "config", "cluster", *TIMES}
        return [line for key in one.keys() - skipped for line in _compared(one[key], other[key], f"{place}/{key}")]
    if isinstance(one, (list, tuple)):
        if type(one) is not type(other) or len(one) != len(other):
            return [f"{place}: {one} != {other}"]
        return [
            line for i, (a, b) in enumerate(zip(one, other, strict=True)) for line in _compared(a, b, f"{place}/{i}")
        ]
    same = one == other or (one != one and other != other)  # not a number in both
    return [] if same else [f"{place}: {one!r} != {other!r}"]


def reference(folder: Path) -> tuple[Path, float]:
    """The uninterrupted run, and the seconds that it took."""
    place, began = folder / "whole", time.monotonic()
    if not (place / "checkpoints" / "last.ckpt").is_file():
        code = finish(*start([*WORDS, f"output={place}"], folder / "whole.log"))
        if code:
            raise RuntimeError((folder / "whole.log").read_text())
    return place, time.monotonic() - began


def killed(folder: Path, name: str, moment: Any, delay: float, temporary: Path | None) -> str:
    """Kill one run and have it go on; what went wrong, or nothing."""
    place, log = folder / name, folder / f"{name}.log"
    words = [*WORDS, f"output={place}"]
    child, reading = start(words, log, temporary, moment)
    if moment is None:
        time.sleep(delay)
    elif not os.read(reading, 1):  # it ended without coming there
        return f"never came to the moment: {log.read_text()[-800:]}" if finish(child, reading) else "never came there"
    os.kill(child, signal.SIGKILL)
    finish(child, reading)
    code = finish(*start(words, log, temporary))
    if code:
        return f"exit {code}: {log.read_text()[-1500:]}"
    return "; ".join(differences(folder / "whole", place))


def main() -> None:
    """Run so many kills; exit with the number of runs that differ."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--aimed", type=int, default=20)
    parser.add_argument("--random", type=int, default=20)
    parser.add_argument("--only", help="part of the name of the aimed moments")
    parser.add_argument("--tmpfs", type=Path, help="a folder on another file system, for TMPDIR in half of the runs")
    chosen = parser.parse_args()
    import csbsr.cli.train  # noqa: F401  before the forks

    torch.set_num_threads(1)
    folder = chosen.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    _, seconds = reference(folder)
    draw, wrong = random.Random(0), 0
    plan = [(name, moment, 0.0) for name, moment in moments().items() if not chosen.only or chosen.only in name]
    plan = plan[: chosen.aimed]
    plan += [
        (f"after {delay:.2f} s", None, delay) for delay in (draw.uniform(0.1, seconds) for _ in range(chosen.random))
    ]
    for number, (what, moment, delay) in enumerate(plan):
        trouble = killed(folder, f"run{number}", moment, delay, chosen.tmpfs if number % 2 else None)
        wrong += bool(trouble)
        sys.stdout.write(f"{number} {what}: {trouble or 'equal'}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(plan) - wrong} of {len(plan)} runs equal the uninterrupted one\n")
    raise SystemExit(min(wrong, 100))


if __name__ == "__main__":
    main()
