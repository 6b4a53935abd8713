"""The run card: everything needed to get the same numbers again, written beside them by the program."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import csbsr
from csbsr.names import shipped

PACKAGES = (
    "torch", "pytorch-lightning", "torchmetrics", "hydra-core", "numpy", "scipy", "opencv-python-headless",
    "albumentations", "scikit-image", "pillow",
)  # fmt: skip


def run_card(
    program: str,
    arguments: Sequence[str],
    seed: int | None,
    config: Mapping[str, Any],
    data: Mapping[str, Any],
    weights: str | Path | None = None,
    network: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Describe a run in plain values.

    Args:
        program: the command's name.
        arguments: its arguments, as typed.
        seed: of every random draw; None where nothing is drawn.
        config: the composed configuration.
        data: what is known of the data: choice, fingerprint, number of images, ...
        weights: checkpoint file, or folder of released weights; hashed.
        network: description of the network.
        training: what the checkpoint tells of its own making.
        more: further entries, e.g. the recommended threshold.

    Returns:
        The above and ``version``, ``commit``, ``versions``, ``machine``.
    """
    return {
        "format": 1,
        "command": shlex.join([program, *arguments]),
        "version": csbsr.__version__,
        "commit": commit(),
        "seed": seed,
        "network": dict(network or {}),
        "weights": None if weights is None else {"path": str(weights), "sha256": file_hash(weights)},
        "data": dict(data),
        "versions": versions(),
        "machine": machine(),
        "config": dict(config),
        "training": dict(training or {}),
        **more,
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages on which numbers depend."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # e.g. another build of cv2
            continue
    return found


def machine() -> dict[str, Any]:
    """System, processor type, threads and graphics cards."""
    import torch  # a comparison of evaluations needs none

    cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda,
        "graphics_cards": cards,
    }


def commit() -> str | None:
    """Commit of the checkout that this package is part of, with ``-dirty`` if files differ from it; else None.

    A package installed into an environment that merely lies inside some repository is not part of it.
    """
    here = Path(csbsr.__file__).parent
    if _git(here, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    head = _git(here, "rev-parse", "HEAD")
    return head and head + ("-dirty" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")


def _git(folder: Path, *arguments: str) -> str | None:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # looking must not change the repository
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def file_hash(path: str | Path) -> str | None:
    """SHA-256 of a file, or of the ``.pth`` files in a folder one after another; None if there is none."""
    path = shipped(path) or Path(path)
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(path.glob("*.pth"))
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest() if files else None


def system_name(network: Mapping[str, Any]) -> str:
    """A network's description in a few words, e.g. ``KBPN + PSPNet``; with its blur skip, if it has one."""
    parts = [part for part in (network.get("sr"), network.get("segmentor")) if isinstance(part, Mapping)]
    if len(parts) < 2:
        return _class_name(network)
    return " + ".join(_class_name(part) + (" + BlurSkip" if part.get("blur_skip") else "") for part in parts)


def _class_name(part: Mapping[str, Any]) -> str:
    part = part.get("network", part)  # what segmentor=custom wraps
    return str(part.get("_target_", "unknown")).rpartition(".")[2]
