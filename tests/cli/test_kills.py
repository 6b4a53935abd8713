"""SIGKILL at any moment: what goes on equals what was never stopped, bit for bit."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_forty_kills(tmp_path):
    memory = Path("/dev/shm")
    other = memory.is_dir() and memory.stat().st_dev != tmp_path.stat().st_dev
    temporary = ["--tmpfs", str(memory)] if other else []
    command = [sys.executable, "-m", "tests.cli.killing", str(tmp_path), "--aimed", "24", "--random", "20", *temporary]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stdout
    assert "44 of 44 runs equal the uninterrupted one" in done.stdout
