"""The weights that come with the package: found by name, checked, and what they are."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import csbsr
from csbsr.cli.config import literal_paths
from csbsr.data import SyntheticPairs
from csbsr.degradation import anisotropic_gaussian_kernel, degrade
from csbsr.joint import LiteNetwork
from csbsr.metrics import functional
from csbsr.report.runcard import file_hash
from csbsr.weights.shipped import HEADER, read_shipped, shipped


@pytest.fixture(scope="module")
def network():
    return csbsr.load("lite")


def test_they_load_by_name(network):
    assert isinstance(network, LiteNetwork)
    assert not network.training
    assert network.scale == 4
    assert network.card["recommended_threshold"] == 0.5
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_they_are_small_and_of_16_bits():
    path = shipped("lite")
    assert path.stat().st_size < 10e6
    weights, _ = read_shipped(path)
    for value in weights.values():
        if value.is_floating_point():
            assert torch.equal(value, value.half().float())


def test_another_scale_is_refused():
    with pytest.raises(ValueError, match="trained for scale 4, but scale 2"):
        csbsr.load("lite", scale=2)


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"mine")])
def test_the_name_wins_over_files_and_folders_of_that_name(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "lite")
    assert shipped("lite").is_file()
    assert csbsr.load("lite").card["network"]
    assert file_hash("lite") == file_hash(shipped("lite"))
    assert literal_paths(["ckpt=lite", "init=lite", "gsd_mm=auto", "ckpt=last"]) == [
        "ckpt=lite", "init=lite", "gsd_mm=auto", "ckpt=last"
    ]  # fmt: skip


def test_what_has_a_folder_or_another_name_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for ckpt in ("./lite", "elsewhere/lite", Path("lite"), "light", "Lite"):
        assert shipped(ckpt) is None, ckpt
    assert literal_paths(["ckpt=./lite"]) == [f"ckpt='{tmp_path / 'lite'}'"]
    with pytest.raises(FileNotFoundError):
        csbsr.load("./lite")


def test_the_name_stays_a_name_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert literal_paths(["ckpt=lite", "init=lite"]) == ["ckpt=lite", "init=lite"]
    assert literal_paths(["output=lite"])[0] != "output=lite"


def test_a_damaged_or_missing_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="install csbsr anew"):
        read_shipped(tmp_path / "lite.safetensors")
    (tmp_path / "broken").write_bytes(b"not weights")
    with pytest.raises(ValueError, match="is damaged"):
        read_shipped(tmp_path / "broken")
    save_file({"a": torch.ones(1)}, tmp_path / "bare")
    with pytest.raises(ValueError, match="its header holds no card"):
        read_shipped(tmp_path / "bare")
    save_file({"a": torch.ones(1)}, tmp_path / "odd", {HEADER: json.dumps({"format": 1})})
    with pytest.raises(ValueError, match="network"):
        read_shipped(tmp_path / "odd")


def test_they_find_blurred_cracks_restore_images_and_tell_the_blur(network):
    """On generated photographs of the plain world, which they were not trained on, four times smaller."""
    pairs = SyntheticPairs("photographs", 6, (192, 192), 1)
    gains, blurs, overlaps = [], [], []
    mean = anisotropic_gaussian_kernel(2.1, 2.1, 0.0).float()
    for i in range(len(pairs)):
        image, mask = pairs.read(i)
        hr, crack = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255, torch.from_numpy(mask).bool()
        kernel = anisotropic_gaussian_kernel(1.0 + 0.5 * i, 1.2, 30.0 * i).float()
        with torch.no_grad():
            lr = degrade(hr, kernel, 4, "reflect").clamp(0, 1)
            output = network(lr)
        large = torch.nn.functional.interpolate(lr, scale_factor=4, mode="bicubic").clamp(0, 1)
        gains.append(float(functional.psnr(output.sr, hr) - functional.psnr(large, hr)))
        blurs.append(float(functional.kernel_psnr(output.kernel, kernel) - functional.kernel_psnr(mean, kernel)))
        found = output.segmentation[0, 0] > 0.5
        if crack.any():
            overlaps.append(float((found & crack).sum() / (found | crack).sum()))
    assert np.mean(gains) > 0.3
    assert np.mean(blurs) > 4
    assert np.mean(overlaps) > 0.35
