"""Exported files: what they tell, that they are the network, and that a changed one is refused."""

import hashlib
import json

import numpy as np
import pytest
import torch

import csbsr
from csbsr.export import models
from csbsr.export.deepness import deepness_metadata
from csbsr.export.model_card import model_card
from csbsr.export.write import ExportOptions, export, place_of
from csbsr.joint.exported import ExportedSerial
from csbsr.weights.exported import ENTRY, load_exported, seal, sealed
from tests.export.systems import system

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A system in tiles, another one whole, and their networks."""
    folder = tmp_path_factory.mktemp("exported")
    networks = {"serial": system("csbsr_unet"), "whole": system("bicubic_unet")}
    export(networks["serial"], folder / "serial")
    export(networks["whole"], folder / "whole", ExportOptions(form="whole"))
    return folder, networks


def outputs(network, lr):
    with torch.inference_mode():
        found = network(lr)
    return {"sr": found.sr, "segmentation": found.segmentation, "kernel": found.kernel}


def image(height, width, count=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.avg_pool2d(torch.rand(count, 3, height + 4, width + 4, generator=generator), 5, 1)


def test_it_is_the_network(files):
    folder, networks = files
    found = csbsr.load(folder / "serial.onnx", scale=4)
    assert isinstance(found, ExportedSerial)
    lr = image(45, 70, count=2)
    for key, expected in outputs(networks["serial"], lr).items():
        assert torch.allclose(outputs(found, lr)[key], expected, atol=1e-4), key
    assert found.card["recommended_threshold"] == 0.6
    assert found.estimates_kernel
    with pytest.raises(ValueError, match="trained for scale 4, but scale 2"):
        csbsr.load(folder / "serial.onnx", scale=2)


def test_an_image_smaller_than_the_graph_takes(files):
    found = outputs(csbsr.load(files[0] / "serial.onnx"), image(5, 9))
    assert found["sr"].shape == (1, 3, 20, 36)
    assert found["segmentation"].shape == (1, 1, 20, 36)


def test_whole_runs_without_csbsr(files):
    folder, networks = files
    session = onnxruntime.InferenceSession(folder / "whole.onnx")
    lr = image(33, 50)
    found = dict(zip((o.name for o in session.get_outputs()), session.run(None, {"lr": lr.numpy()}), strict=True))
    for key, expected in ((k, v) for k, v in outputs(networks["whole"], lr).items() if v is not None):
        assert np.abs(found[key] - expected.numpy()).max() < 1e-4, key
    card = json.loads(session.get_modelmeta().custom_metadata_map[ENTRY])
    told = card["exported"]
    assert told["functions"] == [{"inputs": ["lr"], "outputs": ["sr", "segmentation"]}]
    assert (card["scale"], card["recommended_threshold"], told["traits"]["dynamic_batch"]) == (4, 0.6, True)
    assert len(told["weights_sha256"]) == 64
    assert max(told["difference"].values()) <= 1e-4
    assert told["license"].startswith("not stated")


def resealed(data, change):
    """The file with its model changed and sealed again, as a forger would."""
    model = onnx.load_model_from_string(data)
    card = json.loads(next(entry.value for entry in model.metadata_props if entry.key == ENTRY))
    change(model, card)
    del model.metadata_props[:]
    return models.onnx_bytes(models.Model(model, "onnx", card, []))


def larger(model, card):
    weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = onnx.numpy_helper.to_array(weights) * 1.5
    weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))


def foreign(model, card):
    model.graph.node[0].domain = "com.evil"


def elsewhere(model, card):
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (larger, "differs by .* from what its card tells"),
        (lambda model, card: card["exported"]["probe"]["sr"].__setitem__(0, 0.9), "sr differs by"),
        (lambda model, card: card["exported"]["difference"].update(sr=0.3), "differs from torch by 0.3"),
        (foreign, "asks for com.evil"),
        (elsewhere, "names other files"),
        (lambda model, card: card["exported"].update(format=99), "newer csbsr"),
        (lambda model, card: card.pop("exported"), "expected exported"),
        (lambda model, card: card["exported"]["traits"].update(scale=10**6), "expected 1 to 16"),
        (lambda model, card: card["exported"]["traits"].update(kind="other"), "expected one of serial"),
        (lambda model, card: card["exported"]["functions"].pop(), "expected 3 functions"),
        (lambda model, card: card["exported"]["functions"][0].update(outputs=["nothing"]), "does not run"),
    ],
)
def test_a_falsified_file_is_refused(files, tmp_path, change, told):
    data = (files[0] / "serial.onnx").read_bytes()
    assert sealed(data)
    (tmp_path / "x.onnx").write_bytes(resealed(data, change))
    with pytest.raises(ValueError, match=told):
        load_exported(tmp_path / "x.onnx")


def test_a_damaged_file_is_refused(files, tmp_path):
    data = bytearray((files[0] / "serial.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "bit.onnx").write_bytes(data)
    (tmp_path / "cut.onnx").write_bytes(data[: len(data) // 3])
    (tmp_path / "empty.onnx").write_bytes(b"")
    for name in ("bit", "cut", "empty"):
        with pytest.raises(ValueError, match="damaged, or no export"):
            csbsr.load(tmp_path / f"{name}.onnx")
    with pytest.raises(FileNotFoundError, match="no file"):
        csbsr.load(tmp_path / "none.onnx")


def test_an_export_is_not_exported_again(files, tmp_path):
    with pytest.raises(ValueError, match="exported file already"):
        export(csbsr.load(files[0] / "whole.onnx"), tmp_path / "again")


def test_a_network_that_differs_is_not_written(tmp_path, monkeypatch):
    right = models.onnx_runners

    def a_little_wrong(graph, functions):
        runners = right(graph, functions)
        return [lambda named, run=run: {key: value + 2e-4 for key, value in run(named).items()} for run in runners]

    monkeypatch.setattr(models, "onnx_runners", a_little_wrong)
    with pytest.raises(ValueError, match=r"differs from torch by 0.0002 \((Upscale|Segment) at \d+ x \d+, \["):
        export(system("bicubic_unet"), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_openvino_files(files, tmp_path):
    pytest.importorskip("openvino")
    network = system("bicubic_unet")
    written = export(network, tmp_path / "m", ExportOptions("openvino"))
    assert [path.name for path in written] == ["m.xml", "m.bin"]
    found = csbsr.load(tmp_path / "m.xml")
    lr = image(40, 44)
    assert torch.allclose(outputs(found, lr)["segmentation"], outputs(network, lr)["segmentation"], atol=1e-4)
    data = bytearray((tmp_path / "m.bin").read_bytes())
    data[100] ^= 64
    (tmp_path / "m.bin").write_bytes(data)
    with pytest.raises(ValueError, match="damaged, or no export"):
        csbsr.load(tmp_path / "m.xml")
    (tmp_path / "m.bin").unlink()
    with pytest.raises(FileNotFoundError, match="copy both files"):
        csbsr.load(tmp_path / "m.xml")


@pytest.mark.parametrize("half", [False, True])
def test_safetensors(tmp_path, half):
    network = system("csbsr_unet")
    (path,) = export(network, tmp_path / "w", ExportOptions("safetensors", half=half))
    assert path.name == "w.safetensors"
    found, lr = csbsr.load(path), image(24, 24)
    assert torch.allclose(outputs(found, lr)["sr"], outputs(network, lr)["sr"], atol=0.02 if half else 1e-6)
    assert found.card["recommended_threshold"] == 0.6
    data = bytearray(path.read_bytes())
    data[-9] ^= 4
    path.write_bytes(data)
    with pytest.raises(ValueError, match="do not match their checksum"):
        csbsr.load(path)


def test_torch_and_hub(tmp_path):
    network, lr = system("bicubic_unet"), image(24, 24)
    (path,) = export(network, tmp_path / "w", ExportOptions("torch"))
    assert path.name == "w.ckpt"
    assert torch.equal(outputs(csbsr.load(path), lr)["segmentation"], outputs(network, lr)["segmentation"])
    weights, readme = export(network, tmp_path / "hub", ExportOptions("hub"))
    assert torch.equal(outputs(csbsr.load(weights), lr)["segmentation"], outputs(network, lr)["segmentation"])
    text = readme.read_text()
    assert text.startswith("---\nlibrary_name: csbsr\n")
    assert "csbsr-predict ckpt=model.safetensors" in text
    assert "| threshold | 0.6 |" in text
    assert hashlib.sha256(weights.read_bytes()).hexdigest() in text


def test_deepness(tmp_path):
    network = system("bicubic_unet")
    (path,) = export(network, tmp_path / "q", ExportOptions("deepness", tile=64, cm_per_pixel=0.2))
    session = onnxruntime.InferenceSession(path)
    (taken,), (given,) = session.get_inputs(), session.get_outputs()  # the plugin takes one of each
    assert taken.shape == [1, 3, 64, 64]
    assert given.shape == [1, 1, 64, 64]
    told = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    assert told["model_type"] == "Segmentor"
    assert told["class_names"] == {"0": "background", "1": "crack"}
    assert (told["resolution"], told["tile_size"], told["seg_thresh"]) == (0.2, 64, 0.6)
    assert told.keys() >= {"tiles_overlap", "seg_small_segment"}
    lr = image(64, 64)
    found = session.run(None, {taken.name: lr.numpy()})[0]
    large = outputs(network, lr)["segmentation"].reshape(1, 1, 64, 4, 64, 4).amax((3, 5))
    assert np.abs(found - large.numpy()).max() < 1e-4
    assert deepness_metadata(0.5, 512, 0.1)["model_type"] == '"Segmentor"'
    for wrong in (ExportOptions("deepness", tile=100), ExportOptions("deepness", cm_per_pixel=0)):
        with pytest.raises(ValueError, match=r"(tile|cm_per_pixel): expected"):
            export(network, tmp_path / "r", wrong)


def test_endings(tmp_path):
    assert place_of("a/b", ExportOptions()).name == "b.onnx"
    assert place_of("a/b.v2", ExportOptions("torch")).name == "b.v2.ckpt"
    assert place_of("a/B.ONNX", ExportOptions()).name == "B.ONNX"
    with pytest.raises(ValueError, match=r"ends in \.xml, but format=onnx"):
        place_of("a.xml", ExportOptions())
    with pytest.raises(ValueError, match="format: expected one of"):
        ExportOptions("tflite")


def test_the_seal():
    data = b"some bytes"
    assert sealed(data + seal(data))
    assert not sealed(data + seal(b"other"))
    assert not sealed(data)
    assert not sealed(data + seal(data, b"more"))
    assert sealed(data + seal(data, b"more") + b" -->", b"more")


def test_a_model_card_tells_how_it_was_trained_without_the_paths_of_its_maker():
    network = system("bicubic_unet")
    network.card["overrides"] = ["recipe=quick", "data.root=/home/someone/walls", "data.mask_name={name} x.png"]
    text = model_card(network, "model.safetensors", "0" * 64)
    assert "csbsr-train recipe=quick 'data.mask_name={name} x.png'" in text
    assert "someone" not in text
