"""Photographs of sound surfaces from a folder: pieces of them at random scale, rotation and tone, ready for cracks."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np

from csbsr.data.errors import DataError
from csbsr.data.reading import SUFFIXES, eight_bit, read_image
from csbsr.data.world.ground import Ground

LARGEST = 1600  # longer sides are reduced to so many pixels when a photograph is read
HELD_OUT = 10  # of enough photographs, one in so many shows only in the test split


class SurfaceFolder:
    """Photographs without cracks, decoded when first needed and kept within a bound of memory.

    Args:
        root: folder, searched with its subfolders.
        listed: a text file with one path per line, relative to ``root``: only these are used; empty lines and lines
            that begin with # are skipped.
        split: of 2·`HELD_OUT` or more photographs, one in `HELD_OUT`, chosen by its name, belongs to the split
            ``test`` and the others to every other split.
        cache_mb: megabytes of decoded photographs kept, per process.
    """

    def __init__(
        self, root: str | Path, listed: str | Path | None = None, split: str = "train", cache_mb: float = 400
    ) -> None:
        self.root, self.listed, self.split = Path(root), Path(listed) if listed else None, split
        self.limit = int(cache_mb * 1e6)
        self._kept: OrderedDict[Path, np.ndarray] = OrderedDict()
        self._lock = Lock()  # threads fill a memory cache

    @cached_property
    def files(self) -> list[Path]:
        """The photographs, sorted by path.

        Raises:
            DataError: no such folder, no image in it, or a listed file is missing.
        """
        if not self.root.is_dir():
            raise DataError.about(
                self.root, "no such folder", "a folder of photographs without cracks", "Set data.surfaces=<folder>."
            )
        if self.listed is not None:
            files = self._from_list(self.listed)
        else:
            files = sorted(path for path in self.root.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not files:
            raise DataError.about(
                self.root,
                "no image",
                f"photographs without cracks ({', '.join(sorted(SUFFIXES))})",
                "Set data.surfaces=<folder>, or leave it out for procedural surfaces.",
            )
        if len(files) < 2 * HELD_OUT:
            return files
        order = sorted(files, key=lambda path: hashlib.blake2b(self._relative(path).encode()).digest())
        held_out = set(order[::HELD_OUT])
        return [path for path in files if (path in held_out) == (self.split == "test")]

    def __len__(self) -> int:
        return len(self.files)

    def fingerprint(self) -> str:
        """Short hash of the files' names and sizes."""
        lines = "\n".join(f"{self._relative(path)} {path.stat().st_size}" for path in self.files)
        return hashlib.blake2b(lines.encode(), digest_size=8).hexdigest()

    def piece(self, rng: np.random.Generator, size: tuple[int, int]) -> Ground:
        """A piece of a random photograph as a surface of ``size`` (H, W).

        Scale (a photograph pixel becomes 0.4 to 1.7 pixels, small photographs at least what fills the piece),
        rotation and place are random; what lies beyond the border is mirrored.  Brightness, contrast and saturation
        vary.  Height is guessed from the picture: what is finer than some pixels and brighter stands out.
        """
        image = self._photograph(self.files[int(rng.integers(len(self.files)))])
        piece = _cut(rng, image, size).astype(np.float32).transpose(2, 0, 1) / np.float32(255)
        piece = _tone(rng, np.ascontiguousarray(piece))
        grey = piece.mean(0)
        band = cv2.GaussianBlur(grey, (0, 0), 0.8) - cv2.GaussianBlur(grey, (0, 0), 5)
        relief = band / (np.std(band) + np.float32(1e-3)) * np.float32(0.35)
        return Ground("photograph", piece, np.clip(relief, -1.5, 1.5))

    def _photograph(self, path: Path) -> np.ndarray:
        with self._lock:
            if path in self._kept:
                self._kept.move_to_end(path)
                return self._kept[path]
        image = eight_bit(read_image(path))
        longest = max(image.shape[:2])
        if longest > LARGEST:
            ratio = LARGEST / longest
            image = cv2.resize(image, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
        with self._lock:
            self._kept[path] = image
            while sum(kept.nbytes for kept in self._kept.values()) > self.limit and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return image

    def __getstate__(self) -> dict[str, Any]:
        """For another process: without the lock and the photographs."""
        return {**self.__dict__, "_lock": None, "_kept": OrderedDict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()

    def _from_list(self, listed: Path) -> list[Path]:
        lines = (line.strip() for line in listed.read_text(encoding="utf-8").splitlines())
        files = sorted({self.root / line for line in lines if line and not line.startswith("#")})
        for path in files:
            if not path.is_file():
                raise DataError.about(path, "no such file", f"a file for every line of {listed}", "Correct the list.")
        return files

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _cut(rng: np.random.Generator, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A randomly scaled, turned and placed piece (H, W, 3) of ``image``."""
    height, width = size
    rows, columns = image.shape[:2]
    filling = max(height / rows, width / columns)  # magnification at which the photograph just fills the piece
    zoom = float(np.exp(rng.uniform(np.log(0.4), np.log(1.7))))
    zoom = float(np.clip(zoom, min(1.8, 0.75 * filling), max(2.2, 0.75 * filling)))
    if zoom < 0.9:
        small = max(zoom, 32 / min(rows, columns))
        image = cv2.resize(image, None, fx=small, fy=small, interpolation=cv2.INTER_AREA)
        rows, columns = image.shape[:2]
        zoom /= small
    turn = rng.normal(0, 4) if rng.random() < 0.75 else rng.uniform(0, 360)
    turn += 90 * int(rng.random() < 0.15)
    slack_y, slack_x = (max(0.0, (side - piece / zoom) / 2) for side, piece in ((rows, height), (columns, width)))
    centre = (columns / 2 + rng.uniform(-1, 1) * slack_x, rows / 2 + rng.uniform(-1, 1) * slack_y)
    matrix = cv2.getRotationMatrix2D(centre, float(turn), zoom)
    matrix[:, 2] += (width / 2 - centre[0], height / 2 - centre[1])
    if rng.random() < 0.5:
        matrix = matrix @ np.diag([-1.0, 1.0, 1.0])
        matrix[:, 2] -= matrix[:, 0] * (columns - 1)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def _tone(rng: np.random.Generator, piece: np.ndarray) -> np.ndarray:
    """The piece (3, H, W) at a brightness, contrast and saturation of its own."""
    grey = piece.mean(0, keepdims=True)
    faded = np.float32(rng.uniform(0, 1) if rng.random() < 0.45 else 0)
    piece = piece * (1 - faded) + grey * faded
    mean = float(piece.mean())
    wanted = float(np.clip(rng.normal(0.52, 0.1), 0.25, 0.8))
    wanted = mean + (wanted - mean) * rng.uniform(0.5, 1.0)
    contrast = float(np.exp(rng.normal(0.1, 0.25))) * (wanted / max(mean, 0.05)) ** 0.6
    spread = float(piece.std())
    contrast = min(contrast, 0.24 / max(spread, 1e-3)) if spread * contrast > 0.24 else contrast
    return np.clip((piece - mean) * np.float32(contrast) + np.float32(wanted), 0.01, 1.1).astype(np.float32)
