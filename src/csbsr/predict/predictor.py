"""Super-resolve and segment one photograph of any size: from Python, and what the command line is made of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from csbsr.build import TRUSTED
from csbsr.data.reading import read_photograph
from csbsr.joint import JointSystem
from csbsr.memory import available_memory
from csbsr.predict.choosing import fewest_pixels
from csbsr.predict.consistency import Consistency
from csbsr.predict.memory import out_of_memory
from csbsr.predict.options import DEFAULT_THRESHOLD, PredictionOptions, suggested, threshold_of
from csbsr.predict.passes import Layout, Outcome, PassOptions, Run, Sink
from csbsr.predict.rows import LEVELS
from csbsr.predict.skipping import first_look, tiles_kept
from csbsr.predict.system import System
from csbsr.sr import Bicubic
from csbsr.sr.base import SRNetwork
from csbsr.weights import load

log = logging.getLogger(__name__)

_HALVINGS = 4  # of the tile for one photograph, after which running out of memory is an error
_LOOK = 0.1  # of the work on a photograph is the cheap pass of skip=auto, about
_USABLE = 0.8  # of the memory that is there
_GROWS = 0.4  # of it may a tile take that is larger than it need be: other programs run, too


@dataclass(frozen=True)
class Prediction:
    """Results of one photograph (h, w), all of its pixels: H = s·h, W = s·w.

    Attributes:
        sr: super-resolved image, (H, W, 3) float32 in [0, 1].
        probability: of crack, (H, W) float32.
        mask: (H, W) bool, ``probability > threshold``.
        variance: of the probability over the flips, (H, W) float32; None with one flip.
        kernels: estimated blur, (rows, columns, k, k) of the tiles, each summing to 1; None from a network that
            estimates none.
        consistency: whether ``sr``, blurred and down-scaled, gives the photograph; None without super-resolution.
        threshold: of ``mask``.
        scale: the factor s.
        skipped: share of the photograph's pixels that ``skip=auto`` left out; None with ``off``.
    """

    sr: np.ndarray
    probability: np.ndarray
    mask: np.ndarray
    variance: np.ndarray | None
    kernels: np.ndarray | None
    consistency: Consistency | None
    threshold: float
    scale: int
    skipped: float | None = None

    @property
    def kernel(self) -> np.ndarray | None:
        """Mean of `kernels`, (k, k)."""
        return None if self.kernels is None else self.kernels.mean((0, 1))


class Predictor:
    """Runs a joint network over photographs of any size, in tiles.

    Args:
        network: of `csbsr.load`.
        options: how; None for what suits the network, `csbsr.predict.options.suggested`.
        sr: super-resolves in place of the network's own part, see `bicubic`.
        cheap: looks at photographs first with ``skip=auto``; None for the lite system that comes with the package.
        settings: fields of `PredictionOptions` that take the place of those of ``options`` where they are not None.

    Raises:
        ValueError: a setting is out of its range, or one kernel is asked of a network that estimates none.
    """

    def __init__(
        self,
        network: JointSystem,
        options: PredictionOptions | None = None,
        *,
        sr: SRNetwork | None = None,
        cheap: JointSystem | None = None,
        **settings: Any,
    ) -> None:
        given = {name: value for name, value in settings.items() if value is not None}
        options = replace(options or suggested(network), **given)
        if options.threshold is None:
            options = replace(options, threshold=threshold_of(network))
        self.options = options
        self.system = System(network, options.device, options.precision, sr)
        if options.kernel == "photograph" and not self.system.estimates_kernel:
            raise ValueError("kernel: expected tile, got photograph, but this network estimates no blur kernel")
        if options.kernel == "photograph" and not network.takes_kernel:
            raise ValueError(
                "kernel: expected tile, got photograph, but this file holds everything in one function (form=whole)"
            )
        degradation = (network.card.get("config") or {}).get("degradation")
        antialias = isinstance(degradation, dict) and degradation.get("antialias") is True
        kernel = options.kernel if self.system.estimates_kernel and network.takes_kernel else "tile"
        self._passes = PassOptions(options.flips, kernel, self.threshold, antialias)
        self._bytes: tuple[float, float] | None = None
        self._cheap: Predictor | None = None
        if options.skip == "auto" and self.system.lite is None:
            own = self.system
            self._cheap = Predictor(cheap or load("lite"), device=str(own.device), precision=own.precision)

    @classmethod
    def load(cls, ckpt: str | Path, *, trusted: Sequence[str] = TRUSTED, **settings: Any) -> Predictor:
        """From a checkpoint of ``csbsr-train`` or the authors' released weights.

        Args:
            ckpt: file, or folder of released weights.
            trusted: packages that the checkpoint may name as parts of its network.
            settings: fields of `PredictionOptions`.
        """
        return cls(load(ckpt, trusted=trusted), **settings)

    def bicubic(self) -> Predictor | None:
        """The same segmentor on the photograph's bicubic enlargement, with the same settings.

        None where there is nothing to compare: a network that does not segment in a second pass, or that enlarges
        bicubically or not at all itself.
        """
        network = self.system.serial
        if network is None or network.plain_enlargement:
            return None
        return Predictor(network, self.options, sr=Bicubic(network.scale), kernel="tile", skip="off")

    @property
    def skip(self) -> str:
        """``auto`` where tiles may be skipped, else ``off``: also with the lite system, which is the cheap pass."""
        return "off" if self._cheap is None else "auto"

    @property
    def threshold(self) -> float:
        """Above which a probability is crack."""
        return float(self.options.threshold or DEFAULT_THRESHOLD)

    @property
    def scale(self) -> int:
        """Size of the result relative to the photograph."""
        return self.system.scale

    def predict(self, photograph: str | Path | np.ndarray) -> Prediction:
        """Results of one photograph, in memory: about 20 bytes for each pixel of the result.

        Args:
            photograph: a file that `csbsr.data.reading.read_photograph` reads, or an RGB array (h, w, 3) or a grey one
                (h, w): uint8, uint16, or floating point in [0, 1].

        Raises:
            DataError: the file cannot be read.
            ValueError: an array of another kind, or too little memory.
        """
        if isinstance(photograph, (str, Path)):
            image, valid, _ = read_photograph(photograph)
        else:
            image, valid = checked(photograph), None
        sink = Arrays(self.options.flips > 1)
        outcome = self.run(image, sink, valid=valid)
        return Prediction(
            sink.image, sink.probability, sink.cracks, sink.variance, outcome.kernels, outcome.consistency,
            self.threshold, self.scale, outcome.skipped,
        )  # fmt: skip

    def run(
        self,
        photograph: np.ndarray,
        sink: Sink,
        folder: Path | None = None,
        tick: Callable[[float], None] = lambda share: None,
        kernel: np.ndarray | None = None,
        valid: np.ndarray | None = None,
        tile: int | None = None,
        answers: np.ndarray | None = None,
    ) -> Outcome:
        """Hand the results of a photograph to ``sink`` row by row, in memory that does not depend on its height.

        If memory runs out, the tile is halved and the photograph started over, at most four times.

        Args:
            photograph: (h, w, 3) uint8, or float32 in [0, 1].
            sink: takes the rows.
            folder: for a temporary file with the super-resolved image, 6 bytes a pixel; None for the system's folder.
            tick: called with the share of the work just done; negative when it starts over.
            kernel: (k, k), summing to 1: for the segmentor, where `bicubic` left nothing that estimates it.
            valid: (h, w) bool, where there is a photograph; None for everywhere.  Elsewhere the probability is 0.
            tile: in place of the options', so that two results are cut alike.
            answers: of another run on the photograph (`Outcome`), so that the same tiles are skipped.

        Raises:
            ValueError: too little memory.
        """
        kernels = None if kernel is None else torch.from_numpy(kernel)[None, None].to(self.system.device)
        height, width = photograph.shape[:2]
        if answers is None and self._cheap is not None:
            answers = first_look(self._cheap, photograph, folder, _share_of(tick, _LOOK), valid)
            tick = _share_of(tick, 1 - _LOOK)
        tile = self._fitting_tile((height, width), kernels, tile)
        for _ in range(_HALVINGS + 1):
            progress = _Progress(tick)
            layout = self._layout((height, width), tile)
            kept = None if answers is None else tiles_kept(answers, layout.rows, layout.columns)
            run = Run(self.system, photograph, layout, self._passes, kernels, folder, progress, valid, kept)
            try:
                return run(sink)._replace(tile=tile, answers=answers)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                reason = (str(error) or type(error).__name__).splitlines()[0]
            # Outside of the handler, whose traceback would keep the tensors alive.
            del run
            progress.undo()
            if tile // 2 < self.system.smallest_tile:
                break
            tile //= 2
            log.warning("memory ran out; trying again with tile=%d", tile)
        raise ValueError(
            f"memory: it ran out, also with tile={tile} ({reason}); free some, or use precision=bfloat16, flips=1 "
            "or device=cpu"
        )

    def _layout(self, shape: tuple[int, int], tile: int) -> Layout:
        return Layout.of(shape, self.system, tile, self.options.margins, self.options.blend)

    def _fitting_tile(self, shape: tuple[int, int], kernels: Tensor | None, given: int | None = None) -> int:
        """The tile, ``given`` or of the options, on a CPU fitted to the memory that is free.

        It is halved until the estimated need fits, because running out of memory ends the program there; and it grows
        where that is asked for and none is given.
        """
        tile = given or self.options.tile
        if self.system.device.type != "cpu" or (free := available_memory()) is None:
            return tile
        if self.options.grow and given is None:
            tile = fewest_pixels(
                tile,
                lambda larger: self._layout(shape, larger).pixels(),
                lambda larger: self.memory_needed(shape, larger, kernels) <= _GROWS * free,
            )
        while (need := self.memory_needed(shape, tile, kernels)) > _USABLE * free:
            if tile // 2 < self.system.smallest_tile:
                raise ValueError(
                    f"memory: this photograph of {shape[1]} x {shape[0]} pixels needs about {need / 1e9:.1f} GB with "
                    f"tile={tile}, but {free / 1e9:.1f} GB are free; close other programs or cut the photograph"
                )
            tile //= 2
            log.warning("%.1f GB needed, %.1f GB free: using tile=%d", need / 1e9, free / 1e9, tile)
        return tile

    def memory_needed(self, shape: tuple[int, int], tile: int, kernels: Tensor | None = None) -> float:
        """Estimated bytes that a photograph of ``shape`` (h, w) takes beside itself; see `PeakMemory`."""
        if self._bytes is None:
            self._bytes = self.system.bytes_per_pixel(kernels)
        layout, s = self._layout(shape, tile), self.scale
        first, second = (
            per_pixel * layout.largest(margin) * s * s
            for per_pixel, margin in zip(self._bytes, (layout.margin_sr, layout.margin_segmentation), strict=True)
        )
        rows = min(tile + self.options.blend, s * shape[0]) * s * shape[1]
        blending = rows * 2 * 4 * self.options.flips  # a row of tiles in 16 bits
        return max(first, second) + blending + 9 * shape[0] * shape[1]


class Arrays:
    """The sink of `Predictor.predict`: everything in memory."""

    shrinks = 1

    def __init__(self, with_variance: bool) -> None:
        self.with_variance = with_variance

    def begin(self, height: int, width: int) -> None:
        """Make the arrays."""
        self.image = np.empty((height, width, 3), np.float32)
        self.probability = np.empty((height, width), np.float32)
        self.cracks = np.empty((height, width), bool)
        self.variance = np.empty((height, width), np.float32) if self.with_variance else None
        self._sr_row, self._row = 0, 0

    def sr(self, rows: np.ndarray) -> None:
        """Keep super-resolved rows."""
        self.image[self._sr_row : self._sr_row + rows.shape[1]] = rows.transpose(1, 2, 0)
        self._sr_row += rows.shape[1]

    def segmentation(self, levels: np.ndarray, mask: np.ndarray, variance: np.ndarray | None) -> None:
        """Keep segmented rows."""
        place = slice(self._row, self._row + len(mask))
        self.probability[place] = levels * np.float32(1 / LEVELS)
        self.cracks[place] = mask
        if self.variance is not None:
            self.variance[place] = variance
        self._row += len(mask)


class _Progress:
    """Passes shares of the work on, and can take them back."""

    def __init__(self, tick: Callable[[float], None]) -> None:
        self._tick, self._done = tick, 0.0

    def __call__(self, share: float) -> None:
        self._tick(share)
        self._done += share

    def undo(self) -> None:
        self._tick(-self._done)


def _share_of(tick: Callable[[float], None], share: float) -> Callable[[float], None]:
    return lambda done: tick(share * done)


def checked(array: np.ndarray) -> np.ndarray:
    """An image given as an array, as (h, w, 3) uint8 or float32 in [0, 1]; grey becomes three equal channels.

    Raises:
        ValueError: another shape, type or range.
    """
    array = np.asarray(array)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, 2)
    if array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ValueError(f"photograph: expected an array (h, w, 3) or (h, w), got {array.shape}; RGB, channels last")
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return array.astype(np.float32) / np.float32(LEVELS)
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"photograph: expected uint8, uint16 or floating point, got {array.dtype}")
    if not (array.min() >= -0.1 and array.max() <= 1.1):
        raise ValueError(
            f"photograph: expected values in [0, 1], got {array.min():.3g} to {array.max():.3g}; divide by 255"
        )
    return array.astype(np.float32)
