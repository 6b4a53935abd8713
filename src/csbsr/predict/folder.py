"""Many photographs, one after another: what is done is skipped, what cannot be read is reported, the others go on."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from csbsr.data.reading import read_image
from csbsr.predict.metadata import read_metadata
from csbsr.predict.photographs import Photograph, find
from csbsr.predict.predictor import Predictor
from csbsr.predict.summary import DONE, FAILED, Summary, numbers_of
from csbsr.predict.writing import KINDS, Files

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
        source: a file, folder or pattern; see `csbsr.predict.photographs.find`.
        output: folder of the results, with the sub-folders of ``source``.
        save: kinds of results, of `csbsr.predict.writing.KINDS`.
        weights: hash or name of the weights, to tell results of other weights apart.
        overwrite: do again what is done, and replace files of other origin.
        about: description of the run, for ``summary.json``.

    Attributes:
        photographs: all that ``source`` means.
        todo: those without results.
        others: names of files that are no photographs.

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
    ) -> None:
        self.predictor, self.output, self.about = predictor, Path(output), dict(about or {})
        self.kinds = kinds_of(save, predictor)
        self.settings = {
            "weights": weights,
            "threshold": predictor.threshold,
            "kernel": predictor.kernel,
            "flips": predictor.flips,
            "precision": predictor.system.precision,
        }
        self.photographs, self.others = find(source, self.output)
        self.summary = Summary(self.output)
        if overwrite:
            self.todo = self.photographs
        else:
            self.todo = [photograph for photograph in self.photographs if not self._is_done(photograph)]
            self._refuse_to_replace()

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
                try:
                    for photograph in self.todo:
                        record = self._one(photograph, partial, tick)
                        failed += record["status"] == FAILED
                        say(_line(record))
                finally:
                    self.summary.write_table()
        except OSError as error:
            raise ValueError(
                f"output: {error.filename or self.output} cannot be written ({error.strerror or error}); choose another "
                "folder, or make room and run the same command again to go on"
            ) from error
        records = [self.summary.records.get(photograph.name, {}) for photograph in self.photographs]
        return Counts(
            done=len(self.todo) - failed,
            skipped=len(self.photographs) - len(self.todo),
            failed=failed,
            flagged=sum(record.get("status") == DONE and bool(record.get("consistency_flag")) for record in records),
        )

    def _one(
        self, photograph: Photograph, partial: Path, tick: Callable[[Photograph, float], None]
    ) -> dict[str, Any]:
        """Results and record of one photograph; whatever is wrong with it ends up in the record."""
        start = time.perf_counter()
        record: dict[str, Any] = {"file": photograph.name, "status": FAILED, "error": None}
        earlier = self.summary.records.get(photograph.name, {})
        try:
            record |= read_metadata(photograph.path)
            image = read_image(photograph.path)
            record |= {"width": image.shape[1], "height": image.shape[0], "threshold": self.predictor.threshold}
            files = Files(self.output / photograph.stem, self.kinds, partial)
            try:
                outcome = self.predictor.run(image, files, partial, lambda share: tick(photograph, share))
                results = files.complete(outcome)
                record |= numbers_of(outcome)
                record |= {
                    "status": DONE,
                    "tile": self.predictor.tile,
                    "seconds": round(time.perf_counter() - start, 1),
                    "results": {kind: place.relative_to(self.output).as_posix() for kind, place in results.items()},
                    "settings": self.settings,
                    "source": _source(photograph.path),
                }
                if all(earlier.get(key) == record[key] for key in ("settings", "source")):
                    record["results"] = {**earlier["results"], **record["results"]}
                # Before the files: a file without a record would be taken for somebody else's, while a record whose
                # files are not all there is done again.
                self.summary.put(record, self.about)
                files.move()
            finally:
                files.abandon()
        except OSError:  # reading raises no such error: the output folder is at fault
            raise
        except Exception as error:
            log.debug("%s", photograph.name, exc_info=True)
            record |= {"status": FAILED, "error": str(error) or type(error).__name__}
            if earlier.get("status") == DONE:  # its files are still there, of what the file held then
                record["results"] = earlier["results"]
            self.summary.put(record, self.about)
        return record

    def _is_done(self, photograph: Photograph) -> bool:
        record = self.summary.records.get(photograph.name, {})
        return (
            record.get("status") == DONE
            and record["settings"] == self.settings
            and record["source"] == _source(photograph.path)
            and all(place.is_file() for place in self._places(photograph).values())
            and all(record["results"].get(kind) == place.relative_to(self.output).as_posix()
                    for kind, place in self._places(photograph).items())
        )  # fmt: skip

    def _refuse_to_replace(self) -> None:
        """Raise ValueError where results of other settings or files of other origin are in the way."""
        written = {file for record in self.summary.records.values() for file in record.get("results", {}).values()}
        for photograph in self.todo:
            places = [place for place in self._places(photograph).values() if place.exists()]
            foreign = [place for place in places if place.relative_to(self.output).as_posix() not in written]
            if foreign:
                raise ValueError(
                    f"output: {foreign[0]} is there already and not in the folder's summary; choose another folder, or "
                    "overwrite=true to replace it"
                )
            earlier = self.summary.records.get(photograph.name, {}).get("settings", self.settings)
            changed = [key for key, value in self.settings.items() if earlier.get(key) != value]
            if places and changed:
                was = ", ".join(f"{key} {_short(earlier.get(key))}, now {_short(self.settings[key])}" for key in changed)
                raise ValueError(
                    f"output: {self.output} holds results of other settings ({was}); choose another folder, or "
                    "overwrite=true to replace them"
                )

    def _places(self, photograph: Photograph) -> dict[str, Path]:
        return places_of(self.output / photograph.stem, self.kinds)

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
                        f"output: another csbsr-predict is writing into {self.output}; wait for it or choose another folder"
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
