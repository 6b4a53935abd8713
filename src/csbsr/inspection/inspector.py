"""Measures a photograph's cracks from its prediction and, beside it, from its bicubic enlargement."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from csbsr.contracts import SROutput
from csbsr.data.reading import eight_bit
from csbsr.inspection.measuring import (
    BICUBIC,
    CRACKS,
    Measuring,
    read_cracks,
    save_pictures,
    write_report,
    write_text,
)
from csbsr.inspection.page import Entry
from csbsr.inspection.views import LARGEST, PhotographPictures, write_whole
from csbsr.joint import JointNetwork
from csbsr.measure import WidthGuide, gsd_of, reduced, reduction
from csbsr.predict.passes import LEVELS, Outcome, Sink
from csbsr.predict.predictor import Predictor
from csbsr.predict.rows import Shrinker
from csbsr.sr import Bicubic

#: Kinds of results that a measurement writes.
KINDS = ("widths", "cracks")
SIDES = ("photograph", "super-resolved")
_SHARE = 0.75  # of a photograph's work is its prediction, the rest that of its bicubic enlargement
_FILES = {
    "widths": "cracks, coloured by width", "cracks": "table of cracks", "overlay": "overlay", "mask": "mask",
    "probability": "probability", "sr": "super-resolved", "consistency": "consistency",
}  # fmt: skip


class Inspector:
    """Measures what a predictor finds.

    Args:
        predictor: what runs.
        measuring: how cracks are measured.
        compare: also segment the photograph's bicubic enlargement by the same segmentor and measure that: always
            (True), never (False), or where the prediction is measured unshrunken (``auto``).  A network without a
            segmentor of its own (DSRL), or that enlarges bicubically itself, has nothing to compare.
        about: of the run, for the report, by name.

    Raises:
        ValueError: ``compare`` is none of these.
    """

    def __init__(
        self,
        predictor: Predictor,
        measuring: Measuring,
        compare: bool | str = "auto",
        about: Mapping[str, object] | None = None,
    ) -> None:
        if compare not in (True, False, "auto"):
            raise ValueError(f"compare_bicubic: expected true, false or auto, got {compare!r}")
        self.predictor, self.measuring, self.compare, self.about = predictor, measuring, compare, dict(about or {})
        self._bicubic = _Enlarged.of(predictor) if compare else None

    def share(self, shape: Sequence[int]) -> float:
        """Of the work on a photograph of ``shape`` (h, w, …) that is its prediction."""
        sides = tuple(side * self.predictor.scale for side in shape[:2])
        factor = reduction(sides, self.measuring.megapixels * 1e6)
        return _SHARE if self._compares(factor) else 1.0

    def settings(self, name: str) -> dict[str, Any]:
        """What a photograph's measurement hangs on, to tell results of other settings apart."""
        options = self.measuring
        return {
            "gsd_mm": gsd_of(name, options.gsd),
            "severity": None if options.guide is None else _described(options.guide),
            "percentile": options.percentile,
            "min_pixels": options.min_pixels,
            "spur": options.spur,
            "hole": options.hole,
            "megapixels": options.megapixels,
            "compare_bicubic": self.compare,
        }

    def rows(self, sink: Sink) -> Kept:
        """A sink that passes everything on to ``sink`` and keeps what `measure` needs."""
        return Kept(sink, self.measuring.megapixels)

    def measure(
        self,
        name: str,
        stem: str,
        output: Path,
        photograph: np.ndarray,
        kept: Kept,
        outcome: Outcome,
        places: Mapping[str, Path],
        folder: Path | None,
        tick: Callable[[float], None],
    ) -> dict[str, Any]:
        """Measure a photograph and write its files.

        Args:
            name: the photograph's.
            stem: of its results inside ``output``.
            output: where the pictures of the report go.
            photograph: (h, w, 3) uint8, or float32 in [0, 1].
            kept: what was kept of its prediction.
            outcome: of it.
            places: files to write, by kind of `KINDS`.
            folder: for temporary files.
            tick: called with the share of the work of the comparison just done.

        Returns:
            Entries of the photograph's record: those of `Measuring.row` and what the comparison found.
        """
        scale, threshold = self.predictor.scale, self.predictor.threshold
        measurement = self.measuring.measure(name, kept.probability(), threshold, scale / kept.factor)
        kept.forget_probability()
        record = {"stem": stem, "reduced": kept.factor, **self.measuring.row(measurement)}
        widths = save_pictures(output, stem, measurement, eight_bit(photograph), kept.view())
        if "widths" in places:
            write_whole(places["widths"], widths)
        table = self.measuring.crack_table(measurement, name)
        write_text(PhotographPictures(output, stem).folder / CRACKS, table)
        if "cracks" in places:
            write_text(places["cracks"], table)
        if self._compares(kept.factor):
            del measurement, widths
            enlarged = self._bicubic.probability(photograph, outcome, kept.factor, folder, tick)
            found = self.measuring.measure(name, enlarged, threshold, scale / kept.factor)
            record |= self.measuring.row(found, BICUBIC)
        return record

    def report(self, output: Path, records: Mapping[str, Mapping[str, Any]]) -> None:
        """Write ``report.html`` and ``cracks.csv`` on all records of a folder that were measured or failed."""
        entries = []
        for name in sorted(records):
            record = records[name]
            results = record.get("results", {})
            if record.get("error"):
                entries.append(Entry(record, name))
            elif "cracks" in record:
                cracks = read_cracks(PhotographPictures(output, record["stem"]).folder / CRACKS)
                files = {_FILES[kind]: results[kind] for kind in _FILES if kind in results}
                entries.append(Entry(record, record["stem"], cracks, files))
        if entries:
            write_report(output, entries, self.measuring, SIDES, self.about)

    def _compares(self, factor: int) -> bool:
        return self._bicubic is not None and (self.compare is True or factor == 1)


class Kept:
    """A sink that passes rows on and keeps the probability and a view, both shrunken where they are large.

    Args:
        sink: gets everything too; None keeps the probability alone.
        megapixels: most of them in the probability that is kept.
        factor: by which it is shrunken; None for the smallest that fits.
    """

    def __init__(self, sink: Sink | None, megapixels: float, factor: int | None = None) -> None:
        self._sink, self._megapixels, self._given = sink, megapixels, factor
        self.factor = 1

    def begin(self, height: int, width: int) -> None:
        """Make room, anew if memory ran out."""
        self.factor = self._given or reduction((height, width), self._megapixels * 1e6)
        self._kept = np.empty((-(-height // self.factor), -(-width // self.factor)), np.float16)
        self._rest = np.empty((0, width), np.uint16)
        self._row = 0
        if self._sink is not None:
            self._view = Shrinker(height, width, -(-max(height, width) // LARGEST))
            self._sink.begin(height, width)

    def sr(self, rows: np.ndarray) -> None:
        """Keep super-resolved rows in the view."""
        if self._sink is not None:
            self._view.add(np.rint(rows * np.float32(255)).clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
            self._sink.sr(rows)

    def segmentation(self, levels: np.ndarray, mask: np.ndarray, variance: np.ndarray | None) -> None:
        """Keep segmented rows."""
        if self._sink is not None:
            self._sink.segmentation(levels, mask, variance)
        waiting = np.concatenate([self._rest, levels])
        whole = len(waiting) // self.factor * self.factor
        self._keep(waiting[:whole])
        self._rest = waiting[whole:].copy()

    def probability(self) -> np.ndarray:
        """(H, W) float16, after the last row."""
        self._keep(self._rest)
        self._rest = self._rest[:0]
        return self._kept

    def forget_probability(self) -> None:
        """Give its memory back."""
        self._kept = self._kept[:0].copy()

    def view(self) -> np.ndarray:
        """The super-resolved image, (H, W, 3) uint8, its sides at most `LARGEST`."""
        return np.rint(self._view.result()).astype(np.uint8)

    def _keep(self, levels: np.ndarray) -> None:
        if len(levels):
            rows = reduced(levels * np.float32(1 / LEVELS), self.factor)
            self._kept[self._row : self._row + len(rows)] = rows
            self._row += len(rows)


class _Enlarged:
    """Segments bicubic enlargements by the segmentor of a predictor."""

    def __init__(self, predictor: Predictor, network: JointNetwork) -> None:
        margin_sr, margin_segmentation = predictor.margins
        self._sr = network.sr
        self._predictor = Predictor(
            network, threshold=predictor.threshold, tile=predictor.tile, margin_sr=margin_sr,
            margin_segmentation=margin_segmentation, blend=predictor.blend, flips=predictor.flips,
            precision=predictor.system.precision, device=str(predictor.system.device),
            kernel="photograph" if network.segmentor.uses_kernel else "tile",
        )  # fmt: skip

    @classmethod
    def of(cls, predictor: Predictor) -> _Enlarged | None:
        """None if there is nothing to compare."""
        network = predictor.system.network
        if not predictor.system.serial or network.scale == 1 or isinstance(network.sr, Bicubic):
            return None
        enlarge = _WithKernel(network.scale) if network.segmentor.uses_kernel else Bicubic(network.scale)
        return cls(predictor, JointNetwork(enlarge, network.segmentor, network.normalization))

    def probability(
        self, photograph: np.ndarray, outcome: Outcome, factor: int, folder: Path | None, tick: Callable[[float], None]
    ) -> np.ndarray:
        """Of the enlarged photograph, shrunken by ``factor``: float16."""
        if isinstance(self._sr, _WithKernel):
            kernel = torch.from_numpy(outcome.kernels.mean((0, 1)))
            self._sr.known.vector = kernel.reshape(1, -1).to(self._predictor.system.device)
        kept = Kept(None, np.inf, factor)
        self._predictor.run(photograph, kept, folder, tick)
        return kept.probability()


class _Known(nn.Module):
    """An estimate of the blur kernel that is known before: (1, k²)."""

    vector: torch.Tensor

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """The same for every image."""
        return self.vector.to(lr)


class _WithKernel(Bicubic):
    """Bicubic enlargement for a segmentor that sees a blur kernel: it gets the mean estimate of the photograph."""

    estimates_kernel = True

    def __init__(self, scale: int) -> None:
        super().__init__(scale)
        self.known = _Known()

    def forward(self, lr: torch.Tensor, kernel: torch.Tensor | None = None) -> SROutput:
        """Interpolate ``lr`` (B, 3, h, w); the kernel is the one handed in, else the known one."""
        vector = self.known(lr)
        side = math.isqrt(vector.shape[1])
        return SROutput(super().forward(lr).sr, vector.view(1, 1, side, side) if kernel is None else kernel)

    def kernel_predictors(self) -> tuple[nn.Module]:
        """What knows it, so that mirrored images get it mirrored."""
        return (self.known,)


def _described(guide: WidthGuide) -> str:
    """All that a class hangs on."""
    limits = "; ".join(f"{exposure} {limit:g} mm" for exposure, limit in guide.limits.items())
    return f"{guide.name}, {guide.width} width, exposure {guide.exposure} ({limits})"
