"""A camera's degradation: Gaussian, motion and defocus blur one after another, down-scaling, noise, 8 bits, JPEG."""

from __future__ import annotations

import torch
from torch import Tensor

from csbsr.degradation.camera_kernels import motion_kernel, one_after_another, polygon_kernel
from csbsr.degradation.degrade import at_least_float32, check_padding, degrade, degrade_varying
from csbsr.degradation.jpeg import jpeg
from csbsr.degradation.kernels import anisotropic_gaussian_kernel, check_kernel_size, delta_kernel
from csbsr.degradation.ranges import DefocusRanges, LensRanges, MotionRanges, SensorRanges
from csbsr.degradation.sensor import eight_bit, sensor_noise

#: The numbers of one image, in this order; a length, radius, deviation or quality of 0 means that there is none.
NUMBERS = (
    "sigma_1", "sigma_2", "theta", "length", "angle", "turn", "radius", "blades", "rotation",
    "shot", "read", "quality", "seed",
)  # fmt: skip
SHARPEST = 0.05  # pixels: a Gaussian this narrow is a single pixel


def camera_kernel(numbers: Tensor, size: int = 21) -> Tensor:
    """Kernels (B, 1, k, k) of cameras from their numbers (B, 9 or more): see `NUMBERS`."""
    sigma_1, sigma_2, theta, length, angle, turn, radius, blades, rotation = numbers[:, :9].unbind(1)
    lens = anisotropic_gaussian_kernel(sigma_1.clamp_min(SHARPEST), sigma_2.clamp_min(SHARPEST), theta, size)
    focus = polygon_kernel(radius, blades, rotation, size)
    return one_after_another(one_after_another(lens, focus), motion_kernel(length, angle, turn, size))


class Camera:
    """Blur as cameras do it, down-scaling, sensor: `csbsr.contracts.Degradation`.

    The true kernel is the three blurs' common one; noise, rounding and JPEG come after the down-scaling.  JPEG is a
    differentiable one in torch (`csbsr.degradation.jpeg`), so everything happens on the batch's device.

    Args:
        scale: integer factor between high- and low-resolution image.
        lens: ranges of the Gaussian blur; None: none.
        motion: ranges of the motion; None: none.
        defocus: ranges of the defocus; None: none.
        sensor: ranges of noise and quality; None: neither, and no rounding.
        size: odd side k of the kernel.
        padding: ``reflect`` or ``zeros``.
        antialias: see `csbsr.degradation.degrade`.
        varying: by how much the blur differs across the image, 0 to 1: at the left border kernel and single pixel are
            mixed so that this fraction of the blur is missing, at the right border it is whole; for evaluation.  The
            kernel returned is that of the middle.
    """

    def __init__(
        self,
        scale: int,
        lens: LensRanges | None = None,
        motion: MotionRanges | None = None,
        defocus: DefocusRanges | None = None,
        sensor: SensorRanges | None = None,
        size: int = 21,
        padding: str = "reflect",
        antialias: bool = False,
        varying: float = 0.0,
    ) -> None:
        check_kernel_size(size)
        check_padding(padding)
        if not 0 <= varying <= 1:
            raise ValueError(f"varying: expected a fraction from 0 to 1, got {varying}")
        if motion is not None and motion.length[1] > size - 1:
            raise ValueError(f"motion.length: expected at most size - 1 = {size - 1} pixels, got {motion.length[1]}")
        self.scale, self.size, self.padding, self.antialias, self.varying = scale, size, padding, antialias, varying
        self.lens, self.motion, self.defocus, self.sensor = lens, motion, defocus, sensor

    def draw(self, generator: torch.Generator) -> Tensor:
        """The numbers of one image, float32 (13,): see `NUMBERS`.  Always takes 17 draws from the generator."""
        draw = torch.rand(17, generator=generator, device=generator.device)
        parts = [
            ranges(draw[4 * i : 4 * i + 4]) if ranges is not None else draw.new_zeros(3)
            for i, ranges in enumerate((self.lens, self.motion, self.defocus))
        ]
        sensor = self.sensor(draw[12:]) if self.sensor is not None else draw.new_zeros(4)
        return torch.cat((*parts, sensor))

    def __call__(self, hr: Tensor, blur: Tensor) -> tuple[Tensor, Tensor]:
        """Degrade a batch, on its device, without a loop.

        Args:
            hr: (B, 3, H, W) in [0, 1]; H and W multiples of ``scale``.
            blur: (B, 13) from `draw`.

        Returns:
            lr (B, 3, H/s, W/s), in [0, 1] where it was rounded, and the kernels (B, 1, k, k), each summing to 1.
        """
        numbers = blur.to(at_least_float32(hr))
        kernel = camera_kernel(numbers, self.size)
        if self.varying:
            sharp = delta_kernel(kernel, self.size)
            left = kernel + self.varying * (sharp - kernel)
            lr = degrade_varying(hr, left, kernel, self.scale, self.padding, self.antialias)
            kernel = (left + kernel) / 2
        else:
            lr = degrade(hr, kernel, self.scale, self.padding, self.antialias)
        if self.sensor is None:
            return lr, kernel
        shot, read, quality, seed = numbers[:, 9:].unbind(1)
        lr = sensor_noise(lr, shot, read, seed)
        if self.sensor.eight_bit:
            lr = eight_bit(lr)
        return jpeg(lr, quality), kernel
