"""The published systems and lite, small, by the names of their experiments."""

import torch
from torch import nn

from csbsr.joint import build

SR = {
    "kbpn": {"_target_": "csbsr.sr.KBPN", "width": 0.0625, "stages": 1},
    "dbpn": {"_target_": "csbsr.sr.DBPN", "width": 0.0625, "stages": 2},
    "srcnet": {"_target_": "csbsr.sr.SrcNet", "width": 0.0625, "groups": 1, "blocks": 1},
    "bicubic": {"_target_": "csbsr.sr.Bicubic", "scale": 4},
    "none": {"_target_": "csbsr.sr.NoSR"},
}
_PSPNET = {"_target_": "csbsr.segmentor.PSPNet", "width": 0.0625, "blocks": [1, 1, 1, 1]}
SEGMENTOR = {
    "pspnet": _PSPNET,
    "blur_skip": {**_PSPNET, "blur_skip": "modified"},
    "unet": {"_target_": "csbsr.segmentor.UNet", "width": 0.0625},
    "hrnet_ocr": {"_target_": "csbsr.segmentor.HRNetOCR", "width": 0.0625, "modules": [1, 1, 1], "blocks": 1},
    "crackformer": {"_target_": "csbsr.segmentor.CrackFormer", "width": 0.0625},
    "segnet": {"_target_": "csbsr.segmentor.SegNet", "width": 0.0625},
}
#: Experiments: their SR network and segmentor.
SERIAL = {
    "csbsr_pspnet": ("kbpn", "pspnet"),
    "csbsr_fail_weight": ("kbpn", "pspnet"),
    "csbsr_fail_weight_blur_skip": ("kbpn", "blur_skip"),
    "csbsr_unet": ("kbpn", "unet"),
    "csbsr_hrnet_ocr": ("kbpn", "hrnet_ocr"),
    "csbsr_crackformer": ("kbpn", "crackformer"),
    "independent_kbpn_pspnet": ("kbpn", "pspnet"),
    "cssr_pspnet": ("dbpn", "pspnet"),
    "srcnet_segnet": ("srcnet", "segnet"),
    "bicubic_pspnet": ("bicubic", "pspnet"),
    "bicubic_unet": ("bicubic", "unet"),
    "hr_upper_bound": ("none", "pspnet"),
}
_DSRL = {"_target_": "csbsr.joint.DSRL", "width": 0.0625, "blocks": [1, 1, 1]}
PARALLEL = {
    "dsrl": _DSRL,
    "dsrl_x4": {**_DSRL, "variant": "dsrl_x4"},
    "lite": {"_target_": "csbsr.joint.LiteNetwork", "channels": 8, "widths": [8, 8, 8]},
}
SYSTEMS = [name for name in (*SERIAL, *PARALLEL) if name != "bicubic_unet"]  # no experiment: what is exported fastest
_SMALL = ("width", "stages", "groups", "blocks", "modules", "channels", "widths")


def spec_of(name: str, full: bool = False) -> dict:
    """The description of a system; ``full``: of its published size."""
    if name in PARALLEL:
        spec = PARALLEL[name]
        return _full(spec) if full else spec
    sr, segmentor = SR[SERIAL[name][0]], SEGMENTOR[SERIAL[name][1]]
    parts = (_full(sr), _full(segmentor)) if full else (sr, segmentor)
    return {"_target_": "csbsr.joint.JointNetwork", "sr": parts[0], "segmentor": parts[1]}


def system(name: str, full: bool = False, seed: int = 0) -> nn.Module:
    """A network with weights that make it answer to what it sees, and its card."""
    torch.manual_seed(seed)
    spec = spec_of(name, full)
    network = build(spec).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=2 if name == "lite" else 0)  # lite multiplies what it repeats
        elif isinstance(module, nn.BatchNorm2d):  # others than those that leave everything as it is
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.8, 1.2)
    network.card = {"format": 1, "network": spec, "scale": network.scale, "recommended_threshold": 0.6}
    return network


def _full(spec: dict) -> dict:
    return {key: value for key, value in spec.items() if key not in _SMALL}
