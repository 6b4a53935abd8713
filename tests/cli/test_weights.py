"""Weights made elsewhere, through the commands: the authors' release, ImageNet encoders."""

import json
import re
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image

import csbsr
from csbsr.cli import evaluate, predict, train
from csbsr.segmentor.pretrained import URLS
from tests import golden
from tests.cli.inprocess import call

DATA = ["data=synthetic", "data.test_images=1", "data.size=[64,72]", "data.cache=none", "data.num_workers=0"]


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A folder with a state dict as the authors publish it: float32, every name behind ``module.``."""
    folder = tmp_path_factory.mktemp("CSBSR release")
    state = {f"module.{name}": value for name, value in golden.state_dict("bicubic_pspnet").items()}
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    torch.save(state, folder / "iteration_700000.pth")
    return folder


def test_the_folder_of_a_release_is_evaluated(released, tmp_path):
    call(
        evaluate.main, f"ckpt={released}", *DATA, "metrics=released", "trainer.accelerator=cpu", "panels=1",
        f"output={tmp_path / 'e'}",
    )  # fmt: skip
    values = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert values["images"] == 1
    assert values["kernel_psnr"] is None
    card = json.loads((tmp_path / "e" / "run_card.json").read_text())
    assert card["network"]["sr"] == {"_target_": "csbsr.sr.Bicubic", "scale": 4}
    assert len(card["weights"]["sha256"]) == 64
    assert list((tmp_path / "e" / "panels").iterdir())


def test_the_folder_of_a_release_finds_cracks(released, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 20, 3), np.uint8)).save(tmp_path / "pier.png")
    words = [f"ckpt={released}", f"input={tmp_path / 'pier.png'}", f"output={tmp_path / 'out'}", "device=cpu"]
    call(predict.main, *words)
    record = json.loads((tmp_path / "out" / "summary.json").read_text())["photographs"][0]
    assert (record["status"], record["result_width"], record["threshold"]) == ("done", 80, 0.5)
    probability = np.asarray(Image.open(tmp_path / "out" / "pier_probability.png")) / 65535
    network = csbsr.load(released)
    with torch.no_grad():
        image = torch.from_numpy(np.asarray(Image.open(tmp_path / "pier.png"))).permute(2, 0, 1)[None] / 255
        expected = network(image).segmentation[0, 0].numpy()
    np.testing.assert_allclose(probability, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("drop", r"missing \(1\): segmentor\.up1\.norm\.weight"),
        ("add", r"unexpected \(1\): segmentor\.surplus"),
        ("strange", r"no released system.*found \(1\): generator\.weight"),
        ("text", r"iteration_1\.pth:? cannot be read"),
    ],
)
def test_what_is_no_release_is_listed(change, message, released, tmp_path, capsys):
    path = tmp_path / "iteration_1.pth"
    if change == "text":
        path.write_text("not weights")
    else:
        state = torch.load(released / "iteration_700000.pth", weights_only=True)
        if change == "drop":
            del state["module.segmentation_model.up_1.conv.1.weight"]
        else:
            state["module.segmentation_model.surplus" if change == "add" else "module.generator.weight"] = torch.zeros(
                1
            )
        torch.save(state, path)
    for ckpt in (path, tmp_path):
        with pytest.raises(SystemExit) as stop:
            call(evaluate.main, f"ckpt={ckpt}", *DATA, f"output={tmp_path / 'e'}")
        assert stop.value.code == 1
        assert re.search(message, capsys.readouterr().err, re.S)
        assert not (tmp_path / "e").exists()


@pytest.mark.parametrize(
    ("words", "architecture"),
    [
        (["segmentor=pspnet", "segmentor.pretrained=imagenet"], "resnet34"),
        (["segmentor=unet", "segmentor.pretrained=imagenet"], "vgg16"),
        (["model=dsrl", "loss=dsrl", "model.pretrained=imagenet"], "resnet101"),
    ],
)
def test_imagenet_weights_offline(words, architecture, tmp_path, monkeypatch, capsys):
    def fail(*arguments, **options):
        raise URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fail)
    with pytest.raises(SystemExit) as stop:
        call(train.main, *words, "sr=bicubic", "width.segmentor=0.0625", "phases=joint", f"output={tmp_path / 'run'}")
    assert stop.value.code == 1
    error = capsys.readouterr().err
    for part in (URLS[architecture], URLS[architecture].rpartition("/")[2], "checkpoints", "pretrained=<file>"):
        assert part in error
    assert not (tmp_path / "run").exists()


def test_weights_of_a_file_that_do_not_fit(tmp_path, capsys):
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "resnet34.pth")
    words = ["segmentor=pspnet", f"segmentor.pretrained={tmp_path / 'resnet34.pth'}", "width.segmentor=0.0625"]
    with pytest.raises(SystemExit):
        call(train.main, *words, "sr=bicubic", "phases=joint", f"output={tmp_path / 'run'}")
    assert re.search(r"resnet34\.pth does not fit ResNet.*missing", capsys.readouterr().err)
