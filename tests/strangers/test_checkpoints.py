"""Checkpoints of strangers: one line each, nothing run, nothing written, memory bounded."""

import random
import shutil
import warnings

import pytest
import torch

import csbsr
from csbsr.cli import train
from csbsr.predict import Predictor
from csbsr.seal import SealingWriter
from csbsr.segmentor import pretrained
from tests.cli.inprocess import NETWORK
from tests.strangers.checkpoints import CASES, card, network, sound
from tests.strangers.refusal import assert_refused, check_refused, trials

REFUSED = ("ValueError", "DataError", "FileNotFoundError")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder with a file that nothing may change."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "victim.txt").write_text("mine")
    return tmp_path


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Every case, with what reads it: `csbsr.load`, or csbsr-train's way of going on."""

    def prepare(case):
        def made(folder):
            path = folder / "a\x1b[31mstranger's.ckpt"
            case.make(path)
            return (lambda: train.continued([f"ckpt={path}"])) if case.run else (lambda: csbsr.load(path))

        return made

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a sparse tensor
        return trials({case.name: prepare(case) for case in CASES}, tmp_path_factory.mktemp("checkpoints"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused_in_one_line(case, outcomes):
    assert_refused(outcomes[case.name], case.message, REFUSED)


def test_a_sound_one_is_read_and_goes_on(folder):
    path = folder / "a.ckpt"
    torch.save(sound(), path)
    assert csbsr.load(path).scale == 4
    assert train.continued([f"ckpt={path}"])[:3] == ["sr=bicubic", "width.segmentor=0.0625", "steps=2"]


def test_what_a_card_leaves_out_has_a_default(folder):
    card(config={"degradation": 3}, recommended_threshold=None)(folder / "a.ckpt")
    assert Predictor.load(folder / "a.ckpt", device="cpu").threshold == 0.5


def test_pretrained_in_a_card_neither_downloads_nor_reads(folder, monkeypatch):
    def online(*_, **__):
        raise AssertionError("went online")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", online)
    monkeypatch.setattr(pretrained, "_read", online)
    for value in ("imagenet", "/dev/zero"):
        network(segmentor__pretrained=value)(folder / "a.ckpt")
        assert csbsr.load(folder / "a.ckpt").card["network"]["segmentor"]["pretrained"] == value


def sealed(path):
    """A checkpoint with its checksum, as csbsr-train writes it."""
    with path.open("wb") as file:
        writer = SealingWriter(file)
        torch.save(sound(), writer)
        writer.seal()
    return path


def test_each_of_sixty_flipped_bits_is_noticed(folder):
    path = sealed(folder / "a.ckpt")
    assert csbsr.load(path).scale == 4
    data = path.read_bytes()
    draw = random.Random(0)
    for bit in draw.sample(range(8 * len(data)), 60):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=r"is damaged|cannot be read"):
            csbsr.load(path)


def test_bits_of_weights_without_a_seal_are_noticed_by_the_archive(folder):
    path = folder / "a.ckpt"
    torch.save(sound(), path)
    data = path.read_bytes()
    for at in range(len(data) // 4, len(data) // 2, 9999):
        changed = bytearray(data)
        changed[at] ^= 16
        path.write_bytes(changed)
        with pytest.raises(ValueError, match="damaged"):
            csbsr.load(path)


def test_released_weights_are_checked_as_well(folder):
    state = {"module.segmentation_model.encoder.conv1.weight": torch.zeros(1).expand(9999, 9999)}
    (folder / "release").mkdir()
    torch.save(state, folder / "release" / "a.pth")
    check_refused(lambda: csbsr.load(folder / "release"), folder, "the file holds 1 of them", REFUSED)
    shutil.rmtree(folder / "release")
    torch.save({"sr_model.x": torch.zeros(3)}, folder / "a.pth")
    check_refused(lambda: csbsr.load(folder / "a.pth"), folder, "belong to none of", REFUSED)


def test_the_network_in_the_table_is_the_one_that_is_tested():
    assert sound()["csbsr"]["network"] == NETWORK
