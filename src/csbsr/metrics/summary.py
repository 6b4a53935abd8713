"""From a row of numbers per image to the reported numbers, tables and curves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from csbsr.metrics import overlap
from csbsr.metrics.overlap import Counts
from csbsr.metrics.thresholds import THRESHOLDS

#: What can be asked for; the first five need a segmentation.
GROUPS = ("iou", "surface", "overlap", "tolerance", "centerline", "image", "interior", "kernel")
SEGMENTATION_GROUPS = GROUPS[:5]


def fields(groups: Collection[str], percentiles: Sequence[float], one_threshold: bool) -> dict[str, int]:
    """Names of the numbers in the row of an image, in order, and how many each has: 1, or one per threshold.

    ``one_threshold`` says that the recommended threshold is known beforehand: clDice is costly and is then kept at
    that threshold alone.
    """
    every = len(THRESHOLDS)
    row = {"height": 1, "width": 1, "sigma_1": 1, "sigma_2": 1, "theta": 1}
    if not set(groups).isdisjoint(SEGMENTATION_GROUPS):
        row |= {"positive": 1, "predicted": every, "correct": every}
    if "tolerance" in groups:
        row |= {"correct_2px": every, "found_2px": every}
    if "surface" in groups:
        row |= {f"hd{p:g}": every for p in percentiles} | {"msd": every}
    if "centerline" in groups:
        row["cldice"] = 1 if one_threshold else every
    if "image" in groups:
        row |= {"psnr": 1, "ssim": 1}
    if "interior" in groups:
        row["psnr_interior"] = 1
    if "kernel" in groups:
        row["kernel_psnr"] = 1
    return row


@dataclass(frozen=True)
class Table:
    """The rows of all images, each image once, sorted by name.

    Attributes:
        names: of the images, N of them.
        columns: by the names of `fields`: (N, 1) or (N, 99) float64.
        groups: which of `GROUPS` were asked for.
        threshold: index of the recommended threshold, None if the best of these images is to be taken.
    """

    names: list[str]
    columns: dict[str, np.ndarray]
    groups: frozenset[str]
    threshold: int | None = None

    # Means are numpy's over rows in a fixed order; what is summed in torch are whole numbers. So no result depends on
    # the number of processes or threads.

    def counts(self, suffix: str = "") -> Counts:
        """Counts (N, 99) of the images; with the suffix _2px those within the tolerance."""
        chosen = ("predicted", f"correct{suffix}", f"found{suffix}" if suffix else "correct", "positive")
        return Counts(*(torch.from_numpy(self.columns[key]) for key in chosen))

    def segments(self) -> bool:
        """Whether there is anything about segmentation in the rows."""
        return "predicted" in self.columns

    def iou(self) -> np.ndarray:
        """IoU (N, 99) of the images."""
        return overlap.iou(self.counts()).numpy()

    def recommended(self) -> int:
        """Index of the recommended threshold."""
        return int(self.iou().mean(0).argmax()) if self.threshold is None else self.threshold

    def summary(self) -> dict[str, float]:
        """The reported numbers, in the order of `DEFINITIONS`."""
        values: dict[str, float] = {"images": len(self.names)}
        if "iou" in self.groups:
            curve = self.iou().mean(0)
            best = int(curve.argmax())
            values["iou_max"] = float(curve[best])
            values["iou_max_threshold"] = _threshold(best, curve)
            values["aiu"] = float(curve.mean())
        for key in self._distances():
            curve = self.columns[key].mean(0)
            values[f"{key}_min"], values[f"a{key}"] = float(curve.min()), float(curve.mean())
        for key in ("psnr", "ssim", "psnr_interior", "kernel_psnr"):
            if key in self.columns:
                values[key] = _mean(self.columns[key], some=key == "psnr_interior")
        if "overlap" in self.groups:
            values |= self._overlap()
        if "tolerance" in self.groups:
            values |= self._pooled("_2px")
        if "centerline" in self.groups:
            values["cldice"] = float(self._cl_dice().mean())
        return values

    def rows(self) -> list[dict[str, float | str]]:
        """A row of plain values per image: see `CrackMetrics.rows`."""
        plain = {"height": self.columns["height"], "width": self.columns["width"]}
        if self.segments():
            plain |= self._segmentation_rows()
        for key in ("psnr", "ssim", "psnr_interior", "kernel_psnr", "sigma_1", "sigma_2", "theta"):
            if key in self.columns:
                plain[key] = self.columns[key]
        whole = {"height", "width", "mask_pixels", "predicted_pixels"}
        kinds = {key: int if key in whole and not np.isnan(column).any() else float for key, column in plain.items()}
        return [
            {"name": name} | {key: kinds[key](column.ravel()[i]) for key, column in plain.items()}
            for i, name in enumerate(self.names)
        ]

    def curves(self) -> dict[str, list[float]]:
        """Values at every threshold: see `CrackMetrics.curves`."""
        curves = {"threshold": np.array(THRESHOLDS)}
        if not self.segments():
            return {}
        curves["iou"] = self.iou().mean(0)
        for suffix in ("", "_2px") if "tolerance" in self.groups else ("",):
            pool = overlap.pooled(self.counts(suffix))
            for function in (overlap.precision, overlap.recall, overlap.f1):
                curves[function.__name__ + suffix] = function(pool).numpy()
        curves |= {key: self.columns[key].mean(0) for key in self._distances()}
        return {key: values.tolist() for key, values in curves.items()}

    def _distances(self) -> list[str]:
        return [key for key in self.columns if key == "msd" or key.startswith("hd")]

    def _overlap(self) -> dict[str, float]:
        index, counts, curve = self.recommended(), self.counts(), self.iou().mean(0)
        pool = overlap.pooled(counts)
        values = {
            "recommended_threshold": _threshold(index, curve),
            "iou": float(curve[index]),
            "iou_lost": float(curve.max() - curve[index]),
            "iou_pooled": float(overlap.iou(pool)[index]),
        }
        values |= self._pooled("")
        for key, pixels in (("empty_masks", counts.positive), ("empty_predictions", counts.predicted[:, index])):
            values[key] = float("nan") if pixels.isnan().any() else int((pixels == 0).sum())
        return values

    def _pooled(self, suffix: str) -> dict[str, float]:
        index, counts = self.recommended(), self.counts(suffix)
        pool = overlap.pooled(counts)
        f1 = overlap.f1(pool).numpy()
        values = {
            "precision": float(overlap.precision(pool)[index]),
            "recall": float(overlap.recall(pool)[index]),
            "f1": float(f1[index]),
            "ods": float(f1.max()),
            "ods_threshold": _threshold(int(f1.argmax()), f1),
            "ois": float(overlap.f1(counts).numpy().max(1).mean()),
            "ap": float(overlap.average_precision(pool)),
        }
        if suffix:
            del values["ods_threshold"]
        return {key + suffix: value for key, value in values.items()}

    def _segmentation_rows(self) -> dict[str, np.ndarray]:
        index, iou = self.recommended(), self.iou()
        rows = {
            "mask_pixels": self.columns["positive"],
            "predicted_pixels": self.columns["predicted"][:, index],
            "iou": iou[:, index],
            "iou_max": iou.max(1),
            "iou_max_threshold": np.array([_threshold(int(curve.argmax()), curve) for curve in iou]),
            "aiu": iou.mean(1),
        }
        for suffix in ("", "_2px") if "tolerance" in self.groups else ("",):
            for function in (overlap.precision, overlap.recall, overlap.f1):
                rows[function.__name__ + suffix] = function(self.counts(suffix))[:, index].numpy()
        for key in self._distances():
            rows |= {key: self.columns[key][:, index], f"{key}_min": self.columns[key].min(1)}
        if "centerline" in self.groups:
            rows["cldice"] = self._cl_dice()
        return rows

    def _cl_dice(self) -> np.ndarray:
        values = self.columns["cldice"]
        return values[:, self.recommended() if values.shape[1] > 1 else 0]


def _mean(column: np.ndarray, some: bool) -> float:
    """Mean over the images; with ``some`` over those that have a number."""
    chosen = column[~np.isnan(column)] if some else column
    return float(chosen.mean()) if chosen.size else float("nan")


def _threshold(index: int, curve: np.ndarray) -> float:
    """The threshold of this index; NaN where the curve, for want of a segmentation, is."""
    return float("nan") if np.isnan(curve[index]) else THRESHOLDS[index]
