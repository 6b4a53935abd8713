"""``summary.json`` and ``summary.csv``: what is known of every photograph, and what a second run need not do again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from csbsr.inspection.measuring import MEASURED, MEASURED_BICUBIC, table, write_text
from csbsr.inspection.metadata import METADATA
from csbsr.predict.consistency import Consistency, flagged, kernel_shape
from csbsr.predict.passes import Outcome

JSON, CSV = "summary.json", "summary.csv"
DONE, FAILED = "done", "failed"
UNFINISHED = "unfinished"  # its files are being moved to their places
#: Columns of ``summary.csv``; an entry of ``summary.json`` also has ``results``, ``settings`` and ``source``.
COLUMNS = (
    "file", "status", "error", "width", "height", "result_width", "result_height", "threshold", "crack_share",
    "blur_sigma_1", "blur_sigma_2", "blur_theta", "consistency", "consistency_cracks", "consistency_flag", "tile",
    "seconds", "reduced", *MEASURED, *MEASURED_BICUBIC, *METADATA,
)  # fmt: skip


class Summary:
    """The records of an output folder, by photograph.

    Args:
        folder: of the results; its ``summary.json`` is read if there is one.

    Raises:
        ValueError: ``summary.json`` is damaged or something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read()

    def read(self) -> None:
        """Read ``summary.json`` again."""
        self.records: dict[str, dict[str, Any]] = {}
        path = self.folder / JSON
        if path.is_file():
            try:
                entries = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))["photographs"]
                self.records = {entry["file"]: entry for entry in entries}
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"output: {path} is no summary of csbsr-predict ({error!r}); choose another folder or remove it"
                ) from error

    def put(self, record: dict[str, Any], about: Mapping[str, Any]) -> None:
        """Add or replace a photograph's record and write ``summary.json``.

        Args:
            record: with ``file`` and ``status``.
            about: the run: written beside the records.
        """
        self.records[record["file"]] = record
        self.write(about)

    def write(self, about: Mapping[str, Any]) -> None:
        """Write ``summary.json``."""
        entries = [self.records[name] for name in sorted(self.records)]
        text = json.dumps({"format": 1, **about, "photographs": entries}, indent=1, ensure_ascii=False, allow_nan=False)
        write_text(self.folder / JSON, text)

    def write_table(self) -> None:
        """Write ``summary.csv``: the same without nested entries."""
        write_text(self.folder / CSV, table([self.records[name] for name in sorted(self.records)], COLUMNS))


def numbers_of(outcome: Outcome) -> dict[str, Any]:
    """What a record tells of the results, rounded to what means something."""
    record: dict[str, Any] = {
        "result_width": outcome.shape[1],
        "result_height": outcome.shape[0],
        "crack_share": float(f"{outcome.crack_share:.4g}"),
        "tile": outcome.tile,
    }
    if outcome.kernels is not None:
        sigma_1, sigma_2, theta = kernel_shape(outcome.kernels.mean((0, 1)))
        record |= {"blur_sigma_1": round(sigma_1, 2), "blur_sigma_2": round(sigma_2, 2), "blur_theta": round(theta, 1)}
    return record | _of_consistency(outcome.consistency)


def _of_consistency(found: Consistency | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        "consistency": round(found.whole, 4),
        "consistency_cracks": None if found.cracks is None else round(found.cracks, 4),
        "consistency_flag": flagged(found),
    }
