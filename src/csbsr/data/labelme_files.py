"""Polygons of LabelMe, a file for each image: as masks, and masks as such files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from csbsr.data.annotations import LARGEST_SIDE, is_crack, is_ignored, read_json
from csbsr.data.errors import DataError
from csbsr.data.mask_values import IGNORED, MaskRule
from csbsr.data.outlines import inside, outlines
from csbsr.data.reading.files import head_checked

#: How names of its files end.
POLYGONS = frozenset({".json"})
_EXPECTED = "polygons of LabelMe: shapes with a label and points"


def read_polygons(path: str | Path, rule: MaskRule | None = None, size: tuple[int, int] | None = None) -> np.ndarray:
    """A mask (H, W) uint8 in {0, 1, 255} from a file of LabelMe.

    Crack are the shapes whose label holds ``crack``, or is the rule's; left out (255) those labelled ``ignore`` or
    ``exclude``, or the rule's.

    Args:
        path: of the file.
        rule: labels of crack and of what is left out.
        size: (H, W) of the mask; the file's where None.  Polygons of a photograph are enlarged to it.

    Raises:
        DataError: the file is no LabelMe file, has shapes that are no areas, or labels none of which is a crack.
    """
    content = read_json(path, _EXPECTED)
    shapes, shape = _enlarged(_shapes(path, content), _size(path, content, size), size)
    labels = np.zeros(shape, np.uint8)
    rule = rule or MaskRule()
    names = sorted({str(item["label"]) for item in shapes})
    for item in sorted(shapes, key=lambda item: is_ignored(str(item["label"]), rule)):
        name = str(item["label"])
        if is_ignored(name, rule):
            labels[area(path, item, shape)] = IGNORED
        elif is_crack(name, rule):
            labels[area(path, item, shape)] = 1
    if names and not labels.any() and not any(is_crack(name, rule) or is_ignored(name, rule) for name in names):
        raise DataError.about(
            path, f"polygons labelled {', '.join(names[:5])}", "some labelled crack",
            f"If one of these is the crack, say crack_label={names[0]} (in training data.crack_label={names[0]}).",
        )  # fmt: skip
    return labels


def areas(path: str | Path, label: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Pixels (H, W) bool inside the shapes of a LabelMe file that have this label, in any letter case."""
    content = read_json(path, _EXPECTED)
    shapes, shape = _enlarged(_shapes(path, content), _size(path, content, size), size)
    found = np.zeros(shape, bool)
    for item in shapes:
        if str(item["label"]).casefold() == label.casefold():
            found |= area(path, item, shape)
    return found


def area(path: str | Path, item: Mapping[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """Pixels (H, W) bool inside a shape of LabelMe: a polygon, rectangle or circle."""
    points, kind = np.array(item["points"], np.float64), item.get("shape_type") or "polygon"
    if kind == "rectangle" and len(points) == 2:
        (x0, y0), (x1, y1) = points
        points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    elif kind == "circle" and len(points) == 2:
        radius = float(np.hypot(*(points[1] - points[0])))
        y, x = np.ogrid[: shape[0], : shape[1]]
        return np.asarray((x - points[0, 0]) ** 2 + (y - points[0, 1]) ** 2 <= radius**2)
    elif kind != "polygon" or len(points) < 3:
        raise DataError.about(
            path, f"a {kind} of {len(points)} points labelled {item['label']}",
            "areas: polygons, rectangles or circles", "Draw the crack as a polygon around it, or delete this shape.",
        )  # fmt: skip
    return inside(points, shape)


def size_of(path: str | Path) -> tuple[int, int] | None:
    """(H, W) that a file of LabelMe tells of its image; None if it does not."""
    content = read_json(path, _EXPECTED)
    _shapes(path, content)
    return _size(path, content, None) if content.get("imageHeight") is not None else None


def labelme(
    mask: np.ndarray, image: str, size: tuple[int, int], scale: float = 1.0, label: str = "crack"
) -> dict[str, Any]:
    """A file of LabelMe, as plain values, with the cracks of a mask, in coordinates of the photograph.

    `read_polygons` with the size of the mask gives the mask back, to the pixel.

    Args:
        mask: (H, W) bool.
        image: name of the photograph that the annotator opens.
        size: (h, w) of the photograph.
        scale: pixels of the mask to one of the photograph, along a side.
        label: of the shapes.
    """
    shapes = [
        {
            "label": label, "points": ((ring + 0.5) / scale - 0.5).tolist(), "group_id": None, "description": "",
            "shape_type": "polygon", "flags": {},
        }
        for ring in outlines(mask)
    ]  # fmt: skip
    return {
        "version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": image, "imageData": None,
        "imageHeight": size[0], "imageWidth": size[1],
    }  # fmt: skip


def _shapes(path: str | Path, content: Mapping[str, Any]) -> list[dict[str, Any]]:
    shapes = content.get("shapes")
    if not isinstance(shapes, list):
        coco = "annotations" in content
        hint = "COCO holds a whole set: name its file <split>/masks.json." if coco else "Export it again."
        raise DataError.about(path, "JSON without shapes", _EXPECTED, hint)
    for item in shapes:
        try:
            points = np.array(item["points"], np.float64)
            sound = "label" in item and points.ndim == 2 and points.shape[1] == 2 and np.isfinite(points).all()
        except (KeyError, TypeError, ValueError):
            sound = False
        if not sound:
            raise DataError.about(path, "a shape without a label or points of x and y", _EXPECTED, "Export it again.")
    return shapes


def _size(path: str | Path, content: Mapping[str, Any], size: tuple[int, int] | None) -> tuple[int, int]:
    height, width = content.get("imageHeight"), content.get("imageWidth")
    if height is None or width is None:
        if size is None:
            raise DataError.about(path, "no imageHeight and imageWidth", "the image's size", "Export it again.")
        return size
    if not (
        isinstance(height, int) and isinstance(width, int) and 0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE
    ):
        raise DataError.about(path, f"a size of {width} x {height}", "the image's size", "Export it again.")
    head_checked(path, width, height, 1)
    return height, width


def _enlarged(
    shapes: list[dict[str, Any]], own: tuple[int, int], size: tuple[int, int] | None
) -> tuple[list[dict[str, Any]], tuple[int, int]]:
    """Shapes in pixels of ``size``, and that size; the file's ``own`` without one."""
    if size is None or size == own:
        return shapes, own
    factors = np.array([size[1] / own[1], size[0] / own[0]])
    return [
        {**item, "points": ((np.array(item["points"], np.float64) + 0.5) * factors - 0.5).tolist()} for item in shapes
    ], size
