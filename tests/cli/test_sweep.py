"""A sweep: a folder for each job, and a second start that does only what is missing."""

import shutil

import pytest
import torch
import yaml

from csbsr.cli import train
from csbsr.training.module import CrackModule
from tests.cli.inprocess import call
from tests.data.helpers import write_pairs

WORDS = [
    "segmentor=pspnet,unet,crackformer", "loss.beta=0.3,0.7", "sr=bicubic", "phases=joint", "steps=2",
    "width.segmentor=0.0625", "data=folder", "data.crop=32", "data.batch_size=2", "data.num_workers=0",
    "trainer.accelerator=cpu", "trainer.log_every_n_steps=1", "callbacks.progress=null", "callbacks.panels=null",
    "+trainer.enable_progress_bar=false",
]  # fmt: skip


def replaced(words, **values):
    """``words`` with other values of some groups."""
    return [f"{key}={values[key]}" if (key := word.partition("=")[0]) in values else word for word in words]


def weights(path):
    return torch.load(path, weights_only=True)


def assert_equal(one, other):
    assert one["global_step"] == other["global_step"]
    assert [
        name for name, value in one["state_dict"].items() if not torch.equal(value, other["state_dict"][name])
    ] == []


def checkpoints(folder):
    return {path.parts[-3]: path for path in sorted(folder.glob("*/checkpoints/last.ckpt"))}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """The words of a sweep of six jobs, and the folder in which it ran; paths that Hydra's grammar would not take."""
    folder = tmp_path_factory.mktemp("sweeps")
    root = folder / "bröcke (2)=x"
    write_pairs(root, "train", list("abcdefg"), (40, 48))
    write_pairs(root, "test", ["t"], (40, 48))
    words = ["-m", *WORDS, f"data.root={root}", f"output={folder / 'sweep [1], all'}"]
    call(train.main, *words)
    return words, folder / "sweep [1], all"


def test_six_jobs_leave_six_run_folders(sweep):
    _, folder = sweep
    assert {path.name for path in folder.iterdir()} == {*"012345", "multirun.yaml"}
    systems = []
    for path in checkpoints(folder).values():
        run = path.parents[1]
        assert {"checkpoints", "metrics.csv", "split.json", ".hydra"} <= {entry.name for entry in run.iterdir()}
        checkpoint = weights(path)
        assert checkpoint["global_step"] == 2
        composed = yaml.safe_load((run / ".hydra" / "config.yaml").read_text())
        assert composed["loss"]["beta"] == checkpoint["csbsr"]["config"]["loss"]["beta"]
        systems.append(
            (checkpoint["csbsr"]["network"]["segmentor"]["_target_"].rpartition(".")[2], composed["loss"]["beta"])
        )
    assert systems == [(name, beta) for name in ("PSPNet", "UNet", "CrackFormer") for beta in (0.3, 0.7)]


def test_a_second_start_does_what_is_missing(sweep, capsys):
    words, folder = sweep
    found = checkpoints(folder)
    times = {name: path.stat().st_mtime_ns for name, path in found.items()}
    first = weights(found["1"])
    found["1"].unlink()
    call(train.main, *words)
    assert capsys.readouterr().out.count("skipped") == 5
    assert [name for name, path in checkpoints(folder).items() if path.stat().st_mtime_ns != times[name]] == ["1"]
    assert_equal(weights(found["1"]), first)


def test_an_interrupted_job_goes_on(sweep, tmp_path, monkeypatch):
    words, folder = sweep
    one_job = [*replaced(words, segmentor="unet"), f"output={tmp_path / 'again'}"]
    step = CrackModule.training_step

    def interrupted(self, *arguments):
        if self.global_step == 1:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(CrackModule, "training_step", interrupted)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        call(train.main, *one_job)
    monkeypatch.setattr(CrackModule, "training_step", step)
    (left,) = checkpoints(tmp_path / "again").values()
    assert weights(left)["global_step"] == 1
    call(train.main, *one_job)
    assert_equal(weights(left), weights(folder / "2" / "checkpoints" / "last.ckpt"))
    assert len((tmp_path / "again" / "0" / "metrics.csv").read_text().splitlines()) == 3  # a header, a row per step


def test_a_folder_of_another_job_is_not_touched(sweep, capfd):
    words, folder = sweep
    before = {name: path.read_bytes() for name, path in checkpoints(folder).items()}
    with pytest.raises(SystemExit):
        call(train.main, *replaced(words, segmentor="unet,pspnet,crackformer"))
    assert "holds another job (" in capfd.readouterr().err
    assert {name: path.read_bytes() for name, path in checkpoints(folder).items()} == before


def test_a_job_of_a_sweep_can_be_continued_alone(sweep, tmp_path):
    _, folder = sweep
    copied = tmp_path / "sweep" / "4"
    shutil.copytree(folder / "4", copied)
    call(train.main, f"ckpt={copied / 'checkpoints' / 'last.ckpt'}", "steps=3")
    assert weights(copied / "checkpoints" / "last.ckpt")["global_step"] == 3
    assert {path.name for path in copied.parent.iterdir()} == {"4"}


def test_plugins_have_configurations_that_ship(monkeypatch):
    from csbsr.cli import sweep as sweeps
    from csbsr.cli.config import config_folder

    for name, own, *_ in sweeps.PLUGINS:
        kind = "sweeper" if name == "optuna" else "launcher"
        assert (config_folder() / "hydra" / kind / f"{own}.yaml").is_file()
    monkeypatch.setattr(sweeps.importlib.util, "find_spec", lambda name: name)
    words = ["-m", "hydra/launcher=joblib", "hydra/sweeper=optuna", "hydra/launcher=basic", "seed=0,1"]
    assert sweeps.own_plugins(words) == [
        "-m", "hydra/launcher=parallel", "hydra/sweeper=search", "hydra/launcher=basic", "seed=0,1",
    ]  # fmt: skip
    monkeypatch.setattr(sweeps.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"hydra/launcher=ray: .*pip install csbsr\[ray\]"):
        sweeps.own_plugins(["hydra/launcher=ray"])
