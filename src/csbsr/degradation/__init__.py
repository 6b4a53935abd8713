"""From ``hr`` to ``lr``: kernels from given numbers, drawing those numbers, blur and down-scaling."""

from csbsr.degradation.degradation import Degradation, NoBlur
from csbsr.degradation.degrade import at_least_float32, blur, degrade, downscale
from csbsr.degradation.kernels import anisotropic_gaussian_kernel, delta_kernel
from csbsr.degradation.sampling import GaussianBlurSampler
from csbsr.degradation.shape import blur_of_shape, kernel_of_shape, shape_of_blur, shape_of_kernel

__all__ = [
    "Degradation",
    "GaussianBlurSampler",
    "NoBlur",
    "anisotropic_gaussian_kernel",
    "at_least_float32",
    "blur",
    "blur_of_shape",
    "degrade",
    "delta_kernel",
    "downscale",
    "kernel_of_shape",
    "shape_of_blur",
    "shape_of_kernel",
]
