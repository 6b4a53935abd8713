"""Systems whose functions run elsewhere: what csbsr sees of an exported file.

They do what the networks of this package do, by the functions of `csbsr.joint.stages`, and torch holds no weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csbsr.contracts import JointOutput
from csbsr.degradation.shape import shape_of_kernel
from csbsr.joint.lite_appearance import Appearance, LiteSystem
from csbsr.joint.system import JointSystem, SerialSystem
from csbsr.sr.autocorrelation import Autocorrelation

#: A function on named tensors: what it takes by name to what it returns by name.
Runner = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
KINDS = ("serial", "lite", "parallel")
_IMAGES = ("sr", "segmentation")


class Traits(NamedTuple):
    """What prediction has to know of a system that it cannot look into.

    Attributes:
        kind: ``serial`` or ``lite`` (in the form ``tiles``), or ``parallel``: everything from the image alone.
        title: one line on the network.
        scale: s.
        smallest: side of the smallest image that the functions take, pixels of lr.
        size_multiple: of the segmentor (serial).
        estimates_kernel: whether there is a blur kernel.
        kernel_size: its side k; 0 without one.
        plain_enlargement: whether the enlargement is bicubic, or there is none (serial).
        dynamic_batch: whether several images may be handed over at once.
        memory: bytes that the passes take for each pixel of the result.
    """

    kind: str
    title: str
    scale: int
    smallest: int = 1
    size_multiple: int = 1
    estimates_kernel: bool = False
    kernel_size: int = 0
    plain_enlargement: bool = False
    dynamic_batch: bool = False
    memory: tuple[float, float] = (0.0, 0.0)


class Exported(JointSystem):
    """A system in one function: ``lr`` to ``sr``, ``segmentation`` and ``kernel``.

    Args:
        traits: what it is.
        runners: its functions, in the order of `csbsr.joint.stages.stages_of`.
        card: what its file tells of it.
        runtime: what runs them.
    """

    runs_on = "cpu"

    def __init__(
        self, traits: Traits, runners: Sequence[Runner], card: Mapping[str, Any], runtime: str = "onnxruntime"
    ) -> None:
        super().__init__()
        self.runtime = runtime
        self.traits, self.runners, self.scale = traits, list(runners), traits.scale
        self.card = dict(card)
        self.memory = traits.memory
        self.title = traits.title

    @property
    def estimates_kernel(self) -> bool:
        """Whether ``forward`` returns a blur kernel."""
        return self.traits.estimates_kernel

    def parts(self) -> tuple[nn.Module, ...]:
        """Itself: there is nothing to look into."""
        return (self,)

    def forward(self, lr: Tensor, kernel: Tensor | None = None, segment: bool = True) -> JointOutput:
        """As `JointSystem.forward`; a ``kernel`` cannot be handed in.

        Raises:
            ValueError: a kernel, which the file has no place for.
        """
        self._refuse(kernel)
        return self._run(0, {}, lr)

    def _run(self, function: int, others: Mapping[str, Tensor], lr: Tensor) -> JointOutput:
        """The function on ``lr`` (B, 3, h, w), one image at a time where it must be, repeated where it is too small."""
        if len(lr) > 1 and not self.traits.dynamic_batch:
            parts = [self._run(function, _part(others, i), lr[i : i + 1]) for i in range(len(lr))]
            sr = torch.cat([part.sr for part in parts])
            segmentation, kernel = (
                torch.cat([image for image in same if image is not None]) if same[0] is not None else None
                for same in ([part.segmentation for part in parts], [part.kernel for part in parts])
            )
            return JointOutput(sr, segmentation, kernel)
        height, width = lr.shape[-2:]
        found = self.runners[function]({"lr": _at_least(lr, self.traits.smallest), **others})
        size = self.scale * height, self.scale * width
        images = {name: found[name][..., : size[0], : size[1]] for name in _IMAGES if name in found}
        return JointOutput(images["sr"], images.get("segmentation"), found.get("kernel"))

    @staticmethod
    def _refuse(kernel: Tensor | None) -> None:
        if kernel is not None:
            raise ValueError("kernel: an exported file estimates its own; use the checkpoint it was made from")


class ExportedSerial(Exported, SerialSystem):
    """A serial system in two functions: super-resolve, then segment with given statistics."""

    def __init__(
        self, traits: Traits, runners: Sequence[Runner], card: Mapping[str, Any], runtime: str = "onnxruntime"
    ) -> None:
        super().__init__(traits, runners, card, runtime)
        self.size_multiple, self.plain_enlargement = traits.size_multiple, traits.plain_enlargement

    def forward(self, lr: Tensor, kernel: Tensor | None = None, segment: bool = True) -> JointOutput:
        """As `JointSystem.forward`; segments with the statistics of each image."""
        self._refuse(kernel)
        output = self._run(0, {}, lr)
        if not segment:
            return output
        parts = [
            self.segment(
                output.sr[i : i + 1],
                output.sr[i].mean((1, 2)),
                output.sr[i].var((1, 2), unbiased=False),
                None if output.kernel is None else output.kernel[i : i + 1],
            )
            for i in range(len(lr))
        ]
        return output._replace(segmentation=torch.cat(parts))

    def segment(self, sr: Tensor, mean: Tensor, variance: Tensor, kernel: Tensor | None = None) -> Tensor:
        """See `SerialSystem.segment`."""
        height, width = sr.shape[-2:]
        large = _at_least(sr, self.traits.smallest * self.scale)
        named = {"super_resolved": large, "sr_mean": mean, "sr_variance": variance}
        if kernel is not None:
            named["blur_kernel"] = kernel
        return self.runners[1](named)["segmentation"][..., :height, :width]


class ExportedLite(Exported, LiteSystem):
    """A lite system: its function takes the photograph's appearance, a second one reads the blur's shape."""

    def __init__(
        self, traits: Traits, runners: Sequence[Runner], card: Mapping[str, Any], runtime: str = "onnxruntime"
    ) -> None:
        super().__init__(traits, runners, card, runtime)
        self.blind, self.kernel_size = traits.estimates_kernel, traits.kernel_size
        if self.blind:
            self.estimator = _Estimator(self.runners[1])

    def forward(
        self, lr: Tensor, kernel: Tensor | None = None, segment: bool = True, appearance: Appearance | None = None
    ) -> JointOutput:
        """As `LiteSystem.forward`; of a ``kernel`` the shape is used, and it is returned."""
        given = self.appearance(lr) if appearance is None else appearance
        named = {"lr_mean": given.mean, "lr_deviation": given.deviation}
        if self.blind:
            shape = shape_of_kernel(kernel) if kernel is not None else given.shape
            if shape is None:
                shape = self.estimator((lr - given.mean) / given.deviation)
            named["blur_shape"] = shape
        output = self._run(0, named, lr)
        return output if kernel is None or not self.blind else output._replace(kernel=kernel)


class _Estimator(Autocorrelation):
    """The lags are counted here, as ever; what they mean the exported function knows."""

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        del self.perceptron
        self._runner = runner

    def shape(self, means: Tensor) -> Tensor:
        """Shapes (B, 3) from the means (B, 2, 42)."""
        return torch.cat([self._runner({"correlations": part.float()})["found_shape"] for part in means.split(1)])


def exported(traits: Traits, runners: Sequence[Runner], card: Mapping[str, Any], runtime: str) -> Exported:
    """The system of a file."""
    kinds = {"serial": ExportedSerial, "lite": ExportedLite, "parallel": Exported}
    return kinds[traits.kind](traits, runners, card, runtime).eval()


def _at_least(image: Tensor, side: int) -> Tensor:
    """``image`` (B, C, H, W), continued by its last pixels to at least ``side`` in height and width."""
    right, below = (max(0, side - own) for own in (image.shape[-1], image.shape[-2]))
    return F.pad(image, (0, right, 0, below), mode="replicate") if right or below else image


def _part(named: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
    return {name: value[index : index + 1] if value.ndim > 1 else value for name, value in named.items()}
