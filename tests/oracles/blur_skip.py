"""BlurSkip as published: the kernel spread over the image, concatenated and convolved at full resolution."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F


def plain_blur_skip(
    parameters: Mapping[str, Tensor], features: Tensor, kernel: Tensor, variant: str, training: bool = False
) -> Tensor:
    """What BlurSkip adds to ``features`` (B, C, H, W); ``parameters`` by the names of `csbsr.segmentor.BlurSkip`."""
    if variant == "reduced":
        kernel = F.interpolate(kernel, (7, 7), mode="bicubic", align_corners=True)
    batch, _, height, width = features.shape
    kernel_map = kernel.reshape(batch, -1, 1, 1).repeat(1, 1, height, width)
    r = features
    for step in "12":
        z = kernel_map if variant == "origin" else torch.cat([r, kernel_map], dim=1)
        branches = []
        for branch in ("scale", "shift"):
            prefix = f"transform{step}.{branch}."
            hidden = F.conv2d(z, parameters[prefix + "conv1.weight"], parameters[prefix + "conv1.bias"], padding=1)
            hidden = F.prelu(hidden, parameters[prefix + "activation.weight"])
            branches.append(
                F.conv2d(hidden, parameters[prefix + "conv2.weight"], parameters[prefix + "conv2.bias"], padding=1)
            )
        scale, shift = branches
        r = r * torch.sigmoid(scale) + shift
        r = F.conv2d(r, parameters[f"conv{step}.weight"], padding=1)
        norm = f"norm{step}."
        r = F.batch_norm(
            r,
            parameters[norm + "running_mean"].clone(),
            parameters[norm + "running_var"].clone(),
            parameters[norm + "weight"],
            parameters[norm + "bias"],
            training=training,
        )
        r = F.relu(r)
    return r
