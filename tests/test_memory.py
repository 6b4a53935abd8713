"""Memory that a command frees is its own until it is given back."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library: nothing is changed there")

#: Page faults of making and dropping an array of 40 MB ten times, and the resident megabytes before and after.
CODE = """
import resource, sys
import numpy as np
from csbsr.memory import available_memory, give_back_memory, keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6

if sys.argv[1] == "keep":
    assert keep_freed_memory()
np.ones(5_000_000)
before = faults()
for _ in range(10):
    np.ones(5_000_000)
made, kept = faults() - before, resident()
assert available_memory(enough=1) > 1 and abs(resident() - kept) < 1  # asked before each image that is read
available_memory()
print(made, kept - resident())
"""


def run(word):
    done = subprocess.run([sys.executable, "-c", CODE, word], capture_output=True, text=True, check=True)
    return [float(number) for number in done.stdout.split()]


def test_large_arrays_take_the_place_of_those_that_were_freed():
    pages, _ = run("as it is")
    assert pages > 500  # each array is new to the system, huge pages or not
    pages, given_back = run("keep")
    assert pages < 100
    assert 35 < given_back < 200  # megabytes: what is free counts as free


def test_every_command_keeps_it(monkeypatch):
    from csbsr.cli import config

    seen = []
    monkeypatch.setattr(config, "keep_freed_memory", lambda: seen.append(True))
    monkeypatch.setattr("sys.argv", ["csbsr-measure"])
    with pytest.raises(SystemExit):
        config.run(print, "measure", ["nonsense=1"])
    assert seen
