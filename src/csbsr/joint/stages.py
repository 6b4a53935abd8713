"""A system as functions of named tensors: what a file for other programs holds.

Two forms.  ``whole`` takes one image and does everything inside::

    lr -> sr, segmentation, kernel

``tiles`` is for photographs that are cut into tiles: what belongs to the photograph as a whole is handed in, so that
tiles agree.  A serial system is then two functions, run one after the other::

    lr -> sr, kernels, kernel   super_resolved, sr_mean, sr_variance, blur_kernel -> segmentation

where ``kernels`` are those that a network refines on the way and ``kernel`` is the last.  A third super-resolves with
the kernels of another part of the photograph::

    lr_of_known_blur, known_kernels -> sr_of_known_blur

The lite system, whose blur is read from sums over the photograph, is two others::

    lr, lr_mean, lr_deviation, blur_shape -> sr, segmentation, kernel       correlations -> found_shape

A system that does both at once from the tile alone (DSRL) has the one form.  Names that a system does not have
(``kernel`` where none is estimated) are left out.
"""

from __future__ import annotations

from torch import Tensor, nn

from csbsr.joint.lite_appearance import Appearance, LiteSystem
from csbsr.joint.network import JointNetwork
from csbsr.joint.system import JointSystem

FORMS = ("tiles", "whole")


class Stage(nn.Module):
    """A function from tensors to tensors, each with a name.

    Args:
        network: in eval mode.

    Attributes:
        inputs: names of what ``forward`` takes, in its order.
        outputs: names of what it returns.
    """

    inputs: tuple[str, ...] = ("lr",)
    outputs: tuple[str, ...]

    def __init__(self, network: JointSystem) -> None:
        super().__init__()
        self.network = network
        self.outputs = ("sr", "segmentation", *_kernel(network))


class Whole(Stage):
    """``lr`` (B, 3, h, w) to ``sr``, ``segmentation`` and ``kernel``, everything inside."""

    def forward(self, lr: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        return _present(*self.network(lr)[:3])


class Upscale(Stage):
    """``lr`` (B, 3, h, w) to ``sr``, the ``kernels`` (B, n, k, k) it was made with, and the last, ``kernel``."""

    network: JointNetwork

    def __init__(self, network: JointNetwork) -> None:
        super().__init__(network)
        self.outputs = ("sr", "kernels", "kernel") if network.estimates_kernel else ("sr",)

    def forward(self, lr: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        sr, kernels = self.network.upscale(lr)
        return (sr,) if kernels is None else (sr, kernels, kernels[:, -1:].clone())


class UpscaleKnown(Stage):
    """``lr_of_known_blur`` (B, 3, h, w) and ``known_kernels`` (B, n, k, k) of another image to ``sr_of_known_blur``."""

    network: JointNetwork
    inputs = ("lr_of_known_blur", "known_kernels")

    def __init__(self, network: JointNetwork) -> None:
        super().__init__(network)
        self.outputs = ("sr_of_known_blur",)

    def forward(self, lr: Tensor, kernels: Tensor) -> tuple[Tensor]:
        """See the class."""
        return (self.network.upscale(lr, kernels).sr,)


class Segment(Stage):
    """``super_resolved`` (B, 3, H, W) in [0, 1] and ``sr_mean``, ``sr_variance`` (3,) of it all to ``segmentation``."""

    network: JointNetwork

    def __init__(self, network: JointNetwork) -> None:
        super().__init__(network)
        kernel = ("blur_kernel",) if network.segmentor.uses_kernel else ()
        self.inputs = ("super_resolved", "sr_mean", "sr_variance", *kernel)
        self.outputs = ("segmentation",)

    def forward(self, sr: Tensor, mean: Tensor, variance: Tensor, kernel: Tensor | None = None) -> tuple[Tensor]:
        """See the class; ``kernel`` (B, 1, k, k) where the segmentor sees it."""
        return (self.network.segment(sr, mean, variance, kernel),)


class LiteTile(Stage):
    """``lr`` (1, 3, h, w) and the photograph's `Appearance` to ``sr``, ``segmentation`` and ``kernel``."""

    network: LiteSystem

    def __init__(self, network: LiteSystem) -> None:
        super().__init__(network)
        self.inputs = ("lr", "lr_mean", "lr_deviation", *(("blur_shape",) if network.blind else ()))

    def forward(self, lr: Tensor, mean: Tensor, deviation: Tensor, shape: Tensor | None = None) -> tuple[Tensor, ...]:
        """See the class: (1, 3, 1, 1), (1, 1, 1, 1) and (1, 3)."""
        return _present(*self.network(lr, appearance=Appearance(mean, deviation, shape))[:3])


class LiteShape(Stage):
    """``correlations`` (1, 2, 42), the means of `Autocorrelation.sums`, to ``found_shape`` (1, 3)."""

    network: LiteSystem
    inputs = ("correlations",)

    def __init__(self, network: LiteSystem) -> None:
        super().__init__(network)
        self.outputs = ("found_shape",)

    def forward(self, correlations: Tensor) -> tuple[Tensor]:
        """See the class."""
        return (self.network.estimator.shape(correlations),)


def stages_of(network: JointSystem, form: str = "tiles") -> list[Stage]:
    """The functions that ``network`` is in a form.

    Raises:
        ValueError: an unknown form, or a network that this package did not build.
    """
    if form not in FORMS:
        raise ValueError(f"form: expected one of {', '.join(FORMS)}, got {form!r}")
    if form == "tiles" and isinstance(network, JointNetwork):
        return [Upscale(network), Segment(network), *([UpscaleKnown(network)] if network.estimates_kernel else [])]
    if form == "tiles" and isinstance(network, LiteSystem):
        return [LiteTile(network), *([LiteShape(network)] if network.blind else [])]
    return [Whole(network)]


def _kernel(network: JointSystem) -> tuple[str, ...]:
    return ("kernel",) if network.estimates_kernel else ()


def _present(*tensors: Tensor | None) -> tuple[Tensor, ...]:
    return tuple(tensor for tensor in tensors if tensor is not None)
