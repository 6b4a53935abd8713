"""KBPN: kernelised back-projection network, blind super-resolution (Kondo & Ukita 2024, section III-A).

The kernel's k² numbers enter the published network as constant maps, at full resolution in every kernel update and
beside the features in every SFT layer, and all earlier feature maps are concatenated at full resolution.  None of
these maps is made here: `csbsr.sr.constant_map` has the algebra.  The results are those of the published form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from csbsr.contracts import SROutput
from csbsr.sr.base import SRNetwork
from csbsr.sr.constant_map import add_stretched, constant_map
from csbsr.sr.kernel_estimation import KernelPredictor, KernelUpdater, nearest_on_grid, normalized
from csbsr.sr.projection import RESAMPLING, ProjectionUnit, upward
from csbsr.sr.width import scaled


def blurred_and_sampled(image: Tensor, vector: Tensor, scale: int) -> Tensor:
    """Pseudo low-resolution image: correlation with each image's kernel, every ``scale``-th pixel kept.

    Args:
        image: (B, C, H, W).
        vector: (B, k²) kernel entries, k odd; the image is padded with (k − 1)/2 zeros.
        scale: stride.

    Returns:
        (B, C, H/s, W/s), at least float32: what is compared with it differs by little.
    """
    side = int(vector.shape[1] ** 0.5 + 0.5)
    device = image.device.type
    with torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext():
        image = image.to(vector.dtype).transpose(0, 1)  # images become groups, channels the batch
        kernels = vector.unflatten(1, (1, side, side))
        blurred = F.conv2d(image, kernels, stride=scale, padding=side // 2, groups=len(vector))
    return blurred.transpose(0, 1)


class BlurProjection(nn.Module):
    """Kernelised back-projection: the features of an intermediate image corrected by what its blurring gets wrong.

    ``e = PReLU(deconv(blur(t, kernel) − lr))``, added to the features.
    """

    def __init__(self, inputs: int, channels: int, updater: KernelUpdater, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.reconstruct = nn.Conv2d(inputs, 3, 3, padding=1, bias=False)
        self.updater = updater
        self.project_error = upward(3, channels, scale)

    def forward(self, image: Tensor, vector: Tensor, lr: Tensor, given: bool) -> tuple[Tensor, Tensor]:
        """Correction (B, channels, H, W) and kernel (B, k²) of the intermediate ``image`` (B, 3, H, W).

        ``given`` skips the update of the kernel ``vector`` (B, k²).
        """
        if not given:
            vector = normalized(vector + self.updater(image, vector))
        error = blurred_and_sampled(image, vector, self.scale) - lr
        return self.project_error(error.to(lr.dtype).contiguous(memory_format=torch.channels_last)), vector


class SFT(nn.Module):
    """Spatial feature transform by the kernel: ``f · sigmoid(scale(z)) + shift(z)``, ``z = cat(f, kernel map)``.

    ``scale`` and ``shift`` are conv3, LeakyReLU 0.1, conv3.  The first convolutions of both see the same z: here they
    are one, over the features alone; the kernel map's share, constant but for a border of 1, is added from a 3×3 map.

    Args:
        channels: of the features.
        condition: entries of the kernel, k².
        hidden: channels between the two convolutions of each branch.
    """

    def __init__(self, channels: int, condition: int, hidden: int) -> None:
        super().__init__()
        self.scale_hidden = nn.Conv2d(channels + condition, hidden, 3, padding=1)
        self.scale = nn.Conv2d(hidden, channels, 3, padding=1)
        self.shift_hidden = nn.Conv2d(channels + condition, hidden, 3, padding=1)
        self.shift = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, features: Tensor, vector: Tensor) -> Tensor:
        """(B, channels, h, w) and (B, condition) to (B, channels, h, w)."""
        hidden_layers = (self.scale_hidden, self.shift_hidden)
        weight = torch.cat([layer.weight for layer in hidden_layers])
        bias = torch.cat([layer.bias for layer in hidden_layers if layer.bias is not None])
        of_features, of_kernel = weight.split((features.shape[1], vector.shape[1]), 1)
        small = constant_map(vector.to(features.dtype), features.shape[-2:], border=1)
        small = F.conv2d(small, of_kernel, bias, padding=1)
        hidden = F.leaky_relu_(add_stretched(F.conv2d(features, of_features, padding=1), small), 0.1)
        scale, shift = hidden.chunk(2, 1)
        return torch.addcmul(self.shift(shift), features, self.scale(scale).sigmoid_())


class Stage(nn.Module):
    """One stage: up-projection, blur projection and, but for the last stage, down-projection and SFT."""

    def __init__(self, up: ProjectionUnit, blur: BlurProjection, down: ProjectionUnit | None, sft: SFT | None) -> None:
        super().__init__()
        self.up = up
        self.blur = blur
        self.down = down
        self.sft = sft

    def forward(
        self,
        low: Tensor,
        highs: Sequence[Tensor],
        lows: Sequence[Tensor],
        image: Tensor | None,
        vector: Tensor,
        lr: Tensor,
        given: bool,
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Run the stage.

        Args:
            low: input, low resolution.
            highs: high-resolution features of the earlier stages, oldest first.
            lows: low-resolution features of the earlier stages, oldest first.
            image: (B, 3, H, W), what ``highs`` contribute to this stage's intermediate image.
            vector: (B, k²), the kernel so far.
            lr: low-resolution image.
            given: the kernel is known; do not update it.

        Returns:
            This stage's high-resolution features, kernel, low-resolution features and the next stage's ``low`` (the
            last two None for the last stage).
        """
        high = self.up(low)
        own = F.conv2d(high, self.blur.reconstruct.weight[:, -high.shape[1] :], padding=1)
        correction, vector = self.blur(own if image is None else own + image, vector, lr, given)
        high = correction.add_(high)
        if self.down is None or self.sft is None:
            return high, vector, None, None
        newest = self.down(*highs, high)
        return high, vector, newest, self.sft(torch.cat((*lows, newest), 1), vector)


class KBPN(SRNetwork):
    """Kernelised back-projection network: estimates the blur kernel and super-resolves with it, in turns.

    Features of the LR image give a first kernel.  Each stage projects up, forms an intermediate image, updates the
    kernel, blurs the image with it and projects the difference to the LR image back; all stages but the last then
    project down and modulate the features by the kernel.  The image is one 3×3 convolution of the high-resolution
    features of all stages plus the bicubic image.  Convolutions start from Kaiming's normal distribution with zero
    biases, PReLU slopes from 0.25.

    Args:
        scale: 2, 4 or 8.
        kernel_size: side k of the blur kernel, odd.
        coarse_size: side q at which the kernel is predicted.
        stages: number of up-projections, at least 1; 4 as published.
        width: fraction of the published channel counts (128 of the features, 64 of the first layers, 32 of the kernel
            update, and the SFT's hidden width unless it is given).
        sft_hidden: channels between the two convolutions of each SFT branch, the same in all stages; None for the
            published width, 128·i + k² in stage i.
        checkpoint: in training, keep only each stage's results and compute the rest again in the backward pass: less
            memory, about a third more time, the same numbers.

    Raises:
        ValueError: an argument is none of these.
    """

    estimates_kernel = True

    def __init__(
        self,
        scale: int = 4,
        kernel_size: int = 21,
        coarse_size: int = 7,
        stages: int = 4,
        width: float = 1.0,
        sft_hidden: int | None = None,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        if scale not in RESAMPLING:
            raise ValueError(f"scale: expected one of {', '.join(map(str, RESAMPLING))} for KBPN, got {scale}")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: expected an odd number of pixels, got {kernel_size}; use 21 as published")
        for name, number in (("coarse_size", coarse_size), ("stages", stages), ("sft_hidden", sft_hidden)):
            if number is not None and number < 1:
                raise ValueError(f"{name}: expected at least 1, got {number}")
        self.scale = scale
        self.kernel_size = kernel_size
        self.checkpoint = checkpoint
        channels, entries = scaled(128, width), kernel_size**2
        self.features = _vgg_blocks(scaled(64, width), channels)
        self.coarse_size = coarse_size
        self.kernel_predictor = KernelPredictor(channels, coarse_size, kernel_size)
        self.stages = nn.ModuleList()
        for i in range(1, stages + 1):
            up = ProjectionUnit(max(1, i - 1) * channels, channels, scale, up=True)
            updater = KernelUpdater(scaled(32, width), coarse_size, kernel_size)
            blur = BlurProjection(i * channels, channels, updater, scale)
            down = sft = None
            if i < stages:
                down = ProjectionUnit(i * channels, channels, scale, up=False)
                sft = SFT(i * channels, entries, sft_hidden or scaled(128 * i + entries, width))
            self.stages.append(Stage(up, blur, down, sft))
        self.reconstruct = nn.Conv2d(stages * channels, 3, 3, padding=1, bias=False)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def _stages(self) -> list[Stage]:
        return cast("list[Stage]", list(self.stages))

    def kernel_predictors(self) -> Iterator[nn.Module]:
        """The first predictor and every stage's updater."""
        yield self.kernel_predictor
        for stage in self._stages():
            yield stage.blur.updater

    def nearest_kernel(self, kernel: Tensor) -> Tensor:
        """The kernel nearest to ``kernel`` (B, 1, k, k) that this network can estimate: see `nearest_on_grid`."""
        return nearest_on_grid(kernel, self.coarse_size)

    def forward(self, lr: Tensor, kernel: Tensor | None = None) -> SROutput:
        """Super-resolve ``lr``.

        Args:
            lr: (B, 3, h, w).
            kernel: (B, 1, k, k), used throughout instead of an estimate.

        Returns:
            ``sr`` (B, 3, s·h, s·w), not clamped, and ``kernel`` (B, 1, k, k), summing to 1.
        """
        shape = (len(lr), 1, self.kernel_size, self.kernel_size)
        if kernel is not None and kernel.shape != shape:
            raise ValueError(
                f"kernel: expected shape {shape}, got {tuple(kernel.shape)}; set kernel_size of the network and size "
                "of the degradation to the same value"
            )
        sr, kernels = self.with_kernels(lr, None if kernel is None else kernel.expand(-1, len(self.stages), -1, -1))
        return SROutput(sr, None if kernels is None else kernels[:, -1:])

    def with_kernels(self, lr: Tensor, kernels: Tensor | None = None) -> SROutput:
        """See `SRNetwork.with_kernels`; n is the number of stages, each kernel that after the stage's update."""
        side = self.kernel_size
        # Every map that follows takes this layout over.  On CPUs a transposed convolution in the other one takes two to
        # three times as long, because its result is copied back into it.
        lr = lr.contiguous(memory_format=torch.channels_last)
        low = self.features(lr)
        vector = self.kernel_predictor(low) if kernels is None else kernels[:, 0].flatten(1)
        vectors: list[Tensor] = []
        highs: list[Tensor] = []
        lows: list[Tensor] = []
        # What the features so far contribute to every later intermediate image and to the result, the last one left.
        images = lr.new_zeros(0)
        for index, stage in enumerate(self._stages()):
            image = None
            if index:
                image, images = images.split((3, images.shape[1] - 3), 1)
            if stage.down is None:
                highs.clear()  # no later use: their memory is free for the last stage
            if kernels is not None:
                vector = normalized(kernels[:, index].flatten(1))
            arguments = (low, tuple(highs), tuple(lows), image, vector, lr, kernels is not None)
            if self.checkpoint and self.training and torch.is_grad_enabled():
                high, vector, newest, low = checkpoint(stage, *arguments, use_reentrant=False, preserve_rng_state=False)
            else:
                high, vector, newest, low = stage(*arguments)
            contribution = F.conv2d(high, self._later_reconstructions(index), padding=1)
            images = contribution + images if index else contribution
            vectors.append(vector)
            highs.append(high)
            lows.append(newest)
        sr = images + F.interpolate(lr, size=images.shape[-2:], mode="bicubic", align_corners=False)
        return SROutput(sr, torch.stack(vectors, 1).unflatten(2, (side, side)))

    def _later_reconstructions(self, index: int) -> Tensor:
        """Weights by which the features of stage ``index`` enter every later reconstruction, the result's last.

        Three output channels each; together they are one convolution that reads the full-size features once, where
        one convolution of a growing concatenation per stage would read them again and again.
        """
        channels = self.reconstruct.in_channels // len(self.stages)
        own = slice(index * channels, (index + 1) * channels)
        later = [stage.blur.reconstruct for stage in self._stages()[index + 1 :]]
        return torch.cat([conv.weight[:, own] for conv in (*later, self.reconstruct)])


def _vgg_blocks(inner: int, outputs: int) -> nn.Sequential:
    """VGG16's first two blocks without their pools: four conv3 with ReLU."""
    layers: list[nn.Module] = []
    for inputs, width in ((3, inner), (inner, inner), (inner, outputs), (outputs, outputs)):
        layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
