"""`CrackMetrics`: collects a row of numbers per image; every reported number is computed from the sorted rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors

from csbsr.contracts import Batch, JointOutput
from csbsr.metrics import functional
from csbsr.metrics.definitions import RECOMMENDED_GIVEN, RECOMMENDED_HERE, TOLERANCE, definitions
from csbsr.metrics.summary import GROUPS, Table, fields


class CrackMetrics(Metric):
    """All metrics of crack segmentation, super-resolution and kernel estimation.

    `update` reduces each image to a row of float64 numbers with its name.  The rows of all processes are gathered, an
    image that was seen twice (samplers repeat images to divide evenly) counts once, and the rows are sorted by name:
    the same probabilities give the same numbers to the last digit, however images are spread over batches and
    processes.

    Args:
        groups: what to compute, some of ``iou``, ``surface`` (Hausdorff and mean surface distance), ``overlap`` (at the
            recommended threshold, ODS, OIS, AP, empty images), ``tolerance`` (the same within 2 px), ``centerline``
            (clDice), ``image`` (PSNR, SSIM), ``interior`` (PSNR without a frame), ``kernel`` (kernel PSNR).
        percentiles: of the Hausdorff distance; each is part of its metric's name.
        threshold: the recommended threshold, chosen on the validation images (one of 0.01 … 0.99); None takes the best
            of the images evaluated, which `definitions` then says.

    Raises:
        ValueError: an unknown group, a percentile outside (0, 100], a threshold that is none of the 99.
    """

    names: list[Tensor]
    values: list[Tensor]

    is_differentiable = False
    full_state_update = False

    def __init__(
        self, groups: Sequence[str] = GROUPS, percentiles: Sequence[float] = (95, 50), threshold: float | None = None
    ) -> None:
        super().__init__()
        if unknown := set(groups) - set(GROUPS):
            raise ValueError(f"groups: expected some of {', '.join(GROUPS)}, got {', '.join(sorted(unknown))}")
        if not percentiles or not all(0 < p <= 100 for p in percentiles):
            raise ValueError(f"percentiles: expected numbers above 0 and up to 100, got {list(percentiles)}; e.g. 95")
        self.groups = frozenset(groups)
        self.percentiles = tuple(percentiles)
        self._index = None if threshold is None else functional.threshold_index(threshold)
        self._fields = fields(self.groups, self.percentiles, self._index is not None)
        self._table: Table | None = None
        # Both as bytes: not every device has float64, a change of the module's precision leaves bytes alone, and
        # names of any length join into one tensor.
        self.add_state("names", default=[], dist_reduce_fx="cat")
        self.add_state("values", default=[], dist_reduce_fx="cat")

    def update(self, output: JointOutput, batch: Batch) -> None:
        """Add a row per image.

        Args:
            output: of the network in evaluation mode. Without a segmentation its metrics are NaN, likewise the kernel.
            batch: with ``name``; ``mask``, ``hr``, ``kernel`` as the groups need them; ``blur`` is passed on to `rows`.
                Pixels that its ``valid`` leaves out are neither predicted nor crack, and count in no likeness.

        Raises:
            ValueError: something the groups need is missing, or see the functions of `csbsr.metrics.functional`.
        """
        for key, needed in (
            ("name", True),
            ("mask", "positive" in self._fields),
            ("hr", bool(self.groups & {"image", "interior"})),
        ):
            if needed and key not in batch:
                raise ValueError(
                    f"batch: expected {key!r}, got only {sorted(batch)}; choose metrics that need no {key}"
                )
        names = list(batch["name"])
        if any("\0" in name for name in names):
            raise ValueError(f"name: expected no NUL character, got {names}")
        columns: dict[str, float | Tensor] = {"height": output.sr.shape[-2], "width": output.sr.shape[-1]}
        if "blur" in batch:
            blur = batch["blur"][:, :3].cpu().double()  # what else a degradation draws has no column
            columns |= dict(zip(("sigma_1", "sigma_2", "theta"), blur.unbind(1), strict=True))
        if "positive" in self._fields and output.segmentation is not None:
            columns |= self._segmentation_columns(output.segmentation, batch["mask"], batch.get("valid"))
        if "image" in self.groups:
            columns["psnr"] = functional.psnr(output.sr, batch["hr"], batch.get("valid"))
            columns["ssim"] = functional.ssim(output.sr, batch["hr"], batch.get("valid"))
        if "interior" in self.groups:
            columns["psnr_interior"] = functional.interior_psnr(output.sr, batch["hr"], batch.get("valid"))
        estimate, kernel = output.kernel, batch.get("kernel")
        if "kernel" in self.groups and estimate is not None and kernel is not None and estimate.shape == kernel.shape:
            columns["kernel_psnr"] = functional.kernel_psnr(estimate, kernel)
        rows = np.full((len(names), sum(self._fields.values())), np.nan)
        for key, part in zip(self._fields, self._parts(rows), strict=True):
            if key in columns:
                part[:] = np.asarray(columns[key]).reshape(-1, part.shape[1])
        self.names.append(self._as_bytes("".join(f"{name}\0" for name in names).encode(errors="surrogateescape")))
        self.values.append(self._as_bytes(rows.tobytes()))

    def compute(self) -> dict[str, float]:
        """The reported numbers over all images of all processes; `definitions` says what each means.

        Every process has to call it; `rows` and `curves` can then be asked for on one of them.

        Raises:
            ValueError: there was no image.
        """
        names = self._joined("names").tobytes().decode(errors="surrogateescape").split("\0")[:-1]
        if not names:
            raise ValueError("CrackMetrics: expected at least one image, got none; call update first")
        rows = self._joined("values").view(np.float64).reshape(len(names), -1)
        first = {name: i for i, name in reversed(list(enumerate(names)))}  # of equal names the first one stays
        order = [first[name] for name in sorted(first)]
        columns = dict(zip(self._fields, self._parts(rows[order]), strict=True))
        self._table = Table(sorted(first), columns, self.groups, self._index)
        return self._table.summary()

    def rows(self) -> list[dict[str, float | str]]:
        """One row per image, sorted by name, for a table of images.

        Keys, as far as the groups give them: ``name``, ``height``, ``width``, ``mask_pixels``, ``predicted_pixels``;
        at the recommended threshold ``iou``, ``precision``, ``recall``, ``f1`` (and within 2 px: ``…_2px``), ``hd95``,
        ``hd50``, ``msd``, ``cldice``; over the thresholds ``iou_max``, ``iou_max_threshold``, ``aiu``, ``hd95_min``,
        ``hd50_min``, ``msd_min``; ``psnr``, ``ssim``, ``psnr_interior``, ``kernel_psnr``; the blur's ``sigma_1``,
        ``sigma_2``, ``theta`` (NaN if unknown).
        """
        return self._computed_table().rows()

    def curves(self) -> dict[str, list[float]]:
        """Values at the 99 thresholds, for plots; empty without a segmentation group.

        Keys, as far as the groups give them: ``threshold``; ``iou``, ``hd95``, ``hd50``, ``msd``, means of the images;
        ``precision``, ``recall``, ``f1`` (and within 2 px: ``…_2px``), pooled.
        """
        return self._computed_table().curves()

    def definitions(self) -> dict[str, str]:
        """What each key of `compute` means, in one line."""
        recommended = RECOMMENDED_HERE if self._index is None else RECOMMENDED_GIVEN
        lines = definitions(self.percentiles) | {"recommended_threshold": recommended}
        return {key: lines[key] for key in self.compute()}

    def reset(self) -> None:
        """Forget all images."""
        super().reset()
        self._table = None

    def _segmentation_columns(
        self, segmentation: Tensor, mask: Tensor, valid: Tensor | None = None
    ) -> dict[str, Tensor]:
        segmentation, mask = segmentation.cpu(), mask.cpu()
        if valid is not None:
            segmentation, mask = segmentation * valid.cpu(), mask * valid.cpu()
        counts = functional.counts_by_threshold(segmentation, mask)
        columns = {"positive": counts.positive, "predicted": counts.predicted, "correct": counts.correct}
        if "tolerance" in self.groups:
            near = functional.counts_by_threshold(segmentation, mask, TOLERANCE)
            columns |= {"correct_2px": near.correct, "found_2px": near.found}
        if "surface" in self.groups:
            hausdorff, mean = functional.surface_distance_by_threshold(segmentation, mask, self.percentiles)
            columns |= {f"hd{p:g}": values for p, values in zip(self.percentiles, hausdorff, strict=True)}
            columns["msd"] = mean
        if "centerline" in self.groups:
            chosen = functional.THRESHOLDS
            chosen = chosen if self._index is None else chosen[self._index : self._index + 1]
            columns["cldice"] = functional.cl_dice(segmentation, mask, chosen)
        return columns

    def _parts(self, rows: np.ndarray) -> list[np.ndarray]:
        return np.split(rows, np.cumsum(list(self._fields.values()))[:-1], axis=1)

    def _as_bytes(self, data: bytes) -> Tensor:
        return torch.frombuffer(bytearray(data), dtype=torch.uint8).to(self.device)

    def _joined(self, state: str) -> np.ndarray:
        parts = getattr(self, state)
        parts = [parts] if isinstance(parts, Tensor) else parts  # one tensor after gathering
        return torch.cat([torch.empty(0, dtype=torch.uint8), *(part.cpu() for part in parts)]).numpy()

    def _computed_table(self) -> Table:
        self.compute()  # at no cost if nothing was added since
        if self._table is None:
            raise RuntimeError("CrackMetrics: expected a table after compute, got none; call reset and update again")
        return self._table

    def _sync_dist(self, dist_sync_fn: Callable = gather_all_tensors, process_group: Any | None = None) -> None:
        # A process that saw no image has to gather bytes like the others; torchmetrics would send floats.
        for state in ("names", "values"):
            if not getattr(self, state):
                setattr(self, state, [torch.empty(0, dtype=torch.uint8, device=self.device)])
        super()._sync_dist(dist_sync_fn, process_group)
