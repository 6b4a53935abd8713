"""The work on existing masks and probability maps: measure the cracks in them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from csbsr.data.heads import read_head
from csbsr.data.labelme_files import POLYGONS
from csbsr.data.limits import MAX_MEGAPIXELS
from csbsr.data.mask_values import IGNORED, MaskRule
from csbsr.data.masks import read_labels
from csbsr.data.reading import at_most, eight_bit, read_image, read_photograph
from csbsr.inspection.corrections import Correction, corrected, left_out
from csbsr.inspection.counting import Counting, counting
from csbsr.inspection.large_masks import is_by_windows, measure_by_rows
from csbsr.inspection.lines import Frame
from csbsr.inspection.measuring import Measuring
from csbsr.inspection.metadata import read_metadata
from csbsr.inspection.pieces import told_of_pieces
from csbsr.inspection.record import Handled, Record, Source
from csbsr.inspection.sources import Mask
from csbsr.inspection.spread import spread_in
from csbsr.inspection.store import GrowingFiles
from csbsr.inspection.views import LARGEST
from csbsr.measure import BlurMap, TooNoisyError, read_segmentation, reduced, reduction
from csbsr.measure.checks import check_number
from csbsr.measure.ground import Scale
from csbsr.measure.reading import KINDS
from csbsr.pages.pictures import limited

_THRESHOLD = 0.5  # where none is given or noted
_UNKNOWN_SCALE = 4.0  # taken for the largest mask that is read, where nobody says how many pixels are one


class MeasuringMasks:
    """Measures masks, see `csbsr.inspection.job.Work`.

    Args:
        measuring: how cracks are measured.
        kind: what the files hold, see `csbsr.measure.read_segmentation`.
        threshold: of a probability; None for what is noted of a mask, else 0.5.
        scale: pixels of a mask to one of the photograph; None for what is noted of it, or from the photograph, or 1.
        max_megapixels: of a photograph that is read; a mask may have as many at the photograph's scale.
        rule: which values of masks are crack, and which are left out; None for white and nothing.
        bands: of photographs to read; None for those that are noted, or red, green and blue.
        bits: of their numbers; None for what is noted, or told from each file.

    Raises:
        ValueError: something is out of its range.
    """

    noun = "mask"
    measured_settings = ()
    sides = ("without", "with the cracks")

    def __init__(
        self,
        measuring: Measuring,
        kind: str = "auto",
        threshold: float | None = None,
        scale: float | None = None,
        max_megapixels: float = MAX_MEGAPIXELS,
        rule: MaskRule | None = None,
        bands: Sequence[int] | None = None,
        bits: int | None = None,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
        for name, value in (("threshold", threshold), ("scale", scale)):
            if value is not None:
                check_number(name, value)
        self.kinds = ("widths", "cracks", *(("drawing",) if "dxf" in measuring.layers else ()))
        self.measuring, self.kind, self.threshold, self.scale, self.rule = measuring, kind, threshold, scale, rule
        self.max_megapixels, self.bands, self.bits = max_megapixels, bands, bits
        # Raises for what is out of its range, before anything is written.
        measuring.measure("", np.zeros((1, 1), bool), _first(threshold, _THRESHOLD), _first(scale, 1))

    def kinds_of(self, item: Mask) -> Sequence[str]:
        """The same of each mask."""
        return self.kinds

    def by_windows(self, item: Mask) -> bool:
        """Nothing that is written of a mask is a tiled TIFF, however it is read."""
        return False

    def go_on(self, records: Mapping[str, Record]) -> None:
        """Nothing stays of what was done."""

    def settings(self, item: Mask) -> dict[str, Any] | None:
        """Masks are always measured anew, whatever was there."""
        return None

    def do(self, item: Mask, record: Record, files: GrowingFiles, tick: Callable[[float], None]) -> None:
        """Measure one mask: its files grow under their temporary names, its record is filled."""
        if item.error is not None:
            raise ValueError(item.error)
        measuring, most = self.measuring, self.measuring.megapixels * 1e6
        threshold, name = _first(self.threshold, item.threshold, _THRESHOLD), item.listed_name(measuring.gsd)
        side = max(1.0, _first(self.scale, item.scale, _UNKNOWN_SCALE))
        with at_most(self.max_megapixels * side**2):
            correction = self._correction(item)
            if correction is None and self._as_by_windows(item):
                self._do_by_rows(item, record, files, threshold, name)
                return
            found = self._read(item, most) if correction is None else _shrunken(correction.labels, most)
            segmentation, factor, ignored = found
            size = item.size or (segmentation.shape[0] * factor, segmentation.shape[1] * factor)
            picture, valid = self._picture(item)
            from_photograph = 1 if picture is None else factor * segmentation.shape[1] / picture.shape[1]
            scale = _first(self.scale, item.scale, from_photograph)
            ground = self._ground(item, name, size, scale)
            valid = self._valid(item, valid, ground)
            record.handled, counts = self._counting(item, (valid, ignored), size, factor, scale)
            if counts.measured is not None and counts.measured.shape != segmentation.shape:
                height, width = segmentation.shape
                raise ValueError(f"{item.path}: expected areas left out of {width} x {height} pixels")
            record.handled = replace(record.handled, scale_refused="; ".join(ground.refused) or None)
            spread = None if correction is not None else self._spread(item, segmentation, most)
            measured, coverage = counts
            measurement = measuring.measure(name, segmentation, threshold, scale / factor, measured, spread, ground)
            original, blur = self._light(item, picture, size, ground)
            measurement = measuring.with_light(measurement, original, blur)
            if correction is not None:
                record.handled = replace(record.handled, edited=True)
                if item.path.is_file() and item.path != correction.path:
                    before, _ = read_segmentation(item.path, self.kind, most, item.predicted)
                    with contextlib.suppress(TooNoisyError):  # noise that somebody wiped away
                        earlier = measuring.measure(name, before, threshold, scale / factor, measured, ground=ground)
                        record.before = measuring.numbers(earlier)
        view = limited(Image.fromarray(as_picture(segmentation) if picture is None else picture), LARGEST)
        frame = Frame(scale / factor, ground.shown, coverage)
        measuring.save(measurement, item.name, files, None, np.asarray(view), frame)
        record.metadata = item.metadata or read_metadata(item.picture or item.path)
        record.agreement, record.scale, record.reduced, record.threshold = item.agreement, scale, factor, threshold
        record.skipped = item.skipped
        record.stem, record.measured = item.stem, measuring.numbers(measurement)

    def _as_by_windows(self, item: Mask) -> bool:
        """Whether a mask is what csbsr-predict wrote by windows, and nothing asks for all of it at once."""
        as_written = self.kind != "mask" and self.scale in (None, item.scale) and not self.measuring.looks_for_marker
        return as_written and is_by_windows(item)

    def _do_by_rows(self, item: Mask, record: Record, files: GrowingFiles, threshold: float, name: str) -> None:
        """What csbsr-predict wrote by windows is measured so too."""
        scale, size = item.scale or 1.0, item.size or (1, 1)
        ground = self._ground(item, name, size, scale)
        found = measure_by_rows(
            self.measuring, item, name, threshold, ground, files.partial, self._read_as(item)
        )  # fmt: skip
        record.handled = Handled(item.missing, scale_refused="; ".join(ground.refused) or None)
        record.handled = record.handled.noting(told_of_pieces(found.in_pieces))
        picture, _ = self._picture(item)
        height, width = (-(-side // -(-max(size) // LARGEST)) for side in size)
        view = np.zeros((height, width, 3), np.uint8) if picture is None else picture
        frame = Frame(scale * found.finer, ground.shown, found.coverage)
        self.measuring.save(found.measurement, item.name, files, None, view, frame)
        record.metadata, record.scale, record.reduced, record.threshold = item.metadata, scale, 1, threshold
        record.agreement, record.skipped = item.agreement, item.skipped
        record.stem, record.measured = item.stem, self.measuring.numbers(found.measurement)

    def _ground(self, item: Mask, name: str, size: tuple[int, int], scale: float) -> Scale:
        """The scale of the photograph; of one seen at an angle only if the mask is of its rectified picture."""
        path, image = item.original, None
        if path is not None and self.measuring.looks_for_marker:
            image = eight_bit(read_image(path, *self._read_as(item)))
        ground = self.measuring.ground(name, path, image)
        if ground.rectify is None:
            return ground
        if all(abs(side - scale * own) <= scale for side, own in zip(size, ground.rectify.shape, strict=True)):
            return ground
        refusal = f"{ground.source.removesuffix(', rectified')}, and the mask is not of the rectified picture"
        return Scale(refused=(*ground.refused, refusal), geo=ground.geo)

    def _read_as(self, item: Mask) -> tuple[Sequence[int] | None, int | None]:
        """Bands and bits of the photograph."""
        bands = item.bands if self.bands is None else self.bands
        return bands, item.bits if self.bits is None else self.bits

    def _picture(self, item: Mask) -> tuple[np.ndarray | None, np.ndarray | None]:
        """What is shown under the cracks: the photograph, or a picture that csbsr-predict left.

        Returns:
            (h, w, 3) uint8, and of a photograph where there is one, (h, w) bool; None for all.
        """
        if item.picture is None:
            return None, None
        if item.picture != item.photograph:
            return eight_bit(read_image(item.picture)), None
        found = read_photograph(item.picture, *self._read_as(item))
        return eight_bit(found.image), found.valid

    def _valid(self, item: Mask, valid: np.ndarray | None, ground: Scale) -> np.ndarray | None:
        """Where there is a photograph in what the mask is of, (h, w) bool; None for everywhere, or if it is gone."""
        if item.photograph is None or not item.photograph.is_file():
            return None
        if valid is None and item.missing:
            valid = read_photograph(item.photograph, *self._read_as(item)).valid
        if ground.rectify is None:
            return valid
        return ground.rectify.valid(valid, read_head(item.photograph).size if valid is None else valid.shape)

    def _spread(self, item: Mask, segmentation: np.ndarray, most: float) -> np.ndarray | None:
        """The probability's standard deviation over flips; None without one of its size."""
        if item.uncertainty is None or segmentation.dtype == bool or not item.uncertainty.is_file():
            return None
        found = spread_in(item.uncertainty, most)
        return found if found.shape == segmentation.shape else None

    def _light(
        self, item: Mask, picture: np.ndarray | None, size: tuple[int, int], ground: Scale
    ) -> tuple[np.ndarray | None, BlurMap | None]:
        """The photograph to take widths from, and its blur; None without one, or if it is no longer what was read."""
        if not self.measuring.light or item.photograph is None:
            return None, None
        if item.photograph == item.picture:
            original = picture
        elif item.noted is None or not item.noted.same_as(Source.of(item.photograph)):
            return None, None
        else:
            original = read_image(item.photograph, *self._read_as(item))
        if original is not None and ground.rectify is not None:
            original = ground.rectify.apply(original)
        if original is None or abs(original.shape[0] * size[1] - original.shape[1] * size[0]) > max(size):
            return None, None
        shape = (original.shape[0], original.shape[1])
        return original, None if item.kernels is None else BlurMap.of_numbers(item.kernels, shape)

    def _read(self, item: Mask, most: float) -> tuple[np.ndarray, int, np.ndarray | None]:
        """A segmentation, the factor by which it was shrunken, and what of it is ignored."""
        segmentation, factor = read_segmentation(item.path, self.kind, most, item.predicted, self.rule)
        drawn = item.path.suffix.lower() in POLYGONS
        ignores = drawn or (self.rule is not None and self.rule.ignore_label is not None)
        if not ignores or self.kind == "probability":
            return segmentation, factor, None
        return segmentation, factor, read_labels(item.path, self.rule) == IGNORED

    def _correction(self, item: Mask) -> Correction | None:
        if item.correctable is None or (self.rule is not None and self.rule.given):
            return None
        made_from = item.path if item.path != item.correctable.mask else None
        return corrected(item.correctable, made_from, _first(item.threshold, _THRESHOLD))  # at which it was made

    def _counting(
        self,
        item: Mask,
        known: tuple[np.ndarray | None, np.ndarray | None],
        size: tuple[int, int],
        factor: int,
        scale: float,
    ) -> tuple[Handled, Counting]:
        """What of a map is left out, and what counts; ``known``: where there is a photograph, and what is ignored."""
        valid, ignored = known
        own, stem = item.correctable, item.path.parent / item.path.stem
        excluded = left_out(stem if own is None else own.stem, item.photograph if own is None else own.photograph, size)
        if ignored is not None and ignored.any():
            excluded = ignored if excluded is None else excluded | ignored
        share = None if excluded is None else float(f"{excluded.mean():.4g}")
        missing = item.missing
        if missing is None and not item.predicted and valid is not None:
            missing = float(f"{1 - valid.mean():.4g}")
        return Handled(missing, share), counting(valid, excluded, size, factor, scale)


def _shrunken(labels: np.ndarray, most: float) -> tuple[np.ndarray, int, np.ndarray | None]:
    """Of a corrected mask what `MeasuringMasks` reads of others."""
    factor = reduction((labels.shape[0], labels.shape[1]), most)
    return reduced(labels == 1, factor), factor, labels == IGNORED


def _first(*values: float | None) -> float:
    """The first of some values that is given, the last being always there."""
    return next(value for value in values if value is not None)


def as_picture(segmentation: np.ndarray) -> np.ndarray:
    """A mask or probability (H, W) as grey (H, W, 3) uint8."""
    shrunken = reduced(segmentation, max(1, max(segmentation.shape) // LARGEST))
    return np.repeat(eight_bit(shrunken.astype(np.float32))[..., None], 3, axis=2)
