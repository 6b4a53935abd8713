"""One photograph through a system: super-resolve by tiles, segment by tiles, hand over finished rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from csbsr.data.reading import filled
from csbsr.joint import LiteSystem
from csbsr.joint.lite_appearance import Appearance, appearance_of
from csbsr.joint.lite_appearance import flipped as flipped_appearance
from csbsr.metrics.image import kernel_psnr
from csbsr.predict.consistency import Consistency, difference, summarised
from csbsr.predict.rows import LEVELS, RowStore, Shrinker, Statistics, as_float, as_levels, magnified
from csbsr.predict.skipping import fully_seen, skipped_share
from csbsr.predict.system import FLIPS, System, Upscaled, flipped, pooled, require_finite, unit
from csbsr.predict.tiling import Axis, Blender, Window, spread_over

_AROUND = 16  # pixels of the photograph around a tile that its difference from the photograph needs
_SAMPLES = (4, 16)  # tiles, at least and at most, in whose middle one kernel for the photograph is estimated
_SAMPLED = 0.25  # of the tiles, between these
_SAMPLE = 128  # pixels of the photograph, side of that middle: about what networks are trained on
#: PSNR in dB between each of these estimates and their mean from which on they are alike: a Gaussian whose standard
#: deviation of 2 pixels is a tenth larger is 61 dB from it.
ALIKE = 60.0


class Sink(Protocol):
    """Takes the results of a photograph, from top to bottom.

    Attributes:
        shrinks: from `begin` on, a factor by which it shrinks all that it keeps of super-resolved rows: they may come
            shrunken by a divisor of it already, which spares memory and time.  1: it takes all of them; 0: none.
    """

    shrinks: int

    def begin(self, height: int, width: int) -> None:
        """The size of the results.  A second call starts over: memory ran out and smaller tiles are tried."""

    def sr(self, rows: np.ndarray) -> None:
        """Super-resolved rows; all of them come before the first of `segmentation`.

        Args:
            rows: (3, n/k, W/k) float32 in [0, 1], k a divisor of `shrinks`: means of k × k pixels.
        """

    def segmentation(self, levels: np.ndarray, mask: np.ndarray, variance: np.ndarray | None) -> None:
        """Segmented rows.

        Args:
            levels: (n, W) uint16, probability times `LEVELS`.
            mask: (n, W) bool.
            variance: (n, W) float32, of the probability over the flips; None with one flip.
        """


class Outcome(NamedTuple):
    """What is known of a photograph beside its rows."""

    shape: tuple[int, int]  #: H, W of the results
    tiles: tuple[int, int]  #: rows and columns of tiles
    kernels: np.ndarray | None  #: (rows, columns, k, k) float32, or (1, 1, k, k) for the whole photograph
    consistency: Consistency | None  #: None without super-resolution
    crack_share: float  #: of the pixels
    tile: int = 0  #: side of what a tile contributed
    scale: int = 0  #: of the result to the photograph
    skipped: float | None = None  #: share of the photograph's pixels without the full pass; None without a cheap pass
    answers: np.ndarray | None = None  #: of the cheap pass, see `csbsr.predict.skipping`; None without one


class Layout(NamedTuple):
    """Tiles of a photograph, in its pixels."""

    rows: Axis
    columns: Axis
    margin_sr: int
    margin_segmentation: int

    @classmethod
    def of(cls, shape: tuple[int, int], system: System, tile: int, margins: tuple[int, int], blend: int) -> Layout:
        """For a photograph of ``shape`` (h, w); the other lengths are given in pixels of the result."""
        scale = system.scale
        core = max(system.align, tile // scale // system.align * system.align)
        fade = -(-blend // (2 * scale)) * 2
        sr, segmentation = (-(-margin // scale) for margin in margins)
        first = sr if system.serial else max(sr, segmentation)
        known = None if system.lite is None else first  # others look at their whole windows, and are tried with these
        rows, columns = (Axis(side, core, fade, system.align, known) for side in shape)
        return cls(rows, columns, first, segmentation)

    def window(self, i: int, j: int, margin: int) -> tuple[Window, Window]:
        """Rows and columns of the window of tile (i, j)."""
        return self.rows.window(i, margin), self.columns.window(j, margin)

    def pixels(self) -> int:
        """Of all windows of both passes."""
        return sum(
            sum(self.rows.window(i, margin).size for i in range(len(self.rows)))
            * sum(self.columns.window(j, margin).size for j in range(len(self.columns)))
            for margin in (self.margin_sr, self.margin_segmentation)
        )

    def largest(self, margin: int) -> int:
        """Pixels of the largest window."""
        sides = [max(axis.window(i, margin).size for i in range(len(axis))) for axis in (self.rows, self.columns)]
        return sides[0] * sides[1]


@dataclass(frozen=True)
class PassOptions:
    """How the passes run.

    Attributes:
        flips: 1, 2 or 4 versions of each tile, averaged.
        kernel: one of `csbsr.predict.options.KERNELS`.
        threshold: above which a probability is crack.
        antialias: of the down-scaling the network was trained with.
    """

    flips: int = 1
    kernel: str = "tile"
    threshold: float = 0.5
    antialias: bool = False


class Run:
    """The two passes over one photograph.

    Args:
        system: what runs.
        photograph: (h, w, 3) uint8, or float32 in [0, 1].
        layout: its tiles.
        options: how it runs.
        kernels: (1, n, k, k), as `System.upscale` takes them: used in all tiles.
        folder: for temporary files; see `RowStore`.
        tick: called with the share of the work just done.
        valid: (h, w) bool, where there is a photograph; None for everywhere.  Elsewhere the probability is 0 and the
            result black, and it enters neither the statistics nor the consistency.
        kept: (rows, columns) bool, tiles that get the full pass, at least one; None for all.  The others are enlarged
            bicubically, have probability 0 and no kernel but the mean one, and do not enter the consistency.
    """

    def __init__(
        self,
        system: System,
        photograph: np.ndarray,
        layout: Layout,
        options: PassOptions,
        kernels: Tensor | None = None,
        folder: Path | None = None,
        tick: Callable[[float], None] = lambda share: None,
        valid: np.ndarray | None = None,
        kept: np.ndarray | None = None,
    ) -> None:
        self.valid = valid
        self.kept = np.ones((len(layout.rows), len(layout.columns)), bool) if kept is None else kept
        self._skipped = None if kept is None else skipped_share(kept, layout.rows, layout.columns, valid)
        self.system, self.photograph, self.layout, self.options = system, photograph, layout, options
        self.flips, self.folder, self._tick = FLIPS[options.flips], folder, tick
        tiles = len(layout.rows) * len(layout.columns)
        self._step = 1 / (tiles * (2 if system.serial else 1) * len(self.flips))
        self._shared = kernels
        self._appearance: Appearance | None = None
        self._kernels: dict[tuple[int, int], list[Tensor | None]] = {}

    def __call__(self, sink: Sink) -> Outcome:
        """Run both passes, handing rows to ``sink``."""
        s, (h, w) = self.system.scale, self.photograph.shape[:2]
        sink.begin(h * s, w * s)
        if self.system.lite is not None:
            self._appearance = self._looked_at(self.system.lite)
        elif self._shared is None and self.options.kernel != "tile":
            self._shared = self._shared_kernels()
        with RowStore((3 if self.system.serial else 1) * len(self.flips), w * s, self.folder) as store:
            statistics, differences = self._first_pass(sink, store)
            cracks = Shrinker(h * s, w * s, s, largest=True)
            found = 0
            row = 0
            for probabilities in self._second_pass(store, statistics):
                require_finite(probabilities)
                if (counts := self._counts(row, probabilities.shape[1], s)) is not None:
                    probabilities = probabilities * counts
                row += probabilities.shape[1]
                levels = as_levels(probabilities.mean(0))
                mask = levels > self.options.threshold * LEVELS
                sink.segmentation(levels, mask, probabilities.var(0) if len(probabilities) > 1 else None)
                cracks.add(mask)
                found += int(np.count_nonzero(mask))
        consistency = None if differences is None else summarised(differences, cracks.result(), valid=self._compared())
        pixels = h * w if self.valid is None else int(np.count_nonzero(self.valid))
        share = found / (pixels * s * s)
        kernels, skipped = self._kernel_array(), self._skipped
        return Outcome((h * s, w * s), self.kept.shape, kernels, consistency, share, scale=s, skipped=skipped)

    def _first_pass(self, sink: Sink, store: RowStore) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray | None]:
        """Fill ``store``; the statistics of each flip, and the differences between photograph and result."""
        system, layout, s = self.system, self.layout, self.system.scale
        compact = system.lite is not None  # made for large photographs
        k = 1 if system.serial else math.gcd(s, sink.shrinks)
        images = Blender(layout.rows, layout.columns, 3 * len(self.flips), s // k, compact)
        answers = None if system.serial else Blender(layout.rows, layout.columns, len(self.flips), s, compact)
        residual = Blender(layout.rows, layout.columns, 1, 1) if system.comparable else None
        residual_rows = []
        statistics = [Statistics(3) for _ in self.flips]
        row = 0
        for i in range(len(layout.rows)):
            for j in range(len(layout.columns)):
                top, left = layout.window(i, j, layout.margin_sr)
                lr = self._photograph_window(top, left)
                kernels = []
                for f, axes in enumerate(self.flips):
                    image = system.tensor(flipped(lr, axes))
                    upscaled = self._upscaled(image, axes) if self.kept[i, j] else system.enlarged(image)
                    kernels.append(upscaled.kernel)
                    if residual is not None and not axes and self.kept[i, j]:
                        residual.add(i, j, *self._difference(i, j, image, upscaled, top, left))
                    sr = upscaled.sr if k == 1 else pooled(upscaled.sr_tensor, k)
                    for blender, part, first in ((images, sr, 3 * f), (answers, upscaled.segmentation, f)):
                        if blender is not None and part is not None:
                            require_finite(part)
                            blender.add(i, j, flipped(part, axes), top, left, first)
                    self._tick(self._step)
                self._kernels[i, j] = kernels
            for rows in images.finished(i):
                versions = rows.reshape(len(self.flips), 3, *rows.shape[1:])
                if system.serial:
                    store.append(rows)
                counts = self._counts(row, rows.shape[1], s // k)
                row += rows.shape[1]
                for version, numbers in zip(versions, statistics, strict=True) if system.serial else ():
                    numbers.add(version if counts is None else version[:, counts][:, None])
                mean = versions.mean(0) if len(versions) > 1 else versions[0]
                sink.sr(mean if counts is None else mean * counts)
            for rows in () if answers is None else answers.finished(i):
                store.append(rows)
            if residual is not None:
                residual_rows += [rows[0].copy() for rows in residual.finished(i)]
        found = [numbers.result() for numbers in statistics] if system.serial else []
        return found, np.concatenate(residual_rows) if residual_rows else None

    def _upscaled(self, image: Tensor, axes: tuple[int, ...]) -> Upscaled:
        """The network's first pass on a window that was flipped along ``axes``."""
        shared = None if self._shared is None else self._shared.flip(axes)
        seen = None if self._appearance is None else flipped_appearance(self._appearance, axes)
        return self.system.upscale(image, shared, seen)

    def _difference(
        self, i: int, j: int, image: Tensor, upscaled: Upscaled, top: Window, left: Window
    ) -> tuple[np.ndarray, Window, Window]:
        """`difference` of what tile (i, j) contributes, and the rows and columns of the photograph that it covers."""
        inner = [
            Window(max(window.start, kept.start - _AROUND), min(window.stop, kept.stop + _AROUND))
            for window, kept in ((top, self.layout.rows.kept(i)), (left, self.layout.columns.kept(j)))
        ]
        y, x = (
            Window(part.start - window.start, part.stop - window.start)
            for part, window in zip(inner, (top, left), strict=True)
        )
        s = self.system.scale
        lr, sr = image[..., y.slice, x.slice], upscaled.sr_tensor[..., y.times(s).slice, x.times(s).slice]
        return difference(lr, sr, upscaled.kernel, s, self.options.antialias), inner[0], inner[1]

    def _second_pass(self, store: RowStore, statistics: list[tuple[np.ndarray, np.ndarray]]) -> Iterator[np.ndarray]:
        """Probabilities of finished rows, (flips, n, W)."""
        system, layout, s = self.system, self.layout, self.system.scale
        height = layout.rows.length * s
        if not system.serial:
            for start in range(0, height, 64):
                yield as_float(store.read(start, min(start + 64, height)))
            return
        blender = Blender(layout.rows, layout.columns, len(self.flips), s)
        for i in range(len(layout.rows)):
            top = layout.rows.window(i, layout.margin_segmentation)
            band = store.read(*top.times(s))
            for j in range(len(layout.columns)):
                if not self.kept[i, j]:
                    self._tick(self._step * len(self.flips))
                    continue
                left = layout.columns.window(j, layout.margin_segmentation)
                window = as_float(band[..., left.times(s).slice])
                tile = []
                for f, axes in enumerate(self.flips):
                    sr = flipped(window[3 * f : 3 * f + 3], axes)
                    tile.append(flipped(system.segment(sr, *statistics[f], self._kernels[i, j][f]), axes))
                    self._tick(self._step)
                blender.add(i, j, np.stack(tile), top, left)
            yield from blender.finished(i)

    def _looked_at(self, network: LiteSystem) -> Appearance:
        """What the network takes from the photograph as a whole."""

        def rows(start: int, stop: int) -> Tensor:
            return self.system.tensor(self._photograph_window(Window(start, stop), Window(0, self.photograph.shape[1])))

        with torch.inference_mode():
            return appearance_of(network, rows, self.photograph.shape[0], self.options.kernel != "tile")

    def _shared_kernels(self) -> Tensor | None:
        """Means (1, n, k, k) of the kernels in the middle of tiles all over the photograph; None where each tile keeps
        its own.

        With ``kernel=auto`` that is where there are few tiles, or an estimate is less than `ALIKE` like their mean.
        """
        shown = [(i, j) for i, j in np.ndindex(*self.kept.shape) if self._shows_blur(i, j)]
        asked, windows = self.options.kernel == "photograph", self._samples(shown)
        if not asked and len(windows) == len(shown):
            return None
        found = []
        for top, left in windows:
            kernels = self.system.upscale(self.system.tensor(self._photograph_window(top, left))).kernels
            if kernels is not None:
                found.append(kernels)
        if not found:
            return None
        each = torch.cat(found)
        mean = each.mean(0, keepdim=True)
        last = each[:, -1:]
        alike = float(kernel_psnr(last, mean[:, -1:].expand_as(last)).min()) >= ALIKE
        return mean if asked or alike else None

    def _samples(self, tiles: Sequence[tuple[int, int]]) -> list[tuple[Window, Window]]:
        """Windows in the middle of some of the ``tiles``."""
        least, most = _SAMPLES
        count = min(len(tiles), most, max(least, round(_SAMPLED * len(tiles))))
        rows, columns = self.layout.rows, self.layout.columns
        return [(rows.middle(i, _SAMPLE), columns.middle(j, _SAMPLE)) for i, j in spread_over(tiles, count)]

    def _kernel_array(self) -> np.ndarray | None:
        if not self.system.estimates_kernel:
            return None
        first = np.stack([k[0][0, 0].float().cpu().numpy() for k in self._kernels.values() if k[0] is not None])
        if self._shared is not None or (self._appearance is not None and self.options.kernel != "tile"):
            return first[None, :1]
        kernels = np.empty((*self.kept.shape, *first.shape[1:]), np.float32)
        kernels[self.kept], kernels[~self.kept] = first, first.mean(0)
        return kernels

    def _photograph_window(self, top: Window, left: Window) -> np.ndarray:
        """(3, h, w) float32 in [0, 1]."""
        part = self.photograph[top.slice, left.slice]
        if self.valid is not None:
            part = filled(part, self.valid[top.slice, left.slice])
        return unit(part)

    def _counts(self, row: int, number: int, s: int) -> np.ndarray | None:
        """(n, W) bool, where rows of what is ``s`` times as large show the photograph; None for everywhere."""
        return None if self.valid is None else magnified(self.valid, row, number, s)

    def _compared(self) -> np.ndarray | None:
        """(h, w) bool, where photograph and result are compared; None for everywhere."""
        if self.kept.all():
            return self.valid
        seen = fully_seen(self.kept, self.layout.rows, self.layout.columns)
        return seen if self.valid is None or not (seen & self.valid).any() else seen & self.valid

    def _shows_blur(self, i: int, j: int) -> bool:
        """Whether tile (i, j) gets the full pass and holds some of the photograph."""
        top, left = self.layout.window(i, j, self.layout.margin_sr)
        return bool(self.kept[i, j]) and (self.valid is None or bool(self.valid[top.slice, left.slice].any()))
