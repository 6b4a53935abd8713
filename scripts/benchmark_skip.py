"""What ``skip=auto`` of csbsr-predict keeps of cracks, leaves out of photographs, and saves.

    python scripts/benchmark_skip.py kept <root of {train,test}/{images,masks}> … [--split test] [--images 40]
    python scripts/benchmark_skip.py time --ckpt <checkpoint> <photograph> … [--tiles 768 384]

``kept`` runs the cheap pass alone and asks in which tiles the labelled cracks lie: the share of the length of the
masks' skeletons in tiles that get the full pass, and the share of the photographs' pixels outside of them, for sides
of tiles, least probabilities and surroundings.  ``time`` predicts photographs with and without skipping, with nothing
written or measured: CPU seconds of both, and which share of the length of the skeleton of the full pass's mask lies in
the tiles that skipping keeps.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from benchmark import show

from csbsr.data.folder import FolderPairs
from csbsr.data.reading import read_image
from csbsr.measure.thinning import thin
from csbsr.predict import Predictor
from csbsr.predict.passes import Layout
from csbsr.predict.predictor import Arrays
from csbsr.predict.skipping import AROUND, LEAST, first_look, skipped_share, tiles_kept
from csbsr.predict.tiling import spread_over


def kept(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each set and choice, all photographs of the set together."""
    predictor, cheap = Predictor.load(options.ckpt, device="cpu"), Predictor.load("lite", device="cpu")
    for root in options.rest:
        pairs = FolderPairs(root, options.split)
        chosen = spread_over(range(len(pairs)), min(options.images or len(pairs), len(pairs)))
        choices = list(itertools.product(options.tiles, options.least, options.around))
        sums = np.zeros((len(choices), 4))
        start = time.process_time()
        looks = [first_look(cheap, pairs.read(k)[0]) for k in chosen]
        seconds = time.process_time() - start
        for k, answers in zip(chosen, looks, strict=True):
            lengths = skeleton_lengths(pairs.read_mask(k) == 1)
            for place, (tile, least, around) in enumerate(choices):
                layout = predictor._layout(lengths.shape, tile)
                tiles = tiles_kept(answers, layout.rows, layout.columns, least, around)
                share = skipped_share(tiles, layout.rows, layout.columns)
                inside = (lengths * pixels_of(tiles, layout)).sum()
                sums[place] += lengths.sum(), inside, lengths.size, share * lengths.size
        for (tile, least, around), (length, inside, pixels, skipped) in zip(choices, sums, strict=True):
            yield {
                "set": f"{Path(root).name} {options.split}", "photographs": len(chosen), "megapixels": pixels / 1e6,
                "tile": tile, "least": least, "around": around,
                "crack length kept, %": 100 * inside / max(length, 1), "area skipped, %": 100 * skipped / pixels,
                "length, px": length, "lost, px": length - inside, "cheap pass, CPU s/MP": seconds / pixels * 1e6,
            }  # fmt: skip


def timed(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each photograph and side of tiles."""
    for path, tile in itertools.product(options.rest, options.tiles):
        image = read_image(path)
        found = {}
        for skip in ("off", "auto"):
            predictor = Predictor.load(options.ckpt, tile=tile, skip=skip, kernel=options.kernel, device="cpu")
            predictor.predict(image[:64, :64])  # what is made once is no part of the time
            sink = Arrays(False)
            start = time.process_time()
            outcome = predictor.run(image, sink)
            found[skip] = sink, outcome, time.process_time() - start
        (full, _, without), (part, outcome, seconds) = found["off"], found["auto"]
        layout = predictor._layout(image.shape[:2], outcome.tile)
        tiles = tiles_kept(outcome.answers, layout.rows, layout.columns)
        scale = predictor.scale
        lengths = skeleton_lengths(full.cracks)
        inside = lengths * pixels_of(tiles, layout).repeat(scale, 0).repeat(scale, 1)
        either = np.count_nonzero(full.cracks | part.cracks)
        yield {
            "photograph": Path(path).name, "megapixels": image[..., 0].size / 1e6, "tile": tile,
            "tiles": f"{tiles.sum()} of {tiles.size}",
            "area skipped, %": 100 * outcome.skipped,
            "full pass's length kept, %": float(100 * inside.sum() / lengths.sum()) if lengths.any() else 100.0,
            "IoU of the masks": np.count_nonzero(full.cracks & part.cracks) / either if either else 1.0,
            "off, CPU s": without, "auto, CPU s": seconds, "ratio": without / seconds,
        }  # fmt: skip


def skeleton_lengths(mask: np.ndarray) -> np.ndarray:
    """(H, W) float32: at each pixel of the skeleton of a mask (H, W) half the distances to its neighbours there."""
    skeleton = thin(mask).astype(np.float32)
    steps = np.array([[2**0.5, 1, 2**0.5], [1, 0, 1], [2**0.5, 1, 2**0.5]], np.float32) / 2
    return cv2.filter2D(skeleton, -1, steps, borderType=cv2.BORDER_CONSTANT) * skeleton


def pixels_of(tiles: np.ndarray, layout: Layout) -> np.ndarray:
    """(h, w) bool: the cores of the tiles (rows, columns) that are kept."""
    heights, widths = np.diff(layout.rows.bounds), np.diff(layout.columns.bounds)
    return tiles.repeat(heights, 0).repeat(widths, 1)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kept", "time"])
    parser.add_argument("--ckpt", required=True, help="the main system, whose tiles are cut")
    parser.add_argument("--kernel", help="tile or photograph, as in csbsr-predict; time only")
    parser.add_argument("--split", default="test", help="of the sets; choose least and around on train")
    parser.add_argument("--images", type=int, help="at most so many of each set, evenly over it")
    parser.add_argument("--tiles", type=int, nargs="+", default=[768, 384], help="sides, pixels of the result")
    parser.add_argument("--least", type=float, nargs="+", default=[LEAST], help="least probabilities; kept only")
    parser.add_argument("--around", type=int, nargs="+", default=[AROUND], help="surroundings, pixels; kept only")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("rest", nargs="+", help="roots of sets, or photographs")
    options = parser.parse_intermixed_args(arguments)
    rows = []
    for row in {"kept": kept, "time": timed}[options.what](options):
        rows.append(row)
        if options.json:  # as they come: what was measured stays if this is stopped
            options.json.write_text(json.dumps(rows, indent=1))
    show(rows)


if __name__ == "__main__":
    main()
