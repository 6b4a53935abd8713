"""The progress bar of a job: work by pixels, time left, and a line for each item where the command has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from csbsr.inspection.job import Counts, Job
from csbsr.inspection.record import Record
from csbsr.words import printable


def with_progress(
    job: Job[Any], what: str, line: Callable[[Record], str | None] = lambda record: None, least: int = 1
) -> Counts:
    """Run ``job`` with a bar on the terminal's error stream.

    Args:
        job: to run.
        what: is being done.
        line: to print of the record of an item; None for none.
        least: items for which a bar is shown.
    """
    pixels = job.pixels()
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )  # fmt: skip
    console = Console(stderr=True)
    # Tiles are slow and unequal, so the time left is judged from the last ten minutes.
    with Progress(*columns, console=console, speed_estimate_period=600, disable=len(pixels) < least) as progress:
        task = progress.add_task(what, total=sum(pixels.values()))

        def tick(item: Any, share: float) -> None:
            progress.update(task, advance=share * pixels[item.name], description=shortened(item.name))

        def say(record: Record) -> None:
            if (text := line(record)) is not None:
                console.print(text, markup=False, highlight=False, soft_wrap=True)

        return job.run(tick, say)


def shortened(name: str, longest: int = 40) -> str:
    """A name that leaves room for the bar."""
    name = printable(name).replace("[", "\\[")
    return name if len(name) <= longest else "…" + name[1 - longest :]
