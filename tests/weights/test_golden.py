"""All released systems: strict loading in both directions, and the outputs measured on the authors' release."""

import numpy as np
import pytest
import torch

from csbsr.weights import load_reference
from tests import golden

#: system -> scale asked for (None: read off the shapes)
SERIAL = {
    "csbsr_pspnet": 4, "csbsr_pspnet_x2": 2, "csbsr_unet": 4, "csbsr_hrnet_ocr": 4, "csbsr_crackformer": 4,
    "cssr_pspnet": 4, "csbsr_pspnet_blurskip": 4, "csbsr_pspnet_blurskip_origin": 4,
    "csbsr_pspnet_blurskip_reduct": 4, "srcnet": 4, "bicubic_pspnet": 4,
}  # fmt: skip
PARALLEL = ("dsrl", "dsrl_x4")


def close(actual: torch.Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual.numpy(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("system", SERIAL)
def test_serial_systems(system):
    expected = golden.load(system)
    gain, seed = float(expected["gain"]), int(expected["seed"])
    network = load_reference(golden.state_dict(system, gain), scale=SERIAL[system])
    assert network.scale == SERIAL[system]
    with torch.no_grad():
        output = network(golden.network_input(seed))
        close(output.sr, expected["sr"])
        close(output.segmentation, expected["segmentation"])
        if "kernel_vector" not in expected:
            assert output.kernel is None
            return
        close(output.kernel, expected["kernel"])
        sr, kernel = network.sr(golden.network_input(seed))
        close(sr, expected["sr_unclipped"])
        close(kernel.flatten(1), expected["kernel_vector"])
        sr, kernel = network.sr(golden.network_input(seed), golden.given_kernel(seed))
        close(sr, expected["sr_given_kernel"])
        close(kernel.flatten(1), expected["kernel_vector_given_kernel"])


@pytest.mark.parametrize("system", PARALLEL)
def test_parallel_systems(system):
    expected = golden.load(system)
    network = load_reference(golden.state_dict(system, float(expected["gain"])))
    with torch.no_grad():
        output = network(golden.network_input(int(expected["seed"])))
    close(output.sr, expected["sr"])
    close(output.segmentation, expected["segmentation"])


@pytest.mark.parametrize("system", [*SERIAL, *PARALLEL])
def test_a_missing_or_a_surplus_entry_is_named(system):
    state = {key: torch.zeros(shape) for key, shape in golden.keys(system).items()}
    victim = next(key for key in reversed(state) if key.endswith("running_var") or "conv" in key.lower())
    surplus = {**state, victim.rpartition(".")[0] + ".surplus": torch.zeros(1)}
    with pytest.raises(ValueError, match="surplus"):
        load_reference(surplus, scale=SERIAL.get(system))


def test_a_missing_entry_is_named():
    state = {key: torch.zeros(shape) for key, shape in golden.keys("bicubic_pspnet").items()}
    del state["segmentation_model.feats.layer3.0.conv1.weight"]
    with pytest.raises(ValueError, match=r"missing \(1\): segmentor\..*layer3\.0\.conv1\.weight"):
        load_reference(state)


def test_module_prefix_folder_and_file(tmp_path):
    state = {f"module.{key}": value.float() for key, value in golden.state_dict("bicubic_pspnet").items()}
    torch.save(state, tmp_path / "CSBSR.pth")
    expected = load_reference({key.removeprefix("module."): value for key, value in state.items()})
    image = golden.network_input(3).float()
    with torch.no_grad():
        for source in (tmp_path, tmp_path / "CSBSR.pth"):
            assert torch.equal(load_reference(source)(image).segmentation, expected(image).segmentation)


def test_what_is_no_release_says_so(tmp_path):
    with pytest.raises(ValueError, match="no released system"):
        load_reference({"weight": torch.zeros(1)})
    with pytest.raises(FileNotFoundError, match=r"one \.pth file"):
        load_reference(tmp_path)
    with pytest.raises(ValueError, match="scale 2, expected scale 4"):
        load_reference({key: torch.zeros(shape) for key, shape in golden.keys("csbsr_pspnet_x2").items()}, scale=4)
