"""The rows of an image while they are computed, kept so that a run that was killed goes on at its row of tiles.

<folder>/journal.json       what the rows were made with, how many there are, which state belongs to them
<folder>/probability.rows   (H, W) uint16, as `csbsr.predict.by_rows.Rows` has them
<folder>/uncertainty.rows   (H, W) uint16, with flips
<folder>/sr.rows            (H, W, 3) uint8, where it is asked for
<folder>/state-<row>.npz    what the next row of tiles needs
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from csbsr.files import whole, write_text
from csbsr.inspection.spread import VARIANCE_WHITE
from csbsr.predict.rows import as_levels

if TYPE_CHECKING:  # loads torch, which who only reads rows does without
    from csbsr.predict.by_rows import Rows, State

_JOURNAL = "journal.json"
_FORMAT = 1


class RowFile:
    """An image (H, W) or (H, W, C) in a plain file, written from top to bottom, read by rows.

    Args:
        path: of the file.
        width: W.
        dtype: of its values.
        channels: C; 1 for (H, W).
    """

    def __init__(self, path: Path, width: int, dtype: DTypeLike, channels: int = 1) -> None:
        self.path, self.width, self.dtype, self.channels = path, width, np.dtype(dtype), channels
        self._line = width * channels * self.dtype.itemsize

    def cut(self, rows: int) -> None:
        """Forget rows beyond so many.

        Raises:
            ValueError: there are fewer.
        """
        with self.path.open("ab") as file:
            if file.tell() < rows * self._line:
                raise ValueError(f"{self.path}: expected {rows} rows, got {file.tell() // self._line}")
            file.truncate(rows * self._line)

    def append(self, rows: np.ndarray) -> None:
        """Add rows at the bottom."""
        with self.path.open("ab") as file:
            file.write(np.ascontiguousarray(rows, self.dtype).data)

    def sync(self) -> None:
        """Have what was written on the disk."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows ``start`` to ``stop`` (excluded)."""
        count = (stop - start) * self.width * self.channels
        found = np.fromfile(self.path, self.dtype, count, offset=start * self._line)
        return found.reshape(stop - start, self.width, *([self.channels] if self.channels > 1 else []))


class RowFiles:
    """A `csbsr.predict.by_rows.RowSink` that keeps everything in a folder.

    Args:
        folder: of these files alone; made if it is missing.
        wanted: plain values that the rows hang on; rows of others are removed.
        width: of the result.
        with_sr: keep super-resolved rows.
        with_variance: keep the variance over flips.

    Attributes:
        state: after the rows that are there; None if there are none.
        tile: with which they were computed; None if there are none.
    """

    def __init__(self, folder: Path, wanted: Mapping[str, Any], width: int, with_sr: bool, with_variance: bool) -> None:
        self.folder, self._wanted = folder, json.loads(json.dumps(wanted))
        self.probability = RowFile(folder / "probability.rows", width, np.uint16)
        self.sr = RowFile(folder / "sr.rows", width, np.uint8, 3) if with_sr else None
        self.uncertainty = RowFile(folder / "uncertainty.rows", width, np.uint16) if with_variance else None
        self.state: State | None = None
        self.tile: int | None = None
        self._rows = 0
        try:
            self._go_on()
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):  # none, or unusable: begin
            self.state, self.tile, self._rows = None, None, 0
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    @property
    def _files(self) -> list[RowFile]:
        return [file for file in (self.probability, self.sr, self.uncertainty) if file is not None]

    def _go_on(self) -> None:
        journal = json.loads((self.folder / _JOURNAL).read_text(encoding="utf-8"))
        if journal["format"] != _FORMAT or journal["wanted"] != self._wanted:
            raise ValueError("made with other settings, or of another file")
        with np.load(self.folder / journal["state"], allow_pickle=False) as found:
            state = {name: found[name] for name in found.files}
        for file in self._files:
            file.cut(journal["rows"])
        self.state, self.tile, self._rows = state, int(journal["tile"]), int(journal["rows"])

    def add(self, rows: Rows) -> None:
        """Keep rows."""
        self.probability.append(rows.levels)
        if self.sr is not None and rows.sr is not None:
            self.sr.append(rows.sr)
        if self.uncertainty is not None and rows.variance is not None:
            self.uncertainty.append(as_levels(rows.variance / np.float32(VARIANCE_WHITE)))
        self._rows += len(rows.levels)

    def keep(self, row: int, state: State) -> None:
        """From here on a killed run goes on after row of tiles ``row``."""
        for file in self._files:
            file.sync()
        name = f"state-{row}.npz"
        with whole(self.folder / name) as target:
            np.savez(target, **dict(state))  # type: ignore[arg-type]  # its stubs take only allow_pickle by name
        journal = {"format": _FORMAT, "wanted": self._wanted, "rows": self._rows, "tile": self.tile, "state": name}
        write_text(self.folder / _JOURNAL, json.dumps(journal))
        for other in self.folder.glob("state-*.npz"):
            if other.name != name:
                other.unlink()
