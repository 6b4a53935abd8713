"""What a command says to a terminal: numbers with a comma, folders that cannot be written, few characters."""

import io
import os
import sys

import pytest
from omegaconf import OmegaConf

from csbsr.cli import evaluate, measure, train
from csbsr.cli.build import build_trainer
from csbsr.cli.config import check_writable, literal_paths, with_point
from csbsr.cli.door import speak_ascii
from csbsr.measure import ground_sampling
from tests.cli.inprocess import exit_code


@pytest.mark.parametrize(
    ("typed", "understood"),
    [
        ("threshold=0,5", "threshold=0.5"), ("loss.beta=,3", "loss.beta=0.3"), ("percentile=99,95", "percentile=99.95"),
        ("optimizer.lr=-0,001", "optimizer.lr=-0.001"), ("threshold=0.5", "threshold=0.5"),
        ("steps=1000", "steps=1000"),
        ("data.mask_name=a,5", "data.mask_name=a,5"), ("save=1,2", "save=1,2"),
        ("data.size=[1,2]", "data.size=[1,2]"),
    ],
)  # fmt: skip
def test_a_decimal_comma_is_understood(typed, understood):
    assert with_point(typed) == understood


def test_a_comma_that_may_divide_thousands_is_asked_about():
    with pytest.raises(SystemExit, match=r"steps: write 1000 or 1.000"):
        with_point("steps=1,000")


def test_distances_with_commas_and_units_are_numbers_and_files_are_paths(tmp_path):
    words = literal_paths(["gsd_mm=0,4", "gsd_mm=0.4", "gsd_mm=list.csv"])
    assert words[0] == "gsd_mm=0.4"
    assert words[1] == "gsd_mm=0.4"
    assert words[2].startswith("gsd_mm='/")
    assert ground_sampling("0,4 mm") == 0.4
    with pytest.raises(ValueError, match="CSV or xlsx file with columns"):
        ground_sampling(str(tmp_path / "0.4.csv"))


@pytest.mark.parametrize("name", ["0.4", "0.4+-0.02"])
def test_a_number_is_one_though_a_file_has_its_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("file,gsd_mm\na.jpg,9\n", encoding="utf-8")
    assert literal_paths([f"gsd_mm={name}"])[0].strip("'") in (f"gsd_mm={name}", f"gsd_mm='{name}")
    assert ground_sampling(name) == 0.4
    assert ground_sampling(tmp_path / name) == {"a.jpg": 9}


def test_a_sweep_keeps_its_commas():
    assert literal_paths(["-m", "loss.beta=0,5"]) == ["-m", "loss.beta=0,5"]


def test_a_folder_that_cannot_be_written_is_said_before_hydra_tries(tmp_path):
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file" / "run", "/proc/none/run"):
        with pytest.raises(SystemExit, match=r"error: output: .* cannot be written .*; go to another folder"):
            check_writable(str(place))
    check_writable(str(tmp_path / "a" / "b"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_an_accelerator_that_is_not_there_is_said_with_the_way_out():
    trainer = {"_target_": "pytorch_lightning.Trainer", "accelerator": "tpu", "devices": 1}
    with pytest.raises(ValueError, match=r"trainer.accelerator=tpu.*trainer.accelerator=auto takes"):
        build_trainer(OmegaConf.create({"trainer": trainer}), [], [])


def test_a_terminal_of_ascii_shows_plainer_characters(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    speak_ascii()
    stream.write("×4 … Brücke σ \u4e00")
    stream.flush()
    assert stream.buffer.getvalue() == rb"x4 ... Bruecke sigma \u4e00"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("treshold=0.4", "treshold: there is no such setting; did you mean threshold?"),
        ("severity.exposur=XC3", "severity.exposur: there is no such setting"),
        ("severity=eurocode", "severity: expected one of aci_224r, eurocode_2, got 'eurocode'"),
        ("photos", "photos: expected name=value"),
        ("spur=[1", "spur=[1: cannot be understood"),
        ("--input=photos", "--input=photos: settings are written name=value, without dashes: input="),
    ],
)
def test_words_that_hydra_cannot_compose_are_told_in_a_line(word, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    code = exit_code(measure.main, word)
    assert str(code).startswith(f"error: {told}")
    assert "\n" not in code
    assert not capsys.readouterr().err
    assert "HYDRA_FULL_ERROR" not in os.environ


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ckpt=lite"], "error: ckpt: lite are weights, not a run that could go on; start from them with init=lite"),
        (["steps=0"], "error: steps: expected at least 1, got 0"),
        (["init=nowhere.ckpt", "recipe=quick"], "error: init: no file"),
    ],
)
def test_a_run_that_cannot_begin_says_why(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = exit_code(train.main, *words)
    assert told in f"{code} {capsys.readouterr().err}"


def test_a_folder_for_generated_data_is_asked_about(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert exit_code(evaluate.main, "data.root=photos") == 1
    assert f"data=folder data.root={tmp_path / 'photos'}" in capsys.readouterr().err
