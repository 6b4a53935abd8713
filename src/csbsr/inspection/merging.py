"""The results of all shares of a folder of photographs, taken into one folder as if one process had made them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from csbsr.inside import inside
from csbsr.inspection.job import AnyItem, Job, Work
from csbsr.inspection.record import DONE, FAILED, Record
from csbsr.inspection.sharding import Shard, shard_of_folder
from csbsr.inspection.store import Store
from csbsr.words import first_names


def merge(work: Work[AnyItem], items: Sequence[AnyItem], store: Store) -> int:
    """Take the results of ``<folder>/shard-i-of-n`` into ``store``; files are linked where the file system can.

    Args:
        work: that made them; results of other weights or settings are refused.
        items: all photographs.
        store: of all results, whose folder holds those of the shares.

    Returns:
        The number of shares.

    Raises:
        ValueError: there is no share, one is missing or unfinished, or they do not belong together.
        OSError: a file cannot be read or written.
    """
    shares = {share: Store(store.folder / share.folder, store.command) for share in _shares(store.folder)}
    for share, own in shares.items():
        mine = [item for item in items if share.has(item.name)]
        _check_finished(share, Job(work, mine, own))
    names = {item.name for item in items}
    with store.growing():
        for own in shares.values():
            for record in own.sorted_records:
                if record.file in names:
                    _take(record, own, store)
                    store.records[record.file] = record
        store.write_summary()
    return len(shares)


def _shares(folder: Path) -> list[Shard]:
    """All shares of the folder."""
    there = [entry.name for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
    found = sorted(share for name in there if (share := shard_of_folder(name)) is not None)
    if not found:
        raise ValueError(f"merge: expected folders shard-i-of-n in {folder}, found none; run with shard=i/n first")
    counts = sorted({share.of for share in found})
    if len(counts) > 1:
        raise ValueError(
            f"merge: {folder} holds shares of {' and of '.join(map(str, counts))}; remove those that do not belong"
        )
    absent = [str(Shard(i, counts[0])) for i in range(1, counts[0] + 1) if Shard(i, counts[0]) not in found]
    if absent:
        raise ValueError(
            f"merge: {folder} lacks shard {', '.join(absent)}; run the same command with shard={absent[0]}"
        )
    return found


def _check_finished(share: Shard, job: Job[AnyItem]) -> None:
    records = job.store.records
    open_ = [item.name for item in job.todo if item.name not in records or records[item.name].status != FAILED]
    if open_:
        raise ValueError(
            f"merge: shard {share} is unfinished, {len(open_)} photographs are not done ({first_names(open_)}); run "
            f"the same command with shard={share}"
        )


def _take(record: Record, own: Store, store: Store) -> None:
    """Link or copy the files of a record."""
    if record.status != DONE:
        return
    listed = [place for file in (record.results or {}).values() if (place := inside(own.folder, file)) is not None]
    pictures = [] if record.stem is None else list(own.pictures(record.stem))
    for source in (*listed, *pictures):
        if source.is_file():
            target = store.folder / source.relative_to(own.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            try:
                os.link(source, target)
            except OSError:
                shutil.copy2(source, target)
