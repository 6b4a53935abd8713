"""The segmentor of a golden system with its released weights, and the system around it with the golden SR image."""

import torch

from csbsr.build import build
from csbsr.contracts import SROutput
from csbsr.joint.network import JointNetwork
from csbsr.segmentor.base import Segmentor
from csbsr.sr.base import SRNetwork
from tests import golden


class Given(SRNetwork):
    """Returns a stored SR image and kernel, whatever the input."""

    scale = 4
    estimates_kernel = True

    def __init__(self, output: SROutput) -> None:
        super().__init__()
        self.output = output

    def forward(self, lr, kernel=None):
        return self.output


def released_segmentor(part, system: str) -> Segmentor:
    """The segmentor of ``system``, recognised and filled strictly, in float64 and eval mode."""
    prefix = "segmentation_model."
    state = golden.state_dict(system, float(golden.load(system)["gain"]), prefix)
    state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    assert part.matches(shapes)
    network = build(part.spec(shapes)).double()
    network.load_state_dict({ours: state[name] for name in state if (ours := part.rename(name)) is not None})
    return network.eval()


def segment_golden(part, system: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Our segmentation of the first golden (float32) SR image of ``system``, and the golden segmentation."""
    numbers = golden.load(system)
    sr = torch.from_numpy(numbers["sr"][:1]).double()
    kernel = None
    if "kernel_vector" in numbers:
        kernel = torch.from_numpy(numbers["kernel_vector"][:1]).double().reshape(1, 1, 21, 21)
    joint = JointNetwork(Given(SROutput(sr, kernel)), released_segmentor(part, system)).eval()
    with torch.no_grad():
        return joint(sr).segmentation, torch.from_numpy(numbers["segmentation"][:1]).double()
