"""A folder of results on disk: the only file that knows its names and what its summary looks like.

    <folder>/summary.json  summary.csv  cracks.csv  report.html
    <folder>/cracks.geojson  cracks_wgs84.geojson  cracks.gpkg  photographs.geojson     see `csbsr.inspection.layers`
    <folder>/density.geojson  density_wgs84.geojson     see `csbsr.inspection.density`
    <folder>/<stem>_<kind>.<ending>                     of each photograph, see `KINDS`
    <folder>/pictures/<stem>/before.webp  after.webp  widths.png  cracks.csv  lines.json  coverage.png
                                                        for report and layers, see `PicturePlaces`

``before`` and ``after`` show one view, the former only where it differs; ``widths`` lies over ``after``: its cracks
coloured by width, the rest transparent; ``coverage`` where the photograph holds data, if that is not everywhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from csbsr.files import write_text
from csbsr.inside import inside
from csbsr.inspection.checked import check_crack_rows
from csbsr.inspection.record import (
    CELLS,
    HANDLED,
    MEASURED,
    MEASURED_BEFORE,
    MEASURED_BICUBIC,
    METADATA,
    SKIPPED,
    Record,
)
from csbsr.pages.files import csv_text, json_text, read_csv, read_json
from csbsr.plain import kind_of
from csbsr.words import printable

try:
    import fcntl
except ImportError:  # Windows: two programs in one folder are then not noticed
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger("csbsr")

REPORT, CRACKS, SUMMARY, TABLE = "report.html", "cracks.csv", "summary.json", "summary.csv"
#: Of the layers: what the names of those of cracks and of their density begin with, and the one of the photographs.
LAYER, DENSITY, PLACES = "cracks", "density", "photographs.geojson"
_LAYERS = re.compile(rf"({LAYER}|{DENSITY})(_pixels|_epsg\d+)?(_wgs84)?\.(geojson|gpkg)|{re.escape(PLACES)}")
#: Of `SUMMARY`; another number will say that entries changed their meaning.
FORMAT = 1
#: Folder inside an output folder with the pictures of the report.
PICTURES = "pictures"
#: Folder inside an output folder for files while they grow; cleared by the next run if the program is killed.
PARTIAL = ".csbsr-predict"
#: Kinds of results of a photograph, and the ending of their files.
KINDS = {
    "sr": ".png",
    "probability": ".png",
    "mask": ".png",
    "overlay": ".jpg",
    "kernel": ".png",
    "consistency": ".png",
    "uncertainty": ".png",
    "widths": ".jpg",
    "cracks": ".csv",
    "labelme": ".json",
    "coco": ".json",
    "drawing": ".dxf",
}
#: Endings of those of an image that is read by windows, where they are others.
TILED = {kind: ".tif" for kind in ("sr", "probability", "mask", "uncertainty")}
#: Folder inside an output folder with the rows of images that are read by windows; a killed run goes on with them.
ROWS = ".csbsr-rows"
#: Bytes of a file name, in the usual file systems.
LONGEST_NAME = 255
PREDICT, MEASURE = "csbsr-predict", "csbsr-measure"
#: Columns of `TABLE` by the command that writes it; an entry of `SUMMARY` may hold more.
COLUMNS = {
    PREDICT: (
        "file", "status", "error", "width", "height", "result_width", "result_height", "threshold", "crack_share",
        "blur_sigma_1", "blur_sigma_2", "blur_theta", "consistency", "consistency_cracks", "consistency_flag", "tile",
        "seconds", "reduced", *MEASURED, *CELLS, *MEASURED_BICUBIC, *METADATA, *HANDLED, *SKIPPED,
    ),
    MEASURE: (
        "file", "status", "error", "scale", "reduced", "threshold", *MEASURED, *CELLS, *METADATA, *HANDLED, *SKIPPED,
        *MEASURED_BEFORE,
    ),
}  # fmt: skip


class PicturePlaces(NamedTuple):
    """The files in a photograph's folder of `PICTURES`."""

    before: Path
    after: Path
    widths: Path
    cracks: Path
    lines: Path
    coverage: Path

    @classmethod
    def of(cls, folder: str | Path, stem: str) -> PicturePlaces:
        """The files of the photograph whose results are named ``stem``."""
        own = Path(folder) / PICTURES / stem
        names = ("before.webp", "after.webp", "widths.png", "cracks.csv", "lines.json", "coverage.png")
        return cls(*(own / name for name in names))


class Summary(NamedTuple):
    """What a folder's `SUMMARY` says."""

    command: str  #: that wrote it: `PREDICT` or `MEASURE`
    records: list[Record]


def read_summary(folder: Path) -> Summary | None:
    """The summary of a folder; None without one, or with another program's.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged.
    """
    path = folder / SUMMARY
    if not path.is_file():
        return None
    found = read_json(path)
    if isinstance(found, dict) and "photographs" not in found:
        return None
    if not isinstance(found, dict):
        raise ValueError(f"expected a mapping with photographs, got {kind_of(found)}")
    if not isinstance(found["photographs"], list):
        raise ValueError(f"photographs: expected a list, got {kind_of(found['photographs'])}")
    records = [Record.from_json(entry) for entry in found["photographs"]]
    return Summary(MEASURE if found.get("command") == MEASURE else PREDICT, records)


class Store:
    """An output folder and the records of its photographs.

    Args:
        folder: of the results; made when something is written.
        command: that writes it, `PREDICT` or `MEASURE`.
        about: of the run, written into the summary.
        goes_on: read the records of earlier runs, which stay; else they are replaced.

    Attributes:
        records: by the photograph's name.

    Raises:
        ValueError: the folder holds a summary that is damaged, or another command's.
    """

    def __init__(
        self, folder: str | Path, command: str, about: Mapping[str, Any] | None = None, goes_on: bool = True
    ) -> None:
        self.folder, self.command, self.about, self.goes_on = Path(folder), command, dict(about or {}), goes_on
        self.records: dict[str, Record] = {}
        self.read()

    def read(self) -> None:
        """Read the records again, where earlier ones stay."""
        if not self.goes_on:
            self._refuse_others()
            return
        try:
            summary = read_summary(self.folder)
        except ValueError as error:
            raise ValueError(
                f"output: {printable(self.folder / SUMMARY)} is no summary of {self.command} ({error}); choose another "
                "folder or remove it"
            ) from error
        if (summary is None and (self.folder / SUMMARY).is_file()) or (summary and summary.command != self.command):
            raise ValueError(
                f"output: {self.folder} holds another command's {SUMMARY}; choose another folder or remove it"
            )
        self.records = {record.file: record for record in (summary.records if summary else ())}

    def _refuse_others(self) -> None:
        if (self.folder / SUMMARY).is_file():
            try:
                ours = read_json(self.folder / SUMMARY).get("command") == self.command
            except (ValueError, AttributeError):
                ours = False
            if not ours:
                raise ValueError(f"output: {self.folder} holds another command's {SUMMARY}; choose another folder")

    def put(self, record: Record) -> None:
        """Add or replace a photograph's record; where earlier records stay, it is on the disk at once."""
        self.records[record.file] = record
        if self.goes_on:
            self.write_summary()

    @property
    def sorted_records(self) -> list[Record]:
        """All records by name."""
        return [self.records[name] for name in sorted(self.records)]

    def write_summary(self) -> None:
        """Write `SUMMARY`."""
        entries = [record.to_json() for record in self.sorted_records]
        write_text(self.folder / SUMMARY, json_text({"format": FORMAT, **self.about, "photographs": entries}))

    def write_table(self) -> None:
        """Write `TABLE`: a row for each record, without nested entries."""
        rows = [record.row() for record in self.sorted_records]
        write_text(self.folder / TABLE, csv_text(rows, COLUMNS[self.command]))

    # ---- of one photograph ----

    def places(self, stem: str, kinds: Collection[str], tiled: bool = False) -> dict[str, Path]:
        """Files of a photograph's results by kind, in the order of `KINDS`; ``tiled`` of one read by windows."""
        path, endings = self.folder / stem, {**KINDS, **(TILED if tiled else {})}
        return {kind: path.with_name(f"{path.name}_{kind}{endings[kind]}") for kind in KINDS if kind in kinds}

    def results(self, stem: str, kinds: Collection[str], tiled: bool = False) -> dict[str, str]:
        """Files of a photograph's results by kind, as paths inside the folder; ``tiled`` as for `places`."""
        places = self.places(stem, kinds, tiled)
        return {kind: place.relative_to(self.folder).as_posix() for kind, place in places.items()}

    def pictures(self, stem: str) -> PicturePlaces:
        """Files of a photograph's pictures for the report."""
        return PicturePlaces.of(self.folder, stem)

    def cracks(self, record: Record) -> list[dict[str, str]]:
        """The rows of a photograph's table of cracks; none if it is gone."""
        own = self.pictures(record.stem or record.file).cracks.relative_to(self.folder).as_posix()
        for listed in (own, (record.results or {}).get("cracks")):
            table = None if listed is None else inside(self.folder, listed)
            if table is None or not table.is_file():
                continue
            try:
                rows = read_csv(table)
                check_crack_rows(rows)
            except ValueError as error:
                log.warning("note     %s: %s; its cracks are not listed", printable(record.file), error)
                return []
            return rows
        return []

    def remove_layers(self, written: Collection[str]) -> None:
        """Remove layers of earlier runs that are not among those just written."""
        for place in self.folder.iterdir():
            if _LAYERS.fullmatch(place.name) and place.name not in written:
                place.unlink()

    def remove(self, result: str) -> None:
        """Remove a file that a record names, if it is inside the folder; of a link the link alone."""
        place = inside(self.folder, result, follow=False)
        if place is not None:
            place.unlink(missing_ok=True)

    # ---- while it is written ----

    @contextlib.contextmanager
    def growing(self) -> Iterator[Path]:
        """An empty folder inside this one for growing files, for this program alone.

        Raises:
            ValueError: another program is writing into the folder, or it cannot be written, also inside the block.
        """
        with self._writable(), self._partial() as partial:
            yield partial

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            again = " and run the same command again to go on" if self.goes_on else ""
            raise ValueError(
                f"output: {error.filename or self.folder} cannot be written ({error.strerror or error}); choose "
                f"another folder, or make room{again}"
            ) from error

    @contextlib.contextmanager
    def _partial(self) -> Iterator[Path]:
        folder = self.folder / PARTIAL
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            if fcntl is not None:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise ValueError(
                        f"output: another {self.command} is writing into {self.folder}; wait for it or choose "
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


class GrowingFiles:
    """The files of one photograph, written under temporary names and moved to their places when all are whole.

    Args:
        places: of the files, by kind; see `Store.places`.
        pictures: of the report, written straight to their places.
        partial: existing folder for the files while they grow, on the same file system.
    """

    def __init__(self, places: Mapping[str, Path], pictures: PicturePlaces, partial: Path) -> None:
        self.places, self.pictures, self.partial = dict(places), pictures, partial

    @property
    def kinds(self) -> Sequence[str]:
        """Kinds of the files."""
        return list(self.places)

    def place(self, kind: str) -> Path:
        """Where a file of the photograph lies or would lie."""
        if kind in self.places:
            return self.places[kind]
        other, path = next(iter(self.places.items()), ("", self.pictures.after.parent))
        stem = path.name.removesuffix(f"_{other}{path.suffix}") if other else path.name
        return path.with_name(f"{stem}_{kind}{KINDS[kind]}")

    def temporary(self, kind: str) -> Path:
        """Where a file grows."""
        tiled = kind in self.places and kind in TILED and self.places[kind].suffix == TILED[kind]
        ending = TILED[kind] if tiled else KINDS[kind]
        return self.partial / f"{kind}{ending}"

    @property
    def rows(self) -> Path:
        """Folder for the rows of an image that is read by windows, which stays if the program is killed."""
        inside_folder = os.path.relpath(self.pictures.after.parent, self.partial.parent)
        return self.partial.parent / ROWS / hashlib.sha256(os.fsencode(inside_folder)).hexdigest()[:16]

    def forget_rows(self) -> None:
        """Remove the folder `rows`, if there is one."""
        if self.rows.is_dir():
            shutil.rmtree(self.rows, ignore_errors=True)
            with contextlib.suppress(OSError):  # rows of another image are there
                self.rows.parent.rmdir()

    def move(self) -> None:
        """Move the complete files to their places."""
        for kind, place in self.places.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            _to_disk(self.temporary(kind))
            os.replace(self.temporary(kind), place)

    def remove(self) -> None:
        """Remove what is unfinished."""
        for kind in self.places:
            self.temporary(kind).unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Have the file's contents on the disk before its name: a power cut leaves the name only with all of it."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
