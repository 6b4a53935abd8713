"""Another program underneath csbsr-predict: chosen, agreed with torch, named, and never mixed."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from csbsr.cli import export as export_command
from csbsr.cli import predict as predict_command
from csbsr.data.synthetic.pairs import photograph
from csbsr.export import backend
from csbsr.export.backend import agreeing, megapixels_worth, on_backend
from csbsr.export.write import ExportOptions, export
from csbsr.predict import Predictor
from csbsr.weights import load
from tests.cli.inprocess import call, exit_code
from tests.export.systems import system
from tests.strangers.images import png

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A photograph, a checkpoint and its export."""
    folder = tmp_path_factory.mktemp("backend")
    image, _ = photograph(np.random.default_rng(3), (80, 120))
    Image.fromarray(image if image.dtype == np.uint8 else (255 * image).astype(np.uint8)).save(folder / "wall.png")
    (weights,) = export(system("bicubic_unet"), folder / "w", ExportOptions("torch"))
    call(export_command.main, f"ckpt={weights}", f"output={folder / 'w'}")
    return folder


def results(folder):
    names = ("probability", "mask", "sr")
    return [np.asarray(Image.open(folder / f"wall_{name}.png")).astype(int) for name in names]


def test_predictions_from_an_exported_file(place, tmp_path, capsys):
    words = [f"input={place / 'wall.png'}", "save=sr,mask,probability", "tile=128", "flips=2"]
    assert exit_code(predict_command.main, f"ckpt={place / 'w.ckpt'}", f"output={tmp_path / 'torch'}", *words) == 0
    assert exit_code(predict_command.main, f"ckpt={place / 'w.onnx'}", f"output={tmp_path / 'onnx'}", *words) == 0
    probability, mask, sr = (
        abs(a - b) for a, b in zip(*map(results, (tmp_path / "torch", tmp_path / "onnx")), strict=True)
    )
    assert probability.max() <= 7  # of 65535: 1e-4
    assert sr.max() <= 1
    assert (mask > 0).mean() < 1e-3
    told = json.loads((tmp_path / "onnx" / "summary.json").read_text())["photographs"][0]["settings"]
    assert told["backend"] == "onnxruntime"
    assert "backend  onnxruntime" in capsys.readouterr().out
    # Results of two backends do not end up in one folder.
    same = f"ckpt={place / 'w.ckpt'}", f"output={tmp_path / 'torch'}", *words
    assert exit_code(predict_command.main, *same, "backend=onnxruntime") == 1
    assert "backend torch, now onnxruntime" in capsys.readouterr().err


def test_the_graph_is_made_once_and_kept(place, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    network = load(place / "w.ckpt")
    first = on_backend(network, "onnxruntime", "cpu", "float32")
    (kept,) = (tmp_path / "csbsr").glob("*.onnx")
    monkeypatch.setattr(backend.models, "made", lambda *_: pytest.fail("made again"))
    again = on_backend(network, "onnxruntime", "cpu", "float32")
    assert first.name == again.name == again.network.runtime == "onnxruntime"
    assert again.network.card == network.card
    kept.write_bytes(kept.read_bytes()[:-1])  # damaged: said, and made anew the next time
    with pytest.raises(ValueError, match="damaged"):
        on_backend(network, "onnxruntime", "cpu", "float32")
    assert not kept.exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (("tensorrt", None, "float32"), "backend: expected one of auto, torch"),
        (("onnxruntime", "cpu", "bfloat16"), "float32 only"),
        (("onnxruntime", "cuda", "float32"), "CPU only"),
    ],
)
def test_what_a_backend_cannot_do(place, settings, told):
    with pytest.raises(ValueError, match=told):
        on_backend(load(place / "w.ckpt"), *settings)


def test_an_exported_file_computes_in_one_way(place):
    network = load(place / "w.onnx")
    with pytest.raises(ValueError, match="runs on onnxruntime, got openvino"):
        on_backend(network, "openvino", None, "float32")
    assert on_backend(network, "auto", None, "float32").network is network
    with pytest.raises(ValueError, match="float32, got bfloat16"):
        Predictor(network, precision="bfloat16")


def test_one_kernel_is_handed_to_an_exported_file(tmp_path):
    network = system("csbsr_unet")
    (file,) = export(network, tmp_path / "x")
    both = [
        Predictor(each, tile=128, margin_sr=32, kernel="photograph", device="cpu").predict(rng.random((60, 80, 3)))
        for each, rng in ((network, np.random.default_rng(1)), (load(file), np.random.default_rng(1)))
    ]
    assert both[0].kernels.shape == both[1].kernels.shape == (1, 1, 21, 21)
    assert np.abs(both[0].kernel - both[1].kernel).max() < 1e-5
    assert np.abs(both[0].sr - both[1].sr).max() < 1e-4
    (whole,) = export(network, tmp_path / "whole", ExportOptions("onnx", form="whole"))
    with pytest.raises(ValueError, match="but this file holds everything in one function"):
        Predictor(load(whole), kernel="photograph")
    assert Predictor(load(whole)).predict(np.random.default_rng(2).random((20, 24, 3))).kernel.shape == (21, 21)


def test_a_missing_library_is_named(place, monkeypatch):
    monkeypatch.setattr(backend, "_NEEDED", {"openvino": ("nowhere",), "onnxruntime": ("nowhere",)})
    with pytest.raises(ValueError, match=r"needs nowhere \(pip install 'csbsr\[onnx\]'\); use backend=torch"):
        on_backend(load(place / "w.ckpt"), "onnxruntime", "cpu", "float32")
    network = load(place / "w.ckpt")
    assert megapixels_worth(network) is None
    chosen = on_backend(network, "auto", "cpu", "float32")
    assert chosen.network is network
    assert "openvino needs nowhere" in chosen.reason


def test_auto_stays_with_torch_where_they_disagree(place):
    network, other = load(place / "w.ckpt"), load(place / "w.onnx")
    chosen = backend.Backend(other, "onnxruntime", "")
    assert agreeing(chosen, network, place / "wall.png") is chosen
    with torch.no_grad():
        next(p for p in network.segmentor.parameters() if p.ndim == 4).mul_(1.5)
    found = agreeing(chosen, network, place / "wall.png")
    assert found.network is network
    assert "differs by" in found.reason


def test_openvino_where_there_is_work_enough(place, tmp_path, monkeypatch, capsys):
    pytest.importorskip("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = [f"ckpt={place / 'w.ckpt'}", f"input={place / 'wall.png'}", "save=probability,mask,sr", "device=cpu"]
    call(predict_command.main, *words, f"output={tmp_path / 'small'}")
    assert "backend  torch" in capsys.readouterr().out  # for a hundredth of a megapixel no graph is made
    monkeypatch.setattr(backend, "_WORTH", 0.001)
    call(predict_command.main, *words, f"output={tmp_path / 'large'}")
    assert "backend  openvino" in capsys.readouterr().out
    for a, b in zip(results(tmp_path / "small"), results(tmp_path / "large"), strict=True):
        assert abs(a - b).mean() < 1
    # What more photographs are worth does not change what a folder was begun with.
    Image.open(place / "wall.png").save(tmp_path / "more.png")
    more = [word.replace(str(place / "wall.png"), str(tmp_path / "more.png")) for word in words]
    call(predict_command.main, *more, f"output={tmp_path / 'small'}")
    assert "backend  torch" in capsys.readouterr().out
    monkeypatch.setattr(backend, "_WORTH", 1e9)
    call(predict_command.main, *more, f"output={tmp_path / 'large'}")
    assert "backend  openvino" in capsys.readouterr().out


def test_lite_stays_on_torch(monkeypatch):
    monkeypatch.setattr(backend, "_missing", lambda name: [])
    assert megapixels_worth(load("lite")) == float("inf")


def test_openvino_runs_an_onnx_file(place, tmp_path, capsys):
    pytest.importorskip("openvino")
    words = [f"ckpt={place / 'w.onnx'}", f"input={place / 'wall.png'}", "save=probability,mask,sr"]
    call(predict_command.main, *words, f"output={tmp_path / 'a'}", "backend=openvino")
    assert "backend  openvino" in capsys.readouterr().out
    call(predict_command.main, *words, f"output={tmp_path / 'b'}")
    assert "backend  onnxruntime" in capsys.readouterr().out
    for a, b in zip(results(tmp_path / "a"), results(tmp_path / "b"), strict=True):
        assert abs(a - b).mean() < 1


def test_photographs_that_will_be_refused_are_no_work(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "in").mkdir()
    png(tmp_path / "in" / "bomb.png", 100_000, 100_000, rows=2)
    Image.open(place / "wall.png").save(tmp_path / "in" / "wall.png")
    monkeypatch.setattr(backend, "_missing", lambda name: [])
    monkeypatch.setattr(backend, "_converted", lambda *_: pytest.fail("a graph was made"))
    words = [f"ckpt={place / 'w.ckpt'}", f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}", "device=cpu"]
    assert exit_code(predict_command.main, *words, "save=mask") == 2
    assert "backend  torch" in capsys.readouterr().out


def test_torch_holds_no_network(place):
    network = load(place / "w.onnx")
    assert not list(network.parameters())
    assert type(network).__module__ == "csbsr.joint.exported"


def test_the_command_says_what_is_wrong(place, tmp_path, capsys):
    for words, told in (
        (["ckpt=null", "output=x"], "ckpt: expected a checkpoint"),
        ([f"ckpt={place / 'w.ckpt'}"], "output: expected the file"),
        ([f"ckpt={place / 'w.ckpt'}", f"output={tmp_path / 'x.xml'}"], "ends in .xml, but format=onnx"),
        ([f"ckpt={place / 'none.ckpt'}", f"output={tmp_path / 'x'}"], "no file"),
        ([f"ckpt={place / 'w.onnx'}", f"output={tmp_path / 'x'}"], "exported file already"),
        ([f"ckpt={place / 'w.ckpt'}", f"output={tmp_path / 'x'}", "format=tflite"], "format: expected one of"),
        ([f"ckpt={place / 'w.ckpt'}", f"output={tmp_path / 'x'}", "form=half"], "form: expected one of"),
    ):
        assert exit_code(export_command.main, *words) == 1, words
        assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
