"""Networks from plain descriptions: what is built, and what is refused."""

import pytest
import torch

from csbsr.joint import JointNetwork, build

BICUBIC = {"_target_": "csbsr.sr.Bicubic", "scale": 2}
SEGMENTOR = {"_target_": "csbsr.segmentor.PSPNet", "width": 0.0625, "blocks": [1, 1, 1, 1]}


def test_nested_descriptions():
    network = build({"_target_": "csbsr.joint.JointNetwork", "sr": BICUBIC, "segmentor": SEGMENTOR})
    assert isinstance(network, JointNetwork)
    assert network.scale == 2
    assert build({"a": [BICUBIC, 3], "b": None})["a"][0].scale == 2


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"_target_": "os.system", "command": "true"}, r"outside the trusted packages \(csbsr\).*trusted=\[csbsr,os\]"),
        ({"_target_": "csbsrx.sr.Bicubic"}, "outside the trusted packages"),
        ({"_target_": "csbsr.sr.Tricubic"}, "cannot be imported"),
        ({"_target_": "csbsr.sr.Bicubic", "factor": 2}, "has no argument 'factor'; expected some of scale"),
        ({"_target_": "csbsr.build", "spec": BICUBIC, "trusted": ["os"]}, "no part of a system"),
        ({"_target_": "csbsr.weights.read_checkpoint", "path": "x.ckpt"}, "no part of a system"),
        ({"_target_": "csbsr.weights.checkpoint.Path", "a": 1}, "no part of a system"),
        ({"_target_": "csbsr.weights.checkpoint.torch"}, "no part of a system"),
        (
            {"_target_": "csbsr.joint.JointNetwork", "sr": {"_target_": "os.getcwd"}, "segmentor": None},
            "outside the trusted",
        ),
    ],
)
def test_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        build(spec)


def test_trust_is_by_package():
    spec = {"_target_": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 1, "kernel_size": 1}
    for trusted in (["torch"], ["csbsr", "torch.nn"]):
        assert isinstance(build(spec, trusted), torch.nn.Conv2d)
    with pytest.raises(ValueError, match=r"trusted=\[csbsr,torch.nn.modules,torch\]"):
        build(spec, ["csbsr", "torch.nn.modules"])
