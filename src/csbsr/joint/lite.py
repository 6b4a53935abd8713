"""The lite system: super-resolution, blur kernel and segmentation from one trunk that works at low resolution."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csbsr.contracts import JointOutput
from csbsr.degradation.shape import kernel_of_shape, shape_of_kernel
from csbsr.joint.lite_appearance import CONTEXT_STRIDE, Appearance, LiteSystem
from csbsr.joint.lite_parts import Context, ModulatedBlock, Redegradation, conv3, enlarged
from csbsr.segmentor.base import pad_to, probability
from csbsr.sr.autocorrelation import Autocorrelation

_CONDITION = 48  # length of what the blur's shape becomes before it modulates
_RARE = -2.5  # logit that cracks start from


class LiteNetwork(LiteSystem):
    """Joint blind super-resolution and crack segmentation at the cost of low resolution.

    ::

        x      = (lr - mean of each channel) / one deviation
        shape  = Autocorrelation(x);  kernel = its Gaussian;  z = perceptron(shape)
        t      = conv(x, re-degradation errors of x) -> blocks modulated by z
        t      = U-Net below LR with an EfficientNet-lite0 encoder -> blocks modulated by z
        sr     = bicubic(lr) + deviation/2 · pixel-shuffle(convs(t))
        segmentation = sigmoid(pixel-shuffle(convs(t)))

    Args:
        scale: s, 2 or more.
        channels: of the trunk.
        widths: of the three levels below LR.
        blocks: modulated blocks before and after the U-Net.
        kernel_size: odd side k of the blur kernel.
        kernel_skip: the blur also modulates the segmentation's last features (the idea of BlurSkip).
        blind: False leaves out super-resolution and kernel, to compare: ``sr`` is bicubic, and there is no kernel.
        supervised: the shape is learned from the true kernel alone: no gradient of sr and segmentation reaches it.
            False lets them through, to compare.
        pretrained: safetensors file of the encoder's ImageNet weights, as scripts/convert_encoder.py writes it.

    Source:
        This project; the trunk's ideas are those of KBPN (Kondo & Ukita 2024), at LR.
    """

    def __init__(
        self,
        scale: int = 4,
        channels: int = 48,
        widths: Sequence[int] = (64, 96, 128),
        blocks: Sequence[int] = (1, 2),
        kernel_size: int = 21,
        kernel_skip: bool = False,
        blind: bool = True,
        supervised: bool = True,
        pretrained: str | Path | None = None,
    ) -> None:
        super().__init__()
        if scale < 2:
            raise ValueError(f"scale: expected a whole number of at least 2, got {scale}; the published scale is 4")
        if len(widths) != 3 or len(blocks) != 2:
            raise ValueError(
                f"widths, blocks: expected three channel counts and two numbers of blocks, got {list(widths)}, "
                f"{list(blocks)}; as in conf/model/lite.yaml"
            )
        if kernel_skip and not blind:
            raise ValueError("kernel_skip: needs a blur kernel, but blind=false estimates none; leave one of them out")
        self.scale, self.kernel_size, self.kernel_skip, self.blind = scale, kernel_size, kernel_skip, blind
        self.supervised = supervised
        condition = _CONDITION if blind else 0
        if blind:
            self.estimator = Autocorrelation()
            self.condition = nn.Sequential(
                nn.Linear(4, _CONDITION),
                nn.ReLU(inplace=True),
                nn.Linear(_CONDITION, _CONDITION),
                nn.ReLU(inplace=True),
            )
            self.redegradation = Redegradation(scale)
        self.stem = conv3(9 if blind else 3, channels)
        self.before = nn.ModuleList(ModulatedBlock(channels, condition) for _ in range(blocks[0]))
        self.context = Context(channels, widths)
        self.after = nn.ModuleList(ModulatedBlock(channels, condition) for _ in range(blocks[1]))
        if blind:
            self.reconstruct = nn.Sequential(
                conv3(channels, channels), nn.ReLU(inplace=True), conv3(channels, 3 * scale**2)
            )
            last = cast(nn.Conv2d, self.reconstruct[-1])
            nn.init.zeros_(last.weight)
            nn.init.zeros_(cast(Tensor, last.bias))
        self.skip = ModulatedBlock(channels, condition) if kernel_skip else None
        self.segment = nn.Sequential(conv3(channels, 32), nn.ReLU(inplace=True), conv3(32, scale**2))
        nn.init.constant_(cast(Tensor, self.segment[-1].bias), _RARE)
        if pretrained is not None:
            from safetensors.torch import load_file

            self.context.encoder.load_state_dict(load_file(pretrained))

    def forward(
        self, lr: Tensor, kernel: Tensor | None = None, segment: bool = True, appearance: Appearance | None = None
    ) -> JointOutput:
        """Super-resolve and segment ``lr`` (B, 3, h, w), any size.

        Args:
            lr: low-resolution images, nearly in [0, 1].
            kernel: (B, 1, k, k), summing to 1: its shape is used instead of the estimate, and it is returned.
            segment: False skips the segmentation; it is then None.
            appearance: of the photograph that ``lr`` is a tile of; None: of ``lr``.

        Returns:
            `JointOutput`; in eval mode ``sr`` is clamped to [0, 1].
        """
        given = self.appearance(lr) if appearance is None else appearance
        height, width = lr.shape[-2:]
        padded = pad_to(lr, CONTEXT_STRIDE)
        x = (padded - given.mean.to(lr.dtype)) / given.deviation.to(lr.dtype)
        condition = None
        if self.blind:
            shape = self._shape(x[..., :height, :width], kernel, given)
            kernel = kernel_of_shape(shape, self.kernel_size) if kernel is None else kernel
            used = shape.detach() if self.supervised else shape
            length = torch.linalg.vector_norm(used[:, 1:], dim=1, keepdim=True)
            condition = self.condition(0.5 * torch.cat((used, length), 1).to(self.stem.weight.dtype))
            errors = self.redegradation(x, kernel.detach() if self.supervised else kernel)
            t = self.stem(torch.cat((x, errors), 1).contiguous(memory_format=torch.channels_last))
        else:
            t = self.stem(x.contiguous(memory_format=torch.channels_last))
        for block in self.before:
            t = block(t, condition)
        t = self.context(t, x)
        for block in self.after:
            t = block(t, condition)
        sr = self._super_resolved(t, lr, given.deviation)
        if not segment:
            return JointOutput(sr, None, kernel if self.blind else None)
        seen = t if self.skip is None else self.skip(t, condition)
        logits = F.pixel_shuffle(self.segment(seen), self.scale)[..., : self.scale * height, : self.scale * width]
        return JointOutput(sr, probability(logits), kernel if self.blind else None)

    def _shape(self, x: Tensor, kernel: Tensor | None, appearance: Appearance) -> Tensor:
        """The shape of the blur: of the kernel that was given, of the photograph, or of the image at hand."""
        if kernel is not None:
            return shape_of_kernel(kernel)
        if appearance.shape is not None:
            return appearance.shape
        estimate: Tensor = self.estimator(x)
        return estimate

    def _super_resolved(self, t: Tensor, lr: Tensor, deviation: Tensor) -> Tensor:
        residual: Tensor | None = self.reconstruct(t)[..., : lr.shape[-2], : lr.shape[-1]] if self.blind else None
        large = enlarged(lr, self.scale)  # not yet shuffled: what follows is several times as fast at low resolution
        if residual is not None:
            large.addcmul_(residual.to(large.dtype), 0.5 * deviation.to(large.dtype))
        large = large.to(lr.dtype)
        return F.pixel_shuffle(large if self.training else large.clamp_(0, 1), self.scale)
