"""Groups that do not go together are told by their words, before anything is built."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from csbsr.build import arguments_of, build
from csbsr.cli.combinations import check_combination, unread
from csbsr.cli.config import config_folder

DEFAULTS = {"model": "serial", "segmentor": "pspnet", "loss": "boundary_combo", "extra_paths": "none", "sr": "kbpn"}


def composed(*words):
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return compose("train", list(words)), DEFAULTS | dict(word.split("=") for word in words)


@pytest.mark.parametrize("paths", ["blur_skip", "fail_weight_blur_skip"])
@pytest.mark.parametrize("segmentor", sorted(path.stem for path in (config_folder() / "segmentor").glob("*.yaml")))
def test_the_blur_skip_leads_into_pspnet_alone(segmentor, paths):
    together = composed(f"segmentor={segmentor}", f"extra_paths={paths}")
    if segmentor == "pspnet":
        check_combination(*together)
        return
    with pytest.raises(
        ValueError, match=f"^extra_paths: {paths} leads into segmentor=pspnet alone, got segmentor={segmentor}"
    ):
        check_combination(*together)


@pytest.mark.parametrize("model", ["dsrl", "lite"])
def test_the_blur_skip_needs_a_segmentor(model):
    with pytest.raises(ValueError, match=f"^extra_paths: blur_skip leads into a segmentor, and model={model} has none"):
        check_combination(*composed(f"model={model}", "extra_paths=blur_skip"))


@pytest.mark.parametrize("paths", ["crack_weight", "fail_weight"])
@pytest.mark.parametrize("loss", sorted({path.stem for path in (config_folder() / "loss").glob("*.yaml")} - {"base"}))
def test_the_losses_of_dsrl_have_no_weights(loss, paths):
    together = composed("model=dsrl", f"loss={loss}", f"extra_paths={paths}")
    if loss != "dsrl":
        check_combination(*together)
        return
    with pytest.raises(ValueError, match=f"^extra_paths: {paths} sets loss.{paths}, which loss=dsrl does not have"):
        check_combination(*together)


@pytest.mark.parametrize("model", ["serial", "lite"])
def test_the_loss_of_dsrl_needs_its_network(model):
    with pytest.raises(ValueError, match=f"^loss: dsrl compares features .* got model={model}; take both"):
        check_combination(*composed(f"model={model}", "loss=dsrl"))
    check_combination(*composed("model=dsrl", "loss=dsrl"))


def test_parts_that_a_model_replaces_are_told():
    words = ["model=lite", "segmentor=unet"]
    assert unread(composed(*words)[0], words) == ["segmentor=unet"]
    assert unread(composed("segmentor=unet")[0], ["segmentor=unet"]) == []


def test_an_argument_that_a_class_does_not_take():
    with pytest.raises(ValueError, match="Bicubic has no argument 'wide'; expected some of scale"):
        build({"_target_": "csbsr.sr.Bicubic", "scale": 4, "wide": 1})
    assert arguments_of("csbsr.sr.Bicubic") == ["scale"]
    assert arguments_of("monai.networks.nets.BasicUNet") is None
