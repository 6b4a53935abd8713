"""The commands on strangers' checkpoints: exit code 1, one line, nothing run, written or left behind."""

import re

import pytest
import torch

from csbsr.cli import evaluate, predict, train
from tests.data.helpers import write_pairs
from tests.strangers.checkpoints import CASES, card, sound
from tests.strangers.refusal import MOST_MEMORY, command, tree

SMALL = [
    "data.train_images=9", "data.test_images=1", "data.size=[40,48]", "data.num_workers=0", "data.batch_size=2",
]  # fmt: skip
#: Every command that reads a checkpoint, with the other words that it needs.
COMMANDS = {
    "train ckpt=": (train.main, ["ckpt={path}"]),
    "train init=": (
        train.main,
        ["init={path}", "sr=bicubic", "phases=joint", "width.segmentor=0.0625", "steps=1", *SMALL],
    ),
    "eval ckpt=": (evaluate.main, ["ckpt={path}", "trainer.accelerator=cpu"]),
    "predict ckpt=": (predict.main, ["ckpt={path}", "input=photos", "output=out", "measure=false"]),
}
#: One of each kind, each with every command; all of them with --slow.
QUICK = {"os.system", "card without end", "width 500"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a photograph, and a file that nothing may change."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", "hunter2")
    (tmp_path / "victim.txt").write_text("mine")
    write_pairs(tmp_path, "photos", ["a"], (12, 16))
    return tmp_path


def runs(case):
    """The commands that read what is wrong in this case."""
    names = ["train ckpt="] if case.run else list(COMMANDS)
    marks = () if case.name in QUICK else (pytest.mark.slow,)
    return [pytest.param(case, name, id=f"{case.name} - {name}", marks=marks) for name in names]


def refused(name, path, folder, quiet=True):
    """Run a command that must refuse ``path``, ``quiet`` before it says anything else; its line."""
    main, words = COMMANDS[name]
    before = tree(folder)
    done = command(main, *(word.format(path=path) for word in words))
    assert done.code == 1, done.err + done.trace
    assert done.memory < MOST_MEMORY
    line = done.err.strip("\n")
    assert line.startswith("error: ")
    assert line.isprintable(), line
    assert not (quiet and done.out)
    assert tree(folder) == before
    return line


@pytest.mark.parametrize(("case", "name"), [part for case in CASES for part in runs(case)])
def test_refused_in_one_line(case, name, folder):
    path = folder / "strangers.ckpt"
    case.make(path)
    message = case.message.removeprefix("^")
    if name == "train ckpt=":  # its network is that of its words; of a file without them nothing else is read
        message += "|was not written by csbsr-train|holds another system"
    assert re.search(message, refused(name, path, folder))


def test_forged_words_run_nothing_and_write_nothing(folder, tmp_path_factory):
    """What was found: a group's option outside the configuration is a file of the disk, with any class in it."""
    evil = tmp_path_factory.mktemp("evil") / "evil.yaml"
    evil.write_text(f"x:\n  _target_: os.system\n  command: touch {folder}/ran\n")
    home = folder / "home"
    home.mkdir()
    up = "../" * 12 + str(evil.with_suffix("")).lstrip("/")
    for words in (
        [f"logger={up}"], [f"experiment={evil.with_suffix('')}"], [f"callbacks.last.folder={home}"], ["logger=wandb"],
        [f"callbacks.best.dirpath={home}"], [f"callbacks.panels.folder={home}"], [f"logger.csv.save_dir={home}"],
        ["+callbacks.x={_target_: os.system, command: touch ran}"], [f"trainer.default_root_dir={home}"],
    ):  # fmt: skip
        card(overrides=["sr=bicubic", *words])(folder / "strangers.ckpt")
        line = refused("train ckpt=", folder / "strangers.ckpt", folder)
        assert "repeat these words beside ckpt=" in line
        assert words[0].partition("=")[0] in line


def test_words_of_sizes_build_nothing_larger_than_the_weights(folder):
    card(overrides=["sr=bicubic", "width.segmentor=16", *SMALL])(folder / "strangers.ckpt")
    line = refused("train ckpt=", folder / "strangers.ckpt", folder)
    assert "describes a network that is far larger than the 0.2 MB of weights it holds" in line


def test_states_that_do_not_fit_name_the_file_and_keep_it(folder):
    run = {"loops": {"fit_loop": {"x": 1}}, "optimizer_states": [{"state": {0: {"step": "two"}}, "param_groups": [1]}]}
    words = ["sr=bicubic", "segmentor.blocks=[1,1,1,1]", "segmentor.auxiliary=false", "width.segmentor=0.0625"]
    words += ["phases=joint", "steps=4", "data.crop=32", "trainer.accelerator=cpu", "logger=none", *SMALL]
    torch.save({**sound(overrides=words), **run}, folder / "strangers.ckpt")
    line = refused("train ckpt=", folder / "strangers.ckpt", folder, quiet=False)
    assert re.search(r"strangers\.ckpt cannot be continued: .* to start from its weights alone use init=", line)


@pytest.mark.parametrize("word", ["+optimizer.evil=1", "trainer.devices=[a]", "+trainer.detect_anomaly=[1]"])
def test_words_that_mean_nothing_leave_no_folder(word, folder):
    words = ["sr=bicubic", "segmentor.blocks=[1,1,1,1]", "segmentor.auxiliary=false", "width.segmentor=0.0625"]
    words += ["phases=joint", "steps=4", "data.crop=32", "trainer.accelerator=cpu", "logger=none", *SMALL, word]
    card(overrides=words)(folder / "strangers.ckpt")
    before = tree(folder)
    done = command(train.main, f"ckpt={folder / 'strangers.ckpt'}")
    assert done.code == 1, done.trace
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert tree(folder) == before


def test_no_variable_of_the_machine_reaches_a_report(folder):
    """What was found: csbsr-eval resolved ``${oc.env:SECRET}`` of the file into report.html and run_card.json."""
    for config in (
        {"data": {"_target_": "csbsr.data.synthetic_data", "degradation": None, "origin": "${oc.env:SECRET}"}},
        {"data": {"_target_": "csbsr.data.synthetic_data", "degradation": r"\${oc.env:SECRET}"}},
    ):
        card(config={**config, "degradation": {}})(folder / "strangers.ckpt")
        line = refused("eval ckpt=", folder / "strangers.ckpt", folder)
        assert "SECRET" in line
        assert "hunter2" not in line


@pytest.mark.slow
def test_a_sound_checkpoint_of_others_is_evaluated_and_its_words_stay_words(folder):
    degradation = {"_target_": "csbsr.degradation.NoBlur", "scale": "${scale}", "size": 21}
    data = {
        "_target_": "csbsr.data.synthetic_data", "degradation": "${degradation}", "test_images": 1, "train_images": 4,
        "size": [40, 48], "cache": "none", "num_workers": 0,
    }  # fmt: skip
    checkpoint = sound(
        config={"scale": 4, "data": data, "degradation": degradation, "output": "${oc.env:SECRET}"},
        choices={"data": "<script>alert(1)</script>"},
        overrides=["steps=2", "x=${oc.env:SECRET}", "<img src=x onerror=alert(1)>"],
    )
    torch.save(checkpoint, folder / "a.ckpt")
    done = command(evaluate.main, "ckpt=a.ckpt", "trainer.accelerator=cpu", f"output={folder / 'e'}")
    assert done.code == 0, done.err + done.trace
    for path in (folder / "e").rglob("*"):
        if path.suffix in (".html", ".json", ".yaml", ".csv"):
            text = path.read_text()
            assert "hunter2" not in text
            if path.suffix == ".html":
                assert "<script>alert" not in text
                assert "<img src=x" not in text
