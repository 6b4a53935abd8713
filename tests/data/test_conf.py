"""Every conf/data file builds its data module, and its keys are arguments that exist."""

import inspect
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from csbsr.data import CrackDataModule, FolderPairs, synthetic_data
from csbsr.data.crack_data import DataOptions
from csbsr.joint import build
from tests.data.helpers import Halving, write_pairs

CONF = Path(__file__).parents[2] / "conf" / "data"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml") if path.stem not in ("base", "files"))


def description(name, **changes):
    own = OmegaConf.load(CONF / f"{name}.yaml")
    *shared, last = own.pop("defaults")
    assert last == "_self_"
    assert shared == (["base"] if name in ("synthetic", "degraded", "corrected") else ["base", "files"])
    node = OmegaConf.merge(*(OmegaConf.load(CONF / f"{part}.yaml") for part in shared), own, changes)
    whole = OmegaConf.create({"data": node, "seed": 7, "degradation": "replaced below"})
    spec = OmegaConf.to_container(whole, resolve=True)["data"]
    assert spec["degradation"] == "replaced below"
    return {**spec, "degradation": Halving()}


def test_which_data_there_are():
    assert NAMES == ["corrected", "crackforest", "degraded", "folder", "khanhha", "masonry", "synthetic"]


@pytest.mark.parametrize("name", NAMES)
def test_builds(name, monkeypatch):
    monkeypatch.setenv("CSBSR_DATA", "/some where")
    data = build(description(name))
    assert isinstance(data, CrackDataModule)
    assert data.seed == 7
    if name in ("crackforest", "khanhha", "masonry"):
        assert data.train_source.root == data.test_source.root == Path("/some where") / name
        assert data.train_source.origin


def test_base_lists_every_option_with_its_default():
    """The command line shows what there is: no hidden option, and none that differs from Python's default."""
    base = OmegaConf.to_container(OmegaConf.load(CONF / "base.yaml"))
    arguments = inspect.signature(DataOptions).parameters
    assert base.keys() - {"degradation"} == set(arguments)
    for name in base.keys() - {"degradation", "seed"}:
        default = arguments[name].default
        assert base[name] == (list(default) if isinstance(default, tuple) else default), name


def test_synthetic_defaults_are_those_of_python():
    own = OmegaConf.to_container(OmegaConf.load(CONF / "synthetic.yaml"))
    arguments = inspect.signature(synthetic_data).parameters
    named = ("world", "surfaces", "surfaces_list", "photographed", "sound", "thinnest")
    for name in ("train_images", "test_images", "data_seed", *named):
        assert own[name] == arguments[name].default
    assert tuple(own["size"]) == arguments["size"].default


def test_synthetic_end_to_end():
    data = build(description("synthetic", train_images=10, test_images=2, size=[64, 96], crop=32, num_workers=0))
    data.setup()
    batch = next(iter(data.train_dataloader()))
    assert batch["hr"].shape == (6, 3, 32, 32)
    assert data.test[1]["hr"].shape == (3, 64, 96)


def test_folder_end_to_end(tmp_path):
    root = tmp_path / "Größe, [1] = ä"
    write_pairs(root, "learn", "abcdefgh")
    write_pairs(root, "probe", "xy")
    data = build(description("folder", root=str(root), train="learn", test="probe", batch_size=4, num_workers=0))
    data.setup()
    batch = next(iter(data.train_dataloader()))
    assert batch["hr"].shape == (4, 3, 224, 224)  # images smaller than the crop are padded
    assert isinstance(data.test_source, FolderPairs)
    assert len(data.test) == 2


def test_unknown_option_is_refused():
    with pytest.raises(ValueError, match="crop_size"):
        build(description("synthetic", crop_size=96))
