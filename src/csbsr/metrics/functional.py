"""All metrics as pure functions: probabilities, masks, images and kernels in, one value per image out."""

from csbsr.metrics.centerline import cl_dice, threshold_index
from csbsr.metrics.image import interior_psnr, kernel_psnr, psnr, ssim
from csbsr.metrics.overlap import (
    Counts,
    average_precision,
    counts_by_threshold,
    f1,
    iou,
    iou_by_threshold,
    pooled,
    precision,
    recall,
)
from csbsr.metrics.surface import surface_distance_by_threshold
from csbsr.metrics.thresholds import THRESHOLDS

__all__ = [
    "THRESHOLDS",
    "Counts",
    "average_precision",
    "cl_dice",
    "counts_by_threshold",
    "f1",
    "interior_psnr",
    "iou",
    "iou_by_threshold",
    "kernel_psnr",
    "pooled",
    "precision",
    "psnr",
    "recall",
    "ssim",
    "surface_distance_by_threshold",
    "threshold_index",
]
