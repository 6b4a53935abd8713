"""Slurm's requeueing: a job that is told its time is up puts itself back into the queue."""

from __future__ import annotations

import os
import re
import signal
import subprocess

#: What ``#SBATCH --signal=USR1@120`` sends before the time is up; as Lightning has it.
REQUEUE_SIGNAL = getattr(signal, "SIGUSR1", None)


def job() -> str | None:
    """The id by which ``scontrol`` knows this batch job, ``<array>_<task>`` in an array; None outside of one."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    found = f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")
    interactive = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")
    return found if found and re.fullmatch(r"\d+(_\d+)?", found) and not interactive else None


def requeue(job: str) -> str | None:
    """Have Slurm run the job again; what went wrong, in words, or None."""
    try:
        done = subprocess.run(
            ["scontrol", "requeue", job],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr.strip() or f"scontrol exits with {done.returncode}")
