"""The work on photographs: a network's results, and the cracks in them beside those of the bicubic enlargement."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from csbsr.data.reading import eight_bit, read_image
from csbsr.files import write_text
from csbsr.inspection.measuring import RECORDED, Measuring
from csbsr.inspection.metadata import read_metadata
from csbsr.inspection.photographs import Photograph
from csbsr.inspection.record import Agreement, Measured, Predicted, Record, Size
from csbsr.inspection.store import KINDS, GrowingFiles
from csbsr.inspection.writing import Kept, ResultFiles
from csbsr.measure import reduction
from csbsr.predict import Predictor
from csbsr.predict.consistency import Consistency, flagged, kernel_shape
from csbsr.predict.passes import Outcome

#: Kinds of results that a measurement writes.
MEASURED_KINDS = ("widths", "cracks")
_SHARE = 0.75  # of a photograph's work is its prediction, the rest that of its bicubic enlargement


class Predicting:
    """Predicts photographs, see `csbsr.inspection.job.Work`.

    Args:
        predictor: what runs.
        save: kinds of results, of `csbsr.inspection.store.KINDS`; written are those that the network has.
        weights: hash or name of the weights, to tell results of other weights apart.

    Raises:
        ValueError: an unknown kind, or the uncertainty without flips.
    """

    measuring: Measuring | None = None
    measured_settings: tuple[str, ...] = ()
    noun = "photograph"
    sides = ("photograph", "super-resolved")

    def __init__(self, predictor: Predictor, save: Collection[str], weights: str) -> None:
        unknown = [kind for kind in save if kind not in KINDS]
        if unknown:
            raise ValueError(f"save: expected some of {', '.join(KINDS)}, got {unknown[0]!r}")
        if "uncertainty" in save and predictor.options.flips == 1:
            raise ValueError("save: uncertainty is the variance over flips; add flips=2 or flips=4")
        self.predictor, self.weights = predictor, weights
        absent = {"kernel": not predictor.system.estimates_kernel, "consistency": not predictor.system.comparable}
        absent |= dict.fromkeys(MEASURED_KINDS, True)
        self.kinds = [kind for kind in KINDS if kind in save and not absent.get(kind)]

    def settings(self, item: Photograph) -> dict[str, Any]:
        """What a photograph's results hang on."""
        options = self.predictor.options
        names = ("kernel", "tile", "margin_sr", "margin_segmentation", "blend", "flips", "precision")
        shared = {"weights": self.weights, "threshold": self.predictor.threshold}
        return {**shared, **{name: getattr(options, name) for name in names}}

    def do(self, item: Photograph, record: Record, files: GrowingFiles, tick: Callable[[float], None]) -> None:
        """Do one photograph: its files grow under their temporary names, its record is filled."""
        record.metadata = read_metadata(item.path)
        image = read_image(item.path)
        record.size, record.threshold = Size(image.shape[1], image.shape[0]), self.predictor.threshold
        rows = ResultFiles(files)
        try:
            outcome = self._run(item, image, rows, record, tick)
        finally:
            rows.abandon()
        record.predicted, record.agreement = predicted(outcome), agreement(outcome.consistency)

    def _run(
        self, item: Photograph, image: np.ndarray, rows: ResultFiles, record: Record, tick: Callable[[float], None]
    ) -> Outcome:
        outcome = self.predictor.run(image, rows, rows.files.partial, tick)
        rows.complete(outcome)
        return outcome


class PredictingAndMeasuring(Predicting):
    """Predicts photographs and measures the cracks.

    Args:
        predictor: as for `Predicting`.
        save: as for `Predicting`.
        weights: as for `Predicting`.
        measuring: how cracks are measured.
        compare: also segment the photograph's bicubic enlargement by the same segmentor and measure that: always
            (True), never (False), or where the prediction is measured unshrunken (``auto``).

    Raises:
        ValueError: as for `Predicting`, or another ``compare``.
    """

    measuring: Measuring
    measured_settings = (*RECORDED, "compare_bicubic")

    def __init__(
        self,
        predictor: Predictor,
        save: Collection[str],
        weights: str,
        measuring: Measuring,
        compare: bool | str = "auto",
    ) -> None:
        if compare not in (True, False, "auto"):
            raise ValueError(f"compare_bicubic: expected true, false or auto, got {compare!r}")
        super().__init__(predictor, save, weights)
        self.kinds = [kind for kind in KINDS if kind in self.kinds or (kind in MEASURED_KINDS and kind in save)]
        self.measuring, self.compare = measuring, compare
        self._bicubic = predictor.bicubic() if compare else None

    def settings(self, item: Photograph) -> dict[str, Any]:
        """What a photograph's results and their measurement hang on."""
        return {
            **super().settings(item), **self.measuring.recorded(item.name), "compare_bicubic": self.compare
        }  # fmt: skip

    def share(self, shape: Sequence[int]) -> float:
        """Of the work on a photograph of ``shape`` (h, w, …) that is its prediction."""
        height, width = (side * self.predictor.scale for side in shape[:2])
        compares = self._compared(reduction((height, width), self.measuring.megapixels * 1e6)) is not None
        return _SHARE if compares else 1.0

    def _run(
        self, item: Photograph, image: np.ndarray, rows: ResultFiles, record: Record, tick: Callable[[float], None]
    ) -> Outcome:
        measuring, files, share = self.measuring, rows.files, self.share(image.shape)
        kept = Kept(rows, measuring.megapixels)
        outcome = self.predictor.run(image, kept, files.partial, lambda done: tick(share * done))
        rows.complete(outcome)
        threshold, scale = self.predictor.threshold, self.predictor.scale / kept.factor
        measurement = measuring.measure(item.name, kept.probability(), threshold, scale)
        kept.forget_probability()
        found = measuring.numbers(measurement)
        table = measuring.save(measurement, item.name, files, eight_bit(image), kept.view())
        write_text(files.pictures.cracks, table)
        del measurement
        bicubic: Measured | None = None
        if (compared := self._compared(kept.factor)) is not None:
            enlarged = Kept(None, np.inf, kept.factor)
            kernel = None if outcome.kernels is None else outcome.kernels.mean((0, 1))
            compared.run(image, enlarged, files.partial, lambda done: tick((1 - share) * done), kernel)
            bicubic = measuring.numbers(measuring.measure(item.name, enlarged.probability(), threshold, scale))
        record.stem, record.reduced, record.measured, record.bicubic = item.stem, kept.factor, found, bicubic
        return outcome

    def _compared(self, factor: int) -> Predictor | None:
        """What predicts the bicubic enlargement of a photograph that is measured shrunken by ``factor``."""
        return self._bicubic if self.compare is True or factor == 1 else None


def predicted(outcome: Outcome) -> Predicted:
    """What a record tells of a prediction, rounded to what means something."""
    sigmas = [] if outcome.kernels is None else kernel_shape(outcome.kernels.mean((0, 1)))
    return Predicted(
        outcome.shape[1], outcome.shape[0], float(f"{outcome.crack_share:.4g}"), outcome.tile,
        *(round(value, digits) for value, digits in zip(sigmas, (2, 2, 1), strict=False)),
    )  # fmt: skip


def agreement(found: Consistency | None) -> Agreement | None:
    """What a record tells of the consistency, rounded."""
    if found is None:
        return None
    cracks = None if found.cracks is None else round(found.cracks, 4)
    return Agreement(round(found.whole, 4), cracks, flagged(found))
