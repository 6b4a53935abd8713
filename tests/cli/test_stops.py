"""A stop is not an end: signals, errors, a full disk, damaged files; what goes on equals what was never stopped."""

import errno
import os
import re
import shutil
import signal

import pytest
import torch

from csbsr.cli import train
from csbsr.training.module import CrackModule
from csbsr.training.saving import SealedFiles
from tests.cli.inprocess import call, exit_code
from tests.cli.killing import differences
from tests.data.helpers import write_pairs

WORDS = [
    "sr=bicubic", "phases=joint", "width.segmentor=0.0625", "data=folder", "data.crop=32", "data.batch_size=2",
    "data.num_workers=0", "trainer.accelerator=cpu", "trainer.log_every_n_steps=1", "callbacks.progress=null",
    "+trainer.enable_progress_bar=false", "steps=4", "trainer.val_check_interval=2",
]  # fmt: skip


def weights(path):
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """Words of a run of four steps and two validations."""
    root = tmp_path_factory.mktemp("photographs")
    write_pairs(root, "train", list("abcdefg"), (40, 48))
    write_pairs(root, "test", ["t"], (40, 48))
    return [*WORDS, f"data.root={root}", "data.validation_fraction=0.3"]


@pytest.fixture(scope="module")
def whole(words, tmp_path_factory):
    """The same run, never stopped."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    call(train.main, *words, f"output={folder}")
    return folder


def at_step(monkeypatch, name, step, act):
    """Have a method of the module ``act`` when ``step`` updates are done, after its own work."""
    original = getattr(CrackModule, name)

    def acting(self, *arguments):
        result = original(self, *arguments)
        if self.global_step == step:
            act()
        return result

    monkeypatch.setattr(CrackModule, name, acting)


def raise_signal(number):
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    "name",
    [
        "SIGTERM", "SIGINT", "SIGUSR1", pytest.param("SIGHUP", marks=pytest.mark.slow),
        pytest.param("SIGUSR2", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_signal_lets_the_step_finish_and_the_run_go_on(name, words, whole, tmp_path, monkeypatch, capfd):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        at_step(patch, "training_step", 0, raise_signal(number))
        assert exit_code(train.main, *words, f"output={tmp_path / 'run'}") == 128 + number
    assert signal.getsignal(number) is before
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert weights(last)["global_step"] == 1
    told = capfd.readouterr()
    assert f"stopped by {name}; saved; go on with  csbsr-train ckpt={last}" in told.out + told.err
    if name == "SIGTERM":  # the others go on alike
        call(train.main, f"ckpt={last}")
        assert "\n".join(differences(whole, tmp_path / "run")) == ""


def test_a_validation_that_was_cut_off_is_made_up_for(words, whole, tmp_path, monkeypatch):
    run, last = tmp_path / "run", tmp_path / "run" / "checkpoints" / "last.ckpt"
    with monkeypatch.context() as patch:
        at_step(patch, "validation_step", 4, raise_signal(signal.SIGTERM))  # the last one: all steps are done
        assert exit_code(train.main, *words, f"output={run}") == 143
    assert weights(last)["global_step"] == 4
    call(train.main, f"ckpt={last}")
    assert "\n".join(differences(whole, run)) == ""


def test_a_signal_before_the_first_step_leaves_nothing(words, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(train, "introduce", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert exit_code(train.main, *words, f"output={tmp_path / 'run'}") == 143
    assert "stopped by SIGTERM before the first step" in capfd.readouterr().out
    assert not (tmp_path / "run").exists()


def fail():
    raise RuntimeError("a fault")


@pytest.mark.parametrize("hook", ["training_step", "on_validation_epoch_end"])
def test_after_an_error_the_run_goes_on_from_its_last_step(hook, words, whole, tmp_path, monkeypatch, capfd):
    run, last = tmp_path / "run", tmp_path / "run" / "checkpoints" / "last.ckpt"
    step = 3 if hook == "training_step" else 2
    with monkeypatch.context() as patch:
        at_step(patch, hook, step, fail)  # the statistics of BatchNorm have seen the batch already
        assert exit_code(train.main, *words, f"output={run}") == 1
    assert f"go on with  csbsr-train ckpt={last}" in capfd.readouterr().out
    assert weights(last)["global_step"] == step
    call(train.main, f"ckpt={last}")
    assert "\n".join(differences(whole, run)) == ""


def test_weights_that_are_not_sound_are_not_saved(words, tmp_path, monkeypatch):
    run = tmp_path / "run"

    def spoil(self, *_):
        if self.global_step == 3:
            next(self.parameters()).data.fill_(float("nan"))
            raise RuntimeError("a fault")

    monkeypatch.setattr(CrackModule, "on_train_batch_start", spoil, raising=False)
    assert exit_code(train.main, *words, f"output={run}") == 1
    assert weights(run / "checkpoints" / "last.ckpt")["global_step"] == 2  # of the validation


def test_a_full_disk_is_told_and_keeps_what_was(words, tmp_path, monkeypatch, capfd):
    run, last = tmp_path / "run", tmp_path / "run" / "checkpoints" / "last.ckpt"
    save = torch.save

    def full(checkpoint, file):
        if checkpoint["global_step"] == 4:
            file.write(b"PK")
            file._file.write = lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))
        save(checkpoint, file)

    monkeypatch.setattr("csbsr.training.saving.torch.save", full)
    assert exit_code(train.main, *words, f"output={run}") == 1
    error = capfd.readouterr().err
    assert re.search(r"^error: \S+last\.ckpt: the disk is full; free some space", error, re.M), error
    assert "Traceback" not in error
    assert weights(last)["global_step"] == 2
    assert not list(run.rglob("*.partial"))


def test_slurm_s_signal_queues_the_job_again_and_the_same_words_go_on(words, whole, tmp_path, monkeypatch, capfd):
    called = tmp_path / "called"
    command = tmp_path / "scontrol"
    command.write_text(f'#!/bin/sh\necho "$@" >> {called}\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        at_step(patch, "training_step", 2, raise_signal(signal.SIGUSR1))
        assert exit_code(train.main, *words, "cluster=slurm") == 0
    assert called.read_text() == "requeue 77\n"
    assert "job 77 is in the queue again" in capfd.readouterr().out
    run = tmp_path / "runs" / "slurm" / "77"
    assert weights(run / "checkpoints" / "last.ckpt")["global_step"] == 3
    call(train.main, *words, "cluster=slurm")
    assert "\n".join(differences(whole, run)) == ""
    before = (run / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    call(train.main, *words, "cluster=slurm")  # a third start has nothing to do
    assert (run / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before
    assert f"skipped  {run} has all its 4 steps" in capfd.readouterr().out
    command.write_text("#!/bin/sh\necho no such job >&2\nexit 1\n")
    monkeypatch.setenv("SLURM_JOB_ID", "78")
    at_step(monkeypatch, "training_step", 0, raise_signal(signal.SIGUSR1))
    assert exit_code(train.main, *words, "cluster=slurm") == 128 + signal.SIGUSR1
    assert "job 78 could not be put into the queue again: no such job" in capfd.readouterr().out


def test_a_damaged_checkpoint_is_replaced_by_the_one_before(whole, tmp_path, capfd):
    run = shutil.copytree(whole, tmp_path / "run")
    last = run / "checkpoints" / "last.ckpt"
    data = bytearray(last.read_bytes())
    data[len(data) // 2] ^= 4
    last.write_bytes(data)
    call(train.main, f"ckpt={last}")
    told = capfd.readouterr()
    assert re.search(r"last\.ckpt is damaged: .*\n.*going on from \S+previous\.ckpt", told.out + told.err)
    assert "\n".join(differences(whole, run)) == ""


def test_steps_that_are_done_are_told(whole, capfd):
    last = whole / "checkpoints" / "last.ckpt"
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file() and ".hydra" not in path.parts}
    call(train.main, f"ckpt={last}", "steps=3")
    assert f"nothing to do: {last} already has 4 steps and 3 are asked for" in capfd.readouterr().out
    assert all(path.read_bytes() == content for path, content in before.items() if path.suffix != ".log")


def test_one_run_owns_a_folder(words, tmp_path, capfd):
    from csbsr.cli.folders import claimed

    run = tmp_path / "run"
    with claimed(run):
        assert exit_code(train.main, *words, f"output={run}") == f"error: output: {run} belongs to a run that is " \
            "going on; wait for its end, or choose another folder"  # fmt: skip
        assert list(run.iterdir()) == []
    with claimed(run):
        pass


def test_two_runs_of_one_second_have_two_folders(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("csbsr.cli.train.fitted", lambda config, folder, stops: None)
    taken = tmp_path / "runs" / "same"
    from csbsr.cli import folders

    first, second = folders._unused(taken), folders._unused(taken)
    assert (first, second) == (taken, taken.with_name("same-2"))
    call(train.main, *words)
    (day,) = (path for path in (tmp_path / "runs").iterdir() if path.name.startswith("20"))
    assert {path.name for path in next(day.iterdir()).iterdir()} == {".hydra", "train.log"}


def test_the_objective_is_the_job_s_value(words, whole, tmp_path):
    values = weights(whole / "checkpoints" / "last.ckpt")["callbacks"]["SaveLast"]["validation"]
    assert train.objective("aiu", values) == values["val/aiu"]
    assert train.objective(None, {}) is None
    with pytest.raises(ValueError, match="expected hd95_min among the metrics of the last validation, got images"):
        train.objective("hd95_min", values)
    assert exit_code(train.main, *words, "objective=beauty", f"output={tmp_path / 'run'}") == 1
    assert not (tmp_path / "run").exists()


def test_checkpoints_pass_through_torch_s_loader_and_are_sealed(whole):
    from csbsr.seal import check_seal

    for path in (whole / "checkpoints").iterdir():
        with path.open("rb") as file:
            assert check_seal(file, path.name)
    with pytest.raises(FileNotFoundError):
        SealedFiles().load_checkpoint(whole / "none.ckpt")
