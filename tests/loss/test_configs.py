"""Every choice of the groups ``loss`` and ``degradation`` builds what its name says."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from csbsr.degradation import Degradation, NoBlur
from csbsr.joint import build
from csbsr.loss import DSRLLoss, JointLoss, functional, functional_thin

CONF = Path(__file__).parents[2] / "conf"


def built(loss: str, *overrides: str, degradation: str = "anisotropic"):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        given = [f"+loss={loss}", f"+degradation={degradation}", "+scale=4", *overrides]
        config = OmegaConf.to_container(compose(overrides=given), resolve=True)
    return build(config["loss"]), build(config["degradation"])


def test_every_file_is_tested():
    names = {path.stem for path in (CONF / "loss").glob("*.yaml")} - {"base", "dsrl", "lite"}
    assert names == set(SEGMENTATION)


SEGMENTATION = {
    "boundary_combo": lambda p, y: functional.boundary_combo(p, y, 0.3),
    "generalized_boundary_combo": lambda p, y: functional.generalized_boundary_combo(p, y, 0.3),
    "boundary_generalized_dice": lambda p, y: functional.boundary_generalized_dice(p, y, 0.3),
    "dice": functional.dice,
    "bce": functional.weighted_bce,
    "bce_dice": functional.bce_dice,
}


@pytest.mark.parametrize("name", SEGMENTATION)
def test_segmentation_losses(name):
    loss, _ = built(name)
    assert isinstance(loss, JointLoss)
    assert (loss.beta, loss.auxiliary_weight, loss.crack_weight, loss.fail_weight) == (0.3, 0.4, None, None)
    assert loss.super_resolution.weights == (0.4, 0.4, 0.2)
    generator = torch.Generator().manual_seed(0)
    p, y = torch.rand(2, 1, 9, 9, generator=generator), torch.rand(2, 1, 9, 9, generator=generator).round()
    torch.testing.assert_close(loss.segmentation(p, y, 0.3).total, SEGMENTATION[name](p, y))


def test_lite():
    loss, _ = built("lite")
    assert (loss.beta, loss.super_resolution.weights, loss.super_resolution.shape) == (0.5, (3.0, 0.0, 2000.0), 1.0)
    generator = torch.Generator().manual_seed(0)
    p, y = torch.rand(2, 1, 24, 24, generator=generator), torch.rand(2, 1, 24, 24, generator=generator).round()
    thin = functional_thin.batch_dice(p, y) + 0.5 * functional_thin.soft_cl_dice(p, y)
    expected = (2 * functional.weighted_bce(p, y) + thin) / 3.5
    torch.testing.assert_close(loss.segmentation(p, y, 0.3).total, expected)


def test_published_row_takes_overrides():
    loss, _ = built("boundary_combo", "loss.beta=0.7", "loss.fail_weight=1", "loss.segmentation.pos_weight=[20,1]")
    assert (loss.beta, loss.fail_weight, loss.segmentation.pos_weight) == (0.7, 1, (20, 1))


def test_released_preset_drops_the_kernel_term():
    loss, _ = built("boundary_combo", "loss/super_resolution=released")
    assert loss.super_resolution.weights == (0.4, 0.4, 0.0)


@pytest.mark.parametrize("kind", ["anisotropic", "isotropic", "none"])
def test_pseudo_lr_follows_the_degradation(kind):
    overrides = ("degradation.padding=reflect", "degradation.antialias=true")
    loss, degradation = built("dice", *overrides, degradation=kind)
    assert (degradation.padding, degradation.antialias, degradation.scale, degradation.size) == ("reflect", True, 4, 21)
    assert (loss.super_resolution.padding, loss.super_resolution.antialias) == ("reflect", True)


def test_degradations():
    _, published = built("dice")
    assert isinstance(published, Degradation)
    assert (published.padding, published.antialias) == ("reflect", False)  # rows of the paper say zeros themselves
    assert (published.sampler.sigma, published.sampler.theta) == ((0.2, 4.0), (0.0, 180.0))
    assert not published.sampler.isotropic
    assert built("dice", degradation="isotropic")[1].sampler.isotropic
    assert isinstance(built("dice", degradation="none")[1], NoBlur)


def test_dsrl():
    loss, _ = built("dsrl")
    assert isinstance(loss, DSRLLoss)
    assert (loss.weights, loss.pool) == ((1.0, 0.5, 0.5), 16)
