"""One training step of the whole system against numbers measured on the authors' release."""

import numpy as np
import pytest
import torch

from csbsr.loss import JointLoss, SegmentationLoss, SuperResolutionLoss
from csbsr.training.phases import freeze_all_but
from csbsr.weights import load_reference
from csbsr.weights.kbpn import PART as KBPN
from csbsr.weights.pspnet import PART as PSPNET
from csbsr.weights.unet import PART as UNET
from tests import golden

EXPECTED = golden.load("training_step")
PART_OF_ITERATION = {5: "sr_without_kernel_predictors", 15000: "kernel_predictors", 40000: "all"}
CASES = [
    (variant, alpha, iteration)
    for variant, iterations in {"plain": (5, 15000, 40000), "weight_fail": (40000,), "unet": (40000,)}.items()
    for alpha in (1.0, 0.5)
    for iteration in iterations
]


def our_name(released: str, segmentor) -> str:
    prefix, _, name = released.partition(".")
    if prefix == "sr_model":
        return f"sr.{KBPN.rename(name)}"
    # U-Net's state dict holds the encoder twice; its gradients are listed under the first name.
    return f"segmentor.{segmentor.rename(name) or name.replace('encoder.', 'encoder.features.')}"


@pytest.fixture(scope="module")
def networks():
    return {
        segmentor: load_reference(golden.state_dict(f"csbsr_{segmentor}", float(EXPECTED["gain"])))
        for segmentor in ("pspnet", "unet")
    }


@pytest.mark.parametrize(("variant", "alpha", "iteration"), CASES)
def test_losses_and_gradients(networks, variant, alpha, iteration):
    segmentor = "unet" if variant == "unet" else "pspnet"
    network = networks[segmentor]
    network.train()
    for module in network.modules():  # dropout off and BatchNorm in evaluation mode, auxiliaries on
        if isinstance(module, (torch.nn.modules.dropout._DropoutNd, torch.nn.modules.batchnorm._BatchNorm)):
            module.eval()
    network.zero_grad(set_to_none=True)
    freeze_all_but(network, PART_OF_ITERATION[iteration])
    for module in network.segmentor.modules():  # a frozen segmentor still reports its loss in the release
        module.training = not isinstance(
            module, (torch.nn.modules.dropout._DropoutNd, torch.nn.modules.batchnorm._BatchNorm)
        )
    batch = {key: torch.from_numpy(EXPECTED[key]).double() for key in ("lr", "hr", "mask", "kernel")}
    loss = JointLoss(
        SuperResolutionLoss(weights=(0.4, 0.4, 0.2)),
        SegmentationLoss(region={"weighted_bce": 1.0, "dice": 1.0}, boundary=True),
        beta=float(EXPECTED["beta"]),
        fail_weight=1.0 if variant == "weight_fail" else None,
    )
    joint = iteration == 40000
    output = network(batch["lr"], batch["kernel"] if iteration == 5 else None)
    terms = loss(output, batch, alpha=alpha, joint=True)
    total = loss(output, batch, alpha=alpha, joint=joint).total.mean()

    name = f"{variant}_alpha{alpha}_iter{iteration}"
    tolerance = 1e-9 if alpha == 1 else 5e-8
    for key in ("segmentation_loss", "sr_loss"):
        actual = terms.terms[key.removesuffix("_loss")].detach().numpy()
        np.testing.assert_allclose(actual, EXPECTED[f"{name}_{key}"], rtol=tolerance)
    np.testing.assert_allclose(total.item(), EXPECTED[f"{name}_loss"], rtol=tolerance)

    total.backward()
    table = UNET if segmentor == "unet" else PSPNET
    gradients = {
        key: parameter.grad.norm().item() for key, parameter in network.named_parameters() if parameter.grad is not None
    }
    expected = {
        our_name(str(key), table): norm
        for key, norm in zip(EXPECTED[f"{name}_gradient_names"], EXPECTED[f"{name}_gradient_norms"], strict=True)
    }
    assert gradients.keys() == expected.keys()
    for key, norm in expected.items():
        assert gradients[key] == pytest.approx(norm, rel=1e-7, abs=1e-12), key
