"""Many photographs, one after another: what is done is skipped, what cannot be read is reported, the others go on."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from csbsr.data.reading import any_size, check_regular, read_image
from csbsr.inspection.inspector import KINDS as MEASURED_KINDS
from csbsr.inspection.inspector import Inspector
from csbsr.inspection.metadata import read_metadata
from csbsr.inspection.photographs import Photograph, find
from csbsr.inspection.store import DONE, FAILED, UNFINISHED, Summary, numbers_of
from csbsr.inspection.writing import KINDS, Files, places_of
from csbsr.predict.consistency import why_flagged
from csbsr.predict.predictor import Predictor

try:
    import fcntl
except ImportError:  # Windows: two programs in one folder are then not noticed
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

#: Folder inside the output for files while they grow; cleared by the next run if the program is killed.
PARTIAL = ".csbsr-predict"


class Counts(NamedTuple):
    """How many photographs of a run were what."""

    done: int
    skipped: int
    failed: int
    flagged: int  #: of those done or skipped: the result does not explain the photograph


class Job:
    """Predicts photographs into a folder.

    Args:
        predictor: what runs.
        source: a file, folder or pattern; see `csbsr.inspection.photographs.find`.
        output: folder of the results, with the sub-folders of ``source``.
        save: kinds of results, of `csbsr.inspection.writing.KINDS`.
        weights: hash or name of the weights, to tell results of other weights apart.
        overwrite: do again what is done, and replace files of other origin.
        about: description of the run, for ``summary.json``.
        inspector: measures the cracks and writes the report; None does without.

    Attributes:
        photographs: all that ``source`` means.
        todo: those without results.
        others: names of files that are no photographs.
        unread: folders that could not be searched, and why.

    Raises:
        FileNotFoundError: no photograph.
        ValueError: an unknown kind, a folder that cannot be written or is in use, or results that would be replaced.
    """

    def __init__(
        self,
        predictor: Predictor,
        source: str | Path,
        output: str | Path,
        *,
        save: Collection[str],
        weights: str,
        overwrite: bool = False,
        about: Mapping[str, Any] | None = None,
        inspector: Inspector | None = None,
    ) -> None:
        self.predictor, self.output, self.about = predictor, Path(output), dict(about or {})
        self.inspector = inspector
        self.kinds = kinds_of(save, predictor, inspector)
        self.settings = {
            "weights": weights,
            "threshold": predictor.threshold,
            "kernel": predictor.kernel,
            "tile": predictor.tile,
            "margin_sr": predictor.margins[0],
            "margin_segmentation": predictor.margins[1],
            "blend": predictor.blend,
            "flips": predictor.flips,
            "precision": predictor.system.precision,
        }
        self.photographs, self.others, self.unread = find(source, self.output)
        self.summary, self.overwrite = Summary(self.output), overwrite
        self.todo = self.photographs
        self._leave_out_done()

    def pixels(self) -> dict[str, int]:
        """Pixels of each photograph to do, by name, from the heads of the files; 1 where there is no readable head."""
        return {photograph.name: _pixels(photograph.path) for photograph in self.todo}

    def run(self, tick: Callable[[Photograph, float], None], say: Callable[[str], None]) -> Counts:
        """Do what is to do.

        Args:
            tick: called with a photograph and the share of its work just done.
            say: called with a line for the user after each photograph.

        Raises:
            ValueError: the output folder cannot be written; what is done stays, and the next run goes on.
        """
        failed = 0
        try:
            with self._partial() as partial:
                self.summary.read()  # another program may have been at work until now
                self._leave_out_done()
                try:
                    for photograph in self.todo:
                        record = self._one(photograph, partial, tick)
                        failed += record["status"] == FAILED
                        say(_line(record))
                finally:
                    self.summary.write_table()
                    if self.inspector is not None:
                        self.inspector.report(self.output, self.summary.records)
        except OSError as error:
            raise ValueError(
                f"output: {error.filename or self.output} cannot be written ({error.strerror or error}); choose "
                "another folder, or make room and run the same command again to go on"
            ) from error
        records = [self.summary.records.get(photograph.name, {}) for photograph in self.photographs]
        return Counts(
            done=len(self.todo) - failed,
            skipped=len(self.photographs) - len(self.todo),
            failed=failed,
            flagged=sum(record.get("status") == DONE and bool(record.get("consistency_flag")) for record in records),
        )

    def _one(self, photograph: Photograph, partial: Path, tick: Callable[[Photograph, float], None]) -> dict[str, Any]:
        """Results and record of one photograph; whatever is wrong with it ends up in the record."""
        start = time.perf_counter()
        record: dict[str, Any] = {"file": photograph.name, "status": FAILED, "error": None}
        earlier = self.summary.records.get(photograph.name, {})
        shares = []

        def advance(share: float) -> None:
            shares.append(share)
            tick(photograph, share)

        try:
            source = _source(photograph.path)
            record |= read_metadata(photograph.path)
            image = read_image(photograph.path)
            record |= {"width": image.shape[1], "height": image.shape[0], "threshold": self.predictor.threshold}
            files = Files(self.output / photograph.stem, self.kinds, partial)
            try:
                record |= self._predicted(photograph, image, files, partial, advance)
                results = self._results(photograph)
                record |= {
                    "seconds": round(time.perf_counter() - start, 1),
                    "results": {**earlier.get("results", {}), **results},
                    "settings": self._settings(photograph.name),
                    "source": source,
                }
                # Twice: a file without a record would be taken for somebody else's, and old files under a new record
                # for its results; what is found unfinished is done again.
                self.summary.put({**record, "status": UNFINISHED}, self.about)
                files.move()
                if not self._same_origin(earlier, record):  # what was not asked for again no longer holds
                    for kind in record["results"].keys() - results.keys():
                        (self.output / record["results"][kind]).unlink(missing_ok=True)
                    record["results"] = results
                record["status"] = DONE
                self.summary.put(record, self.about)
            finally:
                files.abandon()
        except OSError:  # reading raises no such error: the output folder is at fault
            raise
        except Exception as error:
            log.debug("%s", photograph.name, exc_info=True)
            record |= {"status": FAILED, "error": str(error) or type(error).__name__}
            # What is still there, of what the file held then.
            record |= {key: earlier[key] for key in ("results", "settings") if "results" in earlier and key in earlier}
            self.summary.put(record, self.about)
        tick(photograph, 1 - sum(shares))
        return record

    def _predicted(
        self, photograph: Photograph, image: np.ndarray, files: Files, partial: Path, tick: Callable[[float], None]
    ) -> dict[str, Any]:
        """Predict and measure one photograph; what its record tells of the results."""
        inspector = self.inspector
        if inspector is None:
            outcome = self.predictor.run(image, files, partial, tick)
            files.complete(outcome)
            return numbers_of(outcome)
        share, kept = inspector.share(image.shape), inspector.rows(files)
        outcome = self.predictor.run(image, kept, partial, lambda done: tick(share * done))
        files.complete(outcome)
        places = {kind: files.temporary(kind) for kind in MEASURED_KINDS if kind in self.kinds}
        return numbers_of(outcome) | inspector.measure(
            photograph.name, photograph.stem, self.output, image, kept, outcome, places, partial,
            lambda done: tick((1 - share) * done),
        )  # fmt: skip

    def _settings(self, name: str) -> dict[str, Any]:
        """What the results of a photograph hang on."""
        return {**self.settings, **({} if self.inspector is None else self.inspector.settings(name))}

    @staticmethod
    def _same_origin(earlier: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
        """Whether all files of an ``earlier`` record were made from the same photograph with the same settings."""
        return (
            earlier.get("status") != UNFINISHED
            and not _changed(earlier.get("settings", {}), record["settings"])
            and _same_file(earlier.get("source", {}), record["source"])
        )

    def _leave_out_done(self) -> None:
        if not self.overwrite:
            self.todo = [photograph for photograph in self.todo if not self._is_done(photograph)]
            self._refuse_to_replace()

    def _is_done(self, photograph: Photograph) -> bool:
        record = self.summary.records.get(photograph.name, {})
        wanted = self._results(photograph)
        return (
            record.get("status") == DONE
            and self._settings(photograph.name).items() <= record["settings"].items()
            and _same_file(record["source"], _source(photograph.path))
            and wanted.items() <= record["results"].items()
            and all(os.path.isfile(self.output / file) for file in wanted.values())
        )

    def _refuse_to_replace(self) -> None:
        """Raise ValueError where results of other settings, photographs or programs are in the way."""
        records = self.summary.records
        written = {file for record in records.values() for file in record.get("results", {}).values()}
        ours = {photograph.name for photograph in self.photographs}
        for name, record in records.items() if self.todo else ():
            earlier, now = record.get("settings", {}), self._settings(name)
            if name not in ours:
                now.pop("gsd_mm", None)  # each run may have photographs from another distance
            if changed := _changed(earlier, now):
                was = ", ".join(f"{key} {_short(earlier[key])}, now {_short(now[key])}" for key in changed)
                hint = "" if self.settings.keys() & changed else f"; csbsr-measure input={self.output} only measures"
                raise ValueError(
                    f"output: {self.output} holds results of other settings ({was}); choose another folder, or "
                    f"overwrite=true to replace them{hint}"
                )
        for photograph in self.todo:
            there = [file for file in self._results(photograph).values() if os.path.lexists(self.output / file)]
            foreign = [file for file in there if file not in written]
            if foreign:
                raise ValueError(
                    f"output: {self.output / foreign[0]} is there already and not in the folder's summary; choose "
                    "another folder, or overwrite=true to replace it"
                )
            source = records.get(photograph.name, {}).get("source", {})
            if there and source.get("path", now := str(photograph.path.absolute())) != now:
                raise ValueError(
                    f"output: {self.output} holds results of another {photograph.name}, from {source['path']}; choose "
                    "another folder, or overwrite=true to replace them"
                )

    def _results(self, photograph: Photograph) -> dict[str, str]:
        """Paths of the files to write, relative to the output, by kind."""
        places = places_of(self.output / photograph.stem, self.kinds)
        return {kind: place.relative_to(self.output).as_posix() for kind, place in places.items()}

    @contextlib.contextmanager
    def _partial(self) -> Iterator[Path]:
        """An empty folder for growing files inside the output, for this program alone."""
        folder = self.output / PARTIAL
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            if fcntl is not None:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise ValueError(
                        f"output: another csbsr-predict is writing into {self.output}; wait for it or choose "
                        "another folder"
                    ) from None
                except OSError:  # a file system without locks
                    pass
            for left in folder.iterdir():
                if left.name != "lock":
                    left.unlink()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)


def kinds_of(save: Collection[str], predictor: Predictor, inspector: Inspector | None = None) -> list[str]:
    """The kinds to write of those asked for: all that this network has, and measurements with an ``inspector``.

    Raises:
        ValueError: an unknown kind, or the uncertainty without flips.
    """
    unknown = [kind for kind in save if kind not in KINDS]
    if unknown:
        raise ValueError(f"save: expected some of {', '.join(KINDS)}, got {unknown[0]!r}")
    if "uncertainty" in save and predictor.flips == 1:
        raise ValueError("save: uncertainty is the variance over flips; add flips=2 or flips=4")
    absent = {"kernel": not predictor.system.estimates_kernel, "consistency": not predictor.system.comparable}
    absent |= dict.fromkeys(MEASURED_KINDS, inspector is None)
    return [kind for kind in KINDS if kind in save and not absent.get(kind)]


def _source(path: Path) -> dict[str, Any]:
    """Tells which file it is and whether it has changed; only the path if it cannot be looked at."""
    source: dict[str, Any] = {"path": str(path.absolute())}
    with contextlib.suppress(OSError):
        status = path.stat()
        source |= {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}
    return source


def _same_file(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two of `_source` are of one file, which may have been moved."""
    return "bytes" in other and all(one.get(key) == other[key] for key in ("bytes", "modified_ns"))


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


def _line(record: Mapping[str, Any]) -> str:
    name = record["file"].encode("utf-8", "replace").decode()  # a name may hold bytes that are no UTF-8
    if record["status"] == FAILED:
        return f"failed   {name}: {record['error']}"
    line = f"done     {name}: {100 * record['crack_share']:.3g} % crack"
    if record.get("consistency_flag"):
        line += f"; the super-resolved image does not explain the photograph ({why_flagged(record)})"
    return line


def _short(value: object) -> str:
    return value[:12] if isinstance(value, str) else str(value)
