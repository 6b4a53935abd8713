"""Annotations of COCO, a file for a set: as masks, and a mask as such a file, which cvat and others open."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

import numpy as np

from csbsr.data.annotations import LARGEST_SIDE, is_crack, is_ignored, read_json
from csbsr.data.errors import DataError
from csbsr.data.mask_values import IGNORED, MaskRule
from csbsr.data.outlines import inside, outlines
from csbsr.data.reading.files import head_checked

_EXPECTED = "annotations of COCO: images, annotations and categories"
_CRACK = 1  # number of the category that is written
_LONGEST_RUN = 60  # bits


def is_coco(path: Path) -> bool:
    """Is there a JSON file of COCO's kind?"""
    try:
        return path.is_file() and {"images", "annotations"} <= set(read_json(path, _EXPECTED))
    except DataError:
        return False


def read_coco(path: str | Path, rule: MaskRule | None = None) -> dict[str, np.ndarray]:
    """The masks of a set from a COCO file: (H, W) uint8 in {0, 1, 255} by the images' file names.

    Crack are the annotations of a category whose name holds ``crack`` (all, if there is one category), or is the
    rule's; ``iscrowd`` ones are left out (255).

    Raises:
        DataError: the file is no COCO file, or none of its categories is a crack.
    """
    found = Coco(path, rule)
    return {name: found.mask(name) for name in found.sizes}


class Coco:
    """A COCO file, whose masks are drawn one at a time.

    Attributes:
        sizes: (H, W) of each image by its file name.
    """

    def __init__(self, path: str | Path, rule: MaskRule | None = None) -> None:
        self.path, rule = path, rule or MaskRule()
        self._last: dict[str, str] | None = None
        content = read_json(path, _EXPECTED)
        try:
            categories = {item["id"]: str(item["name"]) for item in content.get("categories", [])}
            self.sizes = {
                str(item["file_name"]): (int(item["height"]), int(item["width"])) for item in content["images"]
            }
            names = {item["id"]: str(item["file_name"]) for item in content["images"]}
            crack = {key for key, name in categories.items() if is_crack(name, rule)}
            if not crack and len(categories) == 1 and rule.crack_label is None:
                crack = set(categories)
            if not crack and categories:
                raise DataError.about(
                    path, f"the categories {', '.join(categories.values())}", "one for cracks",
                    "If one of them is the crack, say crack_label=<its name>.",
                )  # fmt: skip
            ignored = {key for key, name in categories.items() if is_ignored(name, rule)}
            self._shapes: dict[str, list[tuple[Any, int]]] = {}
            for item in content.get("annotations", []):
                category = item.get("category_id")
                value = (
                    IGNORED if item.get("iscrowd") or category in ignored else int(category in crack or not categories)
                )
                if value:
                    self._shapes.setdefault(names[item["image_id"]], []).append((item["segmentation"], value))
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError.about(path, f"no COCO file ({error!r})", _EXPECTED, "Export it again.") from error
        for name, (height, width) in self.sizes.items():
            if not (0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE):
                raise DataError.about(
                    path, f"{name} of {width} x {height} pixels", "the image's size", "Export it again."
                )

    def named(self, name: str) -> str | None:
        """The file's name for an image: its path, or else its last part; None if it lists none."""
        if name in self.sizes:
            return name
        if self._last is None:
            self._last = {PurePath(listed).name.casefold(): listed for listed in self.sizes}
        return self._last.get(PurePath(name).name.casefold())

    def mask(self, name: str | None) -> np.ndarray:
        """The mask (H, W) uint8 in {0, 1, 255} of an image."""
        if name is None:
            raise DataError.about(self.path, "an image that it does not list", "every image", "Export it again.")
        shape = self.sizes[name]
        head_checked(self.path, shape[1], shape[0], 1)
        labels = np.zeros(shape, np.uint8)
        for segmentation, value in sorted(self._shapes.get(name, ()), key=lambda item: item[1]):
            labels[_segment(self.path, segmentation, shape)] = value
        return labels


def _segment(path: str | Path, segmentation: Any, shape: tuple[int, int]) -> np.ndarray:
    """Pixels of an annotation: polygons, each filled, or run lengths (uncompressed or COCO's text)."""
    if isinstance(segmentation, list):
        found = np.zeros(shape, bool)
        for flat in segmentation:
            try:
                points = np.array(flat, np.float64).reshape(-1, 2)
            except (TypeError, ValueError) as error:
                raise DataError.about(
                    path, f"an annotation that is none ({error})", "polygons of x, y", "Export it again."
                ) from error
            if not np.isfinite(points).all():
                raise DataError.about(path, "a point that is no number", "polygons of x, y", "Export it again.")
            found |= inside(points, shape)
        return found
    try:
        counts, (height, width) = segmentation["counts"], segmentation["size"]
        runs = _runs(counts) if isinstance(counts, str) else [int(count) for count in counts]
        if (height, width) != shape or sum(runs) != height * width or min(runs, default=0) < 0:
            raise ValueError("run lengths of another size")
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError.about(
            path, f"an annotation that is none ({error})", "polygons or run lengths", "Export it again."
        ) from error
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def _runs(text: str) -> list[int]:
    """COCO's text of run lengths: base 48, 5 bits a character, differences to the run before the last."""
    runs: list[int] = []
    place = 0
    while place < len(text):
        value, shift = 0, 0
        while True:
            code = ord(text[place]) - 48
            value |= (code & 0x1F) << shift
            shift += 5
            if shift > _LONGEST_RUN:
                raise ValueError("a run length without end")
            place += 1
            if not code & 0x20:
                if code & 0x10:
                    value |= -1 << shift
                break
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs


def coco(mask: np.ndarray, image: str, size: tuple[int, int], scale: float = 1.0) -> dict[str, Any]:
    """A file of COCO for one photograph, as plain values: one annotation for each outline, in its coordinates.

    Args:
        mask: (H, W) bool.
        image: name of the photograph.
        size: (h, w) of the photograph.
        scale: pixels of the mask to one of the photograph, along a side.
    """
    annotations = []
    for number, ring in enumerate(outlines(mask), 1):
        points = (ring + 0.5) / scale - 0.5
        x, y = points.T
        area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        annotations.append(
            {
                "id": number, "image_id": 1, "category_id": _CRACK, "iscrowd": 0, "area": area,
                "bbox": [left, top, right - left, bottom - top], "segmentation": [points.ravel().tolist()],
            }
        )  # fmt: skip
    return {
        "images": [{"id": 1, "file_name": image, "height": size[0], "width": size[1]}],
        "categories": [{"id": _CRACK, "name": "crack"}],
        "annotations": annotations,
    }
