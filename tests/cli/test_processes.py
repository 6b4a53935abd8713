"""Signals in real processes: alone, with loader processes, under DDP, in sweeps; Optuna, joblib and submitit."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import torch
import yaml

from csbsr.training.resuming import ResumePoint
from tests.data.helpers import write_pairs

pytestmark = pytest.mark.slow
WORDS = [
    "sr=bicubic", "phases=joint", "width.segmentor=0.0625", "data=folder", "data.crop=32", "data.batch_size=2",
    "data.num_workers=0", "trainer.accelerator=cpu", "trainer.log_every_n_steps=1", "callbacks.progress=null",
    "+trainer.enable_progress_bar=false", "trainer.val_check_interval=100000", "data.validation_fraction=0.3",
]  # fmt: skip
COMMAND = [sys.executable, "-c", "from csbsr.cli.train import main; main()"]
SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"]


def installed(plugin):
    """Whether a plugin of Hydra is there; asking for one in a package that is not there raises."""
    return importlib.util.find_spec("hydra_plugins") and importlib.util.find_spec(f"hydra_plugins.{plugin}")


needs_sweep = pytest.mark.skipif(not installed("hydra_optuna_sweeper"), reason="needs csbsr[sweep]")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    root = tmp_path_factory.mktemp("photographs")
    write_pairs(root, "train", list("abcdefghij"), (40, 48))
    write_pairs(root, "test", ["t"], (40, 48))
    return [*WORDS, f"data.root={root}"]


@pytest.fixture
def script(tmp_path):
    """A script like the installed command: DDP starts its further processes with it."""
    path = tmp_path / "csbsr-train"
    path.write_text("from csbsr.cli.train import main\nif __name__ == '__main__':\n    main()\n")
    return [sys.executable, str(path)]


def start(command, folder, **options):
    log = (folder / "log.txt").open("ab")
    return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **options)


def wait_for(condition, process, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "it ended too early"
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.2)


def left(*groups, seconds=30):
    """Processes of these groups that have not ended so many seconds later: further ranks, loaders."""
    end = time.monotonic() + seconds
    while True:
        found = subprocess.run(["pgrep", "-g", ",".join(map(str, groups))], capture_output=True).stdout
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.5)


def rows(run):
    path = run / "metrics.csv"
    return len(path.read_text().splitlines()) - 1 if path.is_file() else 0


def point(path):
    return ResumePoint.of(torch.load(path, weights_only=True))


def steps(run):
    return point(run / "checkpoints" / "last.ckpt").step


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("how", ["alone", "with workers, to the group", "ddp"])
def test_a_signal_ends_a_run_and_it_goes_on(how, name, words, script, tmp_path):
    number, run = getattr(signal, name), tmp_path / "run"
    more = {"alone": [], "ddp": ["trainer.devices=2"]}.get(how, ["data.num_workers=2"])
    process = start([*script, *words, *more, "steps=100000", f"output={run}"], tmp_path, start_new_session=True)
    wait_for(lambda: rows(run) > 3, process)
    os.killpg(process.pid, number) if "group" in how else os.kill(process.pid, number)
    log = tmp_path / "log.txt"
    assert process.wait(120) == 128 + number, log.read_text()[-2000:]
    done = steps(run)
    assert done > 3
    text = log.read_text()
    assert re.search(rf"stopped by {name}; saved; go on with  csbsr-train ckpt=\S+last\.ckpt", text), text[-2000:]
    assert "Traceback" not in text
    last = run / "checkpoints" / "last.ckpt"
    again = start([*script, f"ckpt={last}", f"steps={done + 2}"], tmp_path, start_new_session=True)
    assert again.wait(240) == 0, log.read_text()[-2000:]
    assert steps(run) == done + 2
    assert rows(run) == done + 2
    assert left(process.pid, again.pid) == b""


def test_a_second_signal_stops_at_once(words, script, tmp_path):
    run = tmp_path / "run"
    process = start([*script, *words, "steps=100000", "data.crop=40", "width.segmentor=1", f"output={run}"], tmp_path)
    wait_for(lambda: rows(run) > 1, process)
    process.send_signal(signal.SIGSTOP)  # so that the step does not end before the second one
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    time.sleep(1.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) in (-signal.SIGTERM, 128 + signal.SIGTERM)


@needs_sweep
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("launcher", ["basic", "parallel"])
def test_a_sweep_stops_alike_and_a_second_start_makes_the_rest(launcher, name, words, script, tmp_path):
    number, sweep = getattr(signal, name), tmp_path / "sweep"
    more = [f"hydra/launcher={launcher}"] if launcher != "basic" else []
    command = [*script, "-m", *words, *more, "loss.beta=0.3,0.7", "steps=100", f"output={sweep}"]
    process = start(command, tmp_path, start_new_session=True)
    wait_for(lambda: rows(sweep / "0") > 3, process)
    os.kill(process.pid, number)
    log = tmp_path / "log.txt"
    assert process.wait(120) == 128 + number, log.read_text()[-2000:]
    assert 3 < steps(sweep / "0") < 100
    assert "go on with the same words and output=" in log.read_text()
    assert start(command, tmp_path).wait(400) == 0, log.read_text()[-2000:]
    assert [steps(sweep / job) for job in "01"] == [100, 100]
    assert [rows(sweep / job) for job in "01"] == [100, 100]


@needs_sweep
def test_an_optuna_sweep_is_killed_and_started_again(words, script, tmp_path):
    sweep = tmp_path / "sweep"
    words = [word for word in words if word.partition("=")[0] not in ("trainer.val_check_interval", "data.batch_size")]
    command = [
        *script, "-m", *words, "trainer.val_check_interval=10", "steps=10", "objective=iou_max", f"output={sweep}",
        "hydra/sweeper=search", "hydra.sweeper.n_trials=8", "hydra.sweeper.n_jobs=2", "hydra/launcher=parallel",
        "optimizer.lr=tag(log, interval(0.0001, 0.01))", "data.batch_size=choice(2,3,500)",
    ]  # fmt: skip
    process = start(command, tmp_path, start_new_session=True)
    log = tmp_path / "log.txt"
    wait_for(lambda: len(list(sweep.glob("*/checkpoints/best.ckpt"))) >= 3, process, 400)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = [path for path in sweep.glob("*/checkpoints/last.ckpt") if point(path).validation]
    before = {path: path.stat().st_mtime_ns for path in finished}
    assert start(command, tmp_path).wait(580) == 0, log.read_text()[-3000:]
    text = log.read_text()
    assert "skipped" in text
    assert before
    assert {path: path.stat().st_mtime_ns for path in finished} == before
    jobs = {path.parent.name: yaml.safe_load((path / "overrides.yaml").read_text()) for path in sweep.glob("*/.hydra")}
    failing = {name for name, job in jobs.items() if "data.batch_size=500" in job}
    assert len(jobs) == 8
    assert failing
    assert {path.parents[1].name for path in sweep.glob("*/checkpoints/last.ckpt")} == set(jobs) - failing
    results = yaml.safe_load((sweep / "optimization_results.yaml").read_text())
    reached = [point(path).validation["val/iou_max"] for path in sweep.glob("*/checkpoints/last.ckpt")]
    assert results["best_value"] == max(reached)


@needs_sweep
def test_a_submitit_sweep(words, script, tmp_path):
    sweep = tmp_path / "sweep"
    command = [
        *script, "-m", *words, "hydra/launcher=local", "loss.beta=0.3,0.7", "steps=4", f"output={sweep}",
    ]  # fmt: skip
    assert start(command, tmp_path).wait(400) == 0, (tmp_path / "log.txt").read_text()[-2000:]
    assert [steps(sweep / job) for job in "01"] == [4, 4]


@pytest.mark.skipif(not installed("hydra_ray_launcher"), reason="needs csbsr[ray]")
def test_a_ray_sweep(words, script, tmp_path):
    sweep = tmp_path / "sweep"
    command = [*script, "-m", *words, "hydra/launcher=ray_jobs", "loss.beta=0.3,0.7", "steps=4", f"output={sweep}"]
    assert start(command, tmp_path).wait(580) == 0, (tmp_path / "log.txt").read_text()[-2000:]
    assert [steps(sweep / job) for job in "01"] == [4, 4]


def test_losses_are_means_over_the_processes(words, script, tmp_path):
    values = []
    for number, more in enumerate((["data.batch_size=4"], ["data.batch_size=2", "trainer.devices=2"])):
        run = tmp_path / str(number)
        command = [*script, *words, *more, "steps=1", "dropout=0", f"output={run}"]
        assert start(command, tmp_path).wait(240) == 0, (tmp_path / "log.txt").read_text()[-2000:]
        header, row = (line.split(",") for line in (run / "metrics.csv").read_text().splitlines()[:2])
        values.append(dict(zip(header, row, strict=True)))
    assert json.loads(values[0]["train/sr"]) == pytest.approx(json.loads(values[1]["train/sr"]), rel=1e-5)
