"""The work on photographs: a network's results, and the cracks in them beside those of the bicubic enlargement."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from csbsr.data.errors import DataError
from csbsr.data.reading import Photograph as Shown
from csbsr.data.reading import eight_bit, read_photograph
from csbsr.data.reading.geo import told_of_place
from csbsr.files import write_text
from csbsr.inspection.corrections import leaves_out, left_out
from csbsr.inspection.counting import counting
from csbsr.inspection.lines import Frame
from csbsr.inspection.measuring import RECORDED, Measuring
from csbsr.inspection.metadata import read_metadata
from csbsr.inspection.photographs import Photograph
from csbsr.inspection.record import DONE, Agreement, Handled, Measured, Predicted, Record, Size, Skipped, Source
from csbsr.inspection.store import KINDS, GrowingFiles
from csbsr.inspection.windowed import ByWindows
from csbsr.inspection.windows import Choice, Windows, kinds_by_windows, left_out_by_windows
from csbsr.inspection.writing import KeptRows, ResultFiles
from csbsr.measure import BlurMap, TooNoisyError, reduction
from csbsr.measure.ground import Scale
from csbsr.predict import Predictor
from csbsr.predict.consistency import Consistency, flagged, kernel_shape
from csbsr.predict.passes import Outcome
from csbsr.predict.skipping import LOST

#: Kinds of results that a measurement writes.
MEASURED_KINDS = ("widths", "cracks")
#: All photographs are read whole.
WHOLE = Windows(mode=False)
_SHARE = 0.75  # of a photograph's work is its prediction, the rest that of its bicubic enlargement


class _Underway(NamedTuple):
    """A photograph that is being predicted."""

    item: Photograph
    found: Shown
    ground: Scale
    rows: ResultFiles
    record: Record
    tick: Callable[[float], None]


class Predicting:
    """Predicts photographs, see `csbsr.inspection.job.Work`.

    Args:
        predictor: what runs.
        save: kinds of results, of `csbsr.inspection.store.KINDS`; written are those that the network has.
        weights: hash or name of the weights, to tell results of other weights apart.
        bands: of the photographs to read, see `csbsr.data.reading.read_photograph`.
        bits: of their numbers, see there.
        windows: which photographs are read by windows; the others are read whole.

    Raises:
        ValueError: an unknown kind, or the uncertainty without flips; windows with a system of two passes.
    """

    measuring: Measuring | None = None
    measured_settings: tuple[str, ...] = ()
    noun = "photograph"
    sides = ("photograph", "super-resolved")

    def __init__(
        self,
        predictor: Predictor,
        save: Collection[str],
        weights: str,
        bands: Sequence[int] | None = None,
        bits: int | None = None,
        windows: Windows = WHOLE,
    ) -> None:
        unknown = [kind for kind in save if kind not in KINDS]
        if unknown:
            raise ValueError(f"save: expected some of {', '.join(KINDS)}, got {unknown[0]!r}")
        if "uncertainty" in save and predictor.options.flips == 1:
            raise ValueError("save: uncertainty is the variance over flips; add flips=2 or flips=4")
        self.predictor, self.weights = predictor, weights
        self.bands, self.bits = None if bands is None else list(bands), bits
        self.windows = windows
        self._obstacle: str | None = None  # why nothing is read by windows
        self._earlier: Mapping[str, Record] = {}
        self._choices: dict[tuple[Path, int], Choice] = {}
        if predictor.system.serial is not None:
            if windows.mode is True:
                raise ValueError("windows: a system of two passes reads photographs whole; leave it out, or use lite")
            self._obstacle = "the system takes two passes; lite takes one"
        for kind in ("labelme", "coco"):
            if kind in save:
                self._needs_all_at_once(f"save={kind} needs all of a mask at once")
        absent = {"kernel": not predictor.system.estimates_kernel, "consistency": not predictor.system.comparable}
        absent |= dict.fromkeys((*MEASURED_KINDS, "drawing"), True)
        self.kinds = [kind for kind in KINDS if kind in save and not absent.get(kind)]

    def go_on(self, records: Mapping[str, Record]) -> None:
        """Have ``windows=auto`` read as before what is done already."""
        self._earlier = records
        self._choices.clear()

    def choice(self, item: Photograph) -> Choice:
        """How a photograph is read."""
        try:
            key = item.path, item.path.stat().st_mtime_ns
        except OSError:  # reading it will say why
            return Choice()
        if key not in self._choices:
            self._choices[key] = self._as_before(item) or self._choice(item)
        return self._choices[key]

    def _as_before(self, item: Photograph) -> Choice | None:
        earlier = self._earlier.get(item.name)
        if self.windows.mode != "auto" or earlier is None or earlier.status != DONE or earlier.settings is None:
            return None
        if not Source.of(item.path).same_as(earlier.source):
            return None
        scale = earlier.settings.get("result_scale") if earlier.settings.get("windows") else None
        return Choice() if scale is None else Choice(self.windows.result_scale or scale)

    def _choice(self, item: Photograph) -> Choice:
        return self.windows.choice(item.path, self.predictor.scale, self._obstacle)

    def _needs_all_at_once(self, reason: str) -> None:
        """Note that nothing can be read by windows; refuse it where that is asked for."""
        if self.windows.mode is True:
            raise ValueError(f"windows: {reason}; leave one of them out")
        self._obstacle = self._obstacle or reason

    def by_windows(self, item: Photograph) -> bool:
        """Is it read by windows?"""
        return self.choice(item).scale is not None

    def kinds_of(self, item: Photograph) -> list[str]:
        """Kinds of files that are written of it."""
        scale = self.choice(item).scale
        return self.kinds if scale is None else kinds_by_windows(self.kinds, scale)

    def settings(self, item: Photograph) -> dict[str, Any]:
        """What a photograph's results hang on."""
        return self._predicted_with(item)

    def _predicted_with(self, item: Photograph) -> dict[str, Any]:
        """What its prediction hangs on."""
        options = self.predictor.options
        names = ("kernel", "tile", "grow", "margin_sr", "margin_segmentation", "blend", "flips", "precision")
        shared: dict[str, Any] = {"weights": self.weights, "threshold": self.predictor.threshold}
        read = {"bands": self.bands, "bits": self.bits}
        chosen = {name: value for name, value in read.items() if value is not None}
        shared["backend"], shared["skip"] = self.predictor.system.network.runtime, self.predictor.skip
        scale = self.choice(item).scale
        shared["windows"] = scale is not None
        if scale is not None:
            shared["result_scale"] = scale
        return {**shared, **{name: getattr(options, name) for name in names}, **chosen}

    def do(self, item: Photograph, record: Record, files: GrowingFiles, tick: Callable[[float], None]) -> None:
        """Do one photograph: its files grow under their temporary names, its record is filled."""
        record.metadata = read_metadata(item.path)
        scale, told = self.choice(item)
        if scale is not None:
            self._do_by_windows(item, record, files, tick, scale)
            return
        try:
            found = read_photograph(item.path, self.bands, self.bits)
        except DataError as error:
            raise self._with_way_out(item, error, told) from error
        missing = None if found.valid is None else float(f"{1 - found.valid.mean():.4g}")
        ground = self._ground(item, found)
        found = straightened(found, ground)
        image = found.image
        record.size, record.threshold = Size(image.shape[1], image.shape[0]), self.predictor.threshold
        record.handled = Handled(
            missing_share=missing,
            note="; ".join([*found.notes, *told_of_place(item.path), *([] if told is None else [told])]) or None,
            scale_refused="; ".join(ground.refused) or None,
            rectified=None if ground.rectify is None else True,
        )
        rows = ResultFiles(files, item.path)
        try:
            outcome = self._run(_Underway(item, found, ground, rows, record, tick))
        finally:
            rows.abandon()
        record.predicted, record.agreement = predicted(outcome), agreement(outcome.consistency)
        record.skipped = skipped(outcome)
        if (blur := blur_of(outcome, self.predictor.scale, found.image)) is not None:
            record.kernels = blur.numbers()
        record.digest = rows.digest.text()

    def _with_way_out(self, item: Photograph, error: DataError, told: str | None) -> DataError:
        """What is wrong with a photograph that is read whole, with what windows have to do with it."""
        if told is not None:
            return DataError(f"{error} It is {told}")
        by_windows = Windows(True).choice(item.path, self.predictor.scale, self._obstacle).scale is not None
        if by_windows and "damaged" in str(error):
            return DataError(f"{error} Or windows=true leaves out what of it is damaged.")
        return error

    def _do_by_windows(
        self, item: Photograph, record: Record, files: GrowingFiles, tick: Callable[[float], None], scale: int
    ) -> None:
        told = left_out_by_windows(self.kinds, files.kinds)
        one = ByWindows(self.predictor, self.measuring, item, files, record, scale, told)
        outcome = one.run(self._predicted_with(item), tick, self.bands, self.bits)
        height, width = (side // scale for side in outcome.shape)
        record.size, record.threshold = Size(width, height), self.predictor.threshold
        record.predicted = predicted(outcome)
        if outcome.kernels is not None:
            record.kernels = BlurMap.of_kernels(outcome.kernels, self.predictor.scale, (height, width)).numbers()

    def _ground(self, item: Photograph, found: Shown) -> Scale:
        """The scale of a photograph, nothing where nothing is measured."""
        return Scale()

    def _run(self, one: _Underway) -> Outcome:
        outcome = self.predictor.run(one.found.image, one.rows, one.rows.files.partial, one.tick, valid=one.found.valid)
        one.rows.complete(outcome)
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
        bands: as for `Predicting`.
        bits: as for `Predicting`.
        windows: as for `Predicting`.

    Raises:
        ValueError: as for `Predicting`, another ``compare``, or polygons of photographs that a marker may turn.
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
        bands: Sequence[int] | None = None,
        bits: int | None = None,
        windows: Windows = WHOLE,
    ) -> None:
        if compare not in (True, False, "auto"):
            raise ValueError(f"compare_bicubic: expected true, false or auto, got {compare!r}")
        super().__init__(predictor, save, weights, bands, bits, windows)
        if measuring.looks_for_marker:
            self._needs_all_at_once("marker_mm is looked for in all of a photograph at once")
        if compare is True:
            self._needs_all_at_once("compare_bicubic=true enlarges all of a photograph at once")
        if {"labelme", "coco"} & set(save) and measuring.looks_for_marker:
            raise ValueError(
                "save: labelme and coco write polygons onto the photograph, and marker_mm rectifies photographs that "
                "are seen at an angle; leave out one of them"
            )
        drawn = {"drawing"} if "dxf" in measuring.layers else set()
        wanted = {kind for kind in MEASURED_KINDS if kind in save} | drawn
        self.kinds = [kind for kind in KINDS if kind in self.kinds or kind in wanted]
        self.measuring, self.compare = measuring, compare
        self._bicubic = predictor.bicubic() if compare else None

    def _choice(self, item: Photograph) -> Choice:
        beside = leaves_out(item.path.with_suffix(""), None) and self.windows.mode == "auto"
        obstacle = "a file beside it may tell areas to be left out of it" if beside else None
        return self.windows.choice(item.path, self.predictor.scale, self._obstacle or obstacle)

    def settings(self, item: Photograph) -> dict[str, Any]:
        """What a photograph's results and their measurement hang on."""
        return {
            **super().settings(item), **self.measuring.recorded(item.name, item.path), "compare_bicubic": self.compare
        }  # fmt: skip

    def share(self, shape: Sequence[int]) -> float:
        """The share of the work on a photograph of ``shape`` (h, w, …) that is its prediction."""
        height, width = (side * self.predictor.scale for side in shape[:2])
        compares = self._compared(reduction((height, width), self.measuring.megapixels * 1e6)) is not None
        return _SHARE if compares else 1.0

    def _ground(self, item: Photograph, found: Shown) -> Scale:
        image = eight_bit(found.image) if self.measuring.looks_for_marker else None
        return self.measuring.ground(item.name, item.path, image)

    def _run(self, one: _Underway) -> Outcome:
        item, found, ground, rows, record, tick = one
        image = found.image
        measuring, files, share = self.measuring, rows.files, self.share(image.shape)
        kept = KeptRows(rows, measuring.megapixels)
        outcome = self.predictor.run(image, kept, files.partial, lambda done: tick(share * done), valid=found.valid)
        rows.complete(outcome)
        threshold, scale = self.predictor.threshold, self.predictor.scale / kept.factor
        place = files.place("mask")
        stem = place.with_name(place.name.removesuffix(f"_mask{KINDS['mask']}"))
        excluded = left_out(stem, item.path, outcome.shape)
        if excluded is not None and ground.rectify is not None:
            raise ValueError(
                f"{item.path}: areas to be left out are drawn on the photograph, and marker_mm rectifies it; leave out "
                "one of them"
            )
        counts, coverage = counting(found.valid, excluded, outcome.shape, kept.factor, self.predictor.scale)
        if excluded is not None:
            record.handled = replace(record.handled or Handled(), excluded_share=float(f"{excluded.mean():.4g}"))
        numbers: Measured | None = None
        try:
            measurement = measuring.measure(
                item.name, kept.probability(), threshold, scale, counts, kept.spread(), ground
            )
            kept.forget_probability()
            measurement = measuring.with_light(measurement, image, blur_of(outcome, self.predictor.scale, image))
            numbers = measuring.numbers(measurement)
        except TooNoisyError as error:
            record.handled = replace(record.handled or Handled(), not_measured=str(error))
            measurement = measuring.nothing(kept.probability().shape, threshold)
            kept.forget_probability()
        frame = Frame(scale, ground.shown, coverage)
        table = measuring.save(measurement, item.name, files, eight_bit(image), kept.view(), frame)
        write_text(files.pictures.cracks, table)
        del measurement
        bicubic: Measured | None = None
        if (compared := self._compared(kept.factor)) is not None:
            enlarged = KeptRows(None, np.inf, kept.factor)
            kernel = None if outcome.kernels is None else outcome.kernels.mean((0, 1))
            compared.run(
                image, enlarged, files.partial, lambda done: tick((1 - share) * done), kernel, found.valid,
                outcome.tile, outcome.answers,
            )  # fmt: skip
            with contextlib.suppress(TooNoisyError):
                other = measuring.measure(item.name, enlarged.probability(), threshold, scale, counts, ground=ground)
                bicubic = measuring.numbers(other)
        record.stem, record.reduced, record.measured, record.bicubic = item.stem, kept.factor, numbers, bicubic
        return outcome

    def _compared(self, factor: int) -> Predictor | None:
        """What predicts the bicubic enlargement of a photograph that is measured shrunken by ``factor``."""
        return self._bicubic if self.compare is True or factor == 1 else None


def straightened(found: Shown, ground: Scale) -> Shown:
    """A photograph as it is predicted: brought to the plane of its marker where it was seen at an angle."""
    if ground.rectify is None:
        return found
    shape = (found.image.shape[0], found.image.shape[1])
    return found._replace(
        image=ground.rectify.apply(found.image),
        valid=ground.rectify.valid(found.valid, shape),
        notes=(*found.notes, "rectified to the plane of its marker"),
    )


def predicted(outcome: Outcome) -> Predicted:
    """What a record tells of a prediction, rounded to what means something."""
    kernels = outcome.kernels
    sigmas = [] if kernels is None else kernel_shape(kernels.mean((0, 1)))
    one_kernel = None if kernels is None else kernels.shape[:2] == (1, 1)
    return Predicted(
        outcome.shape[1], outcome.shape[0], float(f"{outcome.crack_share:.4g}"), outcome.tile, one_kernel,
        *(round(value, digits) for value, digits in zip(sigmas, (2, 2, 1), strict=False)),
    )  # fmt: skip


def skipped(outcome: Outcome) -> Skipped | None:
    """What a record tells of the tiles that were left out, and of the risk."""
    return None if outcome.skipped is None else Skipped(float(f"{outcome.skipped:.4g}"), LOST)


def blur_of(outcome: Outcome, scale: int, image: np.ndarray) -> BlurMap | None:
    """The estimated blur of a photograph (h, w, 3); None of a network that estimates none."""
    kernels = outcome.kernels
    return None if kernels is None else BlurMap.of_kernels(kernels, scale, (image.shape[0], image.shape[1]))


def agreement(found: Consistency | None) -> Agreement | None:
    """What a record tells of the consistency, rounded."""
    if found is None:
        return None
    cracks = None if found.cracks is None else round(found.cracks, 4)
    return Agreement(round(found.whole, 4), cracks, flagged(found))
