"""What is known of one photograph or mask: a record of an output folder's summary, typed, to and from plain values.

A new field of a group below becomes an entry of ``summary.json`` and a column of ``summary.csv`` of the same name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from csbsr.inspection.checked import check_entry
from csbsr.inspection.metadata import Metadata
from csbsr.plain import kind_of

DONE, FAILED = "done", "failed"
UNFINISHED = "unfinished"  # its files are being moved to their places
#: What the names of all entries measured on the bicubic enlargement begin with.
BICUBIC = "bicubic_"
#: The same of what was measured before a person corrected the mask.
BEFORE = "before_"

Group = TypeVar("Group")


@dataclass(frozen=True)
class Size:
    """The size of a photograph in pixels, as it is seen upright."""

    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class Predicted:
    """What a network made of a photograph."""

    result_width: int | None = None  #: pixels
    result_height: int | None = None
    crack_share: float | None = None  #: of the result's pixels
    tile: int | None = None  #: side in pixels of the result of what a tile contributed
    one_kernel: bool | None = None  #: one blur kernel for the whole photograph; None without an estimate
    blur_sigma_1: float | None = None  #: larger standard deviation of the mean blur kernel, pixels of the result
    blur_sigma_2: float | None = None
    blur_theta: float | None = None  #: direction of the larger one, degrees from the horizontal, counter-clockwise


@dataclass(frozen=True)
class Handled:
    """What was special about a photograph or a mask, and how it was treated."""

    missing_share: float | None = None  #: of the photograph's pixels, where its file holds none (alpha, no-data)
    excluded_share: float | None = None  #: of the pixels, left out by a person
    edited: bool | None = None  #: the mask was corrected by hand, and that was measured
    note: str | None = None  #: what was assumed of the file
    not_measured: str | None = None  #: why its cracks were not measured, though it was predicted
    scale_refused: str | None = None  #: why what its file or a marker tells of the scale was not used
    rectified: bool | None = None  #: brought to the plane of its marker before it was predicted

    def noting(self, told: str | None) -> Handled:
        """With one more note, if there is one."""
        return dataclasses.replace(self, note="; ".join(filter(None, (self.note, told))) or None)


@dataclass(frozen=True)
class Skipped:
    """What of a photograph got no full pass, see `csbsr.predict.skipping`."""

    skipped_share: float | None = None  #: of the photograph's pixels
    skipped_risk: float | None = None  #: share of labelled cracks' length in skipped tiles, where that was measured


@dataclass(frozen=True)
class Agreement:
    """How well the super-resolved image explains the photograph, see `csbsr.predict.consistency`."""

    consistency: float | None = None
    consistency_cracks: float | None = None  #: where cracks are marked
    consistency_flag: bool | None = None  #: one of them is above its limit


@dataclass(frozen=True)
class Measured:
    """The cracks of an image, the columns of `csbsr.measure.image_row`; None where a value does not apply."""

    height_px: int | None = None
    width_px: int | None = None
    mm_per_pixel: float | None = None
    percentile: float | None = None
    cracks: int | None = None
    length_px: float | None = None
    length_mm: float | None = None
    length_uncertainty_px: float | None = None
    length_uncertainty_mm: float | None = None
    width_mean_px: float | None = None
    width_mean_mm: float | None = None
    width_max_px: float | None = None
    width_max_mm: float | None = None
    width_percentile_px: float | None = None
    width_percentile_mm: float | None = None
    width_uncertainty_px: float | None = None
    width_uncertainty_mm: float | None = None
    at_limit: int | None = None
    area_px: float | None = None
    area_mm2: float | None = None
    density: float | None = None
    orientation_deg: float | None = None
    branches: int | None = None
    severity: str | None = None
    severity_level: int | None = None
    severity_uncertain: int | None = None
    exposure_exceeded: int | None = None
    severity_guide: str | None = None
    severity_between: str | None = None
    gsd_mm_uncertainty: float | None = None
    width_flags: int | None = None
    width_reported_mean_value_px: float | None = None
    width_reported_mean_value_mm: float | None = None
    width_reported_mean_low_px: float | None = None
    width_reported_mean_low_mm: float | None = None
    width_reported_mean_high_px: float | None = None
    width_reported_mean_high_mm: float | None = None
    width_reported_maximum_value_px: float | None = None
    width_reported_maximum_value_mm: float | None = None
    width_reported_maximum_low_px: float | None = None
    width_reported_maximum_low_mm: float | None = None
    width_reported_maximum_high_px: float | None = None
    width_reported_maximum_high_mm: float | None = None
    width_reported_percentile_value_px: float | None = None
    width_reported_percentile_value_mm: float | None = None
    width_reported_percentile_low_px: float | None = None
    width_reported_percentile_low_mm: float | None = None
    width_reported_percentile_high_px: float | None = None
    width_reported_percentile_high_mm: float | None = None
    mm_per_pixel_low: float | None = None
    mm_per_pixel_high: float | None = None
    gsd_source: str | None = None


@dataclass(frozen=True)
class Cells:
    """The density of a photograph's cracks, see `csbsr.inspection.density`."""

    cell_m: float | None = None  #: side of a cell in metres
    cells: int | None = None  #: that hold data
    density_m_per_m2: float | None = None  #: of the photograph, metres of crack per square metre with data
    density_m_per_m2_largest: float | None = None  #: of the cells that are nearly whole
    density_refused: str | None = None  #: why it has none


@dataclass(frozen=True)
class Source:
    """Which file a photograph was read from, to notice another one or a change."""

    path: str
    bytes: int | None = None  #: None if it could not be looked at
    modified_ns: int | None = None

    @classmethod
    def of(cls, path: Path) -> Source:
        """What tells the file at ``path``."""
        try:
            status = path.stat()
        except OSError:
            return cls(str(path.absolute()))
        return cls(str(path.absolute()), status.st_size, status.st_mtime_ns)

    def same_as(self, other: Source | None) -> bool:
        """Whether both are of one file, which may have been moved."""
        return other is not None and self.bytes is not None and self._state == other._state

    @property
    def _state(self) -> tuple[int | None, int | None]:
        return self.bytes, self.modified_ns


#: Columns of what was measured.
MEASURED = [field.name for field in dataclasses.fields(Measured)]
_COMPARED = [
    name
    for name in MEASURED
    if name not in ("height_px", "width_px", "mm_per_pixel", "percentile", "severity_guide", "gsd_mm_uncertainty")
    and not name.startswith(("mm_per_pixel_", "gsd_source", "width_reported_", "width_flags", "severity_between"))
]
#: The same of the bicubic enlargement, without what is the same for both.
MEASURED_BICUBIC = [f"{BICUBIC}{name}" for name in _COMPARED]
#: The same of the mask before it was corrected.
MEASURED_BEFORE = [f"{BEFORE}{name}" for name in _COMPARED]
CELLS = [field.name for field in dataclasses.fields(Cells)]
HANDLED = [field.name for field in dataclasses.fields(Handled)]
METADATA = [field.name for field in dataclasses.fields(Metadata)]
SKIPPED = [field.name for field in dataclasses.fields(Skipped)]


@dataclass
class Record:
    """One photograph or mask of a folder of results; None for what is not known of it.

    Attributes:
        file: its name, path below the input with forward slashes.
        status: `DONE`, `FAILED` or `UNFINISHED`.
        error: why it failed.
        metadata: of the photograph's file.
        size: of the photograph.
        threshold: at which its probability was cut.
        scale: pixels of a mask to one of the photograph, along a side.
        predicted: what the network made of it.
        agreement: of the super-resolved image with the photograph.
        skipped: what of it the network did not look at; None without ``skip=auto``.
        stem: path of its results, without kind and ending.
        reduced: whole factor by which it was shrunken before it was measured.
        measured: its cracks.
        bicubic: those of its bicubic enlargement.
        before: those of its mask before a person corrected it.
        cells: density of its cracks; None unless that was asked for.
        handled: what was special about it.
        seconds: that it took.
        results: paths of its files inside the folder, by kind.
        settings: what the results hang on.
        source: file of the photograph.
        digest: of the mask's pixels, to tell later whether a person corrected it.
        kernels: the estimated blur of each tile, see `csbsr.measure.BlurMap.numbers`.
    """

    file: str
    status: str = FAILED
    error: str | None = None
    metadata: Metadata | None = None
    size: Size | None = None
    threshold: float | None = None
    scale: float | None = None
    predicted: Predicted | None = None
    agreement: Agreement | None = None
    skipped: Skipped | None = None
    stem: str | None = None
    reduced: int | None = None
    measured: Measured | None = None
    bicubic: Measured | None = None
    before: Measured | None = None
    cells: Cells | None = None
    handled: Handled | None = None
    seconds: float | None = None
    results: dict[str, str] | None = None
    settings: dict[str, Any] | None = None
    source: Source | None = None
    digest: str | None = None
    kernels: dict[str, Any] | None = None

    def row(self) -> dict[str, Any]:
        """All that is known in one level of plain values, without `_NESTED`."""
        row: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in _GROUPS and value is not None:
                row |= _spread(value, _PREFIXES.get(field.name, ""))
            elif field.name not in (*_GROUPS, *_NESTED) and (value is not None or field.name == "error"):
                row[field.name] = value
        return row

    def to_json(self) -> dict[str, Any]:
        """The entry of ``summary.json``."""
        nested = {name: getattr(self, name) for name in _NESTED if name != "source"}
        entry = {**self.row(), **{key: value for key, value in nested.items() if value is not None}}
        return entry if self.source is None else {**entry, "source": _without_nothing(self.source)}

    @classmethod
    def from_json(cls, entry: Any) -> Record:
        """Read an entry of ``summary.json``, also one that an earlier version wrote; what is not known is left out.

        Raises:
            ValueError: no mapping with a ``file``, a value of another type or out of its range, a path that leads
                out of the folder.
        """
        check_entry(entry)
        groups: dict[str, Any] = {}
        for name, kind in _GROUPS.items():
            prefix = _PREFIXES.get(name, "")
            found = {field: entry[prefix + field] for field in _accepted(kind) if prefix + field in entry}
            groups[name] = _checked(kind, found) if found else None
        source = entry.get("source")
        if source is not None and not isinstance(source, Mapping):
            raise ValueError(f"source: expected a mapping, got {kind_of(source)}")
        own = {key: entry[key] for key in _accepted(cls) if key in entry and key not in (*_GROUPS, "source")}
        return _checked(cls, own, **groups, source=None if source is None else _checked(Source, source))


#: Fields of a record whose own fields are entries of the record.
_GROUPS: dict[str, type] = {
    "metadata": Metadata, "size": Size, "predicted": Predicted, "agreement": Agreement, "skipped": Skipped,
    "measured": Measured, "bicubic": Measured, "before": Measured, "cells": Cells,
    "handled": Handled,
}  # fmt: skip
_PREFIXES = {"bicubic": BICUBIC, "before": BEFORE}
_NESTED = ("results", "settings", "source", "digest", "kernels")


def _spread(group: Any, prefix: str) -> dict[str, Any]:
    values = dataclasses.asdict(group)
    if prefix:
        return {f"{prefix}{key}": value for key, value in values.items() if key in _COMPARED}
    return _without_nothing(group) if isinstance(group, (Size, Predicted, Handled, Skipped, Cells)) else values


def _without_nothing(group: Any) -> dict[str, Any]:
    return {key: value for key, value in dataclasses.asdict(group).items() if value is not None}


def _accepted(kind: Any) -> dict[str, tuple[type, ...]]:
    """The types of values that the fields of a dataclass take."""
    found = {}
    for name, hint in get_type_hints(kind).items():
        types = [get_origin(part) or part for part in (get_args(hint) if NoneType in get_args(hint) else (hint,))]
        found[name] = tuple([*types, int] if float in types else types)
    return found


def _checked(kind: type[Group], values: Mapping[str, Any], **more: Any) -> Group:
    accepted = _accepted(kind)
    for name, value in values.items():
        types = accepted.get(name, (object,))
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types and object not in types):
            expected = " or ".join(part.__name__ for part in types if part is not NoneType)
            raise ValueError(f"{name}: expected {expected}, got {str(value)[:80]!a}")
    return kind(**{name: value for name, value in values.items() if name in accepted}, **more)
