"""Small networks for the tests of prediction: untrained, with weights that make them answer to what they see."""

import torch
from torch import nn

from csbsr.joint import build

UNET = {"_target_": "csbsr.segmentor.UNet", "width": 0.0625}
PSPNET = {"_target_": "csbsr.segmentor.PSPNet", "width": 0.0625, "blocks": [1, 1, 1, 1], "auxiliary": False}
BICUBIC = {"_target_": "csbsr.sr.Bicubic", "scale": 4}
KBPN = {"_target_": "csbsr.sr.KBPN", "width": 0.0625, "stages": 2}
NONE = {"_target_": "csbsr.sr.NoSR"}


def serial(sr=BICUBIC, segmentor=UNET, normalization="instance", seed=0) -> nn.Module:
    spec = {"_target_": "csbsr.joint.JointNetwork", "sr": sr, "segmentor": segmentor, "normalization": normalization}
    torch.manual_seed(seed)
    network = build(spec).eval()
    for module in network.segmentor.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)  # default weights let the signal fade to a constant
    network.card = {"network": spec, "recommended_threshold": 0.6}
    return network


def parallel() -> nn.Module:
    torch.manual_seed(0)
    return build({"_target_": "csbsr.joint.DSRL", "width": 0.0625, "blocks": [1, 1, 1]}).eval()


def whole(network: nn.Module, photograph) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """``sr`` (3, H, W), ``segmentation`` (H, W) and kernel of the network on the whole photograph at once."""
    with torch.no_grad():
        output = network(torch.from_numpy(photograph).permute(2, 0, 1)[None].float())
    return output.sr[0].clamp(0, 1).numpy(), output.segmentation[0, 0].numpy(), output.kernel
