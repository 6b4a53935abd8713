"""Every conf/degradation file composes, builds, draws and degrades."""

from pathlib import Path

import hydra
import pytest
import torch
from omegaconf import OmegaConf

from csbsr.build import build

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "degradation").glob("*.yaml"))


def composed(name: str, *overrides: str):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", [f"degradation={name}", *overrides])
    return build(OmegaConf.to_container(config.degradation, resolve=True))


def test_which_degradations_there_are():
    assert NAMES == ["anisotropic", "camera", "defocus", "isotropic", "mixed", "motion", "none"]


@pytest.mark.parametrize("name", NAMES)
def test_builds_draws_and_degrades(name):
    degradation = composed(name)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([degradation.draw(generator) for _ in range(3)])
    lr, kernel = degradation(torch.rand(3, 3, 64, 64, generator=generator), drawn)
    assert lr.shape == (3, 3, 16, 16)
    assert kernel.shape == (3, 1, 21, 21)
    torch.testing.assert_close(kernel.sum((1, 2, 3)), torch.ones(3))
    assert degradation.padding == "reflect"


@pytest.mark.parametrize("path", sorted((CONF / "experiment").glob("*.yaml")), ids=lambda path: path.stem)
def test_published_rows_keep_their_padding(path):
    assert OmegaConf.load(path).degradation.padding == "zeros"


def test_what_each_camera_has():
    motion, defocus, mixed, camera = (composed(name) for name in ("motion", "defocus", "mixed", "camera"))
    assert motion.motion is not None
    assert motion.defocus is None
    assert defocus.defocus is not None
    assert defocus.motion is None
    assert mixed.sensor is None
    assert camera.sensor is not None
    assert camera.motion == mixed.motion
    fixed = composed("motion", "degradation.motion.length=[9,9]")
    assert float(fixed.draw(torch.Generator().manual_seed(1))[3]) == 9
