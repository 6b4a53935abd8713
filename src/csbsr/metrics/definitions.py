"""What every reported number means, in one line each."""

from __future__ import annotations

from collections.abc import Sequence

TOLERANCE = 2  #: pixels, of every metric whose name ends in _2px

_AT = "at the recommended threshold"
_POOLED = "pooled (pixels summed over all images)"
_NEAR = f"with a tolerance of {TOLERANCE} px (Euclidean)"
_MISSED = "image width if only one of mask and prediction is empty"
_THRESHOLDS = "the 99 thresholds 0.01 … 0.99"

RECOMMENDED_GIVEN = "threshold for masks, given beforehand: the one of the best mean IoU on the validation images"
RECOMMENDED_HERE = (
    "threshold for masks: none was given, so the one of the best mean IoU on these very images; "
    "what is measured at it is optimistic"
)


def definitions(percentiles: Sequence[float] = (95, 50)) -> dict[str, str]:
    """One line for every key of `CrackMetrics.compute`, with the surface distances at these percentiles."""
    lines = {
        "images": "number of images",
        "iou_max": f"per-image IoU, mean over the images at each of {_THRESHOLDS}, the largest of these",
        "iou_max_threshold": "threshold at which iou_max is reached",
        "aiu": f"per-image IoU, mean over {_THRESHOLDS} and the images",
    }
    for p in percentiles:
        what = f"Hausdorff distance in px, {p:g}th percentile, per image ({_MISSED})"
        lines[f"hd{p:g}_min"] = f"{what}, mean over the images at each threshold, the smallest of these"
        lines[f"ahd{p:g}"] = f"{what}, mean over {_THRESHOLDS} and the images"
    what = f"mean distance in px between the outlines, per image ({_MISSED})"
    return lines | {
        "msd_min": f"{what}, mean over the images at each threshold, the smallest of these",
        "amsd": f"{what}, mean over {_THRESHOLDS} and the images",
        "psnr": "10·log10(1/MSE) in dB of the super-resolved image, per image, then the mean",
        "ssim": "structural similarity (11×11 Gaussian, σ 1.5, zero padding) per image, then the mean",
        "psnr_interior": "psnr without a frame of 24 px, which zero padding darkens; mean over the larger images",
        "kernel_psnr": "10·log10(1/MSE) in dB over the entries of the estimated kernel, per image, then the mean; "
        "NaN if none is estimated, or of another size",
        "recommended_threshold": f"{RECOMMENDED_GIVEN}; without one, that of the best mean IoU on these images",
        "iou": f"per-image IoU {_AT}, mean over the images",
        "iou_lost": "iou_max less iou: what the recommended threshold loses against the best one of these images",
        "iou_pooled": f"IoU {_AT}, {_POOLED}",
        "precision": f"part of the predicted pixels that are crack, {_AT}, {_POOLED}",
        "recall": f"part of the crack pixels that are predicted, {_AT}, {_POOLED}",
        "f1": f"harmonic mean of precision and recall {_AT}, {_POOLED}",
        "ods": f"largest F1 over {_THRESHOLDS}, {_POOLED}: one threshold for the data set",
        "ods_threshold": "threshold at which ods is reached",
        "ois": f"largest F1 over {_THRESHOLDS} per image, mean over the images: a threshold for each image",
        "ap": f"area under precision over recall at {_THRESHOLDS}, {_POOLED}, not interpolated",
        "empty_masks": "number of images whose mask holds no crack",
        "empty_predictions": f"number of images in which nothing is predicted {_AT}",
        "precision_2px": f"precision {_NEAR}, {_AT}, {_POOLED}",
        "recall_2px": f"recall {_NEAR}, {_AT}, {_POOLED}",
        "f1_2px": f"harmonic mean of precision_2px and recall_2px {_AT}",
        "ods_2px": f"ods {_NEAR}",
        "ois_2px": f"ois {_NEAR}",
        "ap_2px": f"ap {_NEAR}",
        "cldice": f"overlap of each skeleton with the other mask (clDice) per image {_AT}, mean over the images",
    }


#: One line for every key of `CrackMetrics.compute` at the usual percentiles.
DEFINITIONS: dict[str, str] = definitions()
