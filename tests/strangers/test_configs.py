"""Configurations in strangers' checkpoints, as csbsr-eval uses them: no resolver, no class of others, bounded sizes."""

import copy
import os

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from csbsr.cli import build as make
from csbsr.cli import evaluate
from csbsr.cli.config import config_folder
from csbsr.weights.stored import stored_settings
from tests.strangers.refusal import assert_refused, trials

WORDS = ["data.train_images=4", "data.test_images=2", "data.size=[40,48]", "data.num_workers=0", "data.cache=none"]


@pytest.fixture(scope="module")
def config():
    """What csbsr-train stores."""
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return OmegaConf.to_container(compose("train", overrides=WORDS), resolve=False)


def data_of(stored, asked=None):
    """The data module of a checkpoint that stores this configuration, as csbsr-eval builds it."""
    given = OmegaConf.create({"ckpt": "a\x1b[2J.ckpt", "data": asked, "degradation": None, "seed": 3})
    return make.build_data(evaluate.with_data_of(given, {"config": stored}, 4))


def test_what_csbsr_train_stores_is_used(config):
    data = data_of(config)
    data.setup("test")
    assert len(data.test) == 2
    assert data.seed == 3
    assert data.degradation.scale == 4


def changed(config, **entries):
    """The configuration with other entries: ``data__size`` is ``data.size``."""
    stored = copy.deepcopy(config)
    for key, value in entries.items():
        group, _, name = key.partition("__")
        if name:
            stored[group][name] = value
        else:
            stored[group] = value
    return stored


def deep(depth):
    value = 1
    for _ in range(depth):
        value = {"a": value}
    return value


ENDLESS = {f"l{i}": [f"${{l{i + 1}}}"] * 10 for i in range(20)} | {"l20": 1}
CASES = [
    ({"data__name": "${oc.env:SECRET}"}, r"^ckpt: a\\x1b\[2J\.ckpt: data\.name is stored as \$\{oc"),
    ({"data__root": "${oc.env:SECRET}/x"}, r"data\.root is stored as"),
    ({"data__root": "${oc.env:CSBSR_DATA,datasets}/../../etc"}, r"data\.root is stored as"),
    ({"data__crop": "${oc.decode:${oc.env:SECRET}}"}, r"data\.crop is stored as"),
    ({"data__crop": "${hydra:runtime.output_dir}"}, r"data\.crop is stored as"),
    ({"data__crop": "${now:%Y}"}, r"data\.crop is stored as"),
    ({"data__crop": "x${seed}"}, r"data\.crop is stored as"),
    ({"data__crop": r"\${oc.env:SECRET}"}, r"data\.crop is stored as"),
    ({"data__crop": "${${seed}}"}, r"data\.crop is stored as"),
    ({"data__distances": ["${oc.env:SECRET}"]}, r"data\.distances is stored as"),
    ({"degradation__sigma": ["${oc.env:SECRET}", 1]}, r"degradation\.sigma is stored as"),
    ({"data__crop": "${data.crop}"}, r"data\.crop refers to itself"),
    ({"data__crop": "${a}", "a": "${b}", "b": "${a}"}, r"refers to itself"),
    ({"data__crop": "${nothing}"}, r"config: refers to nothing, which it does not hold"),
    ({"data__crop": "${l0}"} | ENDLESS, r"more than 20000 values"),
    ({"data__x": deep(30)}, r"nested more than 32 deep|unexpected|x"),
    ({"data__x": deep(60)}, r"nested more than 32 deep"),
    ({"data": [1, 2]}, r"data: expected a mapping"),
    ({"data": "synthetic"}, r"data: expected a mapping"),
    ({"data": None}, r"data: expected a mapping"),
    ({"degradation": 3}, r"degradation: expected a mapping"),
    ({"data___target_": "os.system"}, r"'os\.system' lies outside"),
    ({"data___target_": "csbsr.inspection.png.PngWriter"}, r"PngWriter' lies outside"),
    ({"degradation___target_": "csbsr.training.loggers.ContinuedCSVLogger"}, r"ContinuedCSVLogger' lies outside"),
    ({"data___target_": "csbsr.data.folder.Path"}, r"is no part of"),
    ({"data___target_": 7}, r"_target_: expected the name of a class, got 7"),
    ({"data__num_workers": 100_000}, r"data\.num_workers: expected a number up to 64, got 100000"),
    ({"data__size": [10**6, 10**6]}, r"data\.size: expected a number up to 4096"),
    ({"data__eval_batch_size": 10**9}, r"data\.eval_batch_size: expected a number up to 64"),
    ({"data__test_images": 10**12}, r"data\.test_images: expected a number up to"),
    ({"degradation__size": 100_001}, r"degradation\.size: expected a number up to 1000"),
    ({"degradation__sigma": [0, float("inf")]}, r"degradation\.sigma: expected a number"),
    ({"data__size": "large"}, r"size: expected height and width"),
    ({"data__unknown": 1}, r"unknown"),
]  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(config, tmp_path_factory):
    """Every case, with a secret in the environment."""

    def prepare(entries):
        def made(folder):
            os.environ["SECRET"] = "hunter2"
            return lambda: data_of(changed(config, **entries))

        return made

    return trials({str(entries): prepare(entries) for entries, _ in CASES}, tmp_path_factory.mktemp("configs"))


@pytest.mark.parametrize(("entries", "message"), CASES, ids=lambda value: str(value)[:60].replace("\n", " "))
def test_refused_in_one_line(entries, message, outcomes):
    assert "hunter2" not in assert_refused(outcomes[str(entries)], message)


def test_what_the_user_says_replaces_what_is_stored(config):
    stored = changed(config, data__num_workers=10**6, data__name="${oc.env:SECRET}", data__test_images=3)
    for key in ("train_images", "size"):
        assert key in stored["data"]
    del stored["data"]["name"]
    data = data_of(stored, asked={"num_workers": 0, "test_images": 1})
    data.setup("test")
    assert len(data.test) == 1


def test_the_folder_of_the_data_as_version_0_1_stored_it_takes_todays_value(monkeypatch):
    stored = {"data": {"root": "${oc.env:CSBSR_DATA,datasets}/khanhha"}}
    monkeypatch.delenv("CSBSR_DATA", raising=False)
    assert stored_settings(stored, ("data",), "a")["data"]["root"] == "datasets/khanhha"
    monkeypatch.setenv("CSBSR_DATA", "/photos")
    assert stored_settings(stored, ("data",), "a")["data"]["root"] == "/photos/khanhha"


def test_resolvers_of_what_is_not_used_are_left_out_and_references_stay():
    stored = {"output": "runs/${now:%Y}", "scale": 4, "degradation": {"scale": "${scale}"}, "x": ["${oc.env:A}", 1]}
    assert stored_settings(stored, ("degradation",), "a") == {
        "scale": 4, "degradation": {"scale": "${scale}"}, "x": [1],
    }  # fmt: skip


def test_training_stores_where_its_data_lies(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored = make.stored_config(OmegaConf.create({"data": {"root": "photos"}, "seed": "${x}", "x": 1}))
    assert stored == {"data": {"root": str(tmp_path / "photos")}, "seed": "${x}", "x": 1}
