"""Which masks csbsr-measure measures: files, and what csbsr-predict wrote, with what its summary tells of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from csbsr.data.pairs import folded
from csbsr.inside import inside
from csbsr.inspection.annotated import ENDINGS
from csbsr.inspection.corrections import Correctable
from csbsr.inspection.metadata import Metadata
from csbsr.inspection.photographs import READABLE, Photograph, find
from csbsr.inspection.record import DONE, FAILED, Agreement, Record, Skipped, Source
from csbsr.inspection.store import MEASURE, PICTURES, SUMMARY, PicturePlaces, read_summary
from csbsr.measure import gsd_of
from csbsr.words import first_names, printable

log = logging.getLogger("csbsr")

_NOTHING_SAVED = "no mask or probability was saved; run csbsr-predict with save=mask,probability"


@dataclass(frozen=True)
class Mask:
    """A mask to measure.

    Attributes:
        path: its file.
        name: by which it is listed.
        stem: path of its results, without kind and ending.
        picture: the view to show under its cracks; None for the mask itself.  It is the photograph, unless the scale is
            known.
        scale: its pixels to one of the photograph, if known.
        threshold: at which its probability is cut, if known.
        metadata: of the photograph, if an earlier command noted them.
        agreement: of the super-resolved image with the photograph, if noted.
        skipped: what of the photograph the network did not look at, if noted.
        min_pixels: of a crack that counted there.
        listed: names by which a list of ground sampling distances may have it, beside its own.
        predicted: csbsr-predict wrote the mask.
        error: why it cannot be measured, if that is known before.
        unread: csbsr-predict could not read the photograph, and said so.
        correctable: what of it a person may have corrected.
        size: (H, W) of it, if noted.
        photograph: its file, if noted; it may be gone.
        missing: share of the photograph's pixels where its file holds none, if noted.
        kernels: the estimated blur of the photograph, if noted; see `csbsr.measure.BlurMap.of_numbers`.
        noted: of the photograph's file, when it was read; None if nothing was noted.
        bands: of the photograph that were read, if noted.
        bits: of its numbers, if noted.
        uncertainty: file of the probability's variance over flips, if there is one.
    """

    path: Path
    name: str
    stem: str
    picture: Path | None = None
    scale: float | None = None
    threshold: float | None = None
    metadata: Metadata | None = None
    agreement: Agreement | None = None
    skipped: Skipped | None = None
    min_pixels: float = 1
    listed: Sequence[str] = ()
    predicted: bool = False
    error: str | None = None
    unread: bool = False
    correctable: Correctable | None = None
    size: tuple[int, int] | None = None
    photograph: Path | None = None
    missing: float | None = None
    kernels: Mapping[str, object] | None = None
    noted: Source | None = None
    bands: Sequence[int] | None = None
    bits: int | None = None
    uncertainty: Path | None = None

    @property
    def original(self) -> Path | None:
        """The file of the photograph, whose head may tell its scale; None if it is not known."""
        return self.photograph or (None if self.predicted else self.picture)

    def listed_name(self, gsd: float | dict[str, float] | None) -> str:
        """The name by which a list of ground sampling distances has it; its own if none does."""
        return next((name for name in (self.name, *self.listed) if gsd_of(name, gsd) is not None), self.name)


def find_masks(source: Path, output: Path, photos: Path | None) -> list[Mask]:
    """What is to be measured.

    Where csbsr-predict wrote, that is what its ``summary.json`` names, of each photograph the probability or else the
    mask; other pictures there are no masks, and photographs that it could not read are left out.  What csbsr-measure
    wrote is no mask either.

    Raises:
        FileNotFoundError: there is nothing, or no folder ``photos``.
        ValueError: nothing of it is a mask, or a ``summary.json`` is damaged.
    """
    if photos is not None and not photos.is_dir():
        raise FileNotFoundError(f"photos: expected a folder of photographs, got {photos}, which is none")
    if source.is_dir():
        root = source.resolve()  # to see the folders above it
        own = results_around(root, root)
        written = list(_below(root, output)) if own is None else [own]
        chosen: list[tuple[Results, set[Path] | None]] = [(results, None) for results in written]
        try:
            plain = _found(root, output) if own is None else []
        except FileNotFoundError:
            if not written:
                raise
            plain = []
        folders = {results.folder for results in written}
        plain = [photograph for photograph in plain if folders.isdisjoint(photograph.path.parents)]
    else:
        root, chosen, plain = _named(source, output)
    items = [item for results, files in chosen for item in results.items(root, files)]
    if not plain and all(item.error for item in items):
        raise _nothing(source, [results for results, _ in chosen], items)
    unread = [item.name for item in items if item.unread]
    if unread:
        log.warning(
            "note     left out %d photographs that csbsr-predict could not read: %s", len(unread), first_names(unread)
        )
    items = [item for item in items if not item.unread]
    index = {} if photos is None else _photographs(photos)
    items += [_of_file(photograph, index, photos) for photograph in plain]
    return sorted(items, key=lambda item: item.name)


def _named(source: Path, output: Path) -> tuple[Path, list[tuple[Results, set[Path] | None]], list[Photograph]]:
    """Of a file or a pattern: the folder of the search, the results among its files, and the other files."""
    single = source.is_file()
    found = _found(source.parent.resolve() / source.name if single else source, output)
    root = found[0].path.parents[len(PurePosixPath(found[0].name).parts) - 1]
    known: dict[Path, Results | None] = {}
    chosen: dict[Path, tuple[Results, set[Path]]] = {}
    plain = []
    for photograph in found:
        folder = photograph.path.parent
        if folder not in known:
            known[folder] = results_around(folder, root)
        results = known[folder]
        if results is None or (single and not results.wrote(photograph.path)):
            plain.append(photograph)
        else:
            chosen.setdefault(results.folder, (results, set()))[1].add(photograph.path)
    return root, [(results, files) for results, files in chosen.values()], plain


def _found(source: Path, output: Path) -> list[Photograph]:
    found = find(source, output, polygons=True)
    for folder in found.unread:
        log.warning("failed   %s", folder)
    return found.photographs


@dataclass(frozen=True)
class Results:
    """What csbsr-predict or csbsr-measure wrote into a folder.

    Attributes:
        folder: with the ``summary.json``.
        records: its rows, one for each photograph.
        measured: csbsr-measure wrote it, so there are no masks.
    """

    folder: Path
    records: list[Record]
    measured: bool

    @classmethod
    def read(cls, folder: Path) -> Results | None:
        """None without a summary, or with another program's.

        Raises:
            ValueError: it cannot be read.
        """
        try:
            summary = read_summary(folder)
        except (OSError, ValueError) as error:
            raise _damaged(folder, error) from error
        return None if summary is None else cls(folder, summary.records, summary.command == MEASURE)

    def holds(self, folder: Path) -> bool:
        """Are results in this folder, which lies below?"""
        below = PurePosixPath(folder.relative_to(self.folder).as_posix())
        return below.parts[:1] == (PICTURES,) or any(
            below in PurePosixPath(record.file).parents for record in self.records
        )

    def wrote(self, path: Path) -> bool:
        """Is this file, which lies here or below, one of the results?"""
        if PICTURES in path.relative_to(self.folder).parts[:-1]:
            return True
        if self.measured:
            stem = path.stem.removesuffix("_widths")
            return stem != path.stem and path.with_name(f"{stem}_cracks.csv").is_file()
        name = path.relative_to(self.folder).as_posix()
        return any(name in (record.results or {}).values() for record in self.records)

    def items(self, root: Path, files: set[Path] | None) -> list[Mask]:
        """The masks, and an item with an error for each photograph below ``root`` without one.

        Args:
            root: folder of the search.
            files: to choose from; None for all.
        """
        if self.measured:
            return []
        found = [self._item(record, root, files) for record in self.records]
        return [item for item in found if item is not None]

    def _item(self, record: Record, root: Path, files: set[Path] | None) -> Mask | None:
        path = self.folder / record.file
        results = record.results or {}
        places = {
            kind: place
            for kind in ("probability", "mask")
            if kind in results and (place := inside(self.folder, results[kind])) is not None
        }
        if files is not None:
            places = {kind: place for kind, place in places.items() if place in files}
            if not places:
                return None
        elif root not in path.parents:
            return None
        below = self.folder == root or root in self.folder.parents
        name = (self.folder.relative_to(root) / record.file).as_posix() if below else record.file
        kind = next((kind for kind, place in places.items() if place.is_file()), next(iter(places), None))
        if record.status != DONE or kind is None:
            stopped = record.error or "csbsr-predict did not finish it; run it again"
            error = _NOTHING_SAVED if record.status == DONE else stopped
            unread = kind is None and record.status == FAILED
            return Mask(path, name, PurePosixPath(name).with_suffix("").as_posix(), error=error, unread=unread)
        stem = results[kind].rpartition(f"_{kind}")[0]
        after = PicturePlaces.of(self.folder, stem).after
        own = inside(self.folder, after.relative_to(self.folder).as_posix())
        return Mask(
            places[kind], name, (PurePosixPath(name).parent / PurePosixPath(stem).name).as_posix(),
            picture=own if own is not None and own.is_file() else None,
            scale=self._scale(record),
            threshold=record.threshold,
            metadata=record.metadata or Metadata(),
            agreement=record.agreement,
            skipped=record.skipped,
            min_pixels=float((record.settings or {}).get("min_pixels") or 1),
            listed=(record.file,),
            predicted=True,
            correctable=self._correctable(record, stem) if files is None or kind == "mask" else None,
            size=_size(record),
            photograph=_photograph(record),
            missing=None if record.handled is None else record.handled.missing_share,
            kernels=record.kernels,
            noted=record.source,
            **_read_as(record.settings or {}),
            uncertainty=inside(self.folder, results["uncertainty"]) if "uncertainty" in results else None,
        )  # fmt: skip

    def _correctable(self, record: Record, stem: str) -> Correctable | None:
        size, results = _size(record), record.results or {}
        if size is None:
            return None
        mask, labelme = (
            inside(self.folder, results[kind]) if kind in results else None for kind in ("mask", "labelme")
        )
        photograph = _photograph(record)
        return Correctable(self.folder / stem, size, photograph, mask, labelme, record.digest)

    def _scale(self, record: Record) -> float:
        """Pixels of the result to one of the photograph."""
        width = None if record.size is None else record.size.width
        result = None if record.predicted is None else record.predicted.result_width
        if not width or not result or record.threshold is None:
            raise _damaged(self.folder, f"{record.file} without width, result_width or threshold")
        return result / width


def _photograph(record: Record) -> Path | None:
    """The file of a photograph, if it is there as it was: a summary may come from anyone, and name any file."""
    source = record.source
    return Path(source.path) if source is not None and Source.of(Path(source.path)).same_as(source) else None


def _read_as(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Bands and bits with which a photograph was read, as far as they are such."""
    bands, bits = settings.get("bands"), settings.get("bits")
    known = isinstance(bands, list) and all(type(band) is int for band in bands)
    return {"bands": bands if known else None, "bits": bits if type(bits) is int else None}


def _size(record: Record) -> tuple[int, int] | None:
    """(H, W) of the results of a photograph."""
    found = record.predicted
    if found is None or not found.result_height or not found.result_width:
        return None
    return found.result_height, found.result_width


def results_around(folder: Path, root: Path) -> Results | None:
    """The results that a folder belongs to: its own, those of a folder above it inside ``root``, or further up those
    that have a photograph there."""
    for place in (folder, *folder.parents):
        within = place == root or root in place.parents
        try:
            results = Results.read(place)
        except ValueError as error:
            if within:
                raise
            log.warning("%s", error)
            continue
        if results is not None and (within or results.holds(folder)):
            return results
    return None


def _below(root: Path, output: Path) -> Iterator[Results]:
    """Results in the folders below ``root``."""
    for here, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name[0] != "." and Path(here, name) != output.resolve())
        results = Results.read(Path(here)) if SUMMARY in files else None
        if results is not None:
            folders.clear()
            yield results


def _nothing(source: Path, written: Sequence[Results], items: Sequence[Mask]) -> ValueError:
    """Why there is nothing to measure."""
    if written and all(results.measured for results in written):
        return ValueError(
            f"input: {source} is what csbsr-measure wrote, not masks; give the masks themselves, in a folder of their "
            "own"
        )
    if source.is_dir() or items:
        reason = items[0].error if items else _NOTHING_SAVED
        return ValueError(f"input: nothing to measure in {source}: {reason}")
    folder = written[0].folder
    return ValueError(f"input: {source} is no mask or probability that csbsr-predict wrote; try input={folder}")


def _damaged(folder: Path, reason: object) -> ValueError:
    return ValueError(
        f"input: {printable(folder / SUMMARY)} cannot be read as a summary of csbsr-predict ({reason}), which tells "
        "the scale of the masks; restore it, or copy the masks to another folder and give scale="
    )


def _photographs(folder: Path) -> dict[str, list[Path]]:
    """Photographs with sub-folders, by their path without suffix in small letters."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in READABLE and path.is_file():
            found.setdefault(folded(path.relative_to(folder).with_suffix("").as_posix()), []).append(path)
    return found


def _of_file(mask: Photograph, index: Mapping[str, Sequence[Path]], photos: Path | None) -> Mask:
    """A mask with its photograph: that it is drawn on, or of its name, also without the endings of masks."""
    if photos is None:
        listed = () if mask.picture is None else (PurePosixPath(mask.name).with_name(mask.picture.name).as_posix(),)
        return Mask(mask.path, mask.name, mask.stem, mask.picture, listed=listed, photograph=mask.picture)
    stem = PurePosixPath(mask.name).with_suffix("").as_posix()
    names = [stem, *(stem.removesuffix(ending) for ending in ENDINGS if stem.endswith(ending))]
    for name in names:
        paths = index.get(folded(name), ())
        for path in sorted(paths, key=lambda path: path.stem != PurePosixPath(name).name):  # the same case first
            name_there = path.relative_to(photos).as_posix()
            return Mask(mask.path, mask.name, mask.stem, path, listed=(name_there,), photograph=path)
    error = f"no photograph {names[-1]} in {photos}, so its scale is not known; add it, or leave photos= out"
    return Mask(mask.path, mask.name, mask.stem, error=error)
