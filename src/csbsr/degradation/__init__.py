"""From ``hr`` to ``lr``: kernels from given numbers, drawing those numbers, blur and down-scaling."""

from csbsr.degradation.camera import NUMBERS, Camera, camera_kernel
from csbsr.degradation.camera_kernels import disc_kernel, motion_kernel, one_after_another, polygon_kernel
from csbsr.degradation.degradation import Degradation, NoBlur
from csbsr.degradation.degrade import at_least_float32, blur, degrade, degrade_large, degrade_varying, downscale
from csbsr.degradation.jpeg import jpeg
from csbsr.degradation.kernels import anisotropic_gaussian_kernel, delta_kernel
from csbsr.degradation.ranges import DefocusRanges, LensRanges, MotionRanges, SensorRanges
from csbsr.degradation.sampling import GaussianBlurSampler
from csbsr.degradation.sensor import eight_bit, sensor_noise
from csbsr.degradation.shape import blur_of_shape, kernel_of_shape, shape_of_blur, shape_of_kernel

__all__ = [
    "NUMBERS",
    "Camera",
    "DefocusRanges",
    "Degradation",
    "GaussianBlurSampler",
    "LensRanges",
    "MotionRanges",
    "NoBlur",
    "SensorRanges",
    "anisotropic_gaussian_kernel",
    "at_least_float32",
    "blur",
    "blur_of_shape",
    "camera_kernel",
    "degrade",
    "degrade_large",
    "degrade_varying",
    "delta_kernel",
    "disc_kernel",
    "downscale",
    "eight_bit",
    "jpeg",
    "kernel_of_shape",
    "motion_kernel",
    "one_after_another",
    "polygon_kernel",
    "sensor_noise",
    "shape_of_blur",
    "shape_of_kernel",
]
