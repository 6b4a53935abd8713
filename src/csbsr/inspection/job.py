"""The one loop over photographs or masks: what is done is skipped, what cannot be read reported, the others go on."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from PIL import Image

from csbsr.data.reading import any_size, check_regular
from csbsr.inspection.density import density_maps
from csbsr.inspection.layers import write_layers
from csbsr.inspection.measuring import Measuring
from csbsr.inspection.record import DONE, FAILED, UNFINISHED, Record, Source
from csbsr.inspection.report import write_report
from csbsr.inspection.store import LONGEST_NAME, GrowingFiles, Store

log = logging.getLogger(__name__)

#: Settings of records that were written before there was a choice.
_UNTOLD: dict[str, Any] = {"backend": "torch", "skip": "off", "grow": False, "windows": False}
#: Settings that each photograph has for itself.
_OWN = ("gsd_mm", "gsd_mm_uncertainty", "windows", "result_scale")


class Item(Protocol):
    """A photograph or mask."""

    @property
    def path(self) -> Path:
        """Its file."""

    @property
    def name(self) -> str:
        """By which it is listed."""

    @property
    def stem(self) -> str:
        """Path of its results inside the output folder, without kind and ending."""


AnyItem = TypeVar("AnyItem", bound=Item)
Input = TypeVar("Input", bound=Item, contravariant=True)


class Work(Protocol[Input]):
    """What is done with each photograph or mask."""

    def kinds_of(self, item: Input) -> Sequence[str]:
        """Kinds of files that are written, of `csbsr.inspection.store.KINDS`."""

    def by_windows(self, item: Input) -> bool:
        """Is an image read by windows, so that its files are tiled TIFFs?"""

    def go_on(self, records: Mapping[str, Record]) -> None:
        """Take note of what is done already, so that what is left to the work is done as it was."""

    @property
    def sides(self) -> tuple[str, str]:
        """What the report calls the left and the right picture of a slider."""

    @property
    def measuring(self) -> Measuring | None:
        """How cracks are measured; None if they are not."""

    @property
    def noun(self) -> str:
        """What an item is called."""

    @property
    def measured_settings(self) -> Collection[str]:
        """Names of the `settings` that only the measurement hangs on."""

    def settings(self, item: Input) -> dict[str, Any] | None:
        """What the results hang on; None if they are made anew each time."""

    def do(self, item: Input, record: Record, files: GrowingFiles, tick: Callable[[float], None]) -> None:
        """Have the files grow under their temporary names and fill the record; ``tick`` takes shares of the work.

        Raises:
            OSError: the output folder cannot be written.
            Exception: whatever else is wrong; it ends up in the record.
        """


class Counts(NamedTuple):
    """How many photographs of a run were what."""

    done: int
    skipped: int
    failed: int
    flagged: int  #: of those done or skipped: the result does not explain the photograph


class Job(Generic[AnyItem]):
    """Does the work on each item and keeps what comes of it in a folder.

    Args:
        work: what is done.
        items: on which.
        store: the folder of the results.
        overwrite: do again what is done, and replace files of other origin.
        about: of the run, for the report, by name.

    Attributes:
        items: all of them.
        todo: those without results.

    Raises:
        ValueError: the folder holds results that would be replaced.
    """

    def __init__(
        self,
        work: Work[AnyItem],
        items: Sequence[AnyItem],
        store: Store,
        overwrite: bool = False,
        about: Mapping[str, object] | None = None,
    ) -> None:
        self.work, self.items, self.store, self.about = work, list(items), store, dict(about or {})
        self.overwrite = overwrite or not store.goes_on
        self.todo = self.items
        self._leave_out_done()

    def pixels(self) -> dict[str, int]:
        """Pixels of each item to do, by name, from the heads of the files; 1 where there is no readable head."""
        return {item.name: _pixels(item.path) for item in self.todo}

    def run(
        self,
        tick: Callable[[AnyItem, float], None] = lambda item, share: None,
        say: Callable[[Record], None] = lambda record: None,
    ) -> Counts:
        """Do what is to do.

        Args:
            tick: called with an item and the share of its work just done.
            say: called with the record of each item when it is finished or has failed.

        Raises:
            ValueError: the output folder cannot be written; what is done stays, and the next run goes on.
        """
        failed = 0
        with self.store.growing() as partial:
            self.store.read()  # another program may have been at work until now
            self._leave_out_done()
            try:
                for item in self.todo:
                    record = self._one(item, partial, tick)
                    failed += record.status == FAILED
                    say(record)
            finally:  # Ctrl-C and a full disk leave a report of what is done until then
                self._finish()
        found = [self.store.records[item.name] for item in self.items if item.name in self.store.records]
        return Counts(
            done=len(self.todo) - failed,
            skipped=len(self.items) - len(self.todo),
            failed=failed,
            flagged=sum(bool(record.status == DONE and is_flagged(record)) for record in found),
        )

    def _finish(self) -> None:
        if self.store.records or self.store.goes_on:
            measuring = self.work.measuring
            maps = [] if measuring is None else density_maps(self.store, measuring.cell_m)
            if self.store.records:
                self.store.write_summary()
            self.store.write_table()
            if measuring is not None:
                write_report(self.store, measuring, self.work.sides, self.about, maps)
                write_layers(self.store, measuring.layers, maps)

    def _one(self, item: AnyItem, partial: Path, tick: Callable[[AnyItem, float], None]) -> Record:
        """Results and record of one item; whatever is wrong with it ends up in the record."""
        start = time.perf_counter()
        record, earlier = Record(item.name), self.store.records.get(item.name)
        shares: list[float] = []

        def advance(share: float) -> None:
            shares.append(share)
            tick(item, share)

        try:
            source = Source.of(item.path)
            places = self.store.places(item.stem, self.work.kinds_of(item), self.work.by_windows(item))
            if any(len(os.fsencode(place.name)) > LONGEST_NAME for place in places.values()):
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            files = GrowingFiles(places, self.store.pictures(item.stem), partial)
            try:
                self.work.do(item, record, files, advance)
                if (settings := self.work.settings(item)) is not None:
                    record.settings, record.source = settings, source
                    record.seconds = round(time.perf_counter() - start, 1)
                self._keep(record, earlier, files)
            finally:
                files.remove()
        except Exception as error:
            too_long = isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG
            if isinstance(error, OSError) and not too_long:
                raise  # reading raises no such error: the output folder is at fault
            log.debug("%s", item.name, exc_info=True)
            reason = f"{item.path}: a name too long for those of its results; rename the {self.work.noun}"
            record.status, record.error = FAILED, reason if too_long else str(error) or type(error).__name__
            if earlier is not None and earlier.results is not None:  # what is still there, of what the file held then
                record.results, record.settings = earlier.results, earlier.settings
            self.store.put(record)
        tick(item, 1 - sum(shares))
        return record

    def _keep(self, record: Record, earlier: Record | None, files: GrowingFiles) -> None:
        """Move the files of an item to their places, with its record."""
        results = {kind: place.relative_to(self.store.folder).as_posix() for kind, place in files.places.items()}
        before = {} if earlier is None else earlier.results or {}
        record.results = {**before, **results}
        # Twice: a file without a record would be taken for somebody else's, and old files under a new record
        # for its results; what is found unfinished is done again.
        self.store.put(replace(record, status=UNFINISHED))
        files.move()
        if earlier is None or not _same_origin(earlier, record):  # what was not asked for again no longer holds
            for file in set(before.values()) - set(results.values()):
                self.store.remove(file)
            record.results = results
        record.status = DONE
        self.store.put(record)
        files.forget_rows()

    def _results(self, item: AnyItem) -> dict[str, str]:
        return self.store.results(item.stem, self.work.kinds_of(item), self.work.by_windows(item))

    # ---- what earlier runs left ----

    def _leave_out_done(self) -> None:
        if not self.overwrite:
            self.work.go_on(self.store.records)
            self.todo = [item for item in self.todo if not self._is_done(item)]
            self._refuse_to_replace()

    def _is_done(self, item: AnyItem) -> bool:
        record = self.store.records.get(item.name)
        if record is None or record.status != DONE or record.settings is None or record.results is None:
            return False
        wanted, settings = self._results(item), self.work.settings(item) or {}
        return (
            settings.items() <= _settings(record).items()
            and Source.of(item.path).same_as(record.source)
            and wanted.items() <= record.results.items()
            and all(os.path.isfile(self.store.folder / file) for file in wanted.values())
        )

    def _refuse_to_replace(self) -> None:
        """Raise ValueError where results of other settings, photographs or programs are in the way."""
        if self.todo:
            self._refuse_other_settings()
        written = {file for record in self.store.records.values() for file in (record.results or {}).values()}
        folder = self.store.folder
        for item in self.todo:
            results = self._results(item)
            there = [file for file in results.values() if os.path.lexists(folder / file)]
            foreign = [file for file in there if file not in written]
            if foreign:
                raise ValueError(
                    f"output: {folder / foreign[0]} is there already and not in the folder's summary; choose "
                    "another folder, or overwrite=true to replace it"
                )
            record = self.store.records.get(item.name)
            source = None if record is None else record.source
            if there and source is not None and source.path != str(item.path.absolute()):
                raise ValueError(
                    f"output: {folder} holds results of another {item.name}, from {source.path}; choose "
                    "another folder, or overwrite=true to replace them"
                )

    def _refuse_other_settings(self) -> None:
        ours = {item.name: item for item in self.items}
        for name, record in self.store.records.items():
            # Of a photograph that is none of ours: each run may have photographs from another distance, or mosaics.
            now = self.work.settings(ours.get(name, self.items[0])) or {}
            if name not in ours:
                now = {key: value for key, value in now.items() if key not in _OWN}
            earlier = _settings(record)
            if changed := _changed(earlier, now):
                was = ", ".join(f"{key} {_short(earlier[key])}, now {_short(now[key])}" for key in changed)
                only_measured = all(key in self.work.measured_settings for key in changed)
                hint = f"; csbsr-measure input={self.store.folder} only measures" if only_measured else ""
                raise ValueError(
                    f"output: {self.store.folder} holds results of other settings ({was}); choose another folder, or "
                    f"overwrite=true to replace them{hint}"
                )


def is_flagged(record: Record) -> bool:
    """Whether the super-resolved image does not explain the photograph."""
    return record.agreement is not None and bool(record.agreement.consistency_flag)


def _same_origin(earlier: Record, now: Record) -> bool:
    """Whether all files of an ``earlier`` record were made from the same photograph with the same settings."""
    same_settings = not _changed(_settings(earlier), now.settings or {})
    same_file = now.source is not None and now.source.same_as(earlier.source)
    return earlier.status != UNFINISHED and same_settings and same_file


def _settings(record: Record) -> dict[str, Any]:
    """What the results of a record hang on, also of one that an earlier version wrote."""
    return {} if record.settings is None else {**_UNTOLD, **record.settings}


def _changed(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Settings that are in both and differ; those of a measurement are missing where nothing was measured."""
    return [key for key, value in now.items() if key in earlier and earlier[key] != value]


def _pixels(path: Path) -> int:
    try:
        check_regular(path)
        with any_size(), Image.open(path) as image:
            return image.width * image.height
    except Exception:  # reading the file will say what is wrong with it
        return 1


def _short(value: object) -> str:
    return value[:12] if isinstance(value, str) else str(value)
