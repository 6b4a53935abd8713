"""An image larger than memory through a system: read, predicted and handed over one row of tiles after the other.

Beside the weights, memory holds one row of tiles: it grows with the width of the image, not with its height.  A system
that segments in one pass is needed (lite, DSRL): a second pass would need the whole super-resolved image.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

import numpy as np
import torch

from csbsr.data.reading import eight_bit, filled
from csbsr.data.reading.by_rows import Looked
from csbsr.joint.lite_appearance import Appearance
from csbsr.joint.lite_appearance import flipped as flipped_appearance
from csbsr.memory import available_memory
from csbsr.predict.passes import Layout
from csbsr.predict.predictor import Predictor
from csbsr.predict.rows import NO_DATA, as_levels, magnified
from csbsr.predict.system import FLIPS, flipped, pooled, require_finite, unit
from csbsr.predict.tiling import Blender, Window, spread_over

log = logging.getLogger(__name__)

State = Mapping[str, np.ndarray]
_USABLE = 0.5  # of the memory that is free
_LARGEST_WINDOW = 1 << 30  # bytes that computing a tile may take on a CPU, so that the whole stays below 2 GB
_OTHER_RUNTIME = 2  # times the memory that torch takes: OpenVINO took 1.9 for a window of 784 x 808 pixels
_LOOKED_AT = 512  # pixels, sides of the windows on which the blur is estimated
_BANDS = 4  # of rows with such windows, and windows in each


class Source(Protocol):
    """An image that is read by rows, see `csbsr.data.reading.by_rows.RowReader`."""

    shape: tuple[int, int]

    def rows(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """(n, w, 3) uint8, or float32 in [0, 1]; and (n, w) bool, where there is a photograph."""

    def look(self) -> Looked:
        """What a first look at all of it tells."""


class Rows(NamedTuple):
    """Finished rows of the result."""

    levels: np.ndarray  #: (n, W) uint16, probability in `LEVELS`; `NO_DATA` where there is no photograph
    variance: np.ndarray | None  #: (n, W) float32, of the probability over the flips; None with one flip
    sr: np.ndarray | None  #: (n, W, 3) uint8; None if it was not asked for


class RowSink(Protocol):
    """Takes the result of an image from top to bottom."""

    def add(self, rows: Rows) -> None:
        """Rows below those before."""

    def keep(self, row: int, state: State) -> None:
        """Row of tiles ``row`` is finished: with ``state`` the next one can be computed by another process."""


class RowOutcome(NamedTuple):
    """What is known of an image beside its rows."""

    kernels: np.ndarray | None  #: (1, 1, k, k), the mean of what was estimated
    skipped: int  #: tiles without data, which were not computed
    tiles: int  #: in all


class ByRows:
    """One image through a predictor's system.

    Args:
        predictor: whose options hold.
        source: the image.
        scale: pixels of the result to one of the image, along a side: a divisor of the system's scale.
        with_sr: hand over super-resolved rows too.
        tile: in place of the options', for an image that was begun with it.

    Attributes:
        tile: side of what a tile contributes, in pixels of the system's result.
        shape: H, W of the result.

    Raises:
        ValueError: a system of two passes, or another scale.
        MemoryError: not even the smallest tiles fit.
    """

    def __init__(
        self, predictor: Predictor, source: Source, scale: int, with_sr: bool = False, tile: int | None = None
    ) -> None:
        system = predictor.system
        if system.serial is not None:
            raise ValueError("windows: expected a system that segments in one pass, such as lite; use windows=false")
        if scale < 1 or system.scale % scale:
            raise ValueError(f"result_scale: expected a divisor of the system's scale {system.scale}, got {scale}")
        self.system, self.source, self.options, self.scale = system, source, predictor.options, scale
        self.shape = source.shape[0] * scale, source.shape[1] * scale
        self._flips, self._with_sr = FLIPS[self.options.flips], with_sr
        self.tile = tile or self._fitting_tile()
        self._layout = self._cut(self.tile)
        self._skipped = 0
        self._kernels: list[np.ndarray] = []

    @property
    def rows_of_tiles(self) -> int:
        """How many there are."""
        return len(self._layout.rows)

    def run(
        self, sink: RowSink, state: State | None = None, tick: Callable[[float], None] = lambda share: None
    ) -> RowOutcome:
        """Hand all rows to ``sink``, or those that are missing after ``state``.

        Args:
            sink: takes the rows.
            state: that an earlier run handed over; None to begin.
            tick: called with the share of the work just done.
        """
        layout, r = self._layout, self.scale
        answers = Blender(layout.rows, layout.columns, len(self._flips), r, compact=True)
        images = Blender(layout.rows, layout.columns, 3, r, compact=True) if self._with_sr else None
        begin = 0
        if state is None:
            appearance = self._looked_at()
        else:
            begin, appearance = int(state["row"]) + 1, _appearance_in(state)
            self._skipped, self._kernels = int(state["skipped"]), list(state["kernels"])
            answers.carry(state["answers"])
            if images is not None:
                images.carry(state["images"])
            tick(begin / len(layout.rows))
        for i in range(begin, len(layout.rows)):
            shown = self._row(i, appearance, answers, images, tick)
            for rows in self._finished(i, shown, answers, images):
                sink.add(rows)
            sink.keep(i, self._state(i, appearance, answers, images))
        kernels = np.mean(self._kernels, 0)[None, None] if self._kernels else None
        return RowOutcome(kernels, self._skipped, len(layout.rows) * len(layout.columns))

    def _row(
        self, i: int, appearance: Appearance | None, answers: Blender, images: Blender | None,
        tick: Callable[[float], None],
    ) -> np.ndarray:  # fmt: skip
        """Compute row of tiles ``i``; (n, w) bool: where the image holds data in the rows that this row keeps."""
        layout, step = self._layout, 1 / (len(self._layout.rows) * len(self._layout.columns))
        top = layout.rows.window(i, layout.margin_sr)
        band, valid = self.source.rows(*top)
        kept = layout.rows.kept(i)
        shown = valid[kept.start - top.start : kept.stop - top.start]
        for j in range(len(layout.columns)):
            if shown[:, layout.columns.kept(j).slice].any():
                left = layout.columns.window(j, layout.margin_sr)
                lr = unit(filled(band[:, left.slice], valid[:, left.slice]))
                self._tile(i, j, lr, (top, left), appearance, (answers, images))
            else:
                self._skipped += 1
            tick(step)
        return shown

    def _tile(
        self, i: int, j: int, lr: np.ndarray, window: tuple[Window, Window], appearance: Appearance | None,
        blenders: tuple[Blender, Blender | None],
    ) -> None:  # fmt: skip
        answers, images = blenders
        k = self.system.scale // self.scale
        for f, axes in enumerate(self._flips):
            own = None if appearance is None else flipped_appearance(appearance, axes)
            upscaled = self.system.upscale(self.system.tensor(flipped(lr, axes)), appearance=own)
            assert upscaled.segmentation is not None  # in one pass
            require_finite(upscaled.segmentation)
            probability = pooled(torch.from_numpy(upscaled.segmentation)[None], k)
            answers.add(i, j, flipped(probability, axes), *window, f)
            if images is not None:
                require_finite(upscaled.sr)
                sr = pooled(upscaled.sr_tensor, k) / np.float32(len(self._flips))
                images.add(i, j, flipped(sr, axes), *window)
            if upscaled.kernel is not None and not axes and (not self._kernels or not self._one_kernel):
                self._kernels.append(upscaled.kernel[0, 0].float().cpu().numpy())

    def _finished(self, i: int, shown: np.ndarray, answers: Blender, images: Blender | None) -> Iterator[Rows]:
        parts = answers.finished(i)
        pictures = iter(()) if images is None else images.finished(i)
        row, r = 0, self.scale
        for part in parts:
            n = part.shape[1]
            here = magnified(shown, row, n, r)
            row += n
            picture = next(pictures, None)
            levels = as_levels(part.mean(0))
            levels[levels == NO_DATA] = 0
            levels[~here] = NO_DATA
            variance = None if len(part) == 1 else part.var(0) * here
            sr = None if picture is None else eight_bit(picture).transpose(1, 2, 0) * here[..., None]
            yield Rows(levels, variance, sr)
        next(pictures, None)  # the blender carries over once it is asked beyond the last

    def _state(
        self, i: int, appearance: Appearance | None, answers: Blender, images: Blender | None
    ) -> dict[str, np.ndarray]:
        state = {"row": np.array(i), "skipped": np.array(self._skipped), "kernels": np.array(self._kernels)}
        state["answers"] = answers.carried(i)
        if images is not None:
            state["images"] = images.carried(i)
        for name, value in ({} if appearance is None else appearance._asdict()).items():
            if value is not None:
                state[f"appearance_{name}"] = value.cpu().numpy()
        return state

    @property
    def _one_kernel(self) -> bool:
        return self.options.kernel != "tile"

    def _looked_at(self) -> Appearance | None:
        """What the network takes from the image as a whole: mean and deviation of all of it, blur of some windows."""
        network = self.system.lite
        if network is None:
            return None
        looked = self.source.look()
        device = self.system.device
        mean = torch.from_numpy(looked.mean).float().reshape(1, 3, 1, 1).to(device)
        variance = torch.tensor([[[[looked.variance]]]], dtype=torch.float64)
        spread = network.deviation_of(variance).float().to(device)
        shape = None
        if self._one_kernel and network.blind:
            with torch.inference_mode():
                estimator = network.estimator
                filtered = (
                    estimator.filtered((self.system.tensor(unit(window)) - mean) / spread)
                    for window in looked_windows(self.source)
                )
                shape = estimator.shape_of_strips((part, part.shape[-2]) for part in filtered)
        return Appearance(mean, spread, shape)

    def _cut(self, tile: int) -> Layout:
        return Layout.of(self.source.shape, self.system, tile, self.options.margins, self.options.blend)

    def _fitting_tile(self) -> int:
        """The options' tile, on a CPU halved until it needs little, and what all needs fits into what is free."""
        tile = self.options.tile
        if self.system.device.type != "cpu":
            return tile
        other = self.system.network.memory is not None  # computed by another program than torch
        per_pixel = self.system.bytes_per_pixel()[0] * (_OTHER_RUNTIME if other else 1)
        while tile // 2 >= self.system.smallest_tile and self._window(tile, per_pixel) > _LARGEST_WINDOW:
            tile //= 2
        free = available_memory()
        if free is None:
            return tile
        while tile // 2 >= self.system.smallest_tile and self._need(tile, per_pixel) > _USABLE * free:
            tile //= 2
            log.warning("memory is short: using tile=%d", tile)
        if (need := self._need(tile, per_pixel)) > free:
            raise MemoryError(
                f"an image of {self.source.shape[1]} pixels across takes about {need / 1e9:.2g} GB for each row of its "
                f"tiles, and {free / 1e9:.2g} GB are free; cut it into parts from top to bottom, or take result_scale=1"
            )
        return tile

    def _need(self, tile: int, per_pixel: float) -> float:
        """Estimated bytes of a tile and of its row."""
        rows = (tile // self.system.scale + 2 * self._cut(tile).margin_sr) * self.source.shape[1]
        results = self.scale**2 * (2 * len(self._flips) + 6 * self._with_sr)
        return self._window(tile, per_pixel) + rows * (16 + results)

    def _window(self, tile: int, per_pixel: float) -> float:
        """Estimated bytes that computing a tile takes."""
        layout = self._cut(tile)
        return per_pixel * layout.largest(layout.margin_sr) * self.system.scale**2


def looked_windows(source: Source) -> Iterator[np.ndarray]:
    """Windows (h, w, 3) spread over an image in which all pixels are data; where there are none, filled ones."""
    height, width = source.shape
    tall, wide = min(height, _LOOKED_AT), min(width, _LOOKED_AT)
    found = False
    partly: list[np.ndarray] = []
    for top in _spread(height, tall):
        image, valid = source.rows(top, top + tall)
        lefts = [left for left in range(0, width - wide + 1, wide) if valid[:, left : left + wide].all()]
        for left in spread_over(lefts, _BANDS):
            found = True
            yield image[:, left : left + wide]
        if not found and not partly and valid.any():
            left = int(np.argmax(np.convolve(valid.sum(0), np.ones(wide), "valid")))
            part = slice(left, left + wide)
            partly.append(filled(image[:, part], valid[:, part]))
    if not found:
        yield from partly


def _spread(length: int, side: int) -> list[int]:
    """First pixels of windows along a side, at most `_BANDS`."""
    return sorted({int(start) for start in np.linspace(0, length - side, 2 * _BANDS + 1)[1::2]})


def _appearance_in(state: State) -> Appearance | None:
    if "appearance_mean" not in state:
        return None
    values = {name: state.get(f"appearance_{name}") for name in Appearance._fields}
    return Appearance(**{name: None if value is None else torch.from_numpy(value) for name, value in values.items()})  # type: ignore[arg-type]
